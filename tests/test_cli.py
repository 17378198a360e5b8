"""The command line: exit codes, one-paragraph errors, what a build leaves behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import keras
import numpy as np
import pytest
from browser import visit
from keras_models import dense, sequential
from qkeras import QActivation
from typer.testing import CliRunner, Result

import fpgaq
import fpgaq.report.content as content
from fpgaq import resources
from fpgaq.cli import app
from fpgaq.design import Design
from fpgaq.workspace import building

#: Its fixtures compile: once, on one worker.
pytestmark = pytest.mark.xdist_group("command line")

COMMANDS = ("build", "convert", "sim", "synth", "report", "doctor")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def refused(*arguments: object) -> str:
    """Call with bad input: exit code 2, one paragraph on stderr, nothing on stdout; return the paragraph."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("fpgaq: "))
    message = "\n".join(lines[first:])
    assert "\n\n" not in message
    assert len(message) < 1200
    return message


def in_process_of_its_own(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_help_lists_the_commands_without_loading_the_libraries() -> None:
    code = (
        "import sys\nfrom fpgaq.cli import main\nsys.argv = ['fpgaq', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'tensorflow', 'keras', 'hls4ml', 'numba', 'scipy', 'pyosys', 'numpy', 'plotly', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), set(sys.modules)\n"
    )
    text = in_process_of_its_own(code)
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\s+\w", text, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"fpgaq {command}" in result.output or "Usage:" in result.output


def test_version() -> None:
    result = call("--version")
    assert (result.exit_code, result.output) == (0, f"fpgaq {fpgaq.__version__}\n")


def test_no_arguments_show_the_help() -> None:
    result = call()
    assert result.exit_code == 2
    assert "Commands" in result.output


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["convert", "m.keras"], ["report", "x", "--format", "xml"], ["build"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = call("--debug", "report", tmp_path)
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.rstrip().splitlines()[-1].startswith("fpgaq: ")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    built = sequential(
        dense(4, name="fc1"),
        QActivation("quantized_relu(3,1)", name="act"),
        keras.layers.Dense(3, activation="softmax", name="fc2"),
    )
    built.save(folder / "small.keras")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.uniform(-2, 2, (60, 6)))
    np.save(folder / "y.npy", rng.integers(0, 3, 60))
    return folder / "small.keras"


@pytest.mark.parametrize("command", ["sim", "synth", "report"])
@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b"\xff\xfe", b""])
def test_folders_that_are_no_builds_are_refused(tmp_path: Path, command: str, text: bytes) -> None:
    assert "none" in refused(command, tmp_path / "none")
    for name in ("design.json", "graph.json", "report.json"):
        (tmp_path / name).write_bytes(text)
    assert re.search(
        r"is not a built design|holds no report|is not a report|report schema None", refused(command, tmp_path)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no design.yaml"),
        ("sampels: 3", "key 'sampels' is unknown; known are"),
        ("jobs: 0", "key 'jobs': Input should be greater than or equal to 1, got 0"),
        ("samples: 0", "key 'samples': Input should be greater than or equal to 1, got 0"),
        ("a: [", "is not valid YAML"),
        ("model: none.keras", "none.keras is missing, and so is"),
        ("train: nothing.py", "model.keras is missing, and so is"),
    ],
)
def test_bad_designs_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    (tmp_path / "d").mkdir()
    if text is not None:
        (tmp_path / "d" / "design.yaml").write_text(text)
    assert message in refused("build", tmp_path / "d", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_training_script_that_fails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "design.yaml").write_text("")
    for script, message in (("", "did not write"), ("raise SystemExit(3)", "ended with 3")):
        (tmp_path / "train.py").write_text(script)
        assert message in refused("build", tmp_path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_design_folder_is_refused(tmp_path: Path) -> None:
    assert "none is not a folder; give the folder that holds design.yaml" in refused("build", tmp_path / "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "option 'jobs': Input should be greater than or equal to 1, got 0"),
        (["--samples", "0"], "option 'samples': Input should be greater than or equal to 1, got 0"),
        (["--input-precision", "fixed<8>"], "'fixed<8>' is not a precision"),
        (["--input-precision", "fixed<80,6>"], "do not fit 63 bits"),
        (["--family", "spartan"], "family 'spartan' is unknown; known are xc7"),
        (["--io-type", "serial"], "option 'io_type'"),
        (["--reuse-factor", "7"], "layer 'fc1': reuse factor 7 does not divide its 6x4 matrix; legal neighbours are"),
        (["--labels", "y.npy"], "labels need inputs: give both, or none"),
        (["--inputs", "none.npy"], "none.npy does not exist; give a .npy file"),
        (["--inputs", "text.npy"], "text.npy is not a .npy array"),
        (["--inputs", "nan.npy"], "nan.npy: it contains NaN or infinity; clean the data"),
        (["--inputs", "shape.npy"], "shape.npy: shape [5, 4] does not fit; expected (samples, 6)"),
        (["--inputs", "x.npy", "--labels", "few.npy"], "few.npy: 2 labels for 60 inputs"),
        (["--weights", "w.h5"], "a .json model needs --weights FILE.h5, and only that one does"),
    ],
)
def test_bad_options_are_refused_and_leave_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.load(model.parent / "x.npy"))
    np.save("y.npy", np.load(model.parent / "y.npy"))
    np.save("few.npy", np.zeros(2))
    np.save("nan.npy", np.full((5, 6), np.nan))
    np.save("shape.npy", np.zeros((5, 4)))
    Path("text.npy").write_text("1 2 3")
    before = sorted(os.listdir())
    assert message in refused("convert", model, "-o", "out", *options)
    assert sorted(os.listdir()) == before


def test_model_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_text("hello")
    assert "m.h5 is damaged or not a Keras .h5 file" in refused("convert", tmp_path / "m.h5", "-o", tmp_path / "out")
    assert "none.keras does not exist" in refused("convert", tmp_path / "none.keras", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unsupported_layers_are_refused(tmp_path: Path) -> None:
    sequential(keras.layers.Conv1DTranspose(2, 2, name="conv"), inputs=(6, 1)).save(tmp_path / "m.keras")
    message = refused("convert", tmp_path / "m.keras", "-o", tmp_path / "out")
    assert "layer 'conv': Conv1DTranspose layers are not supported" in message


def test_output_folders_that_cannot_be_used_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    assert "is a file; choose another one" in refused("convert", model, "-o", tmp_path / "file")
    assert "cannot write to" in refused("convert", model, "-o", tmp_path / "file" / "out")
    assert "cannot write to /proc" in refused("convert", model, "-o", "/proc/fpgaq/out")
    assert "holds something else than a build" in refused("convert", model, "-o", tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["thesis.tex"]
    with building(tmp_path / "busy"):
        assert "another build is writing" in refused("convert", model, "-o", tmp_path / "busy")


def test_check_only_says_what_would_be_rounded_and_writes_nothing(model: Path, tmp_path: Path) -> None:
    options = ["--weight-precision", 5, "--input-precision", "fixed<4,2>", "--samples", 50, "--check-only"]
    result = call("convert", model, "-o", tmp_path / "out", *options)
    assert result.exit_code == 0
    text = " ".join(result.stderr.split())
    assert "fc2 weight -> fixed<5," in text
    assert "keras_vs_golden: 50 samples, 0 mismatches" in text
    assert not (tmp_path / "out").exists()


# --- one whole build, and everything that can be done with it -----------------------------------------------------


@pytest.fixture(scope="module")
def built(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A built folder, with real inputs and labels, and what the command said."""
    output = tmp_path_factory.mktemp("built") / "net"
    options = ["--weight-precision", 5, "--input-precision", "fixed<4,2>", "--samples", 100]
    data = ["--inputs", model.parent / "x.npy", "--labels", model.parent / "y.npy"]
    return output, call("convert", model, "-o", output, *options, *data)


def test_a_build_passes_every_gate_and_reports_it(built: tuple[Path, Result]) -> None:
    folder, result = built
    assert result.exit_code == 0, result.output
    report = json.loads((folder / "report.json").read_text())
    schema = json.loads((Path(content.__file__).parent / "schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    assert report["passed"]
    assert [g["samples"] for g in report["gates"].values()] == [100] * 3
    assert report["accuracy"]["samples"] == 60
    assert report["accuracy"]["frozen"] == report["accuracy"]["hardware"]
    assert report["timing"]["latency_cycles"] == report["timing"]["predicted_latency_cycles"]
    assert report["resources"]["total"]["lut"] > 0
    assert result.stdout.count("equal") == 3
    assert not [p for p in folder.parent.iterdir() if p != folder]


def test_the_estimate_of_a_built_folder_is_near_to_its_report(built: tuple[Path, Result]) -> None:
    folder, _ = built
    found = json.loads(call("estimate", folder, "--json").stdout)
    report = json.loads((folder / "report.json").read_text())
    assert found["timing"]["latency_cycles"] == report["timing"]["predicted_latency_cycles"]
    assert set(found["layers"]) == set(report["resources"]["layers"])
    for name in ("lut", "ff"):
        figure, wanted = found["total"][name], report["resources"]["total"][name]
        assert abs(figure["value"] - wanted) <= 2 * figure["error"] + 3
    table = call("estimate", folder).stdout
    assert "total" in table
    assert "±" in table


def test_what_cannot_be_estimated_is_an_error(tmp_path: Path) -> None:
    for target, message in [(tmp_path, "not a built design"), (tmp_path / "no.keras", "no.keras")]:
        result = call("estimate", target)
        assert result.exit_code == 2
        assert message in result.stderr


@pytest.mark.parametrize("form", ["text", "json", "markdown", "junit"])
def test_every_form_of_the_report(built: tuple[Path, Result], form: str) -> None:
    folder, _ = built
    result = call("report", folder, "--format", form)
    assert result.exit_code == 0
    short = call("report", folder, f"--{form}") if form != "text" else call("report", folder)
    assert short.stdout == result.stdout
    if form == "json":
        assert json.loads(result.stdout) == json.loads((folder / "report.json").read_text())
    elif form == "junit":
        assert ElementTree.fromstring(result.stdout).attrib["failures"] == "0"
    else:
        assert "net" in result.stdout


def test_the_page_of_a_build_leads_to_its_files(built: tuple[Path, Result], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built[0], tmp_path / "net"))
    result = call("report", folder, "--html")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(str(folder / "report.html"))
    text = (folder / "report.html").read_text(encoding="utf-8")
    report = json.loads((folder / "report.json").read_text())
    links = {link for link in re.findall(r'<a href="([^"#]+)"', text) if ":" not in link}
    assert links >= {"rtl/net.sv", "hls/firmware/net.cpp", "inputs.npy", "graph.json", "report.json"}
    assert all((folder / link).is_file() for link in links)
    facts, console = visit(folder / "report.html", tmp_path / "visit")
    assert console == facts["requests"] == []
    assert facts["bars"][0]["weights"] > 0
    assert set(map(str, report["resources"]["total"].values())) < set(facts["cells"])
    assert {row["type"] for row in report["tensors"]} | set(report["versions"].values()) < set(facts["cells"])
    elsewhere = call("report", folder, "--html", "-o", tmp_path / "page.html")
    assert elsewhere.exit_code == 0, elsewhere.output
    assert 'href="net/rtl/net.sv"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "the page needs the whole build" in refused("report", folder / "report.json", "--html")


def test_simulation_is_repeated_and_a_planted_fault_is_exit_code_1(built: tuple[Path, Result], tmp_path: Path) -> None:
    """One weight of the golden model changed: C++ and SystemVerilog both differ from it."""
    folder = Path(shutil.copytree(built[0], tmp_path / "net"))
    good = call("sim", folder, "--samples", 20)
    assert good.exit_code == 0, good.output
    assert good.stderr.count("20 samples, 0 mismatches, equal") == 2
    document = json.loads((folder / "graph.json").read_text())
    matrix = [n for n in document["nodes"] if n["op"] == "matmul"][-1]
    matrix["weight"][0][1] += 1 if matrix["weight"][0][1] < 0 else -1
    (folder / "graph.json").write_text(json.dumps(document))
    bad = call("sim", folder, "--samples", 20)
    assert bad.exit_code == 1
    assert re.search(
        r"csim_vs_golden: 20 samples, \d+ mismatches, DIFFERENT: layer 'fc2', sample \d+, element 1",
        " ".join(bad.stderr.split()),
    )


@pytest.mark.slow
def test_a_violated_protocol_is_a_failed_gate_with_a_report(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output that loses words under stalls is no error of a tool: exit code 1, and it stands in the report."""
    library = Path(shutil.copytree(resources.rtl_library(), tmp_path / "lib"))
    text = (library / "skid_buffer.sv").read_text()
    (library / "skid_buffer.sv").write_text(text.replace("full <= out_valid & ~out_ready", "full <= 1'b0"))
    monkeypatch.setattr(resources, "rtl_library", lambda: library)
    options = ["--weight-precision", 5, "--input-precision", "fixed<4,2>", "--samples", 60]
    result = call("convert", model, "-o", tmp_path / "net", *options)
    assert result.exit_code == 1, result.output
    said = r"under stalls, m_axis, beat \d+ \(cycle \d+\): t\w+ (was withdrawn|changed) before the transfer"
    assert re.search(f"gate rtl_vs_golden failed: {said}", result.stderr)
    report = json.loads((tmp_path / "net" / "report.json").read_text())
    jsonschema.validate(report, json.loads((Path(content.__file__).parent / "schema.json").read_text()))
    assert [gate["passed"] for gate in report["gates"].values()] == [True, True, False]
    assert re.match(said, report["gates"]["rtl_vs_golden"]["first_mismatch"]["note"])
    assert len(np.load(tmp_path / "net" / "mismatch_rtl_vs_golden.npy")) == 60


def test_inputs_of_a_repeated_simulation_are_checked(built: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _ = built
    np.save(tmp_path / "shape.npy", np.zeros((3, 5)))
    np.save(tmp_path / "float.npy", np.zeros((3, 6)))
    np.save(tmp_path / "range.npy", np.full((3, 6), 99))
    np.save(tmp_path / "nan.npy", np.full((3, 6), np.nan))
    assert "shape [3, 5] does not fit" in refused("sim", folder, "--inputs", tmp_path / "shape.npy")
    assert "NaN" in refused("sim", folder, "--inputs", tmp_path / "nan.npy")
    assert "integer codes of shape (samples, 6) are needed" in refused("sim", folder, "--codes", tmp_path / "float.npy")
    assert "do not fit fixed<4,2>" in refused("sim", folder, "--codes", tmp_path / "range.npy")
    assert "does not exist" in refused("sim", folder, "--inputs", tmp_path / "none.npy")
    assert "choose one of" in refused("sim", folder, "--samples", 3, "--codes", tmp_path / "range.npy")


def test_a_whole_test_set_goes_through_the_hardware(built: tuple[Path, Result], tmp_path: Path) -> None:
    """More than the bench sends: the accuracies are those of the class that the integers say."""
    x = np.random.default_rng(3).uniform(-2, 2, (1300, 6))
    design = Design.load(built[0])
    classes = design.golden(x).argmax(axis=1)
    labels = np.where(np.arange(1300) < 1040, classes, classes + 1)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", labels.astype(np.float32)[:, None])
    result = call("sim", built[0], "--inputs", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stderr.split())
    assert text.count("1300 samples, 0 mismatches, equal") == 2
    assert "accuracy: hardware 0.8000, golden 0.8000, 1300 samples" in text
    assert re.search(
        r"hardware: 1300 samples in \d+\.\d\d s of simulation, [1-9]\d* samples/s, [1-9]\d* clocks/s", text
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(59), "y.npy: 59 labels for 60 inputs"),
        (np.zeros((60, 3)), "y.npy: 180 labels for 60 inputs; give class numbers, not one-hot rows"),
        (np.full(60, 0.5), "y.npy: labels are integers, class numbers from 0, not 0.5"),
        (np.full(60, np.nan), "y.npy: labels are integers, class numbers from 0, not nan"),
        (np.full(60, "cat"), "y.npy: labels are integers, class numbers from 0, not values of type <U3"),
    ],
)
def test_labels_of_a_repeated_simulation_are_checked(
    built: tuple[Path, Result], model: Path, tmp_path: Path, labels: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "y.npy", labels)
    options = ["--inputs", model.parent / "x.npy", "--labels"]
    assert message in refused("sim", built[0], *options, tmp_path / "y.npy")
    assert "none.npy does not exist" in refused("sim", built[0], *options, tmp_path / "none.npy")
    assert "labels need inputs: give --inputs or --codes" in refused("sim", built[0], "--labels", tmp_path / "y.npy")


def test_unknown_families_are_refused(built: tuple[Path, Result]) -> None:
    assert re.search(r"family '?spartan'?|unknown", refused("synth", built[0], "--family", "spartan"))


def test_place_and_route_is_refused_before_work(built: tuple[Path, Result]) -> None:
    assert "for ecp5 and ice40, with nextpnr; for xc7 there" in refused("synth", built[0], "--place-and-route")
    assert "belongs to --place-and-route" in refused("synth", built[0], "--time-limit", 3)


def test_place_and_route_puts_fmax_into_the_report_of_the_own_family(
    built: tuple[Path, Result], tmp_path: Path
) -> None:
    folder = tmp_path / "net"
    shutil.copytree(built[0], folder)
    before = (folder / "report.json").read_text()
    command = ("synth", folder, "--family", "ice40", "--place-and-route")
    result = call(*command)
    assert result.exit_code == 0, result.output
    said = re.search(r"Fmax (\d+\.\d) MHz after place and route on iCE40HX", result.output)
    assert said
    assert (folder / "report.json").read_text() == before  # of another family
    design = json.loads((folder / "design.json").read_text())
    design["options"]["family"] = "ice40"
    (folder / "design.json").write_text(json.dumps(design))
    shutil.rmtree(folder / "rtl")
    shutil.copytree(folder / "family_ice40" / "rtl", folder / "rtl")
    assert "given up after 0 minutes" in refused(*command, "--time-limit", 0)
    assert "place_and_route" not in json.loads((folder / "report.json").read_text())["timing"]
    result = call(*command)
    assert result.exit_code == 0, result.output
    report = json.loads((folder / "report.json").read_text())
    schema = json.loads((Path(content.__file__).parent / "schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    assert f"{report['timing']['place_and_route']['fmax_mhz']:.1f}" == said[1]  # the same design, the same figure
    assert report["resources"]["logic_depth"] > 0
    for form in ("text", "markdown"):
        assert f"Fmax {said[1]} MHz" in call("report", folder, "--format", form).output
    assert call("report", folder, "--html").exit_code == 0
    assert f"{said[1]} MHz" in (folder / "report.html").read_text()


def test_reports_of_another_schema_are_refused(built: tuple[Path, Result], tmp_path: Path) -> None:
    report = json.loads((built[0] / "report.json").read_text())
    report["schema"] = 99
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "report schema 99, this version reads 3; build the design again" in refused("report", tmp_path)
