"""The benchmark's network in miniature: golden model, reference, and both ways of writing it as hardware."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import network, ours
from benchmarks.peers import signed_codes
from fpgaq import toolchain
from fpgaq.ir import golden

SMALL = (4, 6, 3)


@pytest.mark.parametrize("variant", network.VARIANTS)
def test_graph_computes_the_reference(variant: str) -> None:
    layers = network.make_layers(variant)
    x = network.stimuli(64)
    assert np.array_equal(golden.run(network.make_graph(layers), [x])[0], network.reference(layers, x))


def test_hardware_is_legal(tmp_path: Path) -> None:
    hardware = ours.solved(network.make_graph(network.make_layers("ternary", SMALL)))
    still = ours.combinational(hardware, tmp_path / "still")
    piped = ours.pipelined(hardware, 4, tmp_path / "piped")
    assert still.stages == 0
    assert 2 <= piped.stages <= 4
    for design in (still, piped):
        toolchain.lint(design.sources, design.top)


def test_too_few_stages_are_refused(tmp_path: Path) -> None:
    hardware = ours.solved(network.make_graph(network.make_layers("ternary", SMALL)))
    with pytest.raises(ValueError, match="do not fit"):
        ours.pipelined(hardware, 1, tmp_path)


def test_words_are_unpacked() -> None:
    formats = [(1, 2, 1), (0, 3, 0)]
    assert signed_codes(0b101_1110, formats, 2) == [-2 * 2, 5 * 4]
