"""Every tutorial runs as a notebook, cell by cell, and proves its hardware."""

from __future__ import annotations

from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
TUTORIALS = [path.stem for path in sorted(FOLDER.glob("*.py"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_runs_and_every_gate_is_equal(name: str, tmp_path: Path) -> None:
    notebook = jupytext.read(FOLDER / f"{name}.py")
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    printed = "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text" in output
    )
    for gate in ("keras_vs_golden", "csim_vs_golden", "rtl_vs_golden"):
        assert f"{gate} equal 64 samples" in printed
    assert "differs" not in printed
