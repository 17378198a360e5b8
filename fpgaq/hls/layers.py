"""Layers that hls4ml lacks, registered through its extension API; their C++ headers live in ``hls_templates/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer, layer_map, register_layer
from hls4ml.model.types import FixedPrecisionType

from fpgaq.hls.arrange_layer import Arrange, ArrangeCall, ArrangeConfig
from fpgaq.hls.gated_layer import GatedConfig, GatedConvolution, GatedConvolutionCall, GatedDense, GatedDenseCall
from fpgaq.hls.leaky_layer import Leaky, LeakyCall, LeakyConfig
from fpgaq.hls.margin_layer import Margin, MarginCall, MarginConfig
from fpgaq.hls.merge_layer import MergeMany, MergeManyCall, MergeManyConfig
from fpgaq.hls.recurrent_layer import Recurrent, RecurrentCall, RecurrentConfig
from fpgaq.resources import hls_templates


class Thresholds(Layer):
    """A staircase with one shared table: activation quantizers with few levels."""

    _expected_attributes = (
        Attribute("n_in"),
        Attribute("thresholds", value_type=Sequence),
        Attribute("levels", value_type=Sequence),
        WeightAttribute("threshold"),
        WeightAttribute("level"),
        TypeAttribute("threshold"),
        TypeAttribute("level"),
    )

    def initialize(self) -> None:
        """Declare result and tables; their types come from the pass `fpgaq.hls.exact_types`."""
        import numpy as np

        shape = self.get_input_variable().shape
        self.set_attr("n_in", self.get_input_variable().size())
        self.add_output_variable(shape)
        anything = FixedPrecisionType(32, 16)
        values = np.array([threshold.value for threshold in self.get_attr("thresholds")])
        self.add_weights_variable(name="threshold", var_name="t{index}", precision=anything, data=values)
        levels = np.array(self.get_attr("levels"))
        self.add_weights_variable(name="level", var_name="l{index}", precision=anything, data=levels)


class Curve(Layer):
    """A staircase whose steps depend on the type of its input: a function that has no quantizer."""

    _expected_attributes = (
        Attribute("n_in"),
        Attribute("function", value_type=str),
        Attribute("thresholds", value_type=Sequence, default=()),
        WeightAttribute("threshold"),
        WeightAttribute("level"),
        TypeAttribute("threshold"),
        TypeAttribute("level"),
    )

    def initialize(self) -> None:
        """Declare result and tables; they come from the pass `fpgaq.hls.passes.DeriveTypes`."""
        import numpy as np

        self.set_attr("n_in", self.get_input_variable().size())
        self.add_output_variable(self.get_input_variable().shape)
        anything = FixedPrecisionType(32, 16)
        self.add_weights_variable(name="threshold", var_name="t{index}", precision=anything, data=np.zeros(1))
        self.add_weights_variable(name="level", var_name="l{index}", precision=anything, data=np.zeros(2))


class Clip(Layer):
    """Clamp every element between two limits."""

    _expected_attributes = (
        Attribute("n_in"),
        Attribute("limits", value_type=Sequence),
        WeightAttribute("limit"),
        TypeAttribute("limit"),
    )

    def initialize(self) -> None:
        """Declare result and limits; their types come from the pass `fpgaq.hls.exact_types`."""
        import numpy as np

        self.set_attr("n_in", self.get_input_variable().size())
        self.add_output_variable(self.get_input_variable().shape)
        limits = np.array(self.get_attr("limits"))
        self.add_weights_variable(name="limit", var_name="c{index}", precision=FixedPrecisionType(32, 16), data=limits)


class ArgMax(Layer):
    """Index of the largest element, the first of equal ones."""

    _expected_attributes = (Attribute("n_in"),)

    def initialize(self) -> None:
        """Declare the one-element result."""
        self.set_attr("n_in", self.get_input_variable().size())
        self.add_output_variable([1])


class _ThresholdsConfig(LayerConfigTemplate):
    def __init__(self) -> None:
        super().__init__((Thresholds, Curve))

    def format(self, node: Any) -> str:
        params = self._default_config_params(node)
        params["n_thresholds"] = len(node.get_attr("thresholds"))
        return (
            "struct config{index} : nnet::thresholds_config {{\n"
            "    static const unsigned n_in = {n_in};\n"
            "    static const unsigned n_thresholds = {n_thresholds};\n"
            "    typedef {threshold_t.name} threshold_t;\n"
            "    typedef {level_t.name} level_t;\n"
            "}};\n"
        ).format(**params)


class _ThresholdsCall(FunctionCallTemplate):
    def __init__(self) -> None:
        super().__init__((Thresholds, Curve), include_header=["nnet_utils/nnet_thresholds.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["t"], params["l"] = (node.get_weights(k).name for k in ("threshold", "level"))
        return "nnet::thresholds<{input_t}, {output_t}, {config}>({input}, {output}, {t}, {l});".format(**params)


class _ClipConfig(LayerConfigTemplate):
    def __init__(self) -> None:
        super().__init__(Clip)

    def format(self, node: Any) -> str:
        params = self._default_config_params(node)
        return (
            "struct config{index} : nnet::clip_config {{\n"
            "    static const unsigned n_in = {n_in};\n"
            "    typedef {limit_t.name} limit_t;\n"
            "}};\n"
        ).format(**params)


class _ClipCall(FunctionCallTemplate):
    def __init__(self) -> None:
        super().__init__(Clip, include_header=["nnet_utils/nnet_clip.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["c"] = node.get_weights("limit").name
        return "nnet::clip<{input_t}, {output_t}, {config}>({input}, {output}, {c});".format(**params)


class _ArgMaxConfig(LayerConfigTemplate):
    def __init__(self) -> None:
        super().__init__(ArgMax)

    def format(self, node: Any) -> str:
        params = self._default_config_params(node)
        return (
            "struct config{index} : nnet::argmax_index_config {{\n    static const unsigned n_in = {n_in};\n}};\n"
        ).format(**params)


class _ArgMaxCall(FunctionCallTemplate):
    def __init__(self) -> None:
        super().__init__(ArgMax, include_header=["nnet_utils/nnet_argmax_index.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        return "nnet::argmax_index<{input_t}, {output_t}, {config}>({input}, {output});".format(**params)


def register(backend: Any) -> None:
    """Make the layers known to hls4ml, and their templates and headers to a backend."""
    gated = (GatedConvolution, GatedDense)
    for cls in (Thresholds, Curve, Clip, ArgMax, Arrange, *gated, Leaky, Margin, MergeMany, Recurrent):
        if cls.__name__ not in layer_map:
            register_layer(cls.__name__, cls)
    for template in (_ThresholdsConfig, _ThresholdsCall, _ClipConfig, _ClipCall, _ArgMaxConfig, _ArgMaxCall):
        backend.register_template(template)
    for template in (
        GatedConfig,
        GatedConvolutionCall,
        GatedDenseCall,
        LeakyConfig,
        LeakyCall,
        MarginConfig,
        MarginCall,
    ):
        backend.register_template(template)
    for template in (ArrangeConfig, ArrangeCall, MergeManyConfig, MergeManyCall, RecurrentConfig, RecurrentCall):
        backend.register_template(template)
    for header in sorted(Path(hls_templates()).glob("*.h")):
        backend.register_source(str(header))
