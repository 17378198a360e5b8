"""Tensors of other pixels that meet: vectors repeated for a frame, images behind each other, in one build."""

from __future__ import annotations

from pathlib import Path

import pytest
from merged_graphs import Branches, cast, convolution
from test_images import NIBBLE, run

from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Function
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_repeat import StreamRepeat


def stem(net: Branches, rows: int, cols: int) -> None:
    """Append an input and a convolution; what a fork gives must stay as it is, which the words of a batch do not."""
    net.input("codes", FixedType(3, 0, False), rows, cols, 2)
    net.then("image", "codes", lambda c: cast(convolution(c, 2, (2, 2))))


def excited(name: str, rows: int, cols: int, reuse: int = 1) -> Graph:
    """Squeeze and excite: every channel of an image times a number that is computed from the whole image."""
    net = Branches()
    stem(net, rows, cols)
    net.then("squeeze", "image", lambda c: c.average((rows, cols), rows * cols, 2).reshape())
    net.then("excite", "squeeze", lambda c: cast(c.matmul(2, "dense", 3, reuse).relu()), seed=1)
    net.merge("scaled", Function.MULTIPLY, "image", "excite")
    net.then("out", "scaled", lambda c: cast(c, 5))
    return net.graph(name, "out")


def other_shapes() -> list[Graph]:
    """A pixel, a vector and a number for all pixels, a row for all rows, two smaller tensors at once."""
    found = []
    for k, (function, *sources) in enumerate(
        (
            (Function.ADD, "image", "pixel"),
            (Function.SUBTRACT, "vector", "image", "number"),
            (Function.MAXIMUM, "image", "row"),
            (Function.AVERAGE, "series", "image", "number"),
        )
    ):
        net = Branches()
        stem(net, 4, 6)
        net.then("pixel", "image", lambda c: c.crop((3, 5), (0, 0)))
        net.then("vector", "pixel", lambda c: c.reshape().leaky())
        net.then("number", "vector", lambda c: c.matmul(1, "dense", 3))
        net.then("row", "image", lambda c: c.pool((4, 1), (4, 1)))
        net.then("series", "row", lambda c: c.reshape(6, 2))
        net.merge("met", function, *sources, gained=int(function is Function.AVERAGE))
        net.then("out", "met", lambda c: cast(c, 5, True, 0))
        found.append(net.graph(f"shapes{k}", "out"))
    return found


def behind() -> list[Graph]:
    """Rows, columns and series behind each other: of other types, one tensor twice, with more behind it."""
    found = []
    for name, axis, twice in (("rows", 0, False), ("cols", 1, False), ("rows_twice", 0, True), ("cols_twice", 1, True)):
        net = Branches()
        stem(net, 3, 4)
        net.then("conv", "image", lambda c: cast(convolution(c, 2), 5, True, 2))
        net.merge("both", None, "conv", "image", *(["conv"] if twice else []), axis=axis)
        net.then("out", "both", lambda c, name=name: cast(c, 4, True, 1) if name[-1] == "e" else c.windows((2, 2)))
        found.append(net.graph(name, "out"))
    net = Branches()
    net.input("codes", FixedType(2, 0, True), 5, 1)
    net.then("series", "codes", lambda c: c.relu())
    net.then("pooled", "series", lambda c: c.pool((2,), (2,)))
    net.then("wide", "series", lambda c: c.pad((1,), (2,), 5))
    net.merge("all", None, "pooled", "series", "wide", axis=0)
    found.append(net.graph("times", "all"))
    net = Branches()
    net.input("image", NIBBLE, 3, 4, 1)
    net.then("shown", "image", lambda c: c.windows((2, 2)).leaky())
    net.merge("same", None, "shown", "shown", axis=1)
    net.merge("most", None, "same", "same", axis=0)
    found.append(net.graph("one_twice", "most"))
    return found


def graphs() -> list[Graph]:
    return [excited("excited", 3, 4), excited("excited_slowly", 2, 2, 4), *other_shapes(), *behind()]


@pytest.mark.slow
def test_every_way_to_meet(tmp_path: Path) -> None:
    run(graphs(), tmp_path)


def test_blocks_are_what_they_should_be() -> None:
    found = {graph.name: make_hardware(graph, 5.0, "xc7") for graph in graphs()}
    repeats = {name: _of(h, StreamRepeat) for name, h in found.items()}
    turns = {name: _of(h, StreamConcatenate) for name, h in found.items()}
    assert {name: len(blocks) for name, blocks in repeats.items() if blocks} == {
        "excited": 1,
        "excited_slowly": 1,
        "shapes0": 1,
        "shapes1": 2,
        "shapes2": 1,
        "shapes3": 2,
    }
    assert {name: len(blocks) for name, blocks in turns.items() if blocks} == {
        "rows": 1,
        "cols": 1,
        "rows_twice": 1,
        "cols_twice": 1,
        "times": 1,
        "one_twice": 2,
    }


def _of(hardware: Hardware, kind: type) -> list[object]:
    return [block.hardware for block in hardware.blocks if isinstance(block.hardware, kind)]


def test_the_frame_that_waits_for_its_factor_is_in_the_fifo() -> None:
    """The pace is that of the pixels: the FIFO holds a frame, and what comes until its factor is known."""
    hardware = make_hardware(excited("excited", 8, 8), 5.0, "xc7")
    (depth,) = (hardware.flow.depths or {}).values()
    assert 64 - 8 < depth < 64 + 8
    assert hardware.ii == 9 * 9  # the margin of the convolution
