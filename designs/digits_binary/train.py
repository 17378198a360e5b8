"""Train an MLP with binary weights and binary activations inside on scikit-learn's digits."""

import keras
import numpy as np
from qkeras import QActivation, QDense, binary
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


def block(units: int, name: str) -> list[keras.Layer]:
    """Signs times signs, summed and normalised: in hardware XNOR, popcount and one comparison a neuron."""
    return [
        QDense(units, use_bias=False, kernel_quantizer=binary(alpha=1), name=name),
        keras.layers.BatchNormalization(name=f"bn_{name}"),
        QActivation(binary(alpha=1), name=f"sign_{name}"),
    ]


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        *block(128, "fc1"),
        *block(64, "fc2"),
        QDense(10, use_bias=False, kernel_quantizer=binary(alpha=1), name="fc3"),
        keras.layers.BatchNormalization(name="bn_fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x_train, y_train, epochs=60, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
