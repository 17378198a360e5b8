# %% [markdown]
# # A float model, rounded without training
#
# Attention Round ([arXiv 2207.03088](https://arxiv.org/abs/2207.03088)) lets every weight go to any number of the grid, the rarer the
# further it is, so that the outputs of its layer stay what they were. What runs here is a *reconstruction*: the idea is the abstract's,
# the gradient and its constants are from our own trials.
#
# We train a small float network on scikit-learn's digits, round it to 3 and 2 bits, and build the result.

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
# ## Rounding
#
# The same happens in `fpgaq quantize float.keras --method attention-round --bits 3 --calibration x.npy -o q.keras`. Activations get 8 bits,
# weights a power of two as their step. `nearest` is what everybody does first.

# %%
from fpgaq.quantize.ptq.post_training import quantized
from fpgaq.quantize.ptq.settings import Settings

rounded = {}
for bits in (3, 2):
    for method in ("nearest", "adaround", "attention-round"):
        settings = Settings(method=method, bits=bits, layer_bits={})
        rounded[method, bits] = quantized(model, x, settings)
        scores = rounded[method, bits].predict(x_test, verbose=0)
        print(f"{bits} bits, {method}: {accuracy(scores):.1f} %")

# %% [markdown]
# How far did weights go? Of all weights that Attention Round moved, most went to the neighbour that is not the nearest; a few went further.

# %%
plain, searched = (
    rounded["nearest", 3].get_layer("fc1"),
    rounded["attention-round", 3].get_layer("fc1"),
)
step = 2.0 ** (plain.kernel_quantizer_internal.integer + 1 - 3)
moves = np.abs(plain.get_weights()[0] - searched.get_weights()[0]) / step
for distance in range(4):
    share = 100 * np.mean(np.rint(moves) == distance)
    print(f"{distance} steps from the nearest number: {share:.1f} % of fc1")

# %% [markdown]
# ## Hardware, and the proof
#
# Inputs are multiples of 1/16 from 0 to 1, which `ufixed<5,1>` holds exactly. `check` compares frozen Keras, C++ and SystemVerilog with the
# integer model, code by code.

# %%
import fpgaq

design = fpgaq.convert(
    rounded["attention-round", 3],
    input_precision="ufixed<5,1>",
    output="build/attention_round",
    name="attention_round",
)
for gate in design.check(x_test[:64]):
    print(
        gate.name,
        "equal" if gate.passed else "differs",
        gate.samples,
        "samples",
    )
print(f"hardware: {accuracy(design.golden(x_test)):.1f} %")

# %%
from fpgaq.estimate.estimate import estimate

cost = estimate(design.hardware)
print(f"{cost.total.lut.value:.0f} LUT, {cost.total.ff.value:.0f} FF")
print(f"latency {cost.latency}, a vector every {cost.ii} clock")
