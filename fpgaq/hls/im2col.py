"""The hls4ml pass that writes which elements every window of a convolution has, with dilations.

hls4ml's generator knows dilations, but its pass never hands one over.
"""

from __future__ import annotations

from typing import Any

from hls4ml.model.optimizer import OptimizerPass
from hls4ml.model.types import Source

from fpgaq.frontend.spatial import Geometry
from fpgaq.hls.stream_graph import streams


class WriteWindows(OptimizerPass):
    """Give every convolution the C++ that fills its windows."""

    def __init__(self) -> None:
        self.name = "write_windows"

    def match(self, node: Any) -> bool:
        return not streams(node.model) and node.class_name in ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")

    def transform(self, model: Any, node: Any) -> bool:
        shape = node.get_input_variable().shape
        geometry = Geometry.of_layer(node, "filt", len(shape) - 1)
        backend = model.config.backend
        pads = [pad for pair in zip(geometry.before, geometry.after, strict=True) for pad in pair]
        windows: dict[str, Any] = {"stride": geometry.stride, "dilation": geometry.dilation, "kernel": geometry.size}
        if geometry.axes == 1:
            write, windows = backend.generate_conv1d_line_buffer_fn, {k: v[0] for k, v in windows.items()}
        else:
            write = backend.generate_conv2d_line_buffer_fn
        code = write(node.get_attr("index"), node.get_attr("n_partitions"), *shape, pad=pads, **windows)
        node.set_attr("line_buffer_codegen", Source(code))
        return False
