"""The C++ of images and series: equal to the golden model in every layer, in few compilations; faults are found."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import lowered, sequential
from spatial_models import IMAGE, PIXEL, SERIES, act, conv, side_by_side

from fpgaq.design import Design
from fpgaq.ir import golden
from fpgaq.ir.ops import MatMul
from fpgaq.stimuli import input_codes, random_codes

#: Its fixtures compile: once, on one worker.
pytestmark = pytest.mark.xdist_group("layers of pixels in C++")

L = keras.layers


def written(model: Any, folder: Path, **options: Any) -> Design:
    """Convert a model, and write and compile its C++ alone."""
    design = lowered(model, folder=folder, **options)
    design.write_software()
    design.csim_library.build()
    return design


#: Layers whose C++ reuses its multipliers, and how often.
FOLDED = {
    "valid_1_0": 9,
    "same_1_0": 18,
    "one_pixel_1_2": 3,
    "ternary_1_0": 12,
    "binary_on_signs_1_1": 2,
    "alpha_auto_1_2": 4,
    "dilation_1_0": 6,
}


@pytest.mark.parametrize(
    ("shapes", "precision", "folded"),
    [
        pytest.param([IMAGE], "fixed<6,2>", FOLDED, id="images"),
        pytest.param(
            [SERIES, PIXEL], "ufixed<7,1>", {"valid_1_0": 6, "padding_1_1": 8}, id="series", marks=pytest.mark.extended
        ),
    ],
)
def test_every_layer_equals_the_golden_model(
    tmp_path: Path, shapes: list[tuple[int, ...]], precision: str, folded: dict[str, int]
) -> None:
    layers = {name: {"reuse_factor": reuse} for name, reuse in folded.items()}
    design = written(side_by_side(*shapes), tmp_path, input_precision=precision, layers=layers)
    found = {n.name.removesuffix("_exact"): n.reuse for n in design.graph.nodes.values() if isinstance(n, MatMul)}
    assert {name: reuse for name, reuse in found.items() if reuse > 1} == folded
    x = random_codes(design.graph, 200, seed=1)
    design.csim_gate(x).require()
    few = [codes[:20] for codes in input_codes(design.graph, x)]
    want = golden.trace(design.graph, few)
    traced = design.csim_library.run(few if len(few) > 1 else few[0], trace=True)
    for layer, values in traced.items():
        assert np.array_equal(values, want[layer].reshape(20, -1)), layer
    assert any(layer.endswith("_margin") for layer in traced)


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    layers = [
        conv(2, (2, 2), padding="same", name="conv"),
        act(),
        L.MaxPooling2D(2, padding="same", name="most"),
        L.AveragePooling2D(2, padding="same", name="mean"),
    ]
    return written(sequential(*layers, inputs=(3, 3, 1)), tmp_path_factory.mktemp("spatial") / "net")


def test_every_header_has_a_guard_of_its_own(design: Design) -> None:
    """Of two headers with one guard the second is never read: series and images in one network did not compile."""
    texts = [path.read_text() for path in (design.folder / "hls" / "firmware" / "nnet_utils").glob("*.h")]
    guards = [match[1] for text in texts if (match := re.search(r"^#ifndef (\w+_H_*)$", text, re.MULTILINE))]
    assert len(guards) > 30
    assert len(guards) == len(set(guards))


def coarse_average(firmware: Path) -> str:
    """Take the last bit off the accumulator of the average."""
    path = firmware / "defines.h"
    accumulators = re.findall(r"typedef ap_ufixed<(\d+),(\d+)> (layer\d+_accum_t);", path.read_text())
    width, integer, name = accumulators[-1]
    old = f"typedef ap_ufixed<{width},{integer}> {name};"
    path.write_text(path.read_text().replace(old, f"typedef ap_ufixed<{int(width) - 1},{integer}> {name};"))
    return "mean"


def margin_that_wins(firmware: Path) -> str:
    """Make a margin of the least value above zero."""
    path = next((firmware / "weights").glob("m*.h"))
    text, count = re.subn(r"\{0\.0*\}", "{0.125}", path.read_text())
    assert count == 1, path.read_text()
    path.write_text(text)
    return "most_margin"


@pytest.mark.parametrize("plant", [coarse_average, margin_that_wins], ids=lambda f: f.__name__)
def test_planted_faults_are_found_and_located(design: Design, tmp_path: Path, plant: Any) -> None:
    x = random_codes(design.graph, 300, seed=1)
    design.csim_gate(x).require()
    broken = Design(design.graph, design.options, tmp_path / "net")
    shutil.copytree(design.folder / "hls", broken.folder / "hls")
    layer = plant(broken.folder / "hls" / "firmware")
    broken.csim_library.build()
    gate = broken.csim_gate(x)
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert dataclasses.asdict(gate.first_mismatch)["layer"] == layer
