# %% [markdown]
# # Training with a filter on the weights: FAT
#
# FAT ([arXiv 2102.07444](https://arxiv.org/abs/2102.07444)) looks at every filter in the frequency domain, learns which frequencies to
# damp, and rounds what is left. At inference nothing of the transform remains: the weights are plain integers, or powers of two in the
# logarithmic mode. Steps are powers of two here, so that hardware needs no scales.
#
# We compare it with plain training at 3 bits on scikit-learn's digits, and build both. One seed says little:
# [methods side by side](../../comparison/) has paired differences over many.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)
digits = load_digits()
x, x_test, y, y_test = train_test_split(
    digits.data / 16, digits.target, test_size=597, random_state=1
)

model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        keras.layers.Dense(16, activation="relu", name="fc1"),
        keras.layers.Dense(16, activation="relu", name="fc2"),
        keras.layers.Dense(10, name="fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.fit(x, y, epochs=20, batch_size=64, verbose=0)


def accuracy(scores):
    return 100 * np.mean(np.argmax(scores, axis=1) == y_test)


print(f"float: {accuracy(model.predict(x_test, verbose=0)):.1f} %")

# %% [markdown]
# ## The trainer
#
# `train` clones the float model with the quantizers of a method and goes on with `model.fit`. The same on the command line: `fpgaq train
# float.keras --method fat --bits 3 --inputs x.npy --targets y.npy -o q.keras`. Activations have 4 bits and a trained limit (PACT).

# %%
from fpgaq.quantize.training.trainer import Settings, train

trained = {}
for method in ("uniform", "fat"):
    trained[method] = train(
        model, x, y, Settings(method=method, bits=3, epochs=15, rate=1.5e-3)
    ).model
    scores = trained[method].predict(x_test, verbose=0)
    print(f"3 bits, {method}: {accuracy(scores):.1f} %")

# %% [markdown]
# ## What was learned
#
# The mask of every filter lies between 0 and 1, a gain for each frequency. The layer's quantizer is an ordinary Keras layer with variables
# of its own: it is saved with the model, and trains in your own loop as well.

# %%
layer = trained["fat"].get_layer("fc1")
print(
    "variables:",
    ", ".join(
        f"{v.name} {tuple(v.shape)}"
        for v in layer.kernel_quantizer_internal.trainable_variables
    ),
)
print(
    "weights in use:",
    np.unique(np.asarray(layer.kernel_quantizer_internal(layer.kernel))),
)

# %% [markdown]
# ## Your own loop
#
# The quantizers need no trainer. They go wherever a quantizer of QKeras does.

# %%
from qkeras import QActivation, QDense, quantized_bits

from fpgaq.quantize.quantizers import FrequencyAware, LearnedClip

own = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        QDense(
            16,
            kernel_quantizer=FrequencyAware(4),
            bias_quantizer=quantized_bits(8, 2, alpha=1),
            name="fc1",
        ),
        QActivation(LearnedClip(4), name="relu1"),
        QDense(
            10,
            kernel_quantizer=FrequencyAware(4),
            bias_quantizer=quantized_bits(8, 2, alpha=1),
            name="fc2",
        ),
    ]
)
own.compile(
    "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
)
own.fit(x, y, epochs=20, batch_size=32, verbose=0)
print(f"own loop, 4 bits: {accuracy(own.predict(x_test, verbose=0)):.1f} %")

# %% [markdown]
# ## Hardware, and the proof
#
# `convert` freezes the model by itself (`fpgaq.freeze` does only that): every trained quantizer becomes a fixed one, bit for bit.

# %%
import fpgaq

design = fpgaq.convert(
    trained["fat"],
    input_precision="ufixed<5,1>",
    output="build/frequency_aware",
    name="frequency_aware",
)
for gate in design.check(x_test[:64]):
    print(
        gate.name,
        "equal" if gate.passed else "differs",
        gate.samples,
        "samples",
    )
print(f"hardware: {accuracy(design.golden(x_test)):.1f} %")
