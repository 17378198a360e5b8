"""Train an MLP with ternary weights and ternary activations inside on scikit-learn's digits."""

import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_relu, ternary
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fpgaq.quantize.quantizers import TernaryWeights, TwoScaleTernary

keras.utils.set_random_seed(1)

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, test_size=0.25, random_state=0, stratify=digits.target
)


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        QDense(64, use_bias=False, kernel_quantizer=TernaryWeights(), name="fc1"),
        keras.layers.BatchNormalization(name="bn1"),
        QActivation(quantized_relu(2, 1), name="relu1"),
        QDense(32, use_bias=False, kernel_quantizer=TwoScaleTernary(), name="fc2"),
        keras.layers.BatchNormalization(name="bn2"),
        QActivation(ternary(alpha=1, threshold=0.5), name="act2"),
        QDense(10, kernel_quantizer=TernaryWeights(), bias_quantizer=TernaryWeights(), name="fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x_train, y_train, epochs=40, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
