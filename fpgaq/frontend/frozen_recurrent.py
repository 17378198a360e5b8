"""Frozen recurrent layers, computed by the cells of Keras and QKeras themselves, with frozen numbers and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from fpgaq.frontend.dyadic import Dyadic
from fpgaq.frontend.recurrent_handlers import GATES, OTHERS, cell_of

Step = Callable[[Any], Any]


def recurrent_step(
    layer: Any, parameters: dict[str, Dyadic], functions: Mapping[str, Sequence[Step]], dtype: str
) -> Callable[[Any], Any]:
    """Return a recurrent layer as a function on tensors.

    Parameters
    ----------
    layer : keras.Layer
    parameters : dict
        Frozen weights and biases.
    functions : dict
        What becomes of a value where a cell applies a function: by the part of the step; "state_quantizer", where the
        layer has one, and else the casts of "hidden_state" and "cell_state".
    dtype : str
        Float type in which all sums are exact.
    """
    from keras import ops

    kind, _ = cell_of(layer)
    cell = _frozen_cell(layer, parameters, dtype)
    if "state_quantizer" in functions:
        cell.state_quantizer, cell.state_quantizer_internal = True, _chained(functions["state_quantizer"])
    # The cell state is rounded before a function is applied to it, and once more, which changes nothing, at the end.
    before = {"output": functions["cell_state"]} if kind == "lstm" else {}
    cell.activation = _in_turn([[*before.get(part, ()), *functions[part]] for part in OTHERS[kind]])
    if GATES[kind]:
        cell.recurrent_activation = _in_turn([functions[part] for part in GATES[kind]])
    kept = [_chained(functions[state]) for state in ("hidden_state", "cell_state")]

    def apply(x: Any) -> Any:
        states = [ops.zeros((x.shape[0], layer.units), dtype)] * (2 if kind == "lstm" else 1)
        results = []
        for position in range(x.shape[1]):
            _, states = cell.call(x[:, position], states)
            states = [keep(state) for keep, state in zip(kept, states, strict=False)]
            results.append(states[0])
        return ops.stack(results, axis=1) if layer.return_sequences else results[-1]

    return apply


def _frozen_cell(layer: Any, parameters: dict[str, Dyadic], dtype: str) -> Any:
    """Return a cell of the same class with frozen weights, and without functions and quantizers of its own."""
    config = layer.cell.get_config()
    for key in config:
        if key.endswith(("activation", "quantizer", "regularizer", "constraint")):
            config[key] = None
    cell = type(layer.cell).from_config(config | {"dtype": dtype})
    cell.build((None, parameters["weight"].codes.shape[0]))
    weights = [parameters["weight"].values, parameters["recurrent_weight"].values]
    if layer.use_bias:
        biases = np.stack([parameters["bias"].values, parameters["recurrent_bias"].values])
        weights.append(biases if len(cell.bias.shape) > 1 else biases[0])
    cell.set_weights(weights)
    return cell


def _chained(steps: Sequence[Step]) -> Step:
    def apply(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return apply


def _in_turn(chains: Sequence[Sequence[Step]]) -> Step:
    """Return a function that is another one at every call, over and over."""
    turns = cycle([_chained(steps) for steps in chains])
    return lambda x: next(turns)(x)
