"""The hls4ml passes that turn a graph of arrays into one of streams, which are read once and pixel by pixel.

hls4ml has such passes too. Those of it that are not here make types of their own, mistake the consumer of a copied
stream, or take away what the C++ of the next layer counts on.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass
from hls4ml.model.types import InplaceTensorVariable

from fpgaq.errors import ConfigError, ModelError

#: Layers with exact C++ for streams.
STREAMED = (
    *("Activation", "ArgMax", "Arrange", "BatchNormalization", "Clip", "Concatenate", "Conv1D", "Conv2D", "Curve"),
    *("Dense", "DepthwiseConv1D", "DepthwiseConv2D", "GatedConvolution", "GatedDense", "GlobalPooling1D"),
    *("GlobalPooling2D", "Input", "Leaky", "Margin", "Merge", "MergeMany", "Pooling1D", "Pooling2D", "Recurrent"),
    *("Reshape", "Softmax", "Thresholds", "ZeroPadding1D", "ZeroPadding2D"),
)
#: Layers that collect a vector from as many beats as it comes in.
_COLLECTING = ("Dense", "GatedDense")
#: Copies that hls4ml's C++ makes of a stream.
_MOST_COPIES = 7


def streams(model: Any) -> bool:
    """Return whether the C++ of a graph passes streams."""
    return bool(model.config.get_config_value("IOType") == "io_stream")


class PrepareStreams(ModelOptimizerPass):
    """Refuse what has no C++ for streams, and merge tensors of different shapes by our layer."""

    def __init__(self) -> None:
        self.name = "prepare_streams"

    def transform(self, model: Any) -> bool:
        if not streams(model):
            return False
        for layer in list(model.get_layers()):
            if layer.class_name not in STREAMED:
                raise ConfigError(
                    f"layer {layer.name!r}: there is no exact C++ of a {layer.class_name} layer for io_type io_stream; "
                    "use io_parallel"
                )
            if layer.class_name == "Merge":
                _merge_shapes(model, layer)
        return False


def _merge_shapes(model: Any, layer: Any) -> None:
    shapes = [list(layer.get_input_variable(name).shape) for name in layer.inputs]
    if shapes[0] != shapes[1]:
        attributes = {"function": layer.get_attr("op").lower(), "out_shape": list(layer.get_output_variable().shape)}
        model.replace_node(layer, model.make_node("MergeMany", layer.name, attributes, list(layer.inputs)))


class CopyStreams(ModelOptimizerPass):
    """Copy what is read more than once."""

    def __init__(self) -> None:
        self.name = "copy_streams"

    def transform(self, model: Any) -> bool:
        if streams(model):
            for layer in list(model.get_layers()):
                _copy(model, layer)
        return False


def _copy(model: Any, layer: Any) -> None:
    """Put copies behind a layer: one for each reader, or, of many, as many as there can be and the source of others."""
    source, after, number = layer.outputs[0], layer, 0
    readers = [layer.inputs for layer in model.get_layers()]
    ends = [(place, k) for place in (model.outputs, *readers) for k, name in enumerate(place) if name == source]
    while len(ends) > 1:
        number += 1
        here, ends = (ends, []) if len(ends) <= _MOST_COPIES else (ends[: _MOST_COPIES - 1], ends[_MOST_COPIES - 1 :])
        name = f"{layer.name}_copies{number}"
        copies = [f"{name}_{k}" for k in range(len(here) + bool(ends))]
        attributes = {"size": math.prod(layer.get_output_variable().shape)}
        clone = model.make_node("Clone", name, attributes, [source], copies)
        for copy in copies:
            clone.attributes[copy].type = layer.get_output_variable().type
        for (place, k), copy in zip(here, copies, strict=False):
            place[k] = copy
        _insert_behind(model, after, clone)
        source, after = copies[-1], clone
    for place, k in ends:
        place[k] = source


def _insert_behind(model: Any, layer: Any, new: Any) -> None:
    """Insert a layer whose readers know it already."""
    taken = {name for node in model.get_layers() for name in (node.name, *node.outputs)}
    if not taken.isdisjoint((new.name, *new.outputs)):
        raise ModelError(f"layer {layer.name!r}: {new.name!r} is the name of its copies; rename the layer called so")
    items = list(model.graph.items())
    at = list(model.graph).index(layer.name) + 1
    model.graph = OrderedDict([*items[:at], (new.name, new), *items[at:]])


class PackReshapes(ModelOptimizerPass):
    """Leave a stream as it is where the next layer collects it, and pack it anew everywhere else."""

    def __init__(self) -> None:
        self.name = "pack_reshapes"

    def transform(self, model: Any) -> bool:
        if streams(model):
            for layer in list(model.get_layers()):
                if layer.class_name == "Reshape":
                    _pack(model, layer)
        return False


def _pack(model: Any, layer: Any) -> None:
    variable, source = layer.get_output_variable(), layer.get_input_variable()
    readers = [reader.class_name for reader in layer.get_output_nodes()]
    if len(variable.shape) == 1 and layer.name not in model.outputs and set(readers) <= set(_COLLECTING):
        layer.set_attr(layer.outputs[0], InplaceTensorVariable(variable, source))
        return
    before, after = int(source.shape[-1]), int(variable.shape[-1])
    common = math.gcd(before, after)
    if common not in (before, after):  # hls4ml's C++ only joins or divides beats
        shape = [math.prod(variable.shape) // common, common]
        finer = model.make_node("Repack", f"{layer.name}_finer", {"target_shape": shape}, list(layer.inputs))
        finer.get_output_variable().type.precision = variable.type.precision
        _insert_behind(model, layer.get_input_node(), finer)
        layer.inputs[0] = finer.outputs[0]
    packed = model.make_node("Repack", layer.name, {"target_shape": list(variable.shape)}, list(layer.inputs))
    packed.get_output_variable().type.precision = variable.type.precision
    model.replace_node(layer, packed)
