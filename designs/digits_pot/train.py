"""Train an MLP whose weights are zero or powers of two on scikit-learn's digits: every product is a shift."""

import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fpgaq.quantize.quantizers import AdditivePowerOfTwo, PowerOfTwo

keras.utils.set_random_seed(1)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


def dense(units: int, name: str, quantizer: object) -> QDense:
    """A layer of shifts and adds; weights that the penalty drives to zero cost nothing."""
    return QDense(
        units,
        kernel_quantizer=quantizer,
        bias_quantizer=quantized_bits(6, 1, alpha=1),
        kernel_regularizer=keras.regularizers.L1(1e-4),
        name=name,
    )


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        dense(32, "fc1", PowerOfTwo(4)),
        QActivation(quantized_relu(4, 2), name="relu1"),
        dense(32, "fc2", PowerOfTwo(3)),
        QActivation(quantized_relu(4, 2), name="relu2"),
        dense(10, "fc3", AdditivePowerOfTwo(4)),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x_train, y_train, epochs=40, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
