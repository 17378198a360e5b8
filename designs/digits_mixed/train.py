"""Train an MLP of mixed precision on scikit-learn's digits: 4, 6 and 3 bit weights, 3 and 5 bit activations."""

import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


def dense(units: int, bits: int, name: str) -> QDense:
    """A layer with weights of the given bits, one power-of-two scale a channel."""
    return QDense(
        units,
        kernel_quantizer=quantized_bits(bits, 0, symmetric=True, alpha="auto_po2"),
        bias_quantizer=quantized_bits(6, 1, alpha=1),
        name=name,
    )


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        dense(32, 4, "fc1"),
        QActivation(quantized_relu(3, 2), name="relu1"),
        dense(32, 3, "fc2"),
        QActivation(quantized_relu(5, 3), name="relu2"),
        dense(10, 6, "fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x_train, y_train, epochs=50, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
