"""The integer graph as text: one JSON document, the same bytes for the same graph."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any, get_type_hints

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node, frozen_array
from fpgaq.ir.ops import OPS
from fpgaq.ir.types import FixedType, IntArray
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat

SCHEMA = 3


def dumps(graph: Graph) -> str:
    """Return the graph as JSON."""
    return json.dumps({"schema": SCHEMA, **_encode_graph(graph)}, indent=1) + "\n"


def loads(text: str) -> Graph:
    """Read a graph back.

    Raises
    ------
    ConfigError
        If the text is not a graph of this schema.
    """
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ConfigError(
                f"the graph has schema {document['schema']!r}, this version reads {SCHEMA}; build it again"
            )
        return _decode_graph(document)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ConfigError(f"not a graph file: {error!r}") from None


def _encode_graph(graph: Graph) -> dict[str, Any]:
    nodes = [
        {"op": node.op, **{f.name: _encode(getattr(node, f.name)) for f in dataclasses.fields(node)}}
        for node in graph.nodes.values()
    ]
    return {"name": graph.name, "nodes": nodes, "outputs": list(graph.outputs)}


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, FixedType):
        return [value.width, value.frac, value.signed]
    if isinstance(value, WeightFormat):
        return value.to_json()
    if isinstance(value, Graph):
        return _encode_graph(value)
    return value.value if isinstance(value, enum.Enum) else list(value) if isinstance(value, tuple) else value


def _decode_graph(document: dict[str, Any]) -> Graph:
    nodes = [_decode_node(entry) for entry in document["nodes"]]
    return Graph(document["name"], nodes, tuple(document["outputs"]))


def _decode_node(entry: dict[str, Any]) -> Node:
    cls = OPS[entry["op"]]
    hints = get_type_hints(cls)
    return cls(**{f.name: _decode(hints[f.name], entry[f.name]) for f in dataclasses.fields(cls)})


def _decode(kind: Any, value: Any) -> Any:
    if kind is FixedType:
        return FixedType(*value)
    if kind is Graph:
        return _decode_graph(value)
    if kind is IntArray or kind == IntArray:
        return frozen_array(value)
    if kind == (WeightFormat | None):
        return None if value is None else formats.from_json(value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    return tuple(value) if isinstance(value, list) else value
