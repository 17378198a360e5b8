"""Random convolutional networks: Keras = golden model = SystemVerilog, in the predicted cycles, and some = C++.

One of them alone, in all its forms: ``CNN_SEEDS=17 python -m pytest tests/cosim/test_random_cnns.py``, or several
(``CNN_SEEDS="17 21"``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from frame_batches import FrameBatch
from random_cnns import random_cnn, random_design, together
from test_images import check, stimulus

from fpgaq import toolchain
from fpgaq.design import Design
from fpgaq.errors import FpgaqError
from fpgaq.stimuli import random_codes

_GIVEN = [int(seed) for seed in os.environ.get("CNN_SEEDS", "").split()]
#: Seeds that share a Verilator build, or a compilation of C++; all but the first are more of the same.
_BUILDS: list[Sequence[int]] = [_GIVEN] if _GIVEN else [range(k, k + 8) for k in range(0, 200, 8)]
_COMPILATIONS: list[Sequence[int]] = [_GIVEN] if _GIVEN else [range(k, k + 3) for k in range(0, 96, 3)]


def _chunks(found: Sequence[Sequence[int]], default: int) -> list[Any]:
    return [
        pytest.param(seeds, id=f"{seeds[0]}-{seeds[-1]}", marks=[] if k < default else pytest.mark.extended)
        for k, seeds in enumerate(found)
    ]


def _again(seed: int) -> str:
    return f"seed {seed}; alone: CNN_SEEDS={seed} python -m pytest {os.path.relpath(__file__)}"


def _made(seed: int, folder: Path) -> Design:
    """Return a design that has hardware: nothing in these networks is beyond it."""
    try:
        design = random_design(seed, folder)
        design.hardware.modules()
    except FpgaqError as error:
        raise AssertionError(f"{_again(seed)}: {error}") from error
    return design


def _drain(batch: FrameBatch) -> int:
    """Cycles in which all vectors leave that pipelines hold in front of a slow layer."""
    return max(0 if h.flow.has_frames else h.latency * h.ii for h in batch.hardware.values())


@pytest.mark.slow
@pytest.mark.parametrize("seeds", _chunks(_BUILDS, 1))
def test_hardware(seeds: Sequence[int], tmp_path: Path) -> None:
    """Values, ends of frames, stalls, resets in mid-frame, and every beat in its cycle."""
    designs = {seed: _made(seed, tmp_path) for seed in seeds}
    for seed, design in designs.items():
        gate = design.keras_gate(random_codes(design.graph, 20, seed))
        assert gate.passed, f"{_again(seed)}: {gate.first_mismatch}\n{design.graph}"
    batch = FrameBatch(
        [design.graph for design in designs.values()], tmp_path, clock_period=(2.0, 5.0, 20.0)[seeds[0] % 3]
    )
    toolchain.lint(batch.sources, "batch")
    cycles = stimulus(batch)
    cycles += [cycles[-1] | {"s_valid": 0, "m_ready": 1}] * _drain(batch)
    traces = batch.run(cycles)
    wrong = []
    for seed, design in designs.items():
        try:
            check(design.graph, batch.hardware[design.name], traces[design.name], framed=True)
        except AssertionError as error:
            wrong.append(f"{_again(seed)}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", _chunks(_COMPILATIONS, 1))
def test_software(seeds: Sequence[int], tmp_path: Path) -> None:
    """The C++, on streams and on arrays in turn."""
    kind = ("io_stream", "io_parallel")[seeds[0] // 3 % 2]
    heads = {head: [seed for seed in seeds if random_cnn(seed).classifies is head] for head in (False, True)}
    for head, alike in heads.items():
        if not alike:
            continue
        design = together(alike, tmp_path / str(head), io_type=kind)
        design.write_software()
        design.csim_library.build()
        gate = design.csim_gate(random_codes(design.graph, 100, seeds[0]))
        assert gate.passed, f"{_again(alike[0])} to {alike[-1]}, {kind}: {gate.first_mismatch}\n{design.graph}"
