"""What a report says. The schema is in ``schema.json`` beside this module and described in docs/report.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq import toolchain
from fpgaq.cosim import SimulationResult
from fpgaq.design import Design
from fpgaq.errors import ConfigError
from fpgaq.gates import Gate
from fpgaq.hls.freeze import Decision
from fpgaq.ir.activity import Activity
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, GatedMatMul, MatMul, Scan, Staircases
from fpgaq.ir.types import FixedType
from fpgaq.rtl.dataflow import Block, Dataflow, LayerHardware
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.hardware import Hardware
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.timetable import Timetable
from fpgaq.rtl.unrolled_layer import UnrolledLayer
from fpgaq.synth import Synthesis

SCHEMA_VERSION = 3
REPORT_FILE = "report.json"

Report = dict[str, Any]
Weighted = MatMul | GatedMatMul | Affine


def make_report(
    design: Design,
    gates: Sequence[Gate],
    simulation: SimulationResult | None,
    synthesis: Synthesis | None,
    *,
    accuracy: dict[str, Any] | None,
    distance: dict[str, Any] | None,
    decisions: Sequence[Decision],
    seconds: dict[str, float],
    inputs: str,
) -> Report:
    """Collect everything that is known about a build."""
    return {
        "schema": SCHEMA_VERSION,
        "name": design.name,
        "passed": all(g.passed for g in gates),
        "gates": {g.name: g.to_json() for g in gates},
        "accuracy": accuracy,
        "distance": distance,
        "timing": timing(design, simulation, next((g.timetable for g in gates if g.timetable is not None), None)),
        "resources": resources(design, synthesis),
        "layers": layers(design, [activity for gate in gates for activity in gate.activities]),
        "tensors": [_tensor(design, node) for node in design.graph.nodes.values()],
        "freeze": [vars(d) for d in decisions],
        "head": design.options.head,
        "inputs": inputs,
        "options": design.options.model_dump(mode="json"),
        "seed": design.options.seed,
        "seconds": seconds,
        "versions": toolchain.versions(),
    }


def timing(design: Design, simulation: SimulationResult | None, table: Timetable | None) -> dict[str, Any]:
    """Return measured and predicted cycles: of every output, and the longest of all.

    `table` holds the predictions for the vectors of the simulation where they depend on them.
    """
    outputs = [_output_timing(design.hardware, k, simulation, table) for k in range(len(design.hardware.outputs))]

    def longest(key: str) -> int | None:
        found = [row[key] for row in outputs]
        return None if None in found else max(found)

    return {
        "latency_cycles": longest("latency_cycles"),
        "predicted_latency_cycles": longest("predicted_latency_cycles"),
        "ii_cycles": longest("ii_cycles"),
        "predicted_ii_cycles": longest("predicted_ii_cycles"),
        "outputs": outputs,
        "clock_period_ns": design.options.clock_period,
    }


def _output_timing(
    hardware: Hardware, number: int, simulation: SimulationResult | None, table: Timetable | None
) -> dict[str, Any]:
    end = hardware.outputs[number]
    pace, varying = hardware.paces[number], None
    latency, complete, ii = pace.first, pace.last, pace.ii
    if table is not None and table.gaps(number):
        latency, complete, ii = table.latency(number), table.complete(number), max(table.gaps(number))
        if hardware.has_varying_cycles:
            ends = [] if simulation is None else simulation.stream.cycles[end.prefix][end.beats - 1 :: end.beats]
            varying = {**_spread("predicted_", table.gaps(number)), **_spread("", np.diff(ends).tolist())}
    return {
        "name": end.node,
        "port": end.prefix,
        "latency_cycles": None if simulation is None else simulation.stream.latency(end.prefix),
        "predicted_latency_cycles": latency,
        "last_beat_cycles": None if simulation is None else simulation.stream.complete(end.prefix, end.beats),
        "predicted_last_beat_cycles": complete,
        "ii_cycles": None if simulation is None else simulation.stream.ii(end.prefix, end.beats),
        "predicted_ii_cycles": ii,
        "varying_ii": varying,
    }


def _spread(prefix: str, cycles: Sequence[int]) -> dict[str, int | float | None]:
    found = {"min": min(cycles), "mean": float(np.mean(cycles)), "max": max(cycles)} if cycles else {}
    return {f"{prefix}{key}": found.get(key) for key in ("min", "mean", "max")}


def resources(design: Design, synthesis: Synthesis | None) -> dict[str, Any] | None:
    """Return LUT, FF, DSP, BRAM of the whole, of every layer and of every module."""
    if synthesis is None:
        return None
    layers: dict[str, dict[str, int]] = {}
    for block in design.hardware.blocks:
        found = synthesis.layers[block.hardware.name].to_json()
        known = layers.setdefault(block.layer, dict.fromkeys(found, 0))
        layers[block.layer] = {key: known[key] + found[key] for key in found}
    return {
        "family": synthesis.family,
        "total": synthesis.total.to_json(),
        "total_is_sum": synthesis.total_is_sum,
        "logic_depth": synthesis.logic_depth,
        "layers": layers,
        "modules": {b.hardware.name: synthesis.layers[b.hardware.name].to_json() for b in design.hardware.blocks},
    }


def layers(design: Design, activities: Sequence[Activity]) -> list[dict[str, Any]]:
    """Return one row per hardware module."""
    found = {activity.layer: activity.to_json() for activity in activities}
    rows = []
    for block in design.hardware.blocks:
        nodes = [n for n in design.graph.nodes.values() if n.layer == block.layer]
        matrix = next((n for n in nodes if isinstance(n, (MatMul, GatedMatMul, Affine))), None)
        matrix = matrix if _has_weights(block.hardware) else None
        if isinstance(block.hardware, ScanLoop):
            matrix = _recurrent_matrix(block.hardware.scan)
        rows.append(
            {
                "name": block.layer,
                "module": block.hardware.name,
                "operations": [n.op for n in nodes],
                "weight_type": None if matrix is None else str(_weight_type(matrix)),
                "weight_bits": None if matrix is None else _weight_type(matrix).width,
                "weights": 0 if matrix is None else int(_weights(matrix).size),
                "sparsity": None if matrix is None else float(np.mean(_weights(matrix) == 0)),
                **_storage(matrix),
                "datapath": _datapath(block.hardware),
                "left_out": _left_out(block.hardware),
                "reuse": matrix.reuse if isinstance(matrix, (MatMul, GatedMatMul)) else 1,
                "output_width": block.out_width,
                "output_count": block.out_count,
                "latency_cycles": block.hardware.latency,
                "ii_cycles": block.hardware.ii,
                "busy_cycles": busy_cycles(design.hardware.flow, block),
                "schedule": block.hardware.summary,
                "activity": found.get(block.layer),
            }
        )
    return rows


def busy_cycles(flow: Dataflow, block: Block) -> int:
    """Return the cycles that a module needs for a vector or frame; no design has a smaller II than its slowest one."""
    taken = max(flow.beats[stream] for stream in block.inputs)
    return max(taken * block.hardware.ii, block.beats)


def _recurrent_matrix(scan: Scan) -> MatMul:
    """Return all that the states of a recurrent layer are multiplied with as one matrix."""
    parts = [node for node in scan.step.nodes.values() if isinstance(node, MatMul)]
    frac, finer = (max(values) for values in zip(*((n.weight_frac, n.unit_frac) for n in parts), strict=True))
    weight = np.hstack([node.weight << (frac - node.weight_frac) for node in parts])
    plain = dataclasses.replace(parts[0], weight=weight, weight_frac=frac, format=None)
    if parts[0].format is None or any(node.format != parts[0].format for node in parts):
        return plain
    unit = np.hstack([node.unit << (frac - node.weight_frac + finer - node.unit_frac) for node in parts])
    return dataclasses.replace(plain, format=parts[0].format, unit=unit, unit_frac=finer)


def _has_weights(hardware: LayerHardware) -> bool:
    """Whether a module computes with the weights of its layer, and not only before or after."""
    if isinstance(hardware, UnrolledLayer):
        return any(isinstance(n, (MatMul, GatedMatMul, Affine, Staircases)) for n in hardware.nodes)
    return isinstance(hardware, (FoldedMatrix, GatedEngine))


def _storage(matrix: Weighted | None) -> dict[str, Any]:
    """Return the number format of the weights, and the bits that hold them all."""
    if matrix is None:
        return {"format": None, "format_bits": None, "storage_bits": 0}
    if isinstance(matrix, MatMul) and matrix.format is not None:
        bits = matrix.format.bits * _weights(matrix).size + matrix.format.table_bits
        return {"format": str(matrix.format), "format_bits": matrix.format.bits, "storage_bits": int(bits)}
    bits = _weight_type(matrix).width
    return {"format": None, "format_bits": bits, "storage_bits": int(bits * _weights(matrix).size)}


def _datapath(hardware: LayerHardware) -> list[dict[str, Any]]:
    """Return the forms that the matrix could have, the one that was built first."""
    forms: Mapping[str, int] = {}
    if isinstance(hardware, UnrolledLayer):
        forms = hardware.path.forms
    elif isinstance(hardware, FoldedMatrix):
        costs = {form.name: cost.equivalents for form, cost in hardware.forms}
        forms = {hardware.form.name: costs[hardware.form.name]} | costs
    return [{"form": name, "estimated_lut": lut} for name, lut in forms.items()]


def _left_out(hardware: LayerHardware) -> list[dict[str, str]]:
    """Return the forms that the matrix cannot have, and why."""
    reasons = hardware.left_out if isinstance(hardware, FoldedMatrix) else {}
    return [{"form": name, "reason": reason} for name, reason in reasons.items()]


def _weights(node: Weighted) -> np.ndarray:
    """Return the weights of a layer; zeros between the channels of a depthwise convolution are none."""
    if isinstance(node, MatMul):
        return node.weight[node.is_weight]
    return node.scale if isinstance(node, Affine) else node.weight


def _weight_type(node: Weighted) -> FixedType:
    """Return the type of the weights without the zeros that aligning to the bias appended."""
    codes, frac = _weights(node), node.scale_frac if isinstance(node, Affine) else node.weight_frac
    used = int(np.bitwise_or.reduce(np.abs(codes), axis=None))
    spare = (used & -used).bit_length() - 1 if used else 0
    return FixedType.from_interval(int(codes.min()) >> spare, int(codes.max()) >> spare, frac - spare)


def _tensor(design: Design, node: Node) -> dict[str, Any]:
    lo, hi = design.graph.bounds[node.name].hull
    return {
        "name": node.name,
        "layer": node.layer,
        "operation": node.op,
        "shape": list(design.graph.bounds[node.name].lo.shape),
        "type": str(node.type),
        "bounds": [lo, hi],
    }


def save_report(report: Report, folder: Path) -> None:
    """Write ``report.json``, under a temporary name first."""
    target = folder / REPORT_FILE
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(report, indent=1) + "\n")
    partial.rename(target)


def load_report(folder: Path) -> Report:
    """Read the report of a built folder, or of the file itself.

    Raises
    ------
    ConfigError
        If there is none, or it has another schema version.
    """
    path = folder if folder.is_file() else folder / REPORT_FILE
    try:
        report: Report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no report ({error}); build the design first") from None
    if not isinstance(report, dict):
        raise ConfigError(f"{path} is not a report; build the design again")
    if report.get("schema") != SCHEMA_VERSION:
        raise ConfigError(
            f"{path} has report schema {report.get('schema')!r}, this version reads {SCHEMA_VERSION}; build the "
            "design again"
        )
    return report
