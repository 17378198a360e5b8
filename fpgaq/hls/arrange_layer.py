"""hls4ml's view of cropping, upsampling and permuting axes, whose C++ is ``hls_templates/nnet_arrange.h``.

hls4ml's own layers want input and result to be of one type, or index constants that are written as several arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute
from hls4ml.model.layers import Layer

from fpgaq.hls.stream_graph import streams

#: Axes that the C++ has loops for.
AXES = 3


class Arrange(Layer):
    """Elements dropped, repeated or reordered."""

    _expected_attributes = (
        Attribute("operation", value_type=str),
        Attribute("parameters", value_type=Sequence),
        Attribute("out_shape", value_type=Sequence),
    )

    def initialize(self) -> None:
        """Declare the result."""
        self.add_output_variable(list(self.get_attr("out_shape")))


def walk(operation: str, parameters: Sequence[Any], shape: Sequence[int]) -> tuple[int, list[int], list[int]]:
    """Return where the elements of a result come from.

    Parameters
    ----------
    operation : "crop", "repeat" or "permute"
    parameters : sequence
        The crops in front of every spatial axis; how often each is repeated; or the axes.
    shape : sequence of int
        Of the input.

    Returns
    -------
    offset : int
        Place of the first one.
    repeat, step : list of int
        Element (i, j, k) is at offset + i / repeat[0] * step[0] + ..., with whole quotients.
    """
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    once = [1] * len(shape)
    if operation == "crop":
        return sum(n * step for n, step in zip(parameters, steps, strict=False)), once, steps
    if operation == "repeat":
        return 0, [*parameters, 1], steps
    return 0, once, [steps[axis] for axis in parameters]


class ArrangeConfig(LayerConfigTemplate):
    """Writes the configuration struct."""

    def __init__(self) -> None:
        super().__init__(Arrange)

    def format(self, node: Any) -> str:
        source, result = (list(v.shape) for v in (node.get_input_variable(), node.get_output_variable()))
        offset, repeat, step = walk(node.get_attr("operation"), node.get_attr("parameters"), source)
        missing = [1] * (AXES - len(result))
        lines = [f"n_in = {math.prod(source)}", f"offset = {offset}"]
        for what, values in (("size", result), ("repeat", repeat), ("step", step)):
            lines += [f"{what}_{axis} = {n}" for axis, n in enumerate([*missing, *values])]
        if streams(node.model):
            lines += _pixels(node, source)
        body = "".join(f"    static const unsigned {line};\n" for line in lines)
        return f"struct config{node.index} : nnet::arrange_config {{\n{body}}};\n"


class ArrangeCall(FunctionCallTemplate):
    """Writes the call of the function."""

    def __init__(self) -> None:
        super().__init__(Arrange, include_header=["nnet_utils/nnet_arrange.h"])

    def format(self, node: Any) -> str:
        params = self._default_function_params(node)
        params["function"] = node.get_attr("operation") if streams(node.model) else "arrange"
        return "nnet::{function}<{input_t}, {output_t}, {config}>({input}, {output});".format(**params)


def _pixels(node: Any, source: Sequence[int]) -> list[str]:
    """Return what the functions on streams want to know; a series is an image of one row."""
    height, width = (1, *source[:-1])[-2:]
    top, left = (0, *node.get_attr("parameters"))[-2:] if node.get_attr("operation") == "crop" else (0, 0)
    return [f"in_height = {height}", f"in_width = {width}", f"top = {top}", f"left = {left}"]
