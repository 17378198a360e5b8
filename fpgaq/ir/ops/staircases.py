"""One staircase per channel: what a batch normalization, a rectifier and a cast to few bits are together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Staircases(Node):
    """``codes[c, number of thresholds t of channel c with x[..., c] >= t]``.

    Channels with fewer steps than others end in thresholds that are never reached.

    Parameters
    ----------
    thresholds : int array, shape (channels, n)
        Ascending, in units of the input.
    codes : int array, shape (channels, n + 1)
        Ascending, or descending where the channel has a negative gain.
    """

    thresholds: IntArray
    codes: IntArray
    op = "staircases"

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", frozen_array(self.thresholds))
        object.__setattr__(self, "codes", frozen_array(self.codes))
        channels, steps = self.thresholds.shape
        if self.codes.shape != (channels, steps + 1):
            raise self.fail(f"{channels} channels of {steps} thresholds need {steps + 1} codes each")
        if np.any(np.diff(self.thresholds) <= 0):
            raise self.fail("the thresholds of every channel must ascend")
        rises = np.diff(self.codes)
        if np.any((rises < 0).any(axis=1) & (rises > 0).any(axis=1)):
            raise self.fail("the codes of a channel must ascend or descend")

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or x.shape[-1] != len(self.thresholds):
            raise self.fail(f"{len(self.thresholds)} staircases for an input of shape {list(x.shape)}")
        ends = [self.evaluate([bound[None]])[0] for bound in x.bounds]
        return checked_bounds(self, np.minimum(*ends), np.maximum(*ends))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        tables = enumerate(zip(self.thresholds, self.codes, strict=True))
        return np.stack([codes[np.searchsorted(steps, x[..., c], side="right")] for c, (steps, codes) in tables], -1)

    def describe(self) -> str:
        return f"channels={len(self.thresholds)} steps={self.thresholds.shape[1]}"
