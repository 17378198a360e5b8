"""The gate of the SystemVerilog: the golden model's codes, the protocol of the streams, the predicted cycles.

cocotb sends the first samples, with stalls and resets; where there are more, a compiled driver sends all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fpgaq.bundles import Bundle, rows, samples
from fpgaq.cosim.bulk import BulkResult
from fpgaq.cosim.simulation import SimulationResult
from fpgaq.cosim.verdict import Expected, Trouble, find_trouble
from fpgaq.gates import Gate, Mismatch, compare_outputs, first_difference
from fpgaq.ir import golden
from fpgaq.ir.types import IntArray
from fpgaq.rtl.timetable import Timetable
from fpgaq.rtl.words import unpack
from fpgaq.stimuli import input_codes

if TYPE_CHECKING:
    from fpgaq.design import Design

NAME = "rtl_vs_golden"
#: What cocotb sends at most, and in how many clocks: a large image takes so many of them that the compiled driver is
#: sooner ready, its compilation included.
_BENCH_SAMPLES, _BENCH_CLOCKS, _FEW_SAMPLES = 1000, 200_000, 16


def bench_samples(ii: int) -> int:
    """Return how many samples cocotb sends to a design, which takes one every `ii` clocks."""
    return max(min(_BENCH_SAMPLES, _BENCH_CLOCKS // max(ii, 1)), _FEW_SAMPLES)


def rtl_gate(design: Design, codes: Bundle) -> tuple[Gate, SimulationResult]:
    """Compare the simulated hardware of a design with its golden model; see `Design.rtl_gate`."""
    few = bench_samples(design.hardware.ii)
    bench = rows(codes, 0, few)
    table = design.hardware.timetable(input_codes(design.graph, bench))
    gate, result = _compared_bench(design, bench, table)
    if gate.passed and samples(codes) > few:
        bulk = design.simulate_bulk(codes)
        gate, result = _compared_bulk(design, codes, bulk), dataclasses.replace(result, bulk=bulk)
    return dataclasses.replace(gate, timetable=table), result


def _compared_bench(design: Design, codes: Bundle, table: Timetable | None) -> tuple[Gate, SimulationResult]:
    want = _golden(design, codes)
    result = design.simulate(codes)
    got = dict(zip(design.graph.outputs, design.results(result.stream), strict=True))
    surplus = max(abs(len(got[output]) - len(want[output])) for output in want)
    gate = None
    if not surplus:
        gate = compare_outputs(NAME, got, want, lambda sample: _located(design, codes, sample))
        if not gate.passed:
            return gate, result
    trouble = find_trouble(result, _expected(design, want, table))
    if trouble is None:
        assert gate is not None
        return gate, result
    return Gate(NAME, samples(codes), max(surplus, 1), _misbehaviour(design, trouble)), result


def _compared_bulk(design: Design, codes: Bundle, bulk: BulkResult) -> Gate:
    if bulk.trouble is not None:
        return Gate(NAME, samples(codes), 1, _misbehaviour(design, bulk.trouble))
    located: list[Mismatch | None] = []

    def locate(sample: int) -> Mismatch | None:
        located.append(_located(design, codes, sample))
        return located[-1]

    got = dict(zip(design.graph.outputs, bulk.outputs, strict=True))
    gate = compare_outputs(NAME, got, _golden(design, codes), locate)
    first = gate.first_mismatch
    if first is not None and located[0] is None:  # all samples are needed to repeat it
        note = f"{first}; it comes after other samples only, this one alone gives no difference"
        return dataclasses.replace(gate, first_mismatch=dataclasses.replace(first, note=note))
    return gate


def _golden(design: Design, codes: Bundle) -> dict[str, IntArray]:
    found = golden.run(design.graph, input_codes(design.graph, codes))
    return dict(zip(design.graph.outputs, found, strict=True))


def _expected(design: Design, want: Mapping[str, IntArray], table: Timetable | None) -> dict[str, Expected]:
    hardware = design.hardware
    clocks = [None] * len(hardware.outputs) if table is None else table.sinks
    return {
        end.prefix: Expected(end.pack(want[end.node]), pace.first, pace.ii, each)
        for end, pace, each in zip(hardware.outputs, hardware.paces, clocks, strict=True)
    }


def _misbehaviour(design: Design, trouble: Trouble) -> Mismatch:
    end = next(end for end in design.hardware.outputs if end.prefix == trouble.port)
    return Mismatch(end.node, trouble.beat // end.beats, 0, None, None, trouble.text)


def _located(design: Design, codes: Bundle, sample: int) -> Mismatch | None:
    """Return the first layer of the hardware that differs when the sample goes through alone."""
    one = rows(codes, sample, sample + 1)
    built = golden.trace(design.hardware.optimized, input_codes(design.graph, one))
    return first_difference(_probed(design, one), built, sample)


def _probed(design: Design, codes: Bundle) -> Mapping[str, IntArray]:
    """Return what left every layer of the simulated hardware, by node of the graph that was built."""
    hardware = design.hardware
    records = design.simulate(codes, probes=True, stalled_samples=0).stream.probes
    values = {}
    for block, record in zip(hardware.blocks, records[len(hardware.inputs) :], strict=True):
        if block.probe is not None:
            node = hardware.optimized.nodes[block.probe]
            beats = unpack(record, node.type, block.out_width, block.out_count)
            values[block.probe] = beats[: len(beats) // block.beats * block.beats].reshape(
                -1, block.beats * block.out_count
            )
    return values
