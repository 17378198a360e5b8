"""Small designs that the co-simulation tests share, and faults to plant in their sources."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fpgaq.config import make_options
from fpgaq.design import Design
from fpgaq.gates import Gate
from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding
from fpgaq.ir.ops import Input, MatMul, Relu, Requantize
from fpgaq.stimuli import random_codes

#: Enough for every corner of the small designs, stalls, and a reset in mid-stream.
SAMPLES = 150


def network(name: str, *, folded: bool) -> Graph:
    """Two matrices: 4 -> 6 with a rectifier and a cast that rounds half to even, then 6 -> 2."""
    rng = np.random.default_rng(5)
    wide = FixedType(4, 2, False)
    return Graph(
        name,
        [
            Input(name="x", inputs=(), type=FixedType(4, 1, True), layer="x", shape=(4,)),
            MatMul(
                name="fc1",
                inputs=("x",),
                type=FixedType(9, 3, True),
                layer="fc1",
                weight=rng.integers(-7, 8, (4, 6)),
                weight_frac=2,
                bias=rng.integers(-9, 10, 6),
                reuse=8 if folded else 1,
            ),
            Relu(name="relu1", inputs=("fc1",), type=FixedType(8, 3, False), layer="relu1"),
            Requantize(
                name="cast1",
                inputs=("relu1",),
                type=wide,
                layer="relu1",
                source_frac=3,
                rounding=Rounding.RND_CONV,
                overflow=Overflow.SAT,
            ),
            MatMul(
                name="fc2",
                inputs=("cast1",),
                type=FixedType(10, 4, True),
                layer="fc2",
                weight=rng.integers(-3, 4, (6, 2)),
                weight_frac=2,
                bias=rng.integers(-9, 10, 2),
                reuse=3 if folded else 1,
            ),
        ],
        ("fc2",),
    )


def written(graph: Graph, folder: Path) -> Design:
    """A design with its SystemVerilog on disk."""
    design = Design(graph, make_options({}), folder)
    design.hardware.write(folder / "rtl")
    return design


def codes(design: Design, samples: int = SAMPLES) -> IntArray:
    """Inputs of the gate."""
    return random_codes(design.graph, samples, 3)


class Faults:
    """A sound design, from which faulty copies are made.

    Parameters
    ----------
    design : Design
        Written to its folder.
    """

    def __init__(self, design: Design) -> None:
        self.design = design

    def copy(self, folder: Path) -> Design:
        """The same design elsewhere."""
        shutil.copytree(self.design.folder / "rtl", folder / "rtl")
        return Design(self.design.graph, self.design.options, folder)

    def planted(
        self,
        folder: Path,
        file: str,
        pattern: str,
        replacement: str | Callable[[re.Match[str]], str],
        samples: int = SAMPLES,
    ) -> Gate:
        """Change the first match in one source file and run the gate."""
        design = self.copy(folder)
        path = folder / "rtl" / file
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count == 1, f"{file} holds no {pattern!r}"
        assert text != path.read_text()
        path.write_text(text)
        return design.rtl_gate(codes(design, samples))[0]
