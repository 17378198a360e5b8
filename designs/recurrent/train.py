"""Train a GRU on scikit-learn's digits, read row by row (8 rows of 8, 10 classes); ``--small`` is for quick trials."""

import sys

import keras
import numpy as np
from qkeras import QGRU, QDense, quantized_bits, quantized_sigmoid, quantized_tanh, ternary
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

small = "--small" in sys.argv
keras.utils.set_random_seed(1)

x, y = load_digits(return_X_y=True)
x = (x.reshape(-1, 8, 8) / 16).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=1, stratify=y)

model = keras.Sequential(
    [
        keras.Input(x_train.shape[1:], name="rows"),
        QGRU(
            4 if small else 24,
            kernel_quantizer=ternary(alpha=0.5),
            recurrent_quantizer=quantized_bits(4, 0, alpha=1),
            bias_quantizer=quantized_bits(6, 1, alpha=1),
            state_quantizer=quantized_bits(6, 0, alpha=1),
            activation=quantized_tanh(6),
            recurrent_activation=quantized_sigmoid(5),
            reset_after=True,
        ),
        QDense(
            10,
            kernel_quantizer=quantized_bits(6, 1, alpha=1),
            bias_quantizer=quantized_bits(6, 1, alpha=1),
            name="fc",
        ),
    ]
)
model.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 1 if small else 2500)),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=1 if small else 60, batch_size=32, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
