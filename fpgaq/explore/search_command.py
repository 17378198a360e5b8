"""``fpgaq search``: the winner is written, built, and compared with what was estimated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console

from fpgaq.build import build_model
from fpgaq.conversion import design_name
from fpgaq.explore.candidates import shown_table, write_table
from fpgaq.explore.network import accuracy_of_model
from fpgaq.explore.search import Found, Task, search
from fpgaq.explore.search_inputs import search_task
from fpgaq.progress import Progress
from fpgaq.report.text import print_report
from fpgaq.workspace import building

CHOICE_FILE = "choice.yaml"


def run_search(given: dict[str, Any], console: Console, results: Console) -> int:
    """Search, write and build; return 1 if the network that was built is above its budget, or a gate failed.

    Raises
    ------
    FpgaqError
        If an argument is wrong, or nothing is within the budget.
    """
    task, output = search_task(given), given["output"]
    built = None
    with building(output, CHOICE_FILE) as folder:
        with Progress(console) as progress:
            found = search(task, progress)
            write_table(found.candidates, folder / "candidates.csv")
            found.model.save(folder / "model.keras")
            if given["build"]:
                name = design_name(output.resolve().name)
                built = build_model(found.model, name, task.options, folder / "build", progress)
        real = None if built is None else _real(built, found)
        (folder / CHOICE_FILE).write_text(yaml.safe_dump(_choice(task, found, real), sort_keys=False))
    results.print(shown_table(found.candidates, list(task.limits)))
    if built is not None:
        print_report(built, results, str(output / "build"))
    for line in _story(task, found, output, real):
        results.print(line, highlight=False)
    return int(built is not None and not built["passed"]) or int(bool(_excess(task, found, real)))


def _real(report: Mapping[str, Any], found: Found) -> dict[str, int]:
    """Return what was built, by the names of the budgets: yosys' counts, and measured cycles."""
    latency = max(output["last_beat_cycles"] for output in report["timing"]["outputs"])
    counts = {name: report["resources"]["total"][name] for name in ("lut", "ff", "dsp", "bram18", "lutram")}
    return {**counts, "size": found.winner.cost["size"], "latency": latency}


def _excess(task: Task, found: Found, real: Mapping[str, int] | None) -> list[str]:
    assert found.winner.whole is not None
    return [] if real is None else above_budget(task.limits, found.winner.whole.error, real)


def above_budget(limits: Mapping[str, int], error: Mapping[str, int], real: Mapping[str, int]) -> list[str]:
    """Return the resources that are above their budget by more than the error of the estimate."""
    return [name for name, limit in limits.items() if real[name] > limit + error.get(name, 0)]


def _choice(task: Task, found: Found, real: Mapping[str, int] | None) -> dict[str, Any]:
    winner = found.winner
    assert winner.whole is not None
    return {
        "layers": {name: dict(vars(choice)) for name, choice in winner.layers.items()},
        "from": winner.source,
        "policy": task.policy,
        "solver": task.solver,
        "status": list(found.statuses),
        "seed": task.seed,
        "epochs": winner.epochs,
        "budget": dict(task.limits),
        "estimate": dict(winner.whole.value),
        "error": dict(winner.whole.error),
        "built": None if real is None else dict(real),
        "loss": winner.loss,
        "accuracy": winner.accuracy,
    }


def _story(task: Task, found: Found, output: Path, real: Mapping[str, int] | None) -> list[str]:
    """Return what is to be said below the table."""
    winner = found.winner
    assert winner.whole is not None
    loss = "cross entropy" if task.calibration.labels is not None else "KL divergence from the given model"
    lines = [
        f"solver {task.solver}: {'; '.join(found.statuses)}",
        f"loss is the {loss} on {len(task.calibration.x)} calibration samples; ~ is a sum over layers",
    ]
    if task.test is not None:
        lines.append(f"the given model has {100 * accuracy_of_model(task.model, task.test):.2f} % accuracy")
    if task.test is not None and np.array_equal(task.calibration.x, task.test.x):
        lines.append("calibration and test data are the same: the accuracy is optimistic")
    for name, limit in task.limits.items():
        error = winner.whole.error.get(name, 0)
        estimated = f"{winner.whole.value[name]}{f' ± {error}' if error else ''}"
        lines.append(f"{name}: budget {limit}, estimated {estimated}" + (f", built {real[name]}" if real else ""))
    above = _excess(task, found, real)
    if above:
        lines.append(f"{', '.join(above)} above the budget by more than the error of the estimate")
    lines.append(f"from {winner.source}: {output}/model.keras, {output}/{CHOICE_FILE}, {output}/candidates.csv")
    return lines
