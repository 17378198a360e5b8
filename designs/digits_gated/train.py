"""Train an MLP with a gated middle layer on scikit-learn's digits, and a twin whose gates are all open.

Writes model.keras, twin.keras and the test set, and into comparison.json what it prints: the accuracy of both on the
test set and the share of their gates that are closed there.
"""

import json
from pathlib import Path

import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fpgaq.quantize.layers import GatedDense

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


EPOCHS, BATCH = 50, 64


def dense(units: int, name: str) -> QDense:
    """A layer with 6-bit weights."""
    return QDense(
        units,
        kernel_quantizer=quantized_bits(6, 0, alpha=1),
        bias_quantizer=quantized_bits(6, 0, alpha=1),
        name=name,
    )


def trained(*, gated: bool) -> keras.Model:
    """Train with gates, or with thresholds so low that they are always open; everything else is the same."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((64,), name="pixels"),
            dense(32, "fc1"),
            keras.layers.ReLU(name="relu1"),
            GatedDense(32, activation_bits=4, high_bits=2, target=1.0, penalty=1e-3 if gated else 0.0, name="fc2"),
            keras.layers.BatchNormalization(name="bn2"),
            QActivation(quantized_relu(4, 2), name="relu2"),
            dense(10, "fc3"),
        ]
    )
    if not gated:
        thresholds = model.get_layer("fc2").threshold
        thresholds.assign(np.full(32, -1e6))
        thresholds.trainable = False
    # A rate that falls to zero: both end in a settled state, and their distance is not the noise of the last steps.
    rate = keras.optimizers.schedules.CosineDecay(6e-3, EPOCHS * -(-len(x_train) // BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return model


comparison = {}
for name, model in (("model", trained(gated=True)), ("twin", trained(gated=False))):
    read = keras.Model(model.inputs[0], model.get_layer("relu1").output)(x_test)
    closed = 1 - float(model.get_layer("fc2").gate_activity(read).mean())
    accuracy = float(model.evaluate(x_test, y_test, verbose=0)[1])
    print(f"{name}: accuracy {100 * accuracy:.2f} %, {100 * closed:.1f} % of the gates closed")
    comparison[name] = {"accuracy": accuracy, "closed": closed}
    model.save(f"{name}.keras")

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
Path("comparison.json").write_text(json.dumps(comparison, indent=1) + "\n")
