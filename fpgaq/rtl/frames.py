"""Frames of pixels: a tensor of several axes travels as one beat per pixel, row by row, with all its channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpgaq.ir.node import Bounds, Operand, frozen_array


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
    axes = tuple(range(len(operand.shape) - 1))
    lo, hi = operand.bounds
    return Operand(operand.type, Bounds(frozen_array(lo.min(axis=axes)), frozen_array(hi.max(axis=axes))))


def pixels(shape: tuple[int, ...]) -> int:
    """Return the pixels of a tensor; a vector is one."""
    return math.prod(shape[:-1])
