"""One model of plain layers: what is nested, wrapped or does nothing at inference is written out before conversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fpgaq.errors import ModelError
from fpgaq.frontend.supported import GRAPH_CLASSES, IDLE_LAYERS, graph_of

_WRAPPED = ("Dense", "QDense")


def flattened(model: Any) -> Any:
    """Return a model of plain layers that computes the same; the model itself where there is nothing to write out.

    Layers of nested models keep their names, behind that of the nested model where another layer has the same. The
    variables are shared with the model that is given.

    Raises
    ------
    ModelError
        If a nested model is used more than once or reads its inputs by name, or a wrapper holds an odd layer.
    """
    import keras

    graph = graph_of(model) if isinstance(model, keras.Model) else None
    if graph is None or not any(_goes(node.operation) for nodes in graph._nodes_by_depth.values() for node in nodes):
        return model
    inputs = [
        keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor._keras_history.operation.name)
        for tensor in graph.inputs
    ]
    outputs = _Inliner([layer.name for layer in model.layers if not _goes(layer)]).run(graph, inputs)
    return keras.Model(keras.tree.pack_sequence_as(graph._inputs_struct, inputs), outputs, name=model.name)


def _goes(operation: Any) -> bool:
    """Whether a layer is replaced by others, or by nothing."""
    return _is(operation, *IDLE_LAYERS, *GRAPH_CLASSES, "TimeDistributed")


def _is(operation: Any, *names: str) -> bool:
    """Whether a layer is one of Keras' own with such a name."""
    return type(operation).__name__ in names and type(operation).__module__.startswith("keras.")


class _Inliner:
    """Calls copies of layers on other tensors; `names` are taken."""

    def __init__(self, names: list[str]) -> None:
        self.names = set(names)
        self.copies: dict[int, Any] = {}

    def run(self, graph: Any, inputs: list[Any], model: str | None = None) -> Any:
        """Return the results of a graph of layers; `model` is the name of the nested model that it is."""
        return graph._run_through_graph(inputs, operation_fn=lambda operation: self._call(operation, model))

    def _call(self, operation: Any, model: str | None) -> Callable[..., Any]:
        if _is(operation, *IDLE_LAYERS):
            return lambda x, **_: x
        if _is(operation, *GRAPH_CLASSES):
            if id(operation) in self.copies:
                raise ModelError(f"layer {operation.name!r} is used more than once; give every use a layer of its own")
            self.copies[id(operation)] = operation
            return lambda x, **_: self.run(graph_of(operation), _in_order(operation, x), operation.name)
        wrapped = _is(operation, "TimeDistributed")
        if id(operation) not in self.copies:
            layer = _in_wrapper(operation) if wrapped else operation
            self.copies[id(operation)] = _copy(layer, self._free_name(operation.name, model))
        copy: Callable[..., Any] = self.copies[id(operation)]
        return (lambda x, **_: copy(x)) if wrapped else copy

    def _free_name(self, name: str, model: str | None) -> str:
        if model is None:
            return name
        found = name if name not in self.names else f"{model}_{name}"
        if found in self.names:
            raise ModelError(f"layer {name!r} of the nested model {model!r} has no name of its own; rename it")
        self.names.add(found)
        return found


def _in_order(model: Any, inputs: Any) -> list[Any]:
    if isinstance(inputs, dict):
        raise ModelError(f"layer {model.name!r}: a nested model that reads its inputs by name; give it a list of them")
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _in_wrapper(wrapper: Any) -> Any:
    """Return the layer that is applied to every step: a matrix on the last axis does that by itself."""
    kind = type(wrapper.layer).__name__
    if kind not in _WRAPPED:
        raise ModelError(
            f"layer {wrapper.name!r}: TimeDistributed around {kind} is not supported, only around "
            f"{' and '.join(_WRAPPED)}; use a layer that reads all steps, such as a convolution"
        )
    return wrapper.layer


def _copy(layer: Any, name: str) -> Any:
    """Return a layer with the same variables that nothing has called yet."""
    copy = object.__new__(type(layer))
    vars(copy).update(vars(layer) | {"_inbound_nodes": [], "_outbound_nodes": [], "name": name})
    return copy
