"""hls4ml's view of the gated dense layer, whose C++ is ``hls_templates/nnet_gated_dense.h``."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import FixedPrecisionType


class GatedDense(Layer):
    """A matrix whose low input bits count only where the high ones exceed a threshold; it reads unsigned codes."""

    _expected_attributes = (
        Attribute("n_in"),
        Attribute("n_out"),
        Attribute("low_bits"),
        WeightAttribute("weight"),
        WeightAttribute("threshold"),
        TypeAttribute("weight"),
        TypeAttribute("threshold"),
    )

    def initialize(self) -> None:
        """Declare result and parameters; their types come from the pass `fpgaq.hls.passes.DeriveTypes`."""
        self.add_output_variable([self.get_attr("n_out")])
        anything = FixedPrecisionType(32, 16)
        for name, variable in (("weight", "w{index}"), ("threshold", "t{index}")):
            data = np.asarray(self.get_attr(f"{name}_data"))
            self.add_weights_variable(name=name, var_name=variable, precision=anything, data=data)


class GatedDenseConfig(LayerConfigTemplate):
    """Writes the configuration struct."""

    def __init__(self) -> None:
        super().__init__(GatedDense)

    def format(self, node: Any) -> str:
        return (
            "struct config{index} : nnet::gated_dense_config {{\n"
            "    static const unsigned n_in = {n_in};\n"
            "    static const unsigned n_out = {n_out};\n"
            "    static const unsigned low_bits = {low_bits};\n"
            "    static const unsigned reuse_factor = {reuse};\n"
            "    typedef {weight_t.name} weight_t;\n"
            "    typedef {threshold_t.name} threshold_t;\n"
            "    typedef {high_t.name} high_t;\n"
            "    typedef {low_t.name} low_t;\n"
            "}};\n"
        ).format(**self._default_config_params(node))


class GatedDenseCall(FunctionCallTemplate):
    """Writes the call."""

    def __init__(self) -> None:
        super().__init__(GatedDense, include_header=["nnet_utils/nnet_gated_dense.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["w"], params["t"] = (node.get_weights(k).name for k in ("weight", "threshold"))
        return "nnet::gated_dense<{input_t}, {output_t}, {config}>({input}, {output}, {w}, {t});".format(**params)
