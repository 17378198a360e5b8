"""Frames of pixels: a tensor of several axes travels as one beat per pixel, row by row, with all its channels.

This is so in designs with operations on single pixels or on their order. Where there are none, a tensor of any shape is
a vector, and travels as one beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    Clip,
    Concatenate,
    Crop,
    Input,
    LeakyRelu,
    Merge,
    Permute,
    Relu,
    Repeat,
    Requantize,
    Reshape,
    Thresholds,
)

#: Operations that need no pixels: they are the same for every element or channel, or arrange them.
_ANYWHERE = (
    *(Clip, Concatenate, Crop, Input, LeakyRelu, Merge, Permute, Relu, Repeat, Requantize, Reshape),
    Thresholds,
)


@dataclass(frozen=True)
class Frame:
    """Size of a frame; a series is an image of one row.

    Parameters
    ----------
    rows, cols : int
    channels : int
        Elements of a pixel.
    """

    rows: int
    cols: int
    channels: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Frame:
        """Return the frame of a tensor with one or two spatial axes and the channels last."""
        *spatial, channels = shape
        rows, cols = (1, *spatial)[-2:]
        return cls(rows, cols, channels)

    @property
    def beats(self) -> int:
        """Pixels."""
        return self.rows * self.cols

    def __str__(self) -> str:
        return f"{self.rows} x {self.cols} pixels of {self.channels}"


def by_axis(values: tuple[int, ...], missing: int) -> tuple[int, int]:
    """Return a parameter for rows and columns; `missing` is that of the row axis that a series lacks."""
    rows, cols = (missing, *values)[-2:]
    return rows, cols


def pixel(operand: Operand) -> Operand:
    """Return what is known of any one pixel of a tensor: per channel the union of the bounds of all pixels."""
    return Operand(operand.type, operand.bounds.channels)


def in_pixels(graph: Graph) -> bool:
    """Whether tensors of several axes travel pixel by pixel."""

    def needs_pixels(node: Node) -> bool:
        return not isinstance(node, _ANYWHERE) and any(len(graph.operand(i).shape) > 1 for i in node.inputs)

    return any(needs_pixels(node) for node in graph.nodes.values())


def beats(graph: Graph, name: str) -> int:
    """Return the beats that a tensor travels as."""
    return math.prod(graph.operand(name).shape[:-1]) if in_pixels(graph) else 1
