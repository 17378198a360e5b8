"""The generated pages of the documentation are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from benchmarks.methods.figure import creator

DOCS = Path(__file__).parents[2] / "docs"
FILES = runpy.run_path(str(DOCS / "generate.py"))["FILES"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_page_is_up_to_date(name: str) -> None:
    text = (DOCS / name).read_text()
    if name.endswith(".svg") and f">{creator()}<" not in text:
        pytest.skip(f"{name} was not drawn by {creator()}, which this Python has")
    assert text == FILES[name](), "run `python docs/generate.py`"
