"""Delay model for pipelining: what a scalar operation takes, in picoseconds.

The figures are typical data-sheet values with an average net per logic level. They decide where registers go; they are
not a timing report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpgaq.ir.types import Rounding
from fpgaq.rtl.datapath import (
    Cast,
    Constant,
    Datapath,
    Larger,
    Limit,
    Lookup,
    Masked,
    Max0,
    Op,
    Probe,
    Product,
    Smaller,
    Source,
    Stair,
    Sum,
)


@dataclass(frozen=True)
class DelayModel:
    """Delays of one FPGA family in ps.

    Parameters
    ----------
    level : int
        A LUT with the net to the next one.
    carry_entry : int
        Into and out of a carry chain.
    carry_bit : int
        One bit of a carry chain.
    overhead : int
        Clock to output, setup and uncertainty of a register pair.
    lut_inputs : int
    """

    level: int
    carry_entry: int
    carry_bit: int
    overhead: int
    lut_inputs: int

    def adder(self, width: int) -> int:
        """Delay of a two- or three-input adder."""
        return self.level + self.carry_entry + self.carry_bit * width

    def tree(self, inputs: int) -> int:
        """Delay of a reduction of single bits."""
        return self.level * max(1, math.ceil(math.log(max(inputs, 2), self.lut_inputs)))


#: By yosys family name.
MODELS = {
    "xc7": DelayModel(level=650, carry_entry=300, carry_bit=30, overhead=700, lut_inputs=6),
    "xcup": DelayModel(level=350, carry_entry=200, carry_bit=15, overhead=400, lut_inputs=6),
    "ecp5": DelayModel(level=900, carry_entry=500, carry_bit=40, overhead=900, lut_inputs=4),
    "ice40": DelayModel(level=1200, carry_entry=700, carry_bit=130, overhead=1300, lut_inputs=4),
    "gowin": DelayModel(level=1000, carry_entry=600, carry_bit=60, overhead=1000, lut_inputs=4),
    "intel": DelayModel(level=500, carry_entry=300, carry_bit=25, overhead=600, lut_inputs=6),
}


#: Families whose tools build an adder of three numbers in one LUT a bit.
THREE_INPUT_FAMILIES = ("xc7", "xcup")


def adder_inputs(family: str) -> int:
    """Return how many numbers a family adds at the price of two."""
    return 3 if family in THREE_INPUT_FAMILIES else 2


def delay(model: DelayModel, path: Datapath, op: Op, node: int) -> int:
    """Return the delay of one operation in ps."""
    if isinstance(op, (Source, Constant)):
        return 0
    if isinstance(op, Sum) and op.adder.lifts:
        return 0  # an inverted bit, which goes into the LUTs that read it
    if isinstance(op, Sum):
        return model.adder(path.width(node))
    if isinstance(op, Lookup):
        return model.tree(len(op.bits))
    width = path.width(op.x.node)
    if isinstance(op, Probe):
        return model.adder(width) + (model.tree(len(op.bits)) if op.bits else 0)
    if isinstance(op, (Masked, Max0)):
        return model.level
    if isinstance(op, Stair) and op.table:
        return model.tree(width) + model.level
    if isinstance(op, Stair):
        return model.adder(width) + model.tree(len(op.thresholds))
    if isinstance(op, Product):
        least = min(width, path.width(op.y.node))  # a tree of as many rows
        return model.adder(path.width(node)) * max(1, math.ceil(math.log2(least)))
    if isinstance(op, (Larger, Smaller)):
        return model.adder(max(width, path.width(op.y.node))) + model.level
    if isinstance(op, Limit):
        return model.adder(width) + model.level
    assert isinstance(op, Cast)
    if op.shift and op.rounding not in (Rounding.TRN, Rounding.RND_CONV) and not op.biased:
        return model.adder(width) + model.level
    clamped = op.least is not None or op.most is not None or op.zero_outside is not None
    if clamped:
        dropped = max(1, width - op.shift - path.width(node))
        return model.tree(dropped + 1) + model.level
    return model.level if op.shift and op.rounding is not Rounding.TRN else 0
