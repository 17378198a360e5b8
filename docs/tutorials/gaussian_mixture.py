# %% [markdown]
# # Weights that share a few values: DGMS
#
# DGMS ([arXiv 2112.15139](https://arxiv.org/abs/2112.15139)) describes the weights of a layer by a mixture of Gaussians and trains both
# together: in training a weight is a soft choice among the means, at inference it is one of them. Hardware stores an index a weight and a
# small table a layer; the mean of the first component stays zero, so weights with that index cost nothing.

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
# ## Four values a layer
#
# 2 bits are four components. Without training the shared values are those of k-means; training moves weights and values.

# %%
from fpgaq.quantize.training.trainer import Settings, train

trained = {}
for method in ("uniform", "dgms"):
    trained[method] = train(
        model, x, y, Settings(method=method, bits=2, epochs=15, rate=1.5e-3)
    ).model
    scores = trained[method].predict(x_test, verbose=0)
    print(f"2 bits, {method}: {accuracy(scores):.1f} %")

# %% [markdown]
# Freezing rounds the table to 8 bits and merges entries that fall together.

# %%
import fpgaq

frozen = fpgaq.freeze(trained["dgms"])
print(f"frozen: {accuracy(frozen.predict(x_test, verbose=0)):.1f} %")
for name in ("fc1", "fc2", "fc3"):
    values, counts = np.unique(
        frozen.get_layer(name).get_weights()[0], return_counts=True
    )
    shares = ", ".join(
        f"{value:+.4f} ({100 * count / counts.sum():.0f} %)"
        for value, count in zip(values, counts)
    )
    print(f"{name}: {shares}")

# %%
import fpgaq

design = fpgaq.convert(
    frozen,
    input_precision="ufixed<5,1>",
    output="build/gaussian_mixture",
    name="gaussian_mixture",
)
for gate in design.check(x_test[:64]):
    print(
        gate.name,
        "equal" if gate.passed else "differs",
        gate.samples,
        "samples",
    )
print(f"hardware: {accuracy(design.golden(x_test)):.1f} %")

# %% [markdown]
# ## What the hardware does with shared values
#
# Unrolled, a matrix of few values is a sum of inputs for each value and one constant multiplication of each sum, or an adder graph of
# all of it; the cheaper form is built, and the estimate says what it takes.

# %%
from fpgaq.estimate.estimate import estimate

plain = fpgaq.convert(
    trained["uniform"],
    input_precision="ufixed<5,1>",
    output="build/uniform",
    name="uniform",
)
for name, network in (("uniform", plain), ("dgms", design)):
    cost = estimate(network.hardware)
    luts, ffs = cost.total.lut.value, cost.total.ff.value
    print(f"{name}: {luts:.0f} LUT, {ffs:.0f} FF, latency {cost.latency}")

# %% [markdown]
# Integers of 2 bits are -2, -1, 0 and 1: adders alone. Shared values are any 8-bit numbers, which take more adders in an unrolled matrix;
# what DGMS saves is storage, which counts in folded layers and block RAM.
