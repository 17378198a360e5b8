"""A wanted pace folds every layer as far as it allows, and the choice can be edited and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fpgaq.config import make_options
from fpgaq.conversion import lower
from fpgaq.design import Design
from fpgaq.errors import ConfigError
from fpgaq.folding import FOLDING_FILE, busy_cycles
from fpgaq.ir.ops import MatMul


@pytest.fixture(scope="module")
def model() -> Any:
    """Two convolutions, the second one on a fourth of the pixels, and a matrix."""
    import keras
    from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(3)

    def four() -> Any:
        return {"kernel_quantizer": quantized_bits(4, 0, alpha=1), "bias_quantizer": quantized_bits(4, 0, alpha=1)}

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            QConv2D(4, 3, padding="same", **four(), name="first"),
            QActivation(quantized_relu(4, 1), name="relu1"),
            layers.MaxPooling2D(2, name="pool"),
            layers.SeparableConv2D(5, 2, name="second"),
            QActivation(quantized_relu(4, 1), name="relu2"),
            layers.Flatten(name="flat"),
            QDense(3, **four(), name="last"),
        ]
    )


def lowered(model: Any, folder: Path = Path("unused"), **options: object) -> Design:
    given = {"input_precision": "ufixed<4,0>", "weight_precision": 4, "activation_precision": 6, **options}
    return lower(model, "net", make_options(given), folder)


def reuse(design: Design) -> dict[str, int]:
    return {n.layer: n.reuse for n in design.graph.nodes.values() if isinstance(n, MatMul)}


def test_layers_fold_down_to_the_pace(model: Any) -> None:
    unfolded = lowered(model)
    assert set(reuse(unfolded).values()) == {1}
    least = unfolded.hardware.ii
    chosen = []
    for pace in (least, 2 * least, 5 * least, 20 * least):
        design = lowered(model, target_ii=pace, strategy="folded")
        flow = design.hardware.flow
        assert max(busy_cycles(flow, block) for block in flow.blocks) <= design.hardware.ii <= pace
        chosen.append(reuse(design))
    for slower, faster in zip(chosen[1:], chosen, strict=False):
        assert all(slower[layer] >= factor for layer, factor in faster.items())
    assert chosen[0]["first"] == 1 < chosen[0]["last"]
    assert chosen[-1]["first"] == 9


def test_frames_per_second_are_cycles_of_the_clock(model: Any) -> None:
    options = make_options({"target_fps": 1e6, "clock_period": 4.0})
    assert options.wanted_ii == 250
    wanted = {"strategy": "folded", "clock_period": 4.0}
    assert reuse(lowered(model, target_fps=1e6, **wanted)) == reuse(lowered(model, target_ii=250, **wanted))


def test_filters_of_single_channels_are_not_folded(model: Any) -> None:
    found = lowered(model, reuse_factor=2, layers={"first": {"reuse_factor": 1}, "last": {"reuse_factor": 5}})
    assert reuse(found) == {"first": 1, "second_depthwise": 1, "second": 2, "last": 5}
    import keras

    alone = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.DepthwiseConv2D(2, name="odd")])
    with pytest.raises(
        ConfigError, match=r"'odd': reuse factor 2 .*largest legal one is 1: give it that under `layers`"
    ):
        lowered(alone, reuse_factor=2)
    assert reuse(lowered(alone, reuse_factor=2, layers={"odd": {"reuse_factor": 1}})) == {"odd": 1}


def test_only_what_is_cheaper_is_folded(model: Any) -> None:
    """Matrices of a few small weights are less logic without multipliers and memories."""
    assert set(reuse(lowered(model, target_ii=1000)).values()) == {1}


def test_the_choice_is_a_file_that_can_be_edited_and_read_again(model: Any, tmp_path: Path) -> None:
    design = lowered(model, tmp_path, target_ii=200, strategy="folded")
    design.write_software()
    path = tmp_path / FOLDING_FILE
    written = yaml.safe_load(path.read_text())
    assert {name: row["reuse_factor"] for name, row in written["layers"].items()} == {
        name: factor for name, factor in reuse(design).items() if name != "second_depthwise"
    }
    assert reuse(lowered(model, folding=path)) == reuse(design)
    written["layers"]["last"]["reuse_factor"] = 2
    path.write_text(yaml.safe_dump(written))
    edited = reuse(design) | {"last": 2}
    assert reuse(lowered(model, folding=path)) == edited
    assert reuse(lowered(model, folding=path, layers={"first": {"reuse_factor": 1}})) == edited | {"first": 1}
    # A pace leaves alone what has a reuse factor of its own.
    assert reuse(lowered(model, folding=path, target_ii=999)) == edited


def test_names_that_hls4ml_changes_are_those_of_the_model(tmp_path: Path) -> None:
    """Its parser takes the letters of 'input' for itself."""
    import keras
    from qkeras import QDense, quantized_bits

    four = {"kernel_quantizer": quantized_bits(4, 0, alpha=1), "use_bias": False}
    model = keras.Sequential([keras.Input((6,), name="x"), QDense(6, name="i", **four), QDense(6, name="n", **four)])
    layers = {name: {"reuse_factor": 6, "strategy": "folded"} for name in ("i", "n")}
    design = lowered(model, tmp_path, layers=layers)
    assert reuse(design) == {"i_0": 6, "n_0": 6}
    design.write_software()
    written = yaml.safe_load((tmp_path / FOLDING_FILE).read_text())["layers"]
    assert written == {"i": {"reuse_factor": 6}, "n": {"reuse_factor": 6}}


def test_a_pace_that_nothing_reaches_names_the_layer_that_limits(model: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"'first': net_first_pad is busy for 64 cycles.*takes 64, 4 more than the 60"
    ):
        lowered(model, target_ii=60)
    with pytest.raises(ConfigError, match=r"'first': its matrix is applied at 36 positions.*6 more than the 30 cycles"):
        lowered(model, target_ii=30)
    fixed = {"first": {"reuse_factor": 9}}
    with pytest.raises(ConfigError, match=r"'first': net_first_matrix is busy for 324 cycles.*4 more than the 320"):
        lowered(model, target_ii=320, layers=fixed)


def test_bad_targets_and_files_are_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give target_ii or target_fps, not both"):
        make_options({"target_ii": 3, "target_fps": 3})
    with pytest.raises(ConfigError, match="target_ii"):
        make_options({"target_ii": 0})
    with pytest.raises(ConfigError, match="cannot be read"):
        lowered(model, folding=tmp_path / "none.yaml")
    wrong = tmp_path / "wrong.yaml"
    for text, said in [
        ("reuse: 3", "must hold `layers`"),
        ("layers: [1]", "must hold `layers`"),
        ("layers: {last: {reuse: 3}}", "reuse' is unknown"),
        ("layers: {lost: {reuse_factor: 3}}", "no layer 'lost'"),
        ("layers: {last: {reuse_factor: 7}}", "does not divide"),
    ]:
        wrong.write_text(text)
        with pytest.raises(ConfigError, match=said):
            lowered(model, folding=wrong)
