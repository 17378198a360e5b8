"""hls4ml's view of merging any number of tensors, whose C++ is ``hls_templates/nnet_merge_many.h``.

hls4ml's own layers merge two tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute
from hls4ml.model.layers import Layer


class MergeMany(Layer):
    """One element of each tensor becomes one, or the tensors are put behind each other."""

    _expected_attributes = (
        Attribute("function", value_type=str),
        Attribute("out_shape", value_type=Sequence),
        Attribute("axis", default=0),
    )

    def initialize(self) -> None:
        """Declare the result; its type and `exact_t` come from the pass `fpgaq.hls.passes.DeriveTypes`."""
        self.add_output_variable(list(self.get_attr("out_shape")))


class MergeManyConfig(LayerConfigTemplate):
    """Writes the configuration struct."""

    def __init__(self) -> None:
        super().__init__(MergeMany)

    def format(self, node: Any) -> str:
        shape, axis = list(node.get_attr("out_shape")), int(node.get_attr("axis"))
        sizes = [node.get_input_variable(name).shape for name in node.inputs]
        joined = node.get_attr("function") == "concatenate"
        outer = math.prod(shape[:axis]) if joined else 1
        lengths = ", ".join(str(math.prod(size) // outer) for size in sizes)
        return (
            "struct config{index} : nnet::merge_many_config {{\n"
            f"    static const unsigned n_tensors = {len(sizes)};\n"
            f"    static const unsigned n_outer = {outer};\n"
            f"    static const unsigned n_elem = {math.prod(shape) // outer};\n"
            f"    static constexpr unsigned length(unsigned k) {{{{ return nnet::nth(k, {lengths}); }}}}\n"
            "    typedef {exact_t.name} exact_t;\n"
            "}};\n"
        ).format(**self._default_config_params(node))


class MergeManyCall(FunctionCallTemplate):
    """Writes the call of the function."""

    def __init__(self) -> None:
        super().__init__(MergeMany, include_header=["nnet_utils/nnet_merge_many.h"])

    def format(self, node: Any) -> str:
        function, result = node.get_attr("function"), node.get_output_variable()
        config, data = f"config{node.index}", ", ".join(node.get_input_variable(name).name for name in node.inputs)
        if function == "concatenate":
            return f"nnet::concatenate_many<{result.type.name}, {config}>({result.name}, {data});"
        return f"nnet::merge_many<nnet::many_{function}, {result.type.name}, {config}>({result.name}, {data});"
