"""The C++ on streams of pixels: equal to the golden model in every layer, in few compilations; faults are found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras_models import dense, lowered, sequential, stimuli, with_random_weights
from spatial_models import IMAGE, SERIES, act, conv, ends, signed

import fpgaq
from fpgaq.design import Design
from fpgaq.errors import ConfigError, GateError, ModelError
from fpgaq.frontend.lower import quiet
from fpgaq.hls import stream_graph
from fpgaq.hls.passes import CheckCalls, CheckTypeNames
from fpgaq.ir import golden
from fpgaq.ir.ops import MatMul
from fpgaq.quantize.layers import GatedDense
from fpgaq.stimuli import input_codes, random_codes

#: Its fixtures compile: once, on one worker.
pytestmark = pytest.mark.xdist_group("streams in C++")

L = keras.layers

#: Of the models on images and series those whose C++ differs from that on arrays in its own way.
MODELS = {
    IMAGE: (
        *("same", "strides beyond the window", "one pixel", "dilation", "depthwise, float", "max same, unsigned"),
        *("average of nine, same", "global maximum", "reshapes", "kept dimensions", "dense"),
    ),
    SERIES: ("causal", "average of three", "global", "padding"),
}
FOLDED = {"same_1_0": 18, "one_pixel_1_2": 3, "dilation_1_0": 6, "padding_2_1": 8}


def everything() -> Any:
    """Return those models, and branches: more readers than hls4ml copies for, merges, reshapes that cut beats anew."""
    inputs, outputs = ends(MODELS)
    image = signed()(inputs[0])
    pixels = conv(2, (3, 3), padding="same", name="pixels")(image)
    scale = dense(2, name="excite")(L.GlobalAveragePooling2D(name="squeeze")(pixels))
    few = L.Reshape((4, 3), name="beats_of_three")(dense(12, name="twelve")(L.Flatten(name="flat")(pixels)))
    pair = L.Reshape((6, 2), name="beats_of_two")(few)
    outputs += [
        L.Multiply(name="each_pixel")([pixels, L.Reshape((1, 1, 2), name="of_all_pixels")(scale)]),
        L.Add(name="channels")([scale, image]),
        L.Subtract(name="difference")([pixels, image]),
        L.Average(name="average")([pixels, image, scale]),
        L.Maximum(name="twice")([pixels, pixels, pixels]),
        L.Concatenate(name="more_channels")([pixels, image]),
        L.Concatenate(name="more_rows", axis=1)([pixels, image, image]),
        L.Concatenate(name="more_columns", axis=2)([pixels, image]),
        L.Concatenate(name="more_numbers")([scale, L.Flatten(name="flat_image")(image)]),
        L.Concatenate(name="three_channels")([pair, L.ReLU(3, name="limited")(pair), pair]),
        L.Flatten(name="flat_output")(pair),
    ]
    outputs += arranged(image)
    flat = L.Flatten(name="shared")(image)
    gated = GatedDense(3, name="gated")
    outputs.append(gated(L.Flatten(name="flat_codes")(L.ReLU(2, name="positive")(image))))
    outputs += [dense(2, name="first")(flat), dense(2, name="second")(act()(flat))]
    model = with_random_weights(keras.Model(inputs, outputs), 0)
    gated.alpha.assign(2.0)
    return model


def arranged(image: Any) -> list[Any]:
    """Return slopes, and everything that drops, repeats or reorders pixels, on images, series and the axes of both."""
    row = L.Reshape((30, 2), name="row")(image)
    return [
        L.PReLU(shared_axes=[1, 2], name="slopes")(image),
        L.LeakyReLU(negative_slope=0.25, name="slope")(L.Flatten(name="flat_slope")(image)),
        L.Cropping2D(((1, 0), (0, 2)), name="cropped")(image),
        L.UpSampling2D((2, 3), name="larger")(L.Cropping2D(1, name="middle")(image)),
        L.UpSampling1D(3, name="longer")(L.Cropping1D((4, 25), name="one")(row)),
        L.Permute((2, 1, 3), name="turned")(image),
        L.Permute((3, 1, 2), name="channels_first")(image),
        L.Permute((2, 1), name="series_turned")(row),
    ]


def written(model: Any, folder: Path, **options: Any) -> Design:
    """Convert a model, and write and compile its C++ alone."""
    design = lowered(model, folder=folder, io_type="io_stream", **options)
    design.write_software()
    design.csim_library.build()
    return design


def traced_layers(design: Design, x: Any) -> set[str]:
    """Require that C++ and golden model agree in every layer; return the layers compared."""
    codes = input_codes(design.graph, x)
    want = golden.trace(design.graph, codes)
    traced = design.csim_library.run(codes if len(codes) > 1 else codes[0], trace=True)
    for layer, values in traced.items():
        assert np.array_equal(values, want[layer].reshape(len(values), -1)), layer
    return set(traced)


def test_every_layer_equals_the_golden_model(tmp_path: Path) -> None:
    layers = {name: {"reuse_factor": reuse} for name, reuse in FOLDED.items()}
    design = written(everything(), tmp_path, input_precision="fixed<6,2>", layers=layers)
    found = {n.name.removesuffix("_exact"): n.reuse for n in design.graph.nodes.values() if isinstance(n, MatMul)}
    assert {name: reuse for name, reuse in found.items() if reuse > 1} == FOLDED
    x = random_codes(design.graph, 200, seed=1)
    design.csim_gate(x).require()
    few = [codes[:20] for codes in input_codes(design.graph, x)]
    traced = traced_layers(design, few)
    assert {"each_pixel", "limited", "more_rows", "max_same_unsigned_1_1_margin", "slopes", "channels_first"} <= traced
    source = (design.folder / "hls" / "firmware" / "net.cpp").read_text()
    assert "hls::stream<input_t> &features" in source
    assert "features5x6x2_copies2" not in source.split("clone_stream")[0]
    called = ("clone_stream", "repack_stream", "merge_many", "concatenate_many", "subtract", "conv_windows", "margin")
    called += ("leaky", "crop", "repeat", "permute")
    assert [name for name in called if f"nnet::{name}<" not in source] == []


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    layers = [
        conv(2, (2, 2), name="conv"),
        act(),
        L.MaxPooling2D(2, strides=1, name="most"),
        L.AveragePooling2D((1, 2), name="mean"),
        L.GlobalAveragePooling2D(name="all"),
    ]
    return written(sequential(*layers, inputs=(4, 5, 1)), tmp_path_factory.mktemp("stream") / "net")


def test_calls_do_not_see_each_other(design: Design) -> None:
    x = random_codes(design.graph, 200, seed=1)
    design.csim_gate(x).require()
    together = design.csim_library.run(x)["all"]
    for k in (0, 7, 199):
        assert np.array_equal(design.csim_library.run(x[k : k + 1])["all"][0], together[k])


#: Faults by letter, for a run with FAULT=letter: a wrong comparison, state that stays from frame to frame, and a last
#: pixel that is not read, though it is in no window of a layer with strides.
FAULTS = {
    "struct window_config {": (
        '#include <cstdlib>\ninline bool fault(char which) { const char *f = std::getenv("FAULT"); '
        "return f && *f == which; }\nstruct window_config {"
    ),
    "element > reduced": "(fault('c') ? element < reduced : element > reduced)",
    "typename CONFIG_T::accum_t reduced[res_T::size];": "static typename CONFIG_T::accum_t reduced[res_T::size];",
    "reduced[k] = 0;": "if (!fault('s')) reduced[k] = 0;",
    "if (in_image<WINDOW_T>(row, column)) {": (
        "if (in_image<WINDOW_T>(row, column) && !(fault('r') && row + 1 == WINDOW_T::in_height && "
        "column + 1 == WINDOW_T::in_width && WINDOW_T::stride_width > 1)) {"
    ),
}


def test_planted_faults_are_found(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Design(design.graph, design.options, tmp_path / "net")
    shutil.copytree(design.folder / "hls", broken.folder / "hls")
    header = broken.folder / "hls" / "firmware" / "nnet_utils" / "nnet_windows_stream.h"
    text = header.read_text()
    for old, new in FAULTS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    header.write_text(text)
    broken.csim_library.build()
    x = random_codes(design.graph, 100, seed=1)
    assert broken.csim_gate(x).passed
    monkeypatch.setenv("FAULT", "compares")
    located = broken.csim_gate(x).first_mismatch
    assert located is not None
    assert located.layer == "most"
    monkeypatch.setenv("FAULT", "stays")
    assert broken.csim_gate(x[:1]).passed
    assert not broken.csim_gate(x).passed
    monkeypatch.setenv("FAULT", "reads")
    with pytest.raises(GateError, match=r"does not read what it writes: .*leftover data"):
        broken.csim_gate(x)


def test_a_layer_that_is_not_computed_is_refused(design: Design) -> None:
    assert design.origin is not None
    graph = design.origin.hls_graph
    layer = graph.graph["most"]
    call = layer.get_attr("function_cpp")
    layer.set_attr("function_cpp", None)
    with pytest.raises(ModelError, match=r"layer 'most': hls4ml has no C\+\+ of a Pooling2D layer"):
        CheckCalls().transform(graph)
    layer.set_attr("function_cpp", call)


def test_beats_of_one_type_have_one_length(design: Design) -> None:
    assert design.origin is not None
    graph = design.origin.hls_graph
    CheckTypeNames().transform(graph)
    type_ = graph.graph["conv"].get_output_variable().type
    type_.name, name = "input_t", type_.name
    type_.precision, precision = graph.graph["features"].get_output_variable().type.precision, type_.precision
    with pytest.raises(ModelError, match=r"layer 'conv': C\+\+ type input_t would be both 1 and 2 numbers"):
        CheckTypeNames().transform(graph)
    type_.name, type_.precision = name, precision


def test_layers_without_cpp_for_streams_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_graph, "STREAMED", ("Input",))
    with pytest.raises(ConfigError, match=r"layer 'fc': there is no exact C\+\+ of a Dense layer .*; use io_par"):
        lowered(sequential(dense(2, name="fc")), io_type="io_stream")
    lowered(sequential(dense(2, name="fc")))


def test_a_layer_with_the_name_of_copies_is_refused() -> None:
    x = keras.Input((3,), name="x")
    model = keras.Model(x, [dense(2, name="x_copies1")(x), dense(2, name="b")(x)])
    with pytest.raises(ModelError, match="layer 'x': 'x_copies1' is the name of its copies"):
        lowered(with_random_weights(model), io_type="io_stream")


def image_network() -> Any:
    """Return a classifier of images that ends in a softmax."""
    return sequential(
        conv(3, (3, 3), padding="same", strides=(2, 1), name="conv"),
        act(),
        L.MaxPooling2D(2, padding="same", name="most"),
        L.Flatten(name="flat"),
        dense(3, name="fc"),
        L.Softmax(name="classes"),
        inputs=(5, 4, 2),
    )


@pytest.mark.extended
def test_images_pass_all_gates(tmp_path: Path) -> None:
    options = {"input_precision": "fixed<6,2>", "io_type": "io_stream", "head": "softmax"}
    design = fpgaq.convert(image_network(), output=tmp_path / "net", **options)
    design.csim_library.build()
    x = random_codes(design.graph, 200, seed=1)
    for gate in (design.keras_gate(x), design.csim_gate(x), design.rtl_gate(x[:40])[0]):
        gate.require()


@pytest.mark.extended
def test_the_plugin_on_streams(tmp_path: Path) -> None:
    """A perceptron on a series, with class indices."""
    model = sequential(L.Flatten(name="flat"), dense(4, name="fc"), act(), dense(3, name="last"), inputs=(3, 2))
    config = hls4ml.utils.config_from_keras_model(model, backend="fpgaq", granularity="name")
    config["LayerName"]["features"]["Precision"]["result"] = "fixed<7,3>"
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    options = {"io_type": "io_stream", "head": "argmax", "output_dir": str(tmp_path / "net"), "project_name": "net"}
    with quiet():
        graph = hls4ml.converters.convert_from_keras_model(model, backend="fpgaq", hls_config=config, **options)
        graph.compile()
    exact = graph.derivation.graph
    codes = stimuli(lowered(model), 200)
    x = np.ldexp(codes.astype(np.float64), -4)
    want = golden.trace(exact, [codes])
    classes = want[exact.outputs[0]].reshape(-1)
    assert len(set(classes)) > 1
    with quiet():
        predicted, traced = graph.trace(x)
    assert np.array_equal(predicted.reshape(-1), classes)
    assert {"fc", "last"} <= set(traced)
    for name, values in traced.items():
        assert np.array_equal(values.reshape(200, -1), want[name].reshape(200, -1) * exact.nodes[name].type.step), name
    assert np.array_equal(graph.predict(x[150:]).reshape(-1), classes[150:])
    assert np.array_equal(graph.predict(x[:20], sim="rtl").reshape(-1), classes[:20])
