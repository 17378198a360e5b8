"""Every row of the table of supported quantizers: exact where it says so, refused by name where it says that.

All configurations of a row are parallel layers of one model.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from keras_models import bits, lowered, stimuli, with_random_weights
from qkeras import QActivation, QDense

from fpgaq.design import Design
from fpgaq.errors import FpgaqError
from fpgaq.frontend.quantizer_support import STAIRS, TABLE, Support
from fpgaq.ir.ops import Thresholds
from fpgaq.quantize import quantizers

#: Every code of this type is an input: it holds the ties of all 8-bit grids.
INPUT = "fixed<15,5>"
#: Small and large enough for the thresholds of powers of two; these get the codes around their thresholds.
WIDE = "fixed<40,20>"


def made(row: Support, options: dict[str, Any]) -> Any:
    """Return a quantizer of a row."""
    found = getattr(quantizers if row.quantizer in quantizers.__all__ else qkeras.quantizers, row.quantizer)
    return found(**options) if isinstance(found, type) else found


def model_of(row: Support, made_ones: list[Any]) -> Any:
    """Return a model in which every quantizer is a layer on the input."""
    if row.role == "activation":
        x = keras.Input((1,), name="features")
        return keras.Model(x, [QActivation(q, name=f"q{k}")(x) for k, q in enumerate(made_ones)])
    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="features")
    layers = [QDense(5, kernel_quantizer=q, bias_quantizer=bits(4), name=f"q{k}") for k, q in enumerate(made_ones)]
    return with_random_weights(keras.Model(x, [layer(x) for layer in layers]))


def every_code(design: Design) -> np.ndarray:
    type_ = design.graph.inputs[0].type
    return np.arange(type_.min, type_.max + 1)[:, None]


def around_thresholds(design: Design) -> np.ndarray:
    """Return the code of every threshold with its neighbours, and codes of all magnitudes."""
    type_ = design.graph.inputs[0].type
    thresholds = [node.thresholds for node in design.graph.nodes.values() if isinstance(node, Thresholds)]
    places = np.unique(np.concatenate([[0], *thresholds]))
    powers = 2 ** np.arange(type_.width - 1)
    codes = np.concatenate([places - 1, places, places + 1, powers, -powers])
    return np.unique(np.clip(codes, type_.min, type_.max))[:, None]


def title(row: Support) -> str:
    return f"{row.quantizer} {row.role} {row.how}" + "".join(f" {key}={values}" for key, values in row.options.items())


@pytest.mark.parametrize("row", [row for row in TABLE if row.exact and row.role == "activation"], ids=title)
def test_exact_activations_equal_keras_at_every_code(row: Support) -> None:
    model = model_of(row, [made(row, options) for options in row.configurations()])
    design = lowered(model, input_precision=INPUT)
    gate = design.keras_gate(every_code(design))
    gate.require()
    assert gate.samples == 1 << 15
    if row.how == STAIRS and not {"use_real_tanh", "use_real_sigmoid"} & set(row.options):
        wide = lowered(model, input_precision=WIDE)
        wide.keras_gate(around_thresholds(wide)).require()


@pytest.mark.parametrize("row", [row for row in TABLE if row.exact and row.role == "parameter"], ids=title)
def test_exact_parameters_equal_keras(row: Support) -> None:
    design = lowered(model_of(row, [made(row, options) for options in row.configurations()]))
    design.keras_gate(stimuli(design)).require()


@pytest.mark.parametrize("row", [row for row in TABLE if not row.exact], ids=title)
def test_refused_configurations_name_layer_and_option(row: Support) -> None:
    for options in row.configurations():
        with pytest.raises(FpgaqError, match=r"layer 'q0'") as caught:
            lowered(model_of(row, [made(row, options)]))
        assert row.named in str(caught.value)


def test_inputs_finer_than_float32_is_monotone_are_refused() -> None:
    """With 20 fraction bits some inputs lie between a threshold of tanh in float32 and the last number below it."""
    model = keras.Sequential([keras.Input((1,)), QActivation("quantized_tanh(8,0,0,1)", name="curve")])
    with pytest.raises(FpgaqError, match=r"layer 'curve': its quantizer is not monotone on inputs of type"):
        lowered(model, input_precision=WIDE)
