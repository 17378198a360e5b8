"""The C++ of windows on streams: ``hls_templates/nnet_windows_stream.h`` in place of hls4ml's functions.

hls4ml's have no dilation, no strides of rows where a window has one row, no poolings whose windows overlap, no margins
of a pooling, and cut a negative average the other way than its C++ for arrays does.
"""

from __future__ import annotations

import math
from typing import Any

from hls4ml.model.optimizer import OptimizerPass

from fpgaq.frontend.spatial import Geometry
from fpgaq.hls.stream_graph import streams

_HEADER = "nnet_utils/nnet_windows_stream.h"
_CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")
_POOLINGS = ("Pooling1D", "Pooling2D")
_GLOBAL_POOLINGS = ("GlobalPooling1D", "GlobalPooling2D")


class CallStreamWindows(OptimizerPass):
    """Call our functions, after hls4ml's templates have written their configuration."""

    def __init__(self) -> None:
        self.name = "call_stream_windows"

    def match(self, node: Any) -> bool:
        return streams(node.model) and node.class_name in (*_CONVOLUTIONS, *_POOLINGS, *_GLOBAL_POOLINGS)

    def transform(self, model: Any, node: Any) -> bool:
        source, result, config = node.get_input_variable(), node.get_output_variable(), f"config{node.index}"
        types, arguments = f"{source.type.name}, {result.type.name}, {config}", f"{source.name}, {result.name}"
        if node.class_name in _GLOBAL_POOLINGS:
            positions = math.prod(source.shape[:-1])
            call = f"nnet::pool_frame<{types}, {positions}>({arguments});"
        else:
            node.set_attr("config_cpp", node.get_attr("config_cpp") + window_struct(node, source.shape))
            types = f"{types}, {config}_window"
            if node.class_name in _POOLINGS:
                call = f"nnet::pool_windows<{types}>({arguments});"
            else:
                weight, bias = (node.get_weights(what).name for what in ("weight", "bias"))
                call = f"nnet::conv_windows<{types}>({arguments}, {weight}, {bias});"
        node.set_attr("function_cpp", call)
        node.set_attr("include_header", [*node.get_attr("include_header"), _HEADER])
        return False


def window_struct(node: Any, shape: list[int]) -> str:
    """Return the configuration of the windows of a layer; a series is an image of one row."""
    axes = len(shape) - 1
    geometry = Geometry.of_layer(node, "pool" if node.class_name in _POOLINGS else "filt", axes)

    def both(lengths: tuple[int, ...], default: int) -> tuple[int, ...]:
        return (default,) * (2 - axes) + tuple(lengths)

    image, size = both(tuple(shape[:-1]), 1), both(geometry.size, 1)
    before, after = both(geometry.before, 0), both(geometry.after, 0)
    stride, dilation = both(geometry.stride, 1), both(geometry.dilation, 1)
    numbers = {"n_chan": shape[-1]}
    for k, axis in enumerate(("height", "width")):
        numbers |= {
            f"in_{axis}": image[k],
            f"pad_{('top', 'left')[k]}": before[k],
            f"padded_{axis}": before[k] + image[k] + after[k],
            f"filt_{axis}": size[k],
            f"stride_{axis}": stride[k],
            f"dilation_{axis}": dilation[k],
        }
    lines = "".join(f"    static const unsigned {name} = {number};\n" for name, number in numbers.items())
    return f"\nstruct config{node.index}_window : nnet::window_config {{\n{lines}}};\n"
