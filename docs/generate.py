"""Writes docs/options.md and docs/report.md from the code; run it after changing options or the report's schema.

usage: python docs/generate.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fpgaq.report
from fpgaq.config import DesignConfig, LayerOptions, Options

HERE = Path(__file__).parent


def options() -> str:
    """Return the table of options."""
    lines = [
        "# Options",
        "",
        "Keys of `design.yaml`; those of the first table are also options of `fpgaq convert` (underscores become",
        "dashes) and keyword arguments of `fpgaq.convert`. A key that is not here is an error.",
        "",
        *_table(Options.model_fields),
        "",
        "Only in `design.yaml`:",
        "",
        *_table({k: v for k, v in DesignConfig.model_fields.items() if k not in Options.model_fields}),
        "",
        "Below `layers`, by layer name:",
        "",
        *_table(LayerOptions.model_fields),
    ]
    return "\n".join(lines) + "\n"


def _table(fields: dict[str, Any]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def report() -> str:
    """Return the table of the report's keys."""
    schema = json.loads((Path(fpgaq.report.__file__).parent / "schema.json").read_text())
    version = schema["properties"]["schema"]["const"]
    lines = [
        "# report.json",
        "",
        f"Schema version {version}; the JSON Schema is `fpgaq/report/schema.json`. `[]` is an element of a list,",
        "`*` any name.",
        "",
        "| key | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{key}` | {text} |" for key, text in _keys(schema, schema, "")]
    return "\n".join(lines) + "\n"


def _keys(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    node = _resolved(node, root)
    for name, child in node.get("properties", {}).items():
        yield from _key(child, root, f"{path}.{name}" if path else name)
    for key, suffix in (("additionalProperties", ".*"), ("items", "[]")):
        if isinstance(node.get(key), dict):
            yield from _key(node[key], root, f"{path}{suffix}")
    for choice in node.get("anyOf", node.get("oneOf", [])):
        yield from _keys(choice, root, path)


def _key(child: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    text = child.get("description") or _resolved(child, root).get("description")
    if text:
        yield path, text.replace("|", "\\|")
    yield from _keys(child, root, path)


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


FILES = {"options.md": options, "report.md": report}

if __name__ == "__main__":
    for name, text in FILES.items():
        (HERE / name).write_text(text())
