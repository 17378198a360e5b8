"""Types that the user gives: reproduced exactly, or refused with the type that works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.lower import quiet
from fpgaq.ir import golden
from fpgaq.ir.ops import Requantize

L = keras.layers


def model() -> Any:
    return sequential(
        dense(5, name="fc1"),
        QActivation("quantized_relu(4,2)", name="act"),
        dense(4, bits(4), name="fc2"),
        L.ReLU(name="relu"),
        dense(3, bits(4), name="fc3"),
    )


def plugin(folder: Path, precision: dict[str, dict[str, str]], **options: Any) -> Any:
    """Convert with hls4ml's own entry point."""
    config = hls4ml.utils.config_from_keras_model(model(), backend="fpgaq", granularity="name")
    config["LayerName"]["features"]["Precision"]["result"] = "fixed<7,3>"
    for layer, types in precision.items():
        config["LayerName"][layer]["Precision"].update(types)
    with quiet():
        return hls4ml.converters.convert_from_keras_model(
            model(), backend="fpgaq", hls_config=config, output_dir=str(folder), project_name="net", **options
        )


def test_narrower_types_are_reproduced_in_cpp(tmp_path: Path) -> None:
    """A wrapping accumulator, a wrapping and a saturating result: C++ equals the golden model, and all of them bite."""
    exact = lowered(model())
    accumulator = exact.graph.nodes["fc1"].type
    relu = exact.graph.nodes["relu"].type
    narrow = f"fixed<{accumulator.width - 2},{accumulator.integer_bits - 2}>"
    graph = plugin(
        tmp_path,
        {
            "fc1": {"accum": narrow},
            "fc2": {"result": f"fixed<5,{exact.graph.nodes['fc2'].type.integer_bits - 1},RND,SAT>"},
            "relu": {"result": f"ufixed<3,{relu.integer_bits - 1}>"},
        },
    )
    derived = graph.derivation.graph
    assert str(derived.nodes["fc1"].type) == narrow
    for name in ("fc1", "fc2", "relu"):
        assert isinstance(derived.nodes[name], Requantize)
    x = stimuli(exact)
    trace, want = golden.trace(derived, [x]), golden.trace(exact.graph, [x])
    assert np.any(trace["fc1"] != want["fc1"])
    for name in ("fc2", "relu"):
        assert np.any(
            trace[name] * derived.nodes[name].type.step
            != trace[f"{name}_exact"] * derived.nodes[f"{name}_exact"].type.step
        )
    with quiet():
        graph.compile()
        values = graph.predict(np.ldexp(x.astype(np.float64), -4))
    codes = np.ldexp(values.reshape(len(x), -1), derived.nodes["fc3"].type.frac)
    assert np.array_equal(codes, trace["fc3"])
    assert not np.array_equal(values.reshape(len(x), -1), want["fc3"] * exact.graph.nodes["fc3"].type.step)


@pytest.mark.parametrize("modes", [",TRN,SAT", ",TRN,SAT_SYM", ",RND,SAT"])
def test_saturating_accumulators_are_refused(tmp_path: Path, modes: str) -> None:
    type_ = lowered(model()).graph.nodes["fc1"].type
    narrow = f"fixed<{type_.width - 2},{type_.integer_bits - 2}{modes}>"
    with pytest.raises(ConfigError, match=r"layer 'fc1': accumulator .*order") as caught:
        plugin(tmp_path, {"fc1": {"accum": narrow}})
    assert f"{type_} is exact, and wrapping types with {type_.frac} fraction bits are reproduced" in str(caught.value)
    plugin(tmp_path, {"fc1": {"accum": str(type_)}})


def test_accumulators_that_drop_fraction_bits_are_refused(tmp_path: Path) -> None:
    type_ = lowered(model()).graph.nodes["fc1"].type
    with pytest.raises(ConfigError, match=rf"layer 'fc1'.*{type_} is exact"):
        plugin(tmp_path, {"fc1": {"accum": f"fixed<{type_.width},{type_.integer_bits + 1}>"}})


@pytest.mark.parametrize("text", ["fixed<30,12>", "fixed<30,12,RND,SAT>"])
def test_wider_types_change_nothing(tmp_path: Path, text: str) -> None:
    exact = lowered(model())
    wide = plugin(tmp_path, {"fc1": {"accum": text, "weight": text, "bias": text}, "fc2": {"weight": text}})
    x = stimuli(exact)
    assert np.array_equal(golden.run(wide.derivation.graph, [x])[0], golden.run(exact.graph, [x])[0])
    assert wide.derivation.decisions == []


@pytest.mark.parametrize("what", ["weight", "bias"])
@pytest.mark.parametrize("text", ["fixed<3,1>", "fixed<4,2>", "fixed<4,0>", "ufixed<4,1>"])
def test_types_that_lose_quantized_bits_are_refused(tmp_path: Path, what: str, text: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"layer 'fc1': precision {text} of {what} loses bits of the quantized values; \w+<\d,-?\d> holds",
    ):
        plugin(tmp_path, {"fc1": {what: text}})


@pytest.mark.parametrize("what", ["result", "accum", "weight"])
@pytest.mark.parametrize("text", ["float", "double"])
def test_types_that_are_not_fixed_point_are_refused(tmp_path: Path, what: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"layer 'fc1': precision of {what}: .* is not a precision"):
        plugin(tmp_path, {"fc1": {what: text}})


@pytest.mark.parametrize("reuse", [7, 11, 1000])
def test_illegal_reuse_factors_list_the_legal_neighbours(reuse: int) -> None:
    """fc1 is a 6x5 matrix."""
    from hls4ml.backends import get_backend

    legal = get_backend("fpgaq").get_valid_reuse_factors(6, 5)
    assert reuse not in legal
    with pytest.raises(
        ConfigError, match=rf"layer 'fc1': reuse factor {reuse} does not divide its 6x5 matrix"
    ) as caught:
        lowered(model(), layers={"fc1": {"reuse_factor": reuse}})
    named = [int(n) for n in str(caught.value).rpartition("neighbours are ")[2].split(", ")]
    assert set(named) <= set(legal)
    assert max(r for r in legal if r < reuse) in named
    for good in named:
        assert lowered(model(), layers={"fc1": {"reuse_factor": good}}).graph.nodes["fc1"].reuse == good


def test_options_of_a_layer_that_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"layers: the model has no layer 'fc9'; it has act, fc1, fc2"):
        lowered(model(), layers={"fc9": {"reuse_factor": 1}})


def test_every_type_of_the_exact_network_is_minimal() -> None:
    graph = lowered(model()).graph
    for name, node in graph.nodes.items():
        lo, hi = graph.bounds[name].hull
        if not isinstance(node, Requantize) and node.inputs:
            narrower = [type(node.type)(node.type.width - 1, node.type.frac, s) for s in (False, True)]
            assert not any(t.covers(lo, hi) for t in narrower), name


@pytest.mark.parametrize("width", [64, 80])
def test_inputs_too_wide_for_the_integer_graph_are_refused(width: int) -> None:
    with pytest.raises(ModelError, match=r"layer 'features': .*63 bits"):
        lowered(model(), input_precision=f"fixed<{width},6>")
