"""Blocks that change the beats of a frame (margins, windows, collecting, reducing), in every clock under every stall.

All instances are fed from one stream in one build. What each took and gave is compared with the integer operations, and
its handshakes with its model in every clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from one_block import OneBlock
from test_images import networks
from test_stream_blocks import lint_everything, warnings, yosys

from fpgaq import resources, toolchain
from fpgaq.errors import ToolError
from fpgaq.ir import FixedType, IntArray
from fpgaq.ir.node import Bounds, Operand
from fpgaq.ir.ops import Crop, Pad, Repeat, WindowAverage, Windows
from fpgaq.rtl.divisor_tags import divisor_tags
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit
from fpgaq.rtl.stream_tag import StreamTag
from fpgaq.rtl.stream_window import StreamWindow
from fpgaq.rtl.words import unpack
from fpgaq.synth import simulate

LIBRARY = resources.rtl_library()
BLOCKS = (
    *("stream_collect", "stream_crop", "stream_pad", "stream_reduce", "stream_repeat", "stream_split"),
    *("stream_tag", "stream_window"),
)
SIGNALS = ("in_ready", "out_valid", "out_last", "out_data")
Cycle = dict[str, int]
Hardware = StreamCollect | StreamCrop | StreamPad | StreamReduce | StreamRepeat | StreamSplit | StreamTag | StreamWindow


@dataclass(frozen=True)
class Case:
    """A block, shape and type of its frames, and the operation that it computes.

    Without one a frame becomes one beat, or each of its beats several.
    """

    hardware: Hardware
    shape: tuple[int, ...]
    type: FixedType
    node: Crop | Pad | Repeat | Windows | None

    @property
    def name(self) -> str:
        return self.hardware.name

    @property
    def in_bits(self) -> int:
        return self.shape[-1] * self.type.width

    @property
    def beats(self) -> int:
        return int(np.prod(self.shape[:-1]))

    @cached_property
    def result(self) -> tuple[int, int]:
        """Beats and elements of a beat that a frame becomes."""
        out = self.compute(np.zeros((1, *self.shape), np.int64))
        return out.shape[1], out.shape[2]

    @property
    def out_type(self) -> FixedType:
        if isinstance(self.hardware, StreamReduce):
            return self.hardware.result_type
        return self.type if self.node is None else self.node.type

    def compute(self, x: IntArray) -> IntArray:
        """Frames of pixels as frames of beats, (frames, beats, elements)."""
        if isinstance(self.hardware, StreamReduce):
            pixels = x.reshape(len(x), -1, x.shape[-1])
            return (pixels.max if self.hardware.largest else pixels.sum)(axis=1, keepdims=True)
        if isinstance(self.hardware, StreamTag):
            pixels = x.reshape(len(x), -1, x.shape[-1])
            tags = self.hardware.tags
            kinds = np.add.outer(np.array(tags.rows) << tags.col_bits, tags.cols).reshape(-1, 1)
            bits = np.broadcast_to(kinds >> np.arange(tags.bits) & 1, (len(x), kinds.size, tags.bits))
            return np.concatenate([pixels, bits], axis=2)
        if isinstance(self.hardware, StreamSplit):
            return x.reshape(len(x), self.beats * self.hardware.beats, -1)
        if self.node is None:
            return x.reshape(len(x), 1, -1)
        out = self.node.evaluate([x])
        return out.reshape(len(x), -1, out.shape[-1])

    def is_last(self, k: int, lasts: list[int]) -> int:
        """Whether beat `k` of the result ends a frame, where each beat that came did or did not."""
        if isinstance(self.hardware, (StreamCollect, StreamReduce)):
            return lasts[(k + 1) * self.beats - 1]
        if isinstance(self.hardware, StreamSplit):
            at, part = divmod(k, self.hardware.beats)
            return lasts[at] * (part == self.hardware.beats - 1)
        return int(k % self.result[0] == self.result[0] - 1)

    def codes(self, words: list[int]) -> IntArray:
        """Words as frames; what lacks of the last one is zero."""
        missing = -len(words) % self.beats
        return unpack(words + [0] * missing, self.type, self.type.width, self.shape[-1]).reshape(-1, *self.shape)


def source(shape: tuple[int, ...], type_: FixedType) -> Operand:
    return Operand(type_, Bounds(np.full(shape, type_.min), np.full(shape, type_.max)))


def pad(
    name: str,
    shape: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    value: int = 0,
    early: bool = False,
) -> Case:
    """A margin; its value may need a wider type than the pixels."""
    type_ = FixedType(3, 0, value >= 0 and len(shape) == 2)
    wide = FixedType.from_interval(min(type_.min, value), max(type_.max, value), 0)
    node = Pad(name=name, inputs=("x",), type=wide, layer=name, before=before, after=after, value=value)
    node.infer([source(shape, type_)])
    return Case(StreamPad(name, node, source(shape, type_), early), shape, type_, node)


def window(
    name: str,
    shape: tuple[int, ...],
    size: tuple[int, ...],
    stride: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
    width: int = 4,
) -> Case:
    type_, ones = FixedType(width, 0, False), (1,) * len(size)
    node = Windows(
        name=name,
        inputs=("x",),
        type=type_,
        layer=name,
        size=size,
        stride=stride or ones,
        dilation=dilation or ones,
    )
    node.infer([source(shape, type_)])
    return Case(StreamWindow(name, node, source(shape, type_)), shape, type_, node)


def collect(name: str, shape: tuple[int, ...], width: int) -> Case:
    type_ = FixedType(width, 0, False)
    beats = int(np.prod(shape[:-1]))
    return Case(StreamCollect(name, width * shape[-1], beats), shape, type_, None)


def crop(name: str, shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], width: int = 3) -> Case:
    type_ = FixedType(width, 0, False)
    node = Crop(name=name, inputs=("x",), type=type_, layer=name, before=before, after=after)
    node.infer([source(shape, type_)])
    return Case(StreamCrop(name, node, source(shape, type_)), shape, type_, node)


def repeat(name: str, shape: tuple[int, ...], times: tuple[int, ...], width: int = 3) -> Case:
    type_ = FixedType(width, 0, False)
    node = Repeat(name=name, inputs=("x",), type=type_, layer=name, times=times)
    node.infer([source(shape, type_)])
    return Case(StreamRepeat(name, node, source(shape, type_)), shape, type_, node)


def split(name: str, shape: tuple[int, ...], beats: int, width: int) -> Case:
    """Every beat in so many."""
    return Case(StreamSplit(name, width * shape[-1] // beats, beats), shape, FixedType(width, 0, False), None)


def tag(name: str, divisors: list[list[int]], channels: int, width: int) -> Case:
    """Beats with what tells these divisors apart."""
    type_, shape = FixedType(width, 0, False), (len(divisors), len(divisors[0]), channels)
    node = WindowAverage(
        name=name, inputs=("x",), type=type_, layer=name, positions=1, divisors=divisors, source_frac=0
    )
    found = divisor_tags(node)
    assert found is not None
    return Case(StreamTag(name, channels, width, found), shape, type_, None)


def reduce(name: str, shape: tuple[int, ...], type_: FixedType, wanted: FixedType, largest: bool) -> Case:
    """The largest or the sum, whose type may be wider than it must be."""
    beats = int(np.prod(shape[:-1]))
    return Case(StreamReduce(name, shape[-1], type_, wanted, beats, largest), shape, type_, None)


def cases() -> list[Case]:
    signed, unsigned, bit = FixedType(3, 0, True), FixedType(3, 0, False), FixedType(1, 0, False)
    return [
        pad("p_all", (3, 4, 2), (1, 1), (1, 1)),
        pad("p_early", (3, 2, 1), (1, 2), (0, 1), early=True),
        pad("p_early_none", (3, 2, 1), (0, 0), (1, 1), early=True),
        pad("p_before", (2, 3, 1), (2, 1), (0, 0)),
        pad("p_after", (2, 3, 1), (0, 0), (1, 2), 3),
        pad("p_none", (2, 2, 3), (0, 0), (0, 0)),
        pad("p_one", (1, 1, 1), (2, 3), (1, 2), -1),
        pad("p_wide", (2, 2, 2), (1, 0), (0, 1), 100),
        pad("p_wide_signed", (2, 2, 2), (0, 1), (1, 0), -100),
        pad("p_rows", (4, 1, 2), (1, 0), (2, 0)),
        pad("p_series", (5, 2), (2,), (1,)),
        pad("p_series_wide", (1, 3), (0,), (3,), 9),
        window("w_3x3", (5, 6, 2), (3, 3)),
        window("w_wide", (4, 4, 9), (2, 2), width=8),
        window("w_bits", (4, 5, 1), (2, 3), width=1),
        window("w_1x1", (3, 3, 2), (1, 1)),
        window("w_1x1_stride", (5, 4, 1), (1, 1), (2, 3)),
        window("w_stride", (6, 7, 1), (3, 3), (2, 2)),
        window("w_uneven", (7, 6, 1), (2, 3), (3, 2)),
        window("w_over_stride", (7, 8, 1), (2, 2), (3, 4)),
        window("w_pool", (4, 6, 3), (2, 2), (2, 2)),
        window("w_row", (3, 5, 1), (1, 3), (2, 1)),
        window("w_column", (5, 3, 2), (3, 1), (1, 2)),
        window("w_all", (3, 4, 1), (3, 4)),
        window("w_dilated", (6, 7, 1), (2, 3), None, (2, 2)),
        window("w_dilated_stride", (8, 9, 1), (3, 2), (1, 2), (2, 5)),
        window("w_narrow", (6, 1, 2), (3, 1)),
        window("w_narrow_dilated", (7, 1, 2), (2, 1), (2, 1), (3, 1)),
        window("w_flat", (1, 7, 2), (1, 3), (1, 2)),
        window("w_pixel", (1, 1, 3), (1, 1)),
        window("w_deep", (3, 130, 1), (3, 2), (1, 30), (1, 1)),
        window("w_block_ram", (3, 260, 1), (2, 2), (1, 50)),
        window("w_series", (9, 2), (3,)),
        window("w_series_causal", (11, 1), (3,), (2,), (3,)),
        window("w_series_all", (4, 3), (4,)),
        collect("c_image", (2, 3, 2), 3),
        collect("c_two", (2, 1), 1),
        collect("c_series", (5, 3), 4),
        crop("k_all", (4, 5, 2), (1, 1), (1, 2)),
        crop("k_before", (3, 4, 1), (2, 1), (0, 0)),
        crop("k_after", (3, 4, 1), (0, 0), (1, 3), 1),
        crop("k_none", (2, 2, 3), (0, 0), (0, 0)),
        crop("k_rows", (5, 1, 2), (1, 0), (2, 0)),
        crop("k_series", (7, 2), (2,), (1,)),
        repeat("u_both", (3, 4, 2), (2, 3)),
        repeat("u_rows", (2, 3, 1), (3, 1)),
        repeat("u_cols", (2, 3, 1), (1, 4), 1),
        repeat("u_none", (2, 2, 2), (1, 1)),
        repeat("u_narrow", (3, 1, 2), (2, 2)),
        repeat("u_pixel", (1, 1, 1), (3, 2)),
        repeat("u_series", (5, 2), (3,)),
        split("s_two", (1, 2), 2, 1),
        split("s_image", (1, 12), 6, 3),
        split("s_pixels", (3, 6), 3, 2),
        tag("t_nine", [[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]], 2, 3),
        tag("t_cols", [[4, 4, 4, 2, 1]], 1, 1),
        tag("t_rows", [[3], [3], [1]], 1, 2),
        reduce("r_sum", (2, 3, 2), unsigned, FixedType(6, 0, False), False),
        reduce("r_sum_signed", (5, 3), signed, FixedType(6, 0, True), False),
        reduce("r_sum_wide", (2, 1), signed, FixedType(9, 0, True), False),
        reduce("r_count", (7, 1), bit, FixedType(3, 0, False), False),
        reduce("r_max", (2, 3, 2), unsigned, unsigned, True),
        reduce("r_max_signed", (5, 3), signed, signed, True),
        reduce("r_max_wide", (3, 1), signed, FixedType(4, 0, True), True),
        reduce("r_any", (4, 2), bit, bit, True),
    ]


def write(folder: Path, found: list[Case]) -> list[Path]:
    """Write the library blocks, the modules and a top with all of them side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    bits = max(case.in_bits for case in found)
    ports, body = [f"input logic clk, rst_n, in_valid, in_last, out_ready, input logic [{bits - 1}:0] in_data"], []
    for case in found:
        out = case.result[1] * case.out_type.width
        ports.append(f"output logic {', '.join(f'{case.name}_{s}' for s in SIGNALS[:3])}")
        ports.append(f"output logic [{out - 1}:0] {case.name}_out_data")
        outputs = ", ".join(f".{s}({case.name}_{s})" for s in SIGNALS)
        data = f"in_data[{case.in_bits - 1}:0]"
        body.append(
            f"{case.name} u_{case.name} (.clk, .rst_n, .in_valid, .in_last, .out_ready, .in_data({data}), {outputs});"
        )
    texts = {m.name: str(m) for case in found for m in case.hardware.modules()}
    texts |= {"frames": "module frames (\n    " + ",\n    ".join(ports) + "\n);\n" + "\n".join(body) + "\nendmodule\n"}
    texts |= {name: (LIBRARY / f"{name}.sv").read_text() for name in BLOCKS}
    for name, text in texts.items():
        (folder / f"{name}.sv").write_text(text)
    return [folder / f"{name}.sv" for name in texts]


def stimulus(bits: int, length: int = 700, full_speed: int = 1700) -> list[Cycle]:
    """Random pixels: idle cycles x back-pressure, a reset in mid-frame between any two of them.

    At full speed there are two frames even of the largest case.
    """
    rng = random.Random(3)
    cycles: list[Cycle] = []
    for valid in (1.0, 0.5, 0.15):
        for ready in (1.0, 0.5, 0.15, 0.0):
            for k in range(full_speed if valid * ready == 1 else length if ready else 60):
                on = {"in_valid": int(rng.random() < valid), "out_ready": int(rng.random() < ready)}
                reset = {"rst_n": int(k >= 2), "in_last": rng.getrandbits(1)}
                cycles.append({**reset, **on, "in_data": rng.getrandbits(bits)})
    return cycles


def run(folder: Path, found: list[Case]) -> dict[str, str | None]:
    """Simulate; return what is wrong with each instance."""
    cycles = stimulus(max(case.in_bits for case in found))
    outputs = [f"{case.name}_{signal}" for case in found for signal in SIGNALS]
    sources = sorted((folder / "rtl").glob("*.sv"))
    rows = simulate(
        sources, "frames", cycles, inputs=list(cycles[0]), outputs=outputs, work=folder / "sim", clock="clk"
    )
    return {case.name: trouble(case, cycles, rows) for case in found}


def trouble(case: Case, cycles: list[Cycle], rows: list[Cycle]) -> str | None:
    """Compare the handshakes with the model clock by clock, then what went in with what came out between resets."""
    engine = OneBlock(case.hardware)
    taken: list[int] = []
    given: list[tuple[int, int]] = []
    lasts: list[int] = []
    for k, (cycle, row) in enumerate(zip(cycles, rows, strict=True)):
        seen = {signal: row[f"{case.name}_{signal}"] for signal in SIGNALS}
        if not cycle["rst_n"]:
            wrong = difference(case, taken, given, lasts)
            if wrong:
                return f"before cycle {k}: {wrong}"
            engine, taken, given, lasts = OneBlock(case.hardware), [], [], []
            continue
        free, offers = bool(cycle["out_ready"]), engine.offers
        if seen["out_valid"] != offers:
            return f"cycle {k}: out_valid is {seen['out_valid']}"
        if seen["in_ready"] != engine.accepts(free):
            return f"cycle {k}: in_ready is {seen['in_ready']}"
        took = bool(cycle["in_valid"] and seen["in_ready"])
        if took:
            taken.append(cycle["in_data"] & ((1 << case.in_bits) - 1))
            lasts.append(cycle["in_last"])
        if offers and free:
            given.append((seen["out_data"], seen["out_last"]))
        engine.step(free=free, taken=took)
    return difference(case, taken, given, lasts)


def difference(case: Case, taken: list[int], given: list[tuple[int, int]], lasts: list[int]) -> str | None:
    """That beats are neither lost nor surplus, the model has found: values, and the end of every frame."""
    if not given:
        return None
    _, elements = case.result
    want = case.compute(case.codes(taken)).reshape(-1, elements)[: len(given)]
    got = unpack([word for word, _ in given], case.out_type, case.out_type.width, elements)
    if got.shape != want.shape:
        return f"{len(got)} beats came from {len(taken)}, which make {len(want)}"
    wrong = np.flatnonzero(np.any(got != want, axis=1))
    if wrong.size:
        return f"beat {wrong[0]}: got {got[wrong[0]]}, want {want[wrong[0]]}"
    ends = [last for k, (_, last) in enumerate(given) if last != case.is_last(k, lasts)]
    return f"{len(ends)} wrong ends of frames" if ends else None


def test_every_shape_under_every_stall(tmp_path: Path) -> None:
    found = cases()
    assert all(2 * max(case.beats, case.result[0]) < 1690 for case in found)  # back to back
    toolchain.lint(write(tmp_path / "rtl", found), "frames")
    assert run(tmp_path, found) == dict.fromkeys([case.name for case in found])


FAULTS = [
    ("stream_window", "COL_W'(COLS - 1)", "COL_W'(COLS - 2)"),
    ("stream_window", "DOWN_W'(STRIDE_H - 1)", "DOWN_W'(STRIDE_H)"),
    ("stream_window", "address == ADDRESS_W'(DEPTH - 1)", "address == ADDRESS_W'(DEPTH - 2)"),
    ("stream_window", "row == ROW_W'(LAST_ROW)", "row == ROW_W'(ROWS - 1)"),
    ("stream_window", "out_ready | ~out_valid", "1'b1"),
    ("stream_window", "row <= end_of_frame ? '0", "row <= end_of_row ? row"),
    ("stream_pad", "col < COL_W'(LEFT + COLS)", "col < COL_W'(LEFT + COLS + 1)"),
    ("stream_pad", "full | ~(in_frame | first)", "full | ~in_frame"),
    ("stream_pad", "in_frame & out_ready);", "out_ready);"),
    ("stream_pad", "&& !(EARLY && started)", "&& !EARLY"),
    ("stream_collect", "last_beat ? '0", "last_beat ? 1"),
    ("stream_collect", "out_ready | ~out_valid", "1'b1"),
    ("stream_crop", "row == ROW_W'(ROWS - BOTTOM - 1)", "row == ROW_W'(ROWS - 1)"),
    ("stream_crop", "col < COL_W'(COLS - RIGHT)", "col <= COL_W'(COLS - RIGHT)"),
    ("stream_crop", "out_ready | ~out_valid", "1'b1"),
    ("stream_crop", "last_row ? '0", "last_row ? 1"),
    ("stream_repeat", "fresh ? pixel : again", "pixel"),
    ("stream_repeat", "full | ~fresh", "full"),
    (
        "stream_repeat",
        "(fresh & last_across & out_ready);\n    assign accept",
        "(last_across & out_ready);\n    assign accept",
    ),
    ("stream_repeat", "if (move & last_across) line <=", "if (move) line <="),
    ("stream_split", "last_beat & last_part", "last_part"),
    ("stream_split", "shifted >> WIDTH", "shifted"),
    ("stream_split", "~out_valid | (last_part & out_ready)", "~out_valid | out_ready"),
    ("stream_tag", "OF_ROW[row] | OF_COL[col]", "OF_ROW[row]"),
    ("stream_tag", "last_row & last_col", "last_col"),
    ("stream_tag", "last_row ? '0", "last_row ? 1"),
    ("stream_tag", "out_ready | ~out_valid", "1'b1"),
    ("stream_reduce", "first_beat ? '0 : result", "result"),
    ("stream_reduce", "last_beat ? '0", "last_beat ? 1"),
    ("stream_reduce", "out_ready | ~out_valid", "1'b1"),
    ("stream_reduce", "SIGNED & in_data", "1'b0 & in_data"),
]


def test_planted_faults_are_found(tmp_path: Path) -> None:
    """One fault a copy of a block; all copies are in one build, on a case that shows it."""
    shown = {
        "stream_window": window("w", (6, 7, 1), (3, 3), (2, 3)),
        "stream_pad": pad("p", (3, 4, 2), (1, 1), (1, 1), early=True),
        "stream_collect": collect("c", (2, 3, 2), 3),
        "stream_crop": crop("k", (4, 5, 1), (1, 1), (1, 2)),
        "stream_repeat": repeat("u", (3, 4, 1), (2, 3)),
        "stream_split": split("s", (3, 6), 3, 2),
        "stream_tag": tag("t", [[4, 6, 4], [6, 9, 6], [4, 6, 4]], 1, 2),
        "stream_reduce": reduce("r", (5, 3), FixedType(3, 0, True), FixedType(6, 0, True), False),
    }
    found = [
        Case(type(case.hardware)(**{**vars(case.hardware), "name": f"f{k}"}), case.shape, case.type, case.node)
        for k, (block, _, _) in enumerate(FAULTS)
        for case in [shown[block]]
    ]
    folder = tmp_path / "rtl"
    write(folder, found)
    for k, (block, right, wrong) in enumerate(FAULTS):
        text = (LIBRARY / f"{block}.sv").read_text()
        assert right in text, right
        (folder / f"{block}_{k}.sv").write_text(
            text.replace(right, wrong).replace(f"module {block}", f"module {block}_{k}")
        )
        module = folder / f"f{k}.sv"
        module.write_text(module.read_text().replace(f"{block} #", f"{block}_{k} #"))
    said = run(tmp_path, found)
    assert [fault for fault, case in zip(FAULTS, found, strict=True) if said[case.name] is None] == []


# --- parameters and tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "parameters", "message"),
    [
        ("stream_pad", "COLS(0)", "PIXEL_W, ROWS and COLS must be at least 1"),
        ("stream_window", "KERNEL_H(0)", "PIXEL_W, KERNEL_H and KERNEL_W must be at least 1"),
        ("stream_window", "STRIDE_W(0)", "strides and dilations must be at least 1"),
        ("stream_window", "COLS(2)", "the window is larger than the frame"),
        ("stream_window", "DILATION_H(2)", "the window is larger than the frame"),
        ("stream_collect", "BEATS(1)", "BEATS must be at least 2"),
        ("stream_collect", "WIDTH(0)", "WIDTH must be at least 1"),
        ("stream_crop", "PIXEL_W(0)", "PIXEL_W must be at least 1"),
        ("stream_crop", "LEFT(3)", "nothing is left of a frame"),
        ("stream_repeat", "DOWN(0)", "all parameters must be at least 1"),
        ("stream_tag", "ROWS(0)", "WIDTH, TAG_W, ROWS and COLS must be at least 1"),
        ("stream_split", "BEATS(1)", "BEATS must be at least 2"),
        ("stream_split", "WIDTH(0)", "WIDTH must be at least 1"),
        ("stream_reduce", "BEATS(1)", "BEATS must be at least 2"),
        ("stream_reduce", "IN_W(0)", "CHANNELS and IN_W must be at least 1"),
        ("stream_reduce", "OUT_W(2)", "OUT_W must be at least IN_W"),
    ],
)
def test_wrong_parameters_stop_elaboration(block: str, parameters: str, message: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(f"module wrong (input logic clk);\n  {block} #(.{parameters}) u (.clk(clk));\nendmodule\n")
    with pytest.raises(ToolError, match=message):
        lint_everything([wrong, LIBRARY / f"{block}.sv"], "wrong")


@pytest.mark.parametrize("block", BLOCKS)
def test_default_parameters_are_lint_clean(block: str) -> None:
    toolchain.lint([LIBRARY / f"{block}.sv"], block)


def test_yosys_reads_every_instance_without_a_warning(tmp_path: Path) -> None:
    assert warnings(yosys(write(tmp_path, cases()), "frames")) == []


def test_yosys_reads_a_network_without_a_warning(tmp_path: Path) -> None:
    graph = next(graph for graph in networks() if graph.name == "net2")
    assert warnings(yosys(make_hardware(graph, 5.0, "xc7").write(tmp_path), graph.name)) == []
