"""Draws the diagrams of the manual into figures/; run it after changing one.

usage: python docs/figures.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import schemdraw
from schemdraw import flow, logic

from fpgaq.rtl import _handshakes as kernel
from fpgaq.rtl.engines import Model, make_engines

FOLDER = Path(__file__).parent / "figures"
#: Readable on a light page and on a dark one.
_INK, _FILL = "#7a8899", "none"
_ACCENT = "#00897b"
_LETTERS = "abcdefghij"

schemdraw.use("svg")


def _drawing() -> Any:
    drawing = schemdraw.Drawing(show=False, fontsize=11, unit=0.7)
    drawing.config(color=_INK, fill=_FILL)
    return drawing


def _box(text: str, width: float = 3.2, colour: str = _INK) -> Any:
    return flow.Box(w=width, h=1.2).label(text).color(colour)


def _chain(drawing: Any, texts: Sequence[str], labels: Sequence[str]) -> list[Any]:
    """Draw boxes from left to right; `labels` are of the arrows in front of each and behind the last."""
    boxes: list[Any] = []
    end = (0.0, 0.0)
    for text, label in zip([*texts, ""], labels, strict=True):
        arrow = flow.Arrow().at(end).right(1.6 if label else 0.8).label(label, loc="top")
        drawing += arrow
        if text:
            drawing += (box := _box(text).at(arrow.end).anchor("W"))
            boxes.append(box)
            end = box.E
    return boxes


def unrolled() -> Any:
    """A layer of reuse factor 1."""
    drawing = _drawing()
    texts = ["adders,\nshared sums", "registers\n(minimum cut)", "adders, bias,\nrounding", "registers"]
    boxes = _chain(drawing, texts, ["s_axis", "", "", "", "m_axis"])
    middle = (boxes[1].S[0] + boxes[3].S[0]) / 2
    drawing += (
        enable := _box("valid and ready: one enable for all stages", 10.8, _ACCENT).at((middle, -2.4)).anchor("N")
    )
    for box in (boxes[1], boxes[3]):
        drawing += flow.Arrow().at((box.S[0], enable.N[1])).to(box.S).color(_ACCENT)
    return drawing


def folded() -> Any:
    """A layer of reuse factor R."""
    drawing = _drawing()
    texts = [
        "input vector\nkept",
        "n_in n_out / R\nmultipliers",
        "trees of\nadders",
        "accumulators",
        "bias, cast,\nactivation",
    ]
    boxes = _chain(drawing, texts, ["s_axis", "", "", "", "", "m_axis"])
    below = -2.2
    drawing += (decoder := _box("decoder of\nthe format").at((boxes[1].S[0], below)).anchor("N"))
    drawing += (rom := _box("ROM: R words\nof codes").at((boxes[0].S[0], below)).anchor("N"))
    drawing += (count := _box("step 0 ... R-1", colour=_ACCENT).at((boxes[0].S[0], below - 2.4)).anchor("N"))
    drawing += flow.Arrow().at(rom.E).to(decoder.W)
    drawing += flow.Arrow().at(decoder.N).to(boxes[1].S)
    drawing += flow.Arrow().at(count.N).to(rom.S).color(_ACCENT)
    drawing += flow.Wire("-|", arrow="->").at(count.E).to(boxes[3].S).color(_ACCENT)
    return drawing


def convolution() -> Any:
    """A convolution on a stream of pixels."""
    drawing = _drawing()
    texts = ["stream_pad:\nmargins", "stream_window:\nline buffers", "matrix, unrolled\nor folded", "cast,\nactivation"]
    _chain(drawing, texts, ["pixel", "pixel", "window", "sums", "pixel"])
    return drawing


def residual() -> Any:
    """A branch and where it meets again."""
    drawing = _drawing()
    drawing += flow.Arrow().at((0, 0)).right(1.2)
    drawing += (fork := _box("fork", 2).at((1.2, 0)).anchor("W"))
    drawing += (first := _box("convolution").at((fork.E[0] + 1.4, 1.4)).anchor("W"))
    drawing += (second := _box("convolution").at((first.E[0] + 0.8, 1.4)).anchor("W"))
    drawing += flow.Arrow().at(first.E).to(second.W)
    middle = (first.W[0] + second.E[0]) / 2
    drawing += (
        fifo := _box("FIFO, depth computed\nfrom the timetable", 5, _ACCENT).at((middle, -1.4)).anchor("center")
    )
    drawing += (meet := _box("add", 2).at((second.E[0] + 1.4, 0)).anchor("W"))
    for start, end in ((fork.E, first.W), (fork.E, fifo.W), (second.E, meet.W), (fifo.E, meet.W)):
        drawing += flow.Wire("c", k=0.7, arrow="->").at(start).to(end)
    drawing += flow.Arrow().at(meet.E).right(1.2)
    return drawing


def gated() -> Any:
    """Precision gating, one pass after the other."""
    drawing = _drawing()
    texts = ["high bits times\nweights: R steps", "sum above\nthreshold?", "cast,\nactivation"]
    boxes = _chain(drawing, texts, ["s_axis", "", "closed", "m_axis"])
    drawing += (
        low := _box("low bits times weights,\nopen outputs only", 5, _ACCENT).at((boxes[1].S[0], -2.6)).anchor("N")
    )
    drawing += flow.Arrow().at(boxes[1].S).to(low.N).label("open", loc="bottom").color(_ACCENT)
    drawing += flow.Wire("-|", arrow="->").at(low.E).to(boxes[2].S).color(_ACCENT)
    return drawing


def _timing(model: Model, ready: str) -> Any:
    """Draw what a block does by the model of its handshake, while beats are always there.

    `ready` says for every clock whether what follows the block takes a beat.
    """
    engines, clocks = make_engines([model]), len(ready)
    offered, taken, given, results = [], [], [], []
    beat = result = 0
    for clock in range(clocks):
        free = ready[clock] == "1"
        accepts = bool(kernel.accepts(engines, 0, free))
        offered.append(_LETTERS[beat])
        taken.append("1" if accepts else "0")
        valid = bool(kernel.offers(engines, 0))
        given.append("1" if valid else "0")
        results.append(_LETTERS[result].upper() if valid else "")
        kernel.step(engines, 0, free, accepts)
        beat, result = beat + accepts, result + (valid and free)
    signals = [
        {"name": "aclk", "wave": "p" + "." * (clocks - 1)},
        {"name": "s_axis_tready", "wave": _wave(taken)},
        {"name": "s_axis_tdata", **_words(offered, "3")},
        {"name": "m_axis_tvalid", "wave": _wave(given)},
        {"name": "m_axis_tready", "wave": _wave(ready)},
        {"name": "m_axis_tdata", **_words(results, "4")},
    ]
    drawing = schemdraw.Drawing(show=False, fontsize=11, margin=0.4)
    drawing.config(color=_INK)
    drawing += logic.TimingDiagram(
        {"signal": signals}, ygap=0.35, grid=False, datacolor=_INK, nodecolor=_INK, namecolor=_INK, color=_INK
    )
    return drawing


def _wave(values: Sequence[str]) -> str:
    """Return WaveJSON of a signal: a value that stays is a dot."""
    return "".join("." if k and value == values[k - 1] else value for k, value in enumerate(values))


def _words(values: Sequence[str], kind: str) -> dict[str, Any]:
    """Return WaveJSON of words; none is an x."""
    changes = [k for k, value in enumerate(values) if not k or value != values[k - 1]]
    wave = "".join((kind if value else "x") if k in changes else "." for k, value in enumerate(values))
    return {"wave": wave, "data": [values[k] for k in changes if values[k]]}


def handshake() -> Any:
    """An unrolled layer of three stages whose reader stops it for two clocks."""
    return _timing(Model("PIPELINE", (True,), latency=3, ii=1), "11111001111")


def folded_timing() -> Any:
    """A folded layer of reuse factor 4, with one vector on the way and one waiting."""
    return _timing(Model("PIPELINE", (True,), latency=8, ii=4), "1" * 18)


FIGURES: dict[str, Callable[[], Any]] = {
    "unrolled": unrolled,
    "folded": folded,
    "convolution": convolution,
    "residual": residual,
    "gated": gated,
    "handshake": handshake,
    "folded_timing": folded_timing,
}


def drawn(name: str) -> bytes:
    """Return a figure as SVG."""
    return FIGURES[name]().get_imagedata("svg")


if __name__ == "__main__":
    for name in FIGURES:
        (FOLDER / f"{name}.svg").write_bytes(drawn(name))
