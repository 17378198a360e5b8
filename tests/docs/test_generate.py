"""The generated pages of the documentation are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILES = runpy.run_path(str(DOCS / "generate.py"))["FILES"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == FILES[name](), "run `python docs/generate.py`"
