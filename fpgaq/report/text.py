"""The report for people: tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

GATE_TITLES = {
    "keras_vs_golden": "frozen Keras = golden model",
    "csim_vs_golden": "HLS C++ (g++) = golden model",
    "rtl_vs_golden": "SystemVerilog (Verilator) = golden model",
}
_RESOURCES = (("lut", "LUT"), ("ff", "FF"), ("dsp", "DSP"), ("bram18", "BRAM"))


def print_report(report: dict[str, Any], console: Console, folder: str) -> None:
    """Print gates, accuracy, resources, timing and where the files lie."""
    parts: list[Any] = [Text(f"\n{report['name']}", style="bold"), _gates(report)]
    if report["accuracy"] or report["distance"]:
        parts.append(_accuracy(report))
    parts.append(_layers(report))
    gated = activity_rows(report)
    if gated:
        table = _table(*ACTIVITY_COLUMNS)
        for row in gated:
            table.add_row(*row)
        parts.append(table)
    parts += [
        *(Text(line) for line in (timing_line(report), *speed_lines(report))),
        Text(head_line(report)),
        _freeze(report),
        _files(report, folder),
    ]
    console.print(Group(*parts))


def _table(*titles: str) -> Table:
    """Return a table that fits a terminal of 80 columns."""
    return Table(*titles, box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))


def _gates(report: dict[str, Any]) -> Table:
    table = _table("gate", "verdict", "samples", "mismatches")
    for name, gate in report["gates"].items():
        verdict = Text("equal", "green") if gate["passed"] else Text("DIFFERENT", "bold red")
        table.add_row(GATE_TITLES.get(name, name), verdict, str(gate["samples"]), str(gate["mismatches"]))
    return table


def _accuracy(report: dict[str, Any]) -> Table:
    table = _table("model", "accuracy", "distance from the original")
    accuracy, distance = report["accuracy"] or {}, report["distance"]
    for key, title in (("original", "original (float Keras)"), ("frozen", "frozen"), ("hardware", "hardware (RTL)")):
        value = accuracy.get(key)
        far = ""
        if key == "frozen" and distance:
            far = f"max |diff| of {distance['of']} {distance['max_abs']:.3g}"
            if distance["argmax_agreement"] is not None:
                far += f", same class {100 * distance['argmax_agreement']:.2f} %"
        table.add_row(title, "" if value is None else f"{100 * value:.2f} %", far)
    return table


def _layers(report: dict[str, Any]) -> Table:
    found = report["resources"]
    table = _table("module", "weights", "zeros", "reuse", "cycles", "II", *(title for _, title in _RESOURCES))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report["layers"]:
        counts = found["modules"].get(row["module"]) if found else None
        table.add_row(
            row["module"].removeprefix(f"{report['name']}_"),
            weights_of(row),
            "" if row["sparsity"] is None else f"{100 * row['sparsity']:.0f} %",
            str(row["reuse"]),
            str(row["latency_cycles"]),
            str(row["ii_cycles"]),
            *(str(counts[key]) if counts else "" for key, _ in _RESOURCES),
        )
    if found:
        title = f"total {found['family']}{', sum of modules' if found['total_is_sum'] else ''}"
        timing = report["timing"]
        cycles = (str(timing["predicted_latency_cycles"]), str(timing["predicted_ii_cycles"]))
        table.add_section()
        table.add_row(title, "", "", "", *cycles, *(str(found["total"][key]) for key, _ in _RESOURCES), style="bold")
    return table


def weights_of(row: dict[str, Any]) -> str:
    """Return the number format of a layer's weights, or their type where no format describes them."""
    if row["format"] is None:
        return row["weight_type"] or ""
    return f"{row['format'].split('(')[0]} {row['format_bits']}b"


#: Titles of `activity_rows`.
ACTIVITY_COLUMNS = ("gated layer", "gates", "updated", "updates a sample", "least", "most")


def activity_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of text for every gated layer."""
    rows = {row["name"]: row for row in report["layers"] if row["activity"] is not None}
    return [
        (
            name,
            str(row["activity"]["gates"]),
            f"{100 * row['activity']['share_updated']:.1f} %",
            f"{row['activity']['mean_updates']:.2f}",
            str(row["activity"]["min_updates"]),
            str(row["activity"]["max_updates"]),
        )
        for name, row in rows.items()
    ]


def timing_line(report: dict[str, Any]) -> str:
    """Return latency and initiation interval in cycles and at the clock target."""
    timing = report["timing"]
    period = timing["clock_period_ns"]
    latency, ii = timing["predicted_latency_cycles"], timing["predicted_ii_cycles"]
    measured = (
        "" if timing["latency_cycles"] is None else f" (measured {timing['latency_cycles']} and {timing['ii_cycles']})"
    )
    varying = _varying(timing)
    spread = ""
    if varying is not None:
        least, mean, most = (varying[f"predicted_{key}"] for key in ("min", "mean", "max"))
        spread = f"; II from {least} to {most}, mean {mean:.2f}, as the vectors open gates"
    return (
        f"latency {latency} cycles, II {ii}{measured}{_per_output(timing)}{spread}; at the {period:g} ns target "
        f"{latency * period:g} ns and {vectors_per_second(report) / 1e6:.4g} M vectors/s"
    )


def speed_lines(report: dict[str, Any]) -> list[str]:
    """Return what is known of the clock frequency: the logic depth, and Fmax where the design was placed and routed."""
    depth = (report["resources"] or {}).get("logic_depth")
    routed = report["timing"].get("place_and_route")
    return [*([] if depth is None else [depth_line(depth)]), *([] if routed is None else [routed_line(routed)])]


def depth_line(depth: int) -> str:
    """Say what the logic depth is, and what it is not."""
    return f"logic depth {depth}: LUTs and carry chains in a row between registers, no clock frequency"


def routed_line(routed: dict[str, Any]) -> str:
    """Return Fmax after place and route, beside the target."""
    slack = routed["slack_ns"]
    verdict = f"target {routed['target_mhz']:g} MHz {'met' if slack >= 0 else 'MISSED'}, slack {slack:+.2f} ns"
    return (
        f"Fmax {routed['fmax_mhz']:.1f} MHz after place and route on {routed['device']} ({verdict}), {routed['tool']}; "
        f"slowest path {routed['logic_ns']:.2f} ns logic, {routed['routing_ns']:.2f} ns wires, "
        f"from {routed['path_from']} to {routed['path_to']}"
    )


def vectors_per_second(report: dict[str, Any]) -> float:
    """Return the throughput at the clock target, on average where it depends on the vectors."""
    timing = report["timing"]
    varying = _varying(timing)
    pace = timing["predicted_ii_cycles"] if varying is None else varying["predicted_mean"]
    return float(1e9 / (pace * timing["clock_period_ns"]))


def _varying(timing: dict[str, Any]) -> dict[str, Any] | None:
    """Return how II varies at the output that is slowest on average; None where it is always the same."""
    each = [row["varying_ii"] for row in timing["outputs"] if row["varying_ii"] is not None]
    return max(each, key=lambda row: row["predicted_mean"], default=None)


def _per_output(timing: dict[str, Any]) -> str:
    """Return the latency of each output where there are several."""
    rows = timing["outputs"]
    each = ", ".join(f"{row['port']} {row['predicted_latency_cycles']}" for row in rows)
    return f" ({each})" if len(rows) > 1 else ""


def head_line(report: dict[str, Any]) -> str:
    """Say what the output is."""
    return {
        "logits": "output: the last layer before any softmax (logits); the order of the classes is unchanged",
        "argmax": "output: the class index (of equal logits the first)",
        "softmax": "output: probabilities of a table softmax; Keras is compared at the logits in front of it",
    }[report["head"]]


def _freeze(report: dict[str, Any]) -> Text:
    rows = report["freeze"]
    if not rows:
        return Text("the model defines every number exactly: nothing was rounded")
    lines = [f"rounded where the model left floats ({len(rows)}):"]
    for row in rows[:12]:
        error = "" if row["max_error"] is None else f", error <= {row['max_error']:.2g}"
        lines.append(f"  {row['layer']} {row['what']} -> {row['type']}: {row['reason']}{error}")
    if len(rows) > 12:
        lines.append(f"  and {len(rows) - 12} more in report.json")
    return Text("\n".join(lines))


def _files(report: dict[str, Any], folder: str) -> Text:
    return Text(
        f"\nfiles     {folder}/rtl  SystemVerilog, top module {report['name']}\n"
        f"          {folder}/hls  Vitis HLS project\n"
        f"          {folder}/report.json  all of this and more\n"
        f"next      fpgaq sim {folder} --inputs x.npy     other inputs through C++ and RTL\n"
        f"          fpgaq synth {folder} --family ecp5    another FPGA family\n"
        f"          fpgaq report {folder} --markdown      the report for a pull request\n"
    )
