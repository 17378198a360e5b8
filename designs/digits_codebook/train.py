"""Train a float MLP on scikit-learn's digits, cluster its weights into codebooks, and tune it with them."""

import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fpgaq.quantize.quantizers import Codebook

keras.utils.set_random_seed(1)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


def network(quantizers: list[Codebook | None]) -> keras.Model:
    """64-32-32-10, with one codebook a layer or none."""
    layers: list[keras.Layer] = [keras.Input((64,), name="pixels")]
    for k, (units, quantizer) in enumerate(zip((32, 32, 10), quantizers, strict=True), 1):
        bias = quantized_bits(6, 1, alpha=1)
        layers.append(QDense(units, kernel_quantizer=quantizer, bias_quantizer=bias, name=f"fc{k}"))
        layers += [QActivation(quantized_relu(4, 2), name=f"relu{k}")] * (k < 3)
    return keras.Sequential(layers)


def train(model: keras.Model, epochs: int, rate: float) -> None:
    """Fit in place."""
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=0)


trained = network([None, None, None])
train(trained, 30, 3e-3)
# Eight entries where there are many weights, four in the last layer: three and two bits a weight.
books = [Codebook.from_weights(trained.get_layer(f"fc{k}").kernel, bits) for k, bits in ((1, 3), (2, 3), (3, 2))]
model = network(books)
model.set_weights(trained.get_weights())
train(model, 20, 1e-3)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
