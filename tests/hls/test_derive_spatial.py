"""Types, accumulators and reuse factors of layers on images: derived exactly, or refused with what would work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras_models import dense, lowered, sequential, stimuli
from spatial_models import act, conv, signed

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.lower import quiet
from fpgaq.ir import golden
from fpgaq.ir.ops import MatMul, Pad, WindowAverage
from fpgaq.ir.types import FixedType

L = keras.layers


def model(pooling: Any) -> Any:
    return sequential(conv(3, (2, 2), name="conv"), signed(), pooling, L.Flatten(), dense(2), inputs=(4, 4, 2))


def mean() -> Any:
    return L.AveragePooling2D(3, name="pool")


def plugin(folder: Path, pooling: Any, precision: dict[str, dict[str, str]]) -> Any:
    """Convert with hls4ml's own entry point, without writing."""
    net = model(pooling)
    config = hls4ml.utils.config_from_keras_model(net, backend="fpgaq", granularity="name")
    config["LayerName"]["features"]["Precision"]["result"] = "fixed<7,3>"
    for layer, types in precision.items():
        config["LayerName"][layer]["Precision"].update(types)
    with quiet():
        return hls4ml.converters.convert_from_keras_model(
            net, backend="fpgaq", hls_config=config, output_dir=str(folder), project_name="net"
        )


def test_the_accumulator_of_an_average_says_where_it_is_cut(tmp_path: Path) -> None:
    derivation = plugin(tmp_path, mean(), {"pool": {"accum": "fixed<12,7>"}}).derivation
    node = derivation.graph.nodes["pool"]
    assert isinstance(node, WindowAverage)
    assert (node.type.frac, node.shift, node.divisors.tolist()) == (5, 3, [[9]])
    (decision,) = derivation.decisions
    assert "divided with the accumulator fixed<12,7> given by the user: cut towards zero" in decision.reason
    assert decision.max_error == 2.0**-5


def test_an_accumulator_that_makes_an_average_exact_is_no_decision(tmp_path: Path) -> None:
    derivation = plugin(tmp_path, L.AveragePooling2D(2, name="pool"), {"pool": {"accum": "fixed<16,7>"}}).derivation
    assert derivation.decisions == []


@pytest.mark.parametrize(
    ("pooling", "accumulator"),
    [(mean, "fixed<9,2>"), (mean, "fixed<6,6>"), (lambda: L.MaxPooling2D(2, name="pool"), "ufixed<8,4>")],
)
def test_accumulators_that_lose_a_sum_are_refused_with_one_that_does_not(
    tmp_path: Path, pooling: Any, accumulator: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"layer 'pool': accumulator {accumulator} .* does not hold the sums"
    ) as caught:
        plugin(tmp_path, pooling(), {"pool": {"accum": accumulator}})
    works = str(caught.value).rpartition("; ")[2].split(" does")[0]
    plugin(tmp_path, pooling(), {"pool": {"accum": works}})


def test_a_narrow_accumulator_of_a_convolution_wraps(tmp_path: Path) -> None:
    exact = lowered(model(mean())).graph.nodes["conv"].type
    narrow = f"fixed<{exact.width - 2},{exact.integer_bits - 2}>"
    graph = plugin(tmp_path, mean(), {"conv": {"accum": narrow}}).derivation.graph
    assert str(graph.nodes["conv"].type) == narrow
    x = stimuli(lowered(model(mean())), 20)
    trace = golden.trace(graph, [x])
    assert np.any(trace["conv"] != trace["conv_sum"])
    with pytest.raises(ConfigError, match=rf"layer 'conv'.*rounds or saturates at every addition.*{exact} is exact"):
        plugin(tmp_path, mean(), {"conv": {"accum": narrow.replace(">", ",RND,SAT>")}})


def test_the_margin_of_a_maximum_is_the_least_value_of_its_type() -> None:
    for before, least in ((act(), 0), (signed(), -8)):
        pooling = L.MaxPooling2D(3, padding="same", name="pool")
        design = lowered(sequential(before, pooling, inputs=(4, 4, 2)))
        margin = design.graph.nodes["pool_margin"]
        assert isinstance(margin, Pad)
        assert margin.value == least
        lo, hi = design.graph.bounds["pool"].hull
        assert (lo, hi) == (least, least + 15)


def test_a_float_result_is_capped_where_it_feeds_a_matrix_through_layers_that_move_values() -> None:
    chain = [L.Conv2D(3, 2, name="conv"), L.MaxPooling2D(2, padding="same"), L.ZeroPadding2D(1), L.Conv2D(2, 2)]
    design = lowered(sequential(*chain, inputs=(4, 4, 2)), activation_precision=9)
    assert design.graph.nodes["conv"].type.width == 9
    assert design.origin is not None
    assert [d.layer for d in design.origin.derivation.decisions if d.what == "activation"] == ["conv"]


@pytest.mark.parametrize("reuse", [12, 24])
def test_reuse_beyond_the_window_is_refused(reuse: int) -> None:
    """hls4ml's C++ for Vitis then reads behind the end of its arrays; for a Dense of 8x3 these are legal."""
    with pytest.raises(
        ConfigError,
        match=rf"layer 'conv': reuse factor {reuse} is more than the C\+\+ of a Conv2D with a 8x3 matrix can do; "
        "the largest legal one is 8",
    ):
        lowered(model(mean()), layers={"conv": {"reuse_factor": reuse}})


def test_illegal_reuse_factors_list_the_legal_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"layer 'conv': reuse factor 3 does not divide .*neighbours are 1, 2, 4, 8"):
        lowered(model(mean()), layers={"conv": {"reuse_factor": 3}})


@pytest.mark.parametrize(("limit", "largest"), [(1, 1), (8, 8)])
def test_the_cheapest_schedule_is_legal(limit: int, largest: int) -> None:
    design = lowered(model(mean()), strategy="auto", reuse_factor=limit)
    node = design.graph.nodes["conv"]
    assert isinstance(node, MatMul)
    assert 1 <= node.reuse <= largest


def test_a_window_larger_than_its_input_is_refused() -> None:
    """Keras refuses it too; hls4ml's graph may come from elsewhere."""
    from fpgaq.frontend.spatial import Geometry
    from fpgaq.hls.derive import Deriver
    from fpgaq.hls.derive_conv import emit_windows
    from fpgaq.ir.ops import Input

    design = lowered(model(mean()))
    assert design.origin is not None
    deriver = Deriver(design.origin.hls_graph, design.options)
    deriver.emit(Input(name="x", inputs=(), type=FixedType(4, 0, True), layer="x", shape=(4, 4, 2)))

    class Layer:
        name, inputs = "big", ("x",)

    geometry = Geometry((6, 2), (1, 1), (1, 1), (1, 0), (0, 0))
    with pytest.raises(ModelError, match=r"layer 'big': its window reaches over 6x2, more than .* margins, 5x4; use a"):
        emit_windows(deriver, Layer(), geometry)
