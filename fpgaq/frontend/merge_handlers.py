"""hls4ml's Keras 3 handler for merging layers; importing this module registers it.

hls4ml's own layers take two tensors of one shape, and put two arrays of up to three axes behind each other. What else
there is goes to `MergeMany`, which is ours. Of tensors of two shapes hls4ml computes as many results as the second one
has.
"""

from __future__ import annotations

from typing import Any

from hls4ml.converters.keras_v3.merge import MergeHandler

from fpgaq.frontend.chains import Chain, LayerDict
from fpgaq.frontend.supported import MERGING_LAYERS

_LAYERS = "keras.src.layers.merging"


class MergingHandler(MergeHandler):
    """Add, Average, Concatenate, Maximum, Minimum, Multiply and Subtract."""

    handles = tuple(f"{_LAYERS}.{name.lower()}.{name}" for name in MERGING_LAYERS)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any, cls_name: str | None = None) -> Any:
        function = type(layer).__name__.lower()
        shapes, shape = [tuple(t.shape[1:]) for t in in_tensors], tuple(out_tensors[0].shape[1:])
        if function == "concatenate":
            known = len(shape) <= 3
            options: LayerDict = {"axis": (layer.axis if layer.axis < 0 else layer.axis - 1) % len(shape)}
        else:
            known, options = all(each == shape for each in shapes), {}
        if known and len(shapes) == 2:
            return super().handle(layer, in_tensors, out_tensors, cls_name)
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, class_name="MergeMany", function=function, out_shape=list(shape), **options)
        return chain.done()
