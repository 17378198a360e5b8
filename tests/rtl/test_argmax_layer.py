"""The index of the maximum against numpy, in Verilator; of equal elements the first."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from batches import Batch, check
from random_layers import Chain

from fpgaq import toolchain
from fpgaq.ir import FixedType, Graph
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.words import pack

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33)


def argmax(n: int, type_: FixedType) -> Graph:
    sign = "s" if type_.signed else "u"
    return Chain(f"am{n}_{sign}{type_.width}", n, type_, 0).argmax().graph


def test_every_vector_of_few_values(tmp_path: Path) -> None:
    """Ties of all kinds: every vector over the codes of small types, for several lengths."""
    graphs = [argmax(n, FixedType(w, 0, s)) for n in (1, 2, 3, 4) for w in (1, 2) for s in (False, True)]
    batch = Batch(graphs, tmp_path)
    words = list(range(256))
    traces = batch.run(batch.stimulus(3, words=words))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])


@pytest.mark.extended
def test_many_sizes_with_ties(tmp_path: Path) -> None:
    graphs = [argmax(n, FixedType(6, 0, bool(n % 3))) for n in SIZES]
    rng = np.random.default_rng(1)
    words = []
    for graph, narrow in itertools.product(graphs, (True, False)):
        type_, shape = graph.inputs[0].type, graph.inputs[0].shape
        lo, hi = (-1, 1) if narrow and type_.signed else (0, 1) if narrow else (type_.min, type_.max)
        words += pack(rng.integers(lo, hi, (20, *shape), endpoint=True), type_)
    batch = Batch(graphs, tmp_path)
    traces = batch.run(batch.stimulus(4, words=words))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])
    toolchain.lint(batch.sources, "batch")


@pytest.mark.parametrize("n", SIZES)
def test_latency_is_the_depth_of_the_tree(n: int) -> None:
    hardware = make_hardware(argmax(n, FixedType(4, 0, True)), 5.0, "xc7")
    assert hardware.latency == max(1, int(np.ceil(np.log2(n))))
    assert hardware.ii == 1
