"""hls4ml's view of layers with precision gating.

Their C++ is ``hls_templates/nnet_gated_dense.h`` and ``hls_templates/nnet_gated_convolution.h``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import FixedPrecisionType

from fpgaq.frontend.spatial import AXES
from fpgaq.hls.stream_windows import window_struct


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
        self.add_output_variable(self._out_shape())
        anything = FixedPrecisionType(32, 16)
        for name, variable in (("weight", "w{index}"), ("threshold", "t{index}")):
            data = np.asarray(self.get_attr(f"{name}_data"))
            self.add_weights_variable(name=name, var_name=variable, precision=anything, data=data)

    def _out_shape(self) -> list[int]:
        return [self.get_attr("n_out")]


class GatedConvolution(GatedDense):
    """The gated matrix on the windows of an image or a series; its geometry has the names of hls4ml's."""

    def _out_shape(self) -> list[int]:
        axes = AXES[1 - len(self.get_input_variable().shape) :]
        return [*(self.get_attr(f"out_{axis}") for axis in axes), self.get_attr("n_out")]


class GatedConfig(LayerConfigTemplate):
    """Writes the configuration struct, and that of the windows."""

    def __init__(self) -> None:
        super().__init__((GatedDense, GatedConvolution))

    def format(self, node: Any) -> str:
        windows = window_struct(node, node.get_input_variable().shape) if isinstance(node, GatedConvolution) else ""
        matrix = (
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
        return matrix + windows


def _with_parameters(node: Any, params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "w": node.get_weights("weight").name, "t": node.get_weights("threshold").name}


class GatedDenseCall(FunctionCallTemplate):
    """Writes the call."""

    def __init__(self) -> None:
        super().__init__(GatedDense, include_header=["nnet_utils/nnet_gated_dense.h"])

    def format(self, node: Any) -> str:
        params = _with_parameters(node, self._default_function_params(node))
        return "nnet::gated_dense<{input_t}, {output_t}, {config}>({input}, {output}, {w}, {t});".format(**params)


class GatedConvolutionCall(FunctionCallTemplate):
    """Writes the call."""

    def __init__(self) -> None:
        super().__init__(GatedConvolution, include_header=["nnet_utils/nnet_gated_convolution.h"])

    def format(self, node: Any) -> str:
        params = _with_parameters(node, self._default_function_params(node))
        types = "{input_t}, {output_t}, {config}, {config}_window"
        return f"nnet::gated_convolution<{types}>({{input}}, {{output}}, {{w}}, {{t}});".format(**params)
