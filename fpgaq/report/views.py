"""The report for machines and pull requests: Markdown and JUnit XML."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from fpgaq.report.text import ACTIVITY_COLUMNS, GATE_TITLES, activity_rows, head_line, speed_lines, timing_line


def markdown(report: dict[str, Any]) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    lines = [f"## fpgaq: {report['name']} {'passed' if report['passed'] else 'FAILED'}", ""]
    lines += ["| gate | verdict | samples | mismatches |", "|---|---|---:|---:|"]
    for name, gate in report["gates"].items():
        verdict = "equal" if gate["passed"] else "**different**"
        lines.append(f"| {GATE_TITLES.get(name, name)} | {verdict} | {gate['samples']} | {gate['mismatches']} |")
    lines += ["", *(f"{line}  " for line in (timing_line(report), *speed_lines(report))), head_line(report)]
    gated = activity_rows(report)
    if gated:
        lines += ["", f"| {' | '.join(ACTIVITY_COLUMNS)} |", "|---|" + "---:|" * (len(ACTIVITY_COLUMNS) - 1)]
        lines += [f"| {' | '.join(row)} |" for row in gated]
    if report["accuracy"]:
        parts = [f"{key} {100 * value:.2f} %" for key, value in report["accuracy"].items() if isinstance(value, float)]
        lines += ["", f"accuracy: {', '.join(parts)}"]
    if report["resources"]:
        lines += ["", *_resource_table(report["resources"])]
    for name, gate in report["gates"].items():
        if gate["first_mismatch"]:
            lines += ["", f"first mismatch of {name}: `{gate['first_mismatch']}`"]
    return "\n".join(lines) + "\n"


def _resource_table(found: dict[str, Any]) -> list[str]:
    keys = list(found["total"])
    lines = [f"| layer ({found['family']}) | {' | '.join(keys)} |", "|---|" + "---:|" * len(keys)]
    rows = [*found["layers"].items(), ("**total**", found["total"])]
    return lines + [f"| {name} | {' | '.join(str(row[k]) for k in keys)} |" for name, row in rows]


def junit(report: dict[str, Any]) -> str:
    """Return the gates as JUnit XML, one test case each."""
    failures = sum(not gate["passed"] for gate in report["gates"].values())
    suite = ElementTree.Element(
        "testsuite", name=f"fpgaq.{report['name']}", tests=str(len(report["gates"])), failures=str(failures), errors="0"
    )
    for name, gate in report["gates"].items():
        case = ElementTree.SubElement(suite, "testcase", classname=f"fpgaq.{report['name']}", name=name)
        if not gate["passed"]:
            message = f"{gate['mismatches']} of {gate['samples']} samples differ"
            ElementTree.SubElement(case, "failure", message=message).text = str(gate["first_mismatch"])
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
