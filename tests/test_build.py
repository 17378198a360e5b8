"""Whole builds from the command line: the example designs, folded forms, interruption, a full disk."""

from __future__ import annotations

import json
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from fpgaq.cli import app

ROOT = Path(__file__).parents[1]
DESIGNS = sorted(p.parent.name for p in (ROOT / "designs").glob("*/design.yaml"))
MINIMUM_ACCURACY = {
    "digits_binary": 0.90,
    "digits_codebook": 0.94,
    "digits_gated": 0.95,
    "digits_mixed": 0.95,
    "digits_mlp": 0.95,
    "digits_pot": 0.95,
    "digits_ternary": 0.94,
}
#: Designs that take the same way as another one, with other weights.
ALIKE = ("digits_binary", "digits_codebook", "digits_mixed", "digits_pot", "digits_ternary")
#: Designs whose training takes minutes; the tests build a small variant, `make designs` the real one.
SMALL = ("mnist_cnn", "recurrent", "residual_cnn", "timeseries_conv1d")
#: Designs whose layers go through all gates in tests of their own (tests/hls, tests/cosim/test_gated_prediction.py).
LATER = ("digits_gated", "recurrent")
#: Number formats that the report of a design names, layer by layer.
FORMATS = {
    "digits_binary": ["binary", "binary", "binary"],
    "digits_codebook": ["codebook", "codebook", "codebook"],
    "digits_mixed": ["int 4", "int 3", "int 6"],
    "digits_pot": ["pot 4", "pot 3", "apot 4"],
    "digits_ternary": ["ternary", "ternary_two_scale", "ternary"],
}


def call(*arguments: object) -> Result:
    """Run a command in this process, which has the libraries loaded."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def fpgaq(*arguments: object, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fpgaq", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


class Trained:
    """The example designs, each trained when it is first asked for: copies, so that the checkout stays clean."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "designs", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.keras", "*.npy"))

    def __truediv__(self, name: str) -> Path:
        folder = self.folder / name
        if not (folder / "model.keras").is_file():
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                patch.setattr(sys, "argv", ["train.py", *(["--small"] if name in SMALL else [])])
                runpy.run_path("train.py", run_name="__main__")
        return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The example designs, trained."""
    return Trained(tmp_path_factory.mktemp("designs"))


def variant(trained: Trained, tmp_path: Path, name: str, **changes: object) -> Path:
    """A copy of a trained design with other options."""
    folder = tmp_path / name
    shutil.copytree(trained / name, folder)
    options = yaml.safe_load((folder / "design.yaml").read_text())
    (folder / "design.yaml").write_text(yaml.safe_dump(options | changes))
    return folder


def require_equal(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "report.json").read_text())
    assert report["passed"]
    for gate in ("keras_vs_golden", "csim_vs_golden", "rtl_vs_golden"):
        assert report["gates"][gate]["samples"] >= 1000
        assert report["gates"][gate]["mismatches"] == 0
    timing = report["timing"]
    assert timing["latency_cycles"] == timing["predicted_latency_cycles"]
    assert timing["ii_cycles"] == timing["predicted_ii_cycles"]
    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.extended) if name in (*ALIKE, *LATER) else name for name in DESIGNS]
)
def test_example_designs_build_and_prove(name: str, trained: Trained, tmp_path: Path) -> None:
    # Synthesis takes as long as the rest of a build.
    synth = name == "digits_mlp"
    folder = variant(trained, tmp_path, name, synth=synth)
    run = call("build", folder, "--output", tmp_path / "out")
    assert run.exit_code == 0, run.stderr
    report = require_equal(tmp_path / "out")
    assert (report["resources"] is not None) == synth
    if synth:
        assert not report["resources"]["total_is_sum"]
        assert report["resources"]["total"]["lut"] > 0
    accuracy = report["accuracy"]
    assert name in SMALL or accuracy["original"] >= MINIMUM_ACCURACY[name]
    assert accuracy["hardware"] == accuracy["frozen"]
    assert not list((tmp_path / "out").rglob("*.part"))
    stored = [f"{row['format']}".split("(")[0] + f" {row['format_bits']}" for row in report["layers"] if row["weights"]]
    for said, wanted in zip(stored, FORMATS.get(name, stored), strict=True):
        assert said.startswith(wanted)


@pytest.mark.extended
def test_closed_gates_cost_less_than_a_point(trained: Trained) -> None:
    """Of the gated digits and their twin; what the training wrote is what the models do."""
    import keras
    import numpy as np

    from fpgaq.frontend.load import load_model

    folder = trained / "digits_gated"
    x, labels = np.load(folder / "x_test.npy"), np.load(folder / "y_test.npy")
    written = json.loads((folder / "comparison.json").read_text())
    for name, said in written.items():
        model = load_model(folder / f"{name}.keras")
        assert np.mean(model(x).numpy().argmax(1) == labels) == pytest.approx(said["accuracy"], abs=1e-6)
        read = keras.Model(model.inputs[0], model.get_layer("relu1").output)(x)
        assert 1 - model.get_layer("fc2").gate_activity(read).mean() == pytest.approx(said["closed"], abs=1e-6)
    assert written["twin"]["closed"] == 0
    assert written["twin"]["accuracy"] - written["model"]["accuracy"] < 0.01
    assert written["model"]["closed"] > 0.3


@pytest.mark.extended
@pytest.mark.parametrize(("reuse", "family", "dsp"), [(64, "xc7", True), (32, "ice40", False)])
def test_digits_folded(reuse: int, family: str, dsp: bool, trained: Trained, tmp_path: Path) -> None:
    layers = {"fc3": {"reuse_factor": 32}}  # 64 and 32 both divide its 32x10 matrix, 64 only with one input a cycle
    folder = variant(trained, tmp_path, "digits_mlp", reuse_factor=reuse, family=family, layers=layers, flat_limit=1)
    run = call("build", folder, "--output", tmp_path / "out")
    assert run.exit_code == 0, run.stderr
    report = require_equal(tmp_path / "out")
    assert report["timing"]["ii_cycles"] == reuse
    assert (report["resources"]["total"]["dsp"] > 0) == dsp


def test_wrong_accuracy_target_is_not_hidden(trained: Trained, tmp_path: Path) -> None:
    """Labels that are all wrong give accuracy 0, in the model and in the hardware: the figures are measured."""
    import numpy as np

    folder = variant(trained, tmp_path, "digits_mlp")
    np.save(folder / "y_test.npy", (np.load(folder / "y_test.npy") + 100))
    run = call("build", folder, "--check-only")
    assert run.exit_code == 0, run.stderr
    assert "accuracy: original 0.0000, frozen 0.0000" in run.stderr


@pytest.mark.parametrize(
    "seconds", [6.0, *(pytest.param(seconds, marks=pytest.mark.extended) for seconds in (1.0, 12.0))]
)
def test_interrupted_build_leaves_nothing(seconds: float, trained: Trained, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-m", "fpgaq", "build", trained / "digits_mlp", "--output", tmp_path / "out" / "d"],
        env={**os.environ, "FPGAQ_CACHE": str(cache)},  # empty, so that the build is still busy
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it is ignored in the background
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said or seconds < 2  # before the command line is up, Python itself answers
    left = list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []
    assert left == []


def test_full_disk_is_an_error_and_leaves_nothing(trained: Trained, tmp_path: Path) -> None:
    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    run = fpgaq(
        "build", trained / "digits_mlp", "--output", tmp_path / "out" / "d", cwd=tmp_path, preexec_fn=no_large_files
    )
    assert run.returncode == 2, run.stderr
    assert "File too large" in run.stderr
    assert "Traceback" not in run.stderr
    assert list((tmp_path / "out").iterdir()) == []
