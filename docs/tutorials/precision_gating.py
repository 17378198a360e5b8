# %% [markdown]
# # Low bits only where they matter: Precision Gating
#
# Precision Gating ([arXiv 2002.07136](https://arxiv.org/abs/2002.07136)) computes every output from the high bits of the activations first,
# and adds the low bits only where that result is above a trained threshold. The decision is made for each output and each input vector,
# so the hardware is dynamic: a folded layer skips what the gates leave out, and its latency depends on the data.
#
# `GatedDense` is the layer (`GatedConv1D` and `GatedConv2D` are the same for windows): it quantizes its unsigned input itself, has a
# threshold for each output, and adds the penalty that keeps the gates closed to the loss. Here it stands in a model of its own;
# `fpgaq train float.keras --method uniform --bits 4 --gate 2 ...` puts such layers into a trained float model.

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


def accuracy(scores):
    return 100 * np.mean(np.argmax(scores, axis=1) == y_test)


# %%
from qkeras import QActivation, QDense, quantized_bits, quantized_relu

from fpgaq.quantize.layers import GatedDense


def dense(units, name):
    quantizers = {
        "kernel_quantizer": quantized_bits(6, 0, alpha=1),
        "bias_quantizer": quantized_bits(6, 0, alpha=1),
    }
    return QDense(units, **quantizers, name=name)


model = keras.Sequential(
    [
        keras.Input((64,), name="pixels"),
        dense(16, "fc1"),
        keras.layers.ReLU(name="relu1"),
        GatedDense(
            16,
            activation_bits=4,
            high_bits=2,
            target=1.0,
            penalty=1e-3,
            name="fc2",
        ),
        keras.layers.BatchNormalization(name="bn2"),
        QActivation(quantized_relu(4, 2), name="relu2"),
        dense(10, "fc3"),
    ]
)
model.compile(
    keras.optimizers.Adam(3e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.fit(x, y, epochs=30, batch_size=64, verbose=0)
print(f"{accuracy(model.predict(x_test, verbose=0)):.1f} %")

# %% [markdown]
# ## Which gates open
#
# Half of the activation bits are high ones here. Every closed gate saves the other half of an output's multiplications.

# %%
inner = keras.Model(model.inputs, model.get_layer("relu1").output)
gates = model.get_layer("fc2").gate_activity(
    inner.predict(x_test, verbose=0)
)
closed = 16 - gates.sum(1)
print(f"{100 * (1 - gates.mean()):.1f} % of the gates are closed;")
print(f"of one image {closed.min()} to {closed.max()} of 16")

# %% [markdown]
# ## Hardware, and the proof
#
# With a reuse factor the layer is an engine of two passes. The gates count how often they opened, and the clock in which every result
# leaves is predicted from that; the simulation has to agree for every vector.

# %%
import fpgaq

design = fpgaq.convert(
    model,
    input_precision="ufixed<5,1>",
    layers={"fc2": {"reuse_factor": 16}},
    output="build/precision_gating",
    name="precision_gating",
)
for gate in design.check(x_test[:64]):
    print(
        gate.name,
        "equal" if gate.passed else "differs",
        gate.samples,
        "samples",
    )
    for activity in gate.activities:
        print(
            f"  {activity.layer}: {activity.updates.mean():.1f} of "
            f"{activity.outputs} outputs take the low bits, in the mean"
        )
print(f"hardware: {accuracy(design.golden(x_test)):.1f} %")

# %%
_, cycles = design.rtl(x_test[:16])
latency = design.hardware.latency
print(f"predicted latency with all gates open: {latency} clocks")
print(f"measured: {cycles}")
