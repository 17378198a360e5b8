"""The manual builds as a site: no page is missing, no link and no name of the package leads nowhere."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = runpy.run_path(str(ROOT / "docs" / "figures.py"))


def _build(configuration: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(configuration), "-d", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_every_page_builds_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    found = _build(ROOT / "mkdocs.yml", tmp_path / "site")
    assert not found.returncode, found.stderr
    pages = [page.read_text() for page in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    assert not [tag for page in pages for tag in page.split("<")[1:] if tag.startswith(("script", "link")) and
                ('src="http' in tag or ('stylesheet' in tag and 'href="http' in tag))]  # fmt: skip


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](missing.md)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: broken\n")
    found = _build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert found.returncode
    assert "missing.md" in found.stderr


def test_figures_are_up_to_date() -> None:
    drawn = {name: FIGURES["drawn"](name) for name in FIGURES["FIGURES"]}  # in this order: marks in them are counted
    stale = [name for name, figure in drawn.items() if (FIGURES["FOLDER"] / f"{name}.svg").read_bytes() != figure]
    assert not stale, "run `python docs/figures.py`"
