"""hls4ml's view of a rectifier with a slope for each channel, whose C++ is ``hls_templates/nnet_leaky.h``.

hls4ml's own layers have one slope for all elements, or one for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer
from hls4ml.model.types import FixedPrecisionType


class Leaky(Layer):
    """A rectifier with a slope for negative values."""

    _expected_attributes = (
        Attribute("n_in"),
        Attribute("n_chan"),
        WeightAttribute("slope"),
        TypeAttribute("slope"),
    )

    def initialize(self) -> None:
        """Declare result and slopes; their types come from the pass `fpgaq.hls.passes.DeriveTypes`."""
        self.set_attr("n_in", self.get_input_variable().size())
        self.add_output_variable(self.get_input_variable().shape)
        slopes = np.asarray(self.get_attr("slope_data"), np.float64)
        anything = FixedPrecisionType(32, 16)
        self.add_weights_variable(name="slope", var_name="a{index}", precision=anything, data=slopes)


class LeakyConfig(LayerConfigTemplate):
    """Writes the configuration struct."""

    def __init__(self) -> None:
        super().__init__(Leaky)

    def format(self, node: Any) -> str:
        return (
            "struct config{index} : nnet::leaky_config {{\n"
            "    static const unsigned n_in = {n_in};\n"
            "    static const unsigned n_chan = {n_chan};\n"
            "    typedef {slope_t.name} slope_t;\n"
            "}};\n"
        ).format(**self._default_config_params(node))


class LeakyCall(FunctionCallTemplate):
    """Writes the call of the function."""

    def __init__(self) -> None:
        super().__init__(Leaky, include_header=["nnet_utils/nnet_leaky.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["a"] = node.get_weights("slope").name
        return "nnet::leaky<{input_t}, {output_t}, {config}>({input}, {output}, {a});".format(**params)
