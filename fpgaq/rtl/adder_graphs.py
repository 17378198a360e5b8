"""Adder graphs of constant matrices, searched once: the search takes seconds, a design is built many times."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import fpgaq.cmvm
from fpgaq import cache
from fpgaq.cmvm import Adder, AdderGraph, Term, solve
from fpgaq.errors import FpgaqError
from fpgaq.ir.types import IntArray

#: Weights that are not zero from which keeping the graph is worth a file.
_LEAST = 64


def adder_graph(
    weights: IntArray, bounds: Sequence[tuple[int, int]], bias: IntArray | None = None, *, adder_inputs: int = 3
) -> AdderGraph:
    """Return what `fpgaq.cmvm.solve` finds; arguments as there.

    A kept graph is used again only where it computes exactly this matrix, and the solver is still the same.
    """
    if np.count_nonzero(weights) < _LEAST:
        return solve(weights, bounds, bias, adder_inputs=adder_inputs)
    offsets = np.zeros(weights.shape[1], np.int64) if bias is None else np.asarray(bias)
    path = cache.folder("adder-graphs") / f"{_key(weights, bounds, offsets, adder_inputs)}.json"
    graph = _kept(path)
    if graph is None or graph.bounds[: len(bounds)] != tuple(bounds) or not _computes(graph, weights, bounds, offsets):
        graph = solve(weights, bounds, bias, adder_inputs=adder_inputs)
        partial = path.with_suffix(f".{os.getpid()}")  # another process may search for the same
        partial.write_text(json.dumps(_document(graph), separators=(",", ":")))
        partial.rename(path)
    return graph


def _key(weights: IntArray, bounds: Sequence[tuple[int, int]], offsets: IntArray, adder_inputs: int) -> str:
    facts = [_solver(), adder_inputs, list(bounds), offsets.tolist(), weights.tolist()]
    return hashlib.sha256(json.dumps(facts, default=int).encode()).hexdigest()


@lru_cache
def _solver() -> str:
    """Return a digest of the solver itself."""
    folder = Path(fpgaq.cmvm.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _document(graph: AdderGraph) -> dict[str, Any]:
    def term(t: Term) -> list[int]:
        return [t.node, t.shift, int(t.negative)]

    return {
        "inputs": graph.n_inputs,
        "adders": [[[term(t) for t in a.terms], a.constant, a.offset] for a in graph.adders],
        "outputs": [o if isinstance(o, int) else term(o) for o in graph.outputs],
        "bounds": graph.bounds,
    }


def _kept(path: Path) -> AdderGraph | None:
    """Return the graph of a file; None where there is none, or it is damaged."""

    def term(fields: Sequence[int]) -> Term:
        node, shift, negative = fields
        return Term(node, shift, bool(negative))

    try:
        document = json.loads(path.read_text())
        adders = tuple(Adder(tuple(map(term, ts)), constant, offset) for ts, constant, offset in document["adders"])
        outputs = tuple(o if isinstance(o, int) else term(o) for o in document["outputs"])
        return AdderGraph(document["inputs"], adders, outputs, tuple((lo, hi) for lo, hi in document["bounds"]))
    except (OSError, ValueError, KeyError, TypeError, FpgaqError):
        return None


def _computes(graph: AdderGraph, weights: IntArray, bounds: Sequence[tuple[int, int]], offsets: IntArray) -> bool:
    """Whether the graph is the matrix: it is linear, so zero and one of each input that changes decide."""
    if graph.n_inputs != weights.shape[0] or len(graph.outputs) != weights.shape[1]:
        return False
    base = np.array([lo if lo == hi else 0 for lo, hi in bounds], np.int64)
    changing = np.diag([int(lo != hi) for lo, hi in bounds])
    x = base + np.vstack([np.zeros((1, len(base)), np.int64), changing])
    return np.array_equal(graph.evaluate(x), x @ weights + offsets)
