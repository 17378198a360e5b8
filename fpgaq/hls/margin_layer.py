"""hls4ml's view of a margin around an image, whose C++ is ``hls_templates/nnet_margin.h``.

hls4ml's pooling makes its margins itself, but for unsigned numbers not of the least value, and not in streams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import FixedPrecisionType


class Margin(Layer):
    """The least value of the input's type around an image or a series."""

    _expected_attributes = (
        Attribute("in_height", default=1),
        Attribute("in_width"),
        Attribute("out_height", default=1),
        Attribute("out_width"),
        Attribute("n_chan"),
        Attribute("pad_top", default=0),
        Attribute("pad_left"),
        WeightAttribute("value"),
        TypeAttribute("value"),
    )

    def initialize(self) -> None:
        """Declare the result and the value, whose type comes from the pass `fpgaq.hls.passes.DeriveTypes`."""
        height = [self.get_attr("out_height")] if len(self.get_input_variable().shape) == 3 else []
        self.add_output_variable([*height, self.get_attr("out_width"), self.get_attr("n_chan")])
        anything = FixedPrecisionType(32, 16)
        self.add_weights_variable(name="value", var_name="m{index}", precision=anything, data=np.zeros(1))


class MarginConfig(LayerConfigTemplate):
    """Writes the configuration struct."""

    def __init__(self) -> None:
        super().__init__(Margin)

    def format(self, node: Any) -> str:
        return (
            "struct config{index} : nnet::margin_config {{\n"
            "    static const unsigned in_height = {in_height};\n"
            "    static const unsigned in_width = {in_width};\n"
            "    static const unsigned out_height = {out_height};\n"
            "    static const unsigned out_width = {out_width};\n"
            "    static const unsigned n_chan = {n_chan};\n"
            "    static const unsigned pad_top = {pad_top};\n"
            "    static const unsigned pad_left = {pad_left};\n"
            "    typedef {value_t.name} value_t;\n"
            "}};\n"
        ).format(**self._default_config_params(node))


class MarginCall(FunctionCallTemplate):
    """Writes the call of the function."""

    def __init__(self) -> None:
        super().__init__(Margin, include_header=["nnet_utils/nnet_margin.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["m"] = node.get_weights("value").name
        return "nnet::margin<{input_t}, {output_t}, {config}>({input}, {output}, {m});".format(**params)
