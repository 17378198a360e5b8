"""Train a residual CNN on patches of scikit-learn's two photographs; ``--small`` is for quick trials.

A patch of 32x32 RGB pixels is to be told by the picture that it comes from, a temple or a flower. Test patches are from
the right third of both, which training never sees.
"""

import sys

import keras
import numpy as np
from keras.layers import Add, BatchNormalization, GlobalAveragePooling2D
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu, ternary
from sklearn.datasets import load_sample_images

small = "--small" in sys.argv
keras.utils.set_random_seed(1)

SIZE, WIDTHS, EPOCHS = (8, (4, 6), 1) if small else (32, (16, 32, 64), 12)


def patches(part: slice, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return patches as (count, size, size, 3) of 5 bits a colour, and the picture that each is from."""
    found, labels = [], []
    for label, picture in enumerate(load_sample_images().images):
        picture = picture[:, part]
        for row in range(0, picture.shape[0] - 32 + 1, step):
            for col in range(0, picture.shape[1] - 32 + 1, step):
                found.append(picture[row : row + 32 : 32 // SIZE, col : col + 32 : 32 // SIZE])
                labels.append(label)
    return np.floor(np.array(found) / 8).astype("float32") / 32, np.array(labels)


x_train, y_train = patches(slice(0, 420), 12)
x_test, y_test = patches(slice(420, 640), 16)
order = np.random.default_rng(1).permutation(len(x_train))
x_train, y_train = x_train[order], y_train[order]


def conv(x, filters: int, size: int, stride: int, name: str):
    """A ternary convolution with batch normalization."""
    x = QConv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_quantizer=ternary(alpha=1),
        name=name,
    )(x)
    return BatchNormalization(name=f"{name}_norm")(x)


def residual(x, filters: int, stride: int, name: str):
    """Two convolutions beside the identity, or a 1x1 convolution where the shape changes."""
    y = QActivation(quantized_relu(4, 2), name=f"{name}_relu1")(conv(x, filters, 3, stride, f"{name}_conv1"))
    y = QActivation(quantized_bits(5, 2, alpha=1), name=f"{name}_signed")(conv(y, filters, 3, 1, f"{name}_conv2"))
    if stride > 1:
        x = conv(x, filters, 1, stride, f"{name}_skip")
        x = QActivation(quantized_bits(5, 2, alpha=1), name=f"{name}_skip_signed")(x)
    return QActivation(quantized_relu(4, 2), name=f"{name}_relu2")(Add(name=f"{name}_add")([x, y]))


pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
x = QActivation(quantized_relu(4, 2), name="stem_relu")(conv(pixels, WIDTHS[0], 3, 1, "stem"))
for k, filters in enumerate(WIDTHS):
    x = residual(x, filters, 1 if k == 0 else 2, f"block{k + 1}")
x = QActivation(quantized_relu(6, 2), name="mean_relu")(GlobalAveragePooling2D(name="mean")(x))
x = QDense(2, kernel_quantizer=quantized_bits(6, 1, alpha=1), bias_quantizer=quantized_bits(6, 1, alpha=1), name="fc")(
    x
)
model = keras.Model(pixels, x)
model.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(x_train) // 64)),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=EPOCHS, batch_size=64, verbose=0)

np.save("x_test.npy", x_test)
np.save("y_test.npy", y_test)
model.save("model.keras")
