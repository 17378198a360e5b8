"""The hls4ml passes of the fpgaq backend."""

from __future__ import annotations

import hashlib
from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass
from hls4ml.model.types import InplaceTensorVariable, PackedType

from fpgaq.config import make_options
from fpgaq.errors import ModelError
from fpgaq.hls.im2col import WriteWindows
from fpgaq.hls.stream_graph import CopyStreams, PackReshapes, PrepareStreams
from fpgaq.hls.stream_windows import CallStreamWindows
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Reshape


class SeparateHead(ModelOptimizerPass):
    """Give the network the head that was asked for, in place of a final softmax or behind the logits."""

    def __init__(self) -> None:
        self.name = "separate_head"

    def transform(self, model: Any) -> bool:
        head = make_options(model.config.get_config_value("Fpgaq")).head
        for layer in list(model.get_layers()):
            if layer.class_name == "Softmax":
                self._replace(model, layer, head)
        if head != "logits":
            for name in list(model.outputs):
                if model.graph[name].class_name not in ("ArgMax", "Softmax"):
                    self._append(model, model.graph[name], head)
        return False

    def _append(self, model: Any, last: Any, head: str) -> None:
        if last.get_output_nodes():
            raise ModelError(
                f"layer {last.name!r}: its result is an output and goes on to {last.get_output_nodes()[0].name!r}, so "
                f"that it cannot end in head {head!r}; use head logits"
            )
        kind, attributes = _HEADS[head]
        node = model.make_node(kind, f"{last.name}_{head}", dict(attributes), [last.outputs[0]])
        model.insert_node(node)
        last.get_output_variable().type.name = f"layer{last.index}_t"  # only the new output is result_t

    def _replace(self, model: Any, layer: Any, head: str) -> None:
        if layer.name not in model.outputs:
            raise ModelError(
                f"layer {layer.name!r}: softmax inside the network is not integer arithmetic; it is only supported "
                "as the last layer"
            )
        if head == "logits":
            model.remove_node(layer)
        elif head == "argmax":
            model.replace_node(layer, model.make_node("ArgMax", layer.name, {}, list(layer.inputs)))


_HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "argmax": ("ArgMax", {}),
    "softmax": ("Softmax", {"activation": "softmax", "axis": -1}),
}


class DeriveTypes(ModelOptimizerPass):
    """Freeze the parameters, build the integer graph and write its exact types into the layers."""

    def __init__(self) -> None:
        self.name = "derive_types"

    def transform(self, model: Any) -> bool:
        from fpgaq.hls.derive import Deriver

        options = make_options(model.config.get_config_value("Fpgaq"))
        model.derivation = Deriver(model, options).run()
        _require_distinct_ports(model.derivation.graph)
        return False


def _require_distinct_ports(graph: Graph) -> None:
    """Refuse a tensor that is two ports of the design: the C++ function would have two arguments of one name."""
    inputs = {node.name for node in graph.inputs}
    seen: set[str] = set()
    for output in graph.outputs:
        name = _in_cpp(graph, output)
        if name in seen or name in inputs:
            what = "an input and an output" if name in inputs else "two outputs"
            raise ModelError(f"layer {output!r}: its result is {what} of the model; keep one and copy it outside")
        seen.add(name)


def _in_cpp(graph: Graph, name: str) -> str:
    """Return the node whose array a tensor is in C++: a change of shape moves nothing there."""
    node = graph.nodes[name]
    while isinstance(node, Reshape) and graph.operand(node.inputs[0]).shape != node.shape:
        node = graph.nodes[node.inputs[0]]
    return node.name


class CheckTypeNames(ModelOptimizerPass):
    """Refuse two types of one C++ name: hls4ml would write only one of them."""

    def __init__(self) -> None:
        self.name = "check_type_names"

    def transform(self, model: Any) -> bool:
        seen: dict[str, str] = {}
        beats: dict[str, int] = {}
        for layer in model.get_layers():
            for packed in (v.type for v in layer.get_variables() if isinstance(v.type, PackedType)):
                if beats.setdefault(packed.name, packed.n_elem) != packed.n_elem:
                    raise ModelError(
                        f"layer {layer.name!r}: C++ type {packed.name} would be both {beats[packed.name]} and "
                        f"{packed.n_elem} numbers; rename the layer"
                    )
            variables = [v.type for v in (*layer.get_variables(), *layer.get_weights())]
            for type_ in (*variables, *layer.types.values()):
                if seen.setdefault(type_.name, str(type_.precision)) != str(type_.precision):
                    raise ModelError(
                        f"layer {layer.name!r}: C++ type {type_.name} would be both {seen[type_.name]} and "
                        f"{type_.precision}; rename the layer"
                    )
        return False


class CheckCalls(ModelOptimizerPass):
    """Refuse a layer that the C++ does not compute: hls4ml would leave its result as it is, without a word."""

    def __init__(self) -> None:
        self.name = "check_calls"

    def transform(self, model: Any) -> bool:
        for layer in model.get_layers():
            moved = layer.class_name == "Input" or isinstance(layer.get_output_variable(), InplaceTensorVariable)
            if not (moved or layer.get_attr("function_cpp")):
                raise ModelError(f"layer {layer.name!r}: hls4ml has no C++ of a {layer.class_name} layer")
        return False


class ContentStamp(ModelOptimizerPass):
    """Name the simulation library after what is in it, where hls4ml would use a random number."""

    def __init__(self) -> None:
        self.name = "content_stamp"

    def transform(self, model: Any) -> bool:
        from fpgaq.ir.files import dumps

        trace = "trace" if model.config.trace_output else ""
        text = dumps(model.derivation.graph) + trace + model.config.get_config_value("IOType")
        digest = hashlib.sha256(text.encode()).hexdigest()
        model.config.config["Stamp"] = digest[:12]
        return False


PASSES = {
    "separate_head": SeparateHead,
    "derive_types": DeriveTypes,
    "call_stream_windows": CallStreamWindows,
    "check_calls": CheckCalls,
    "check_type_names": CheckTypeNames,
    "content_stamp": ContentStamp,
    "copy_streams": CopyStreams,
    "pack_reshapes": PackReshapes,
    "prepare_streams": PrepareStreams,
    "write_windows": WriteWindows,
}
