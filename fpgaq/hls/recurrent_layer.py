"""hls4ml's view of recurrent layers, whose C++ is ``hls_templates/nnet_recurrent.h``."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import FixedPrecisionType

_WEIGHTS = ("weight", "bias", "recurrent_weight", "recurrent_bias")
_VARIABLES = ("w{index}", "b{index}", "u{index}", "v{index}")
#: Values of a cell, besides what its functions read and give.
_VALUES = {
    "simple_rnn": ("x_sum", "h_sum", "hidden"),
    "lstm": ("x_sum", "h_sum", "cell", "hidden"),
    "gru": ("x_sum", "h_sum", "reset", "total", "hidden"),
}
_FUNCTIONS = {
    "linear": "x",
    "relu": "nnet::rectified<input_t>(x)",
    "clip": "nnet::clipped<input_t, result_t, {name}>(x, {limit})",
    "staircase": "nnet::level_of<input_t, {name}>(x, {threshold}, {level})",
}
_TABLES = {"clip": ("limit",), "staircase": ("threshold", "level")}


class Recurrent(Layer):
    """A cell that goes from step to step of a series."""

    _expected_attributes = (
        Attribute("cell", value_type=str),
        Attribute("gates"),
        Attribute("n_steps"),
        Attribute("n_in"),
        Attribute("units"),
        Attribute("return_sequences", value_type=bool),
        Attribute("reset_after", value_type=bool),
        *(WeightAttribute(name) for name in _WEIGHTS),
        *(TypeAttribute(name) for name in _WEIGHTS),
    )

    def initialize(self) -> None:
        """Declare result and parameters; types and tables come from the pass `fpgaq.hls.passes.DeriveTypes`."""
        steps, units = self.get_attr("n_steps"), self.get_attr("units")
        self.add_output_variable([steps, units] if self.get_attr("return_sequences") else [units])
        for name, variable in zip(_WEIGHTS, _VARIABLES, strict=True):
            data = np.asarray(self.get_attr(f"{name}_data"), np.float64)
            self.add_weights_variable(name=name, var_name=variable, precision=FixedPrecisionType(32, 16), data=data)


class RecurrentConfig(LayerConfigTemplate):
    """Writes a struct for every function of the cell, and the configuration struct."""

    def __init__(self) -> None:
        super().__init__(Recurrent)

    def format(self, node: Any) -> str:
        cell = node.get_attr("cell")
        states = ("hidden_state", "cell_state") if cell == "lstm" else ("hidden_state",)
        parts = [*node.get_attr("activations"), *states]
        n_sums = int(node.get_attr("gates")) * int(node.get_attr("units"))
        numbers = {name: node.get_attr(name) for name in ("n_steps", "n_in", "units")} | {"n_sums": n_sums}
        numbers["reuse_factor"] = node.model.config.get_reuse_factor(node)
        flags = {name: str(bool(node.get_attr(name))).lower() for name in ("return_sequences", "reset_after")}
        types = {f"{name}_t": node.get_weights(name).type.name for name in _WEIGHTS}
        types |= {f"{name}_t": _type(node, name) for name in _VALUES[cell] if node.get_attr(f"{name}_t")}
        config = f"config{node.index}"
        lines = [
            f"struct {config} : nnet::recurrent_config {{",
            *(f"    static const unsigned {name} = {value};" for name, value in numbers.items()),
            *(f"    static const bool {name} = {value};" for name, value in flags.items()),
            *(f"    typedef {kind} {name};" for name, kind in types.items()),
            *(f"    typedef {config}_{part} {part};" for part in parts),
            f"    typedef nnet::{cell}_cell<{config}> cell;",
            "};",
        ]
        return "\n".join([*(_function(node, config, part) for part in parts), *lines, ""])


def _type(node: Any, name: str) -> str:
    return str(node.get_attr(f"{name}_t").name)


def _function(node: Any, config: str, part: str) -> str:
    """Return the struct of a function: what it reads and gives, and its tables."""
    kind = node.get_attr(f"{part}_kind")
    tables = {table: node.get_weights(f"{part}_{table}") for table in _TABLES.get(kind, ())}
    names = {table: weights.name for table, weights in tables.items()}
    name = f"{config}_{part}"
    lines = [f"typedef {_type(node, f'{part}_in')} input_t;", f"typedef {_type(node, part)} result_t;"]
    lines += [f"typedef {weights.type.name} {table}_t;" for table, weights in tables.items()]
    if "threshold" in tables:
        lines.append(f"static const unsigned n_thresholds = {tables['threshold'].data_length};")
    value = _FUNCTIONS[kind].format(name=name, **names)
    lines.append(f"static result_t of(input_t x) {{ return {value}; }}")
    return "\n".join([f"struct {name} {{", *(f"    {line}" for line in lines), "};"])


class RecurrentCall(FunctionCallTemplate):
    """Writes the call of the function."""

    def __init__(self) -> None:
        super().__init__(Recurrent, include_header=["nnet_utils/nnet_recurrent.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["weights"] = ", ".join(node.get_weights(name).name for name in _WEIGHTS)
        return "nnet::recurrent<{input_t}, {output_t}, {config}>({input}, {output}, {weights});".format(**params)
