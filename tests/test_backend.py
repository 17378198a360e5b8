"""The back end as hls4ml users call it, and an acceptance set in the spirit of hls4ml's own QKeras tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hls4ml
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation, binary, quantized_po2, ternary

import fpgaq
from fpgaq.errors import ConfigError, FpgaqError
from fpgaq.frontend.lower import quiet
from fpgaq.ir import golden
from fpgaq.stimuli import truncated_codes

#: Its fixtures compile: once, on one worker.
pytestmark = pytest.mark.xdist_group("backend")


def network() -> Any:
    return sequential(
        dense(6, name="fc1"), QActivation("quantized_relu(4,1)", name="act"), dense(3, ternary(alpha=1), name="fc2")
    )


def plugin(model: Any, folder: Path, **options: Any) -> Any:
    """Convert as the tutorials of hls4ml do."""
    config = hls4ml.utils.config_from_keras_model(model, backend="fpgaq", granularity="name")
    config["LayerName"]["features"]["Precision"]["result"] = "fixed<7,3>"
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    with quiet():
        return hls4ml.converters.convert_from_keras_model(
            model, backend="fpgaq", hls_config=config, output_dir=str(folder), project_name="net", **options
        )


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = plugin(network(), tmp_path_factory.mktemp("plugin") / "net")
    with quiet():
        found.compile()
    return found


def codes_and_values(graph: Any) -> tuple[np.ndarray, np.ndarray]:
    design = lowered(network())
    codes = stimuli(design, 200)
    return codes, np.ldexp(codes.astype(np.float64), -4)


def test_the_backend_is_registered() -> None:
    assert "fpgaq" in hls4ml.backends.get_available_backends()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_predict_is_the_golden_model(graph: Any, dtype: Any) -> None:
    codes, x = codes_and_values(graph)
    values = graph.predict(x.astype(dtype))
    want = golden.run(graph.derivation.graph, [codes])[0] * graph.derivation.graph.nodes["fc2"].type.step
    assert values.shape == want.shape
    assert np.array_equal(values, want)
    assert np.unique(values, axis=0).shape[0] > 20


def test_trace_is_the_golden_trace(graph: Any) -> None:
    codes, x = codes_and_values(graph)
    with quiet():
        _, traced = graph.trace(x)
    want = golden.trace(graph.derivation.graph, [codes])
    assert set(traced) == {"fc1", "act", "fc2"}
    for name, values in traced.items():
        assert np.array_equal(values, want[name] * graph.derivation.graph.nodes[name].type.step), name


def test_inputs_off_the_grid_are_cut_and_wrapped_as_hls4ml_does(graph: Any) -> None:
    """``predict`` hands floats to ap_fixed<7,3>, whose default is to cut and to wrap around."""
    x = np.random.default_rng(5).uniform(-20, 20, (200, 6))
    codes = truncated_codes(graph.derivation.graph, x)
    want = golden.run(graph.derivation.graph, [codes])[0] * graph.derivation.graph.nodes["fc2"].type.step
    assert np.array_equal(graph.predict(x), want)


def test_the_plugin_and_convert_derive_the_same_graph(graph: Any) -> None:
    assert str(graph.derivation.graph) == str(lowered(network()).graph)


def test_write_leaves_both_languages(graph: Any) -> None:
    folder = Path(graph.config.get_output_dir())
    assert (folder / "firmware" / "net.cpp").is_file()
    assert (folder / "rtl" / "net.sv").is_file()
    assert json.loads((folder / "graph.json").read_text())["name"] == "net"


@pytest.mark.parametrize("granularity", ["name", "type", "model"])
def test_every_granularity_of_hls4mls_configuration_is_exact(tmp_path: Path, granularity: str) -> None:
    """hls4ml's own default, 'model', ignores activation quantizers; here nothing can make the network inexact."""
    model = network()
    config = hls4ml.utils.config_from_keras_model(
        model, backend="fpgaq", granularity=granularity, default_precision="fixed<7,3>"
    )
    with quiet():
        found = hls4ml.converters.convert_from_keras_model(
            model, backend="fpgaq", hls_config=config, output_dir=str(tmp_path), project_name="net"
        )
    exact = lowered(network())
    x = stimuli(exact)
    assert np.array_equal(golden.run(found.derivation.graph, [x])[0], golden.run(exact.graph, [x])[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"io_type": "io_serial"}, r"option 'io_type': .*'io_parallel' or 'io_stream', got 'io_serial'"),
        ({"scale_precision": 1}, r"option 'scale_precision'"),
        ({"clock_period": -1}, r"option 'clock_period'"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plugin(network(), tmp_path, **options)


def test_unknown_simulators_are_refused(graph: Any) -> None:
    with pytest.raises(FpgaqError, match=r"predict\(sim='vcs'\): use 'csim' or 'rtl'"):
        graph.predict(np.zeros((1, 6)), sim="vcs")


# --- acceptance set: kernels x activations of hls4ml's test_qkeras.py, several to a network -----------------------

CHAINS: dict[str, Callable[[], Any]] = {
    "fixed-point kernels, alpha 1, rectifiers": lambda: sequential(
        dense(8, bits(4), name="a1"),
        QActivation("quantized_relu(6)", name="b1"),
        dense(8, bits(8, 1), activation="relu", name="a2"),
        QActivation("quantized_relu(3,2)", name="b2"),
        dense(4, bits(6, 2, keep_negative=False), name="a3"),
    ),
    "fixed-point kernels, scales, hard tanh and casts": lambda: sequential(
        dense(8, bits(4, alpha="auto"), name="a1"),
        QActivation("quantized_tanh(5)", name="b1"),
        dense(8, bits(5, alpha="auto_po2"), name="a2"),
        QActivation(bits(6, 2), name="b2"),
        dense(4, bits(3, symmetric=1), name="a3"),
    ),
    "binary kernels": lambda: sequential(
        dense(8, binary(alpha=1), name="a1"),
        QActivation("binary(alpha=1)", name="b1"),
        dense(8, binary(alpha="auto_po2"), name="a2"),
        QActivation("quantized_tanh(4)", name="b2"),
        dense(4, binary(alpha="auto"), name="a3"),
    ),
    "ternary and power-of-two kernels": lambda: sequential(
        dense(8, ternary(alpha="auto"), name="a1"),
        QActivation("ternary(alpha=1)", name="b1"),
        dense(8, quantized_po2(4), quantized_po2(4), name="a2"),
        QActivation("quantized_relu(4,1)", name="b2"),
        dense(4, ternary(alpha="auto_po2"), name="a3"),
    ),
}


@pytest.mark.parametrize(
    "chain",
    [next(iter(CHAINS)), *(pytest.param(name, marks=pytest.mark.extended) for name in list(CHAINS)[1:])],
)
def test_acceptance_keras_golden_and_cpp_are_equal(chain: str, tmp_path: Path) -> None:
    design = fpgaq.convert(CHAINS[chain](), output=tmp_path / "net", input_precision="fixed<9,4>")
    x = stimuli(design, 500)
    design.keras_gate(x).require()
    design.csim_library.build()
    design.csim_gate(x).require()
    want = golden.trace(design.graph, [x])
    for name, values in design.csim_library.run(x, trace=True).items():
        assert np.array_equal(values, want[name].reshape(len(x), -1)), name
        assert np.unique(values).size > 1, name


@pytest.mark.parametrize(
    "kernel", [bits(4), bits(4, alpha="auto"), binary(alpha=1), ternary(alpha=1), quantized_po2(4)]
)
@pytest.mark.parametrize(
    "activation",
    ["quantized_relu(3)", "quantized_tanh(3)", "quantized_bits(4,1,alpha=1)", "binary(alpha=1)", "ternary(alpha=1)"],
)
def test_acceptance_every_kernel_with_every_activation(kernel: Any, activation: str) -> None:
    """Frozen Keras equals the golden model; the C++ of each kind is covered by the chains."""
    design = lowered(
        sequential(dense(6, type(kernel).from_config(kernel.get_config())), QActivation(activation), dense(4))
    )
    design.keras_gate(stimuli(design, 300)).require()
