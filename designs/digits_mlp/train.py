"""Train a 6-bit QKeras MLP 64-32-32-10 on scikit-learn's digits; writes model.keras and the test set."""

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


def dense(units: int, name: str) -> QDense:
    """A layer with 6-bit weights; the penalty drives weights to zero, which costs no hardware."""
    return QDense(
        units,
        kernel_quantizer=quantized_bits(6, 0, alpha=1),
        bias_quantizer=quantized_bits(6, 0, alpha=1),
        kernel_regularizer=keras.regularizers.L1(1e-3),
        name=name,
    )


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        dense(32, "fc1"),
        QActivation(quantized_relu(4, 2), name="relu1"),
        dense(32, "fc2"),
        QActivation(quantized_relu(4, 2), name="relu2"),
        dense(10, "fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x_train, y_train, epochs=30, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
