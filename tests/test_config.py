"""Options: the same validation for design.yaml, the command line and Python, with messages that say what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fpgaq.config import DesignConfig, Options, load_design, make_options
from fpgaq.errors import ConfigError

BAD: list[tuple[dict[str, Any], str]] = [
    ({"jobs": 0}, r"option 'jobs': .*greater than or equal to 1, got 0"),
    ({"samples": 0}, r"option 'samples': .*greater than or equal to 1, got 0"),
    ({"seed": -1}, r"option 'seed': .*greater than or equal to 0, got -1"),
    ({"reuse_factor": 0}, r"option 'reuse_factor': .*got 0"),
    ({"weight_precision": 1}, r"option 'weight_precision': .*got 1"),
    ({"weight_precision": 33}, r"option 'weight_precision': .*got 33"),
    ({"clock_period": 0}, r"option 'clock_period': .*greater than 0, got 0"),
    ({"clock_period": "fast"}, r"option 'clock_period': .*got 'fast'"),
    ({"head": "sigmoid"}, r"option 'head': .*'logits', 'argmax' or 'softmax', got 'sigmoid'"),
    ({"strategy": "Latency"}, r"option 'strategy': .*got 'Latency'"),
    ({"io_type": "serial"}, r"option 'io_type': .*'io_parallel' or 'io_stream', got 'serial'"),
    ({"input_precision": "fixed<8>"}, r"'fixed<8>' is not a precision"),
    ({"input_precision": 8}, r"option 'input_precision': .*string, got 8"),
    ({"reuse": 2}, r"option 'reuse' is unknown; known are .*reuse_factor"),
    ({"layers": {"fc1": {"reuse_factor": 0}}}, r"option 'layers.fc1.reuse_factor': .*got 0"),
    ({"layers": {"fc1": 3}}, r"option 'layers.fc1': .*got 3"),
    ({"layers": {"fc1": {"reuse": 3}}}, r"option 'layers.fc1.reuse' is unknown; known are reuse_factor, strategy$"),
    ({"samples": float("nan")}, r"option 'samples'"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_bad_options_are_named_with_their_value(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_options(values)


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'jobs'.*; .*'nonsense' is unknown"):
        make_options({"jobs": 0, "nonsense": 1})


def test_options_are_read_only() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_options({}).jobs = 3  # type: ignore[misc]


def test_every_option_says_what_it_is() -> None:
    for name, field in DesignConfig.model_fields.items():
        assert field.description, name


def test_options_survive_a_round_trip() -> None:
    options = make_options(
        {"layers": {"fc1": {"reuse_factor": 4}}, "head": "argmax", "inputs": "x.npy", "clock_period": 2.5}
    )
    assert Options(**options.model_dump(mode="json")) == options


def written(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "design.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_paths_are_relative_to_the_design_folder(tmp_path: Path) -> None:
    config = load_design(written(tmp_path / "d", "model: m.h5\ninputs: data/x.npy\nlabels: /abs/y.npy\njobs: 1\n"))
    assert config.model == tmp_path / "d" / "m.h5"
    assert config.train == tmp_path / "d" / "train.py"
    assert config.inputs == tmp_path / "d" / "data" / "x.npy"
    assert config.labels == Path("/abs/y.npy")
    assert config.jobs == 1


def test_an_empty_design_is_all_defaults(tmp_path: Path) -> None:
    config = load_design(written(tmp_path / "d", "# nothing\n"))
    assert config.model_dump(include=set(Options.model_fields)) == Options().model_dump()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sampels: 3\n", r"design\.yaml: key 'sampels' is unknown; known are .*samples"),
        ("jobs: 0\n", r"design\.yaml: key 'jobs': .*got 0"),
        ("a: [\n", r"design\.yaml is not valid YAML"),
        ("a: b: c\n", r"design\.yaml is not valid YAML"),
        ("- model\n", r"design\.yaml must hold keys and values, not list"),
        ("1: 2\n", r"design\.yaml: key '1' is unknown; known are"),
        (b"\xff\xfe", r"design\.yaml is not valid YAML"),
        ("hello\n", r"design\.yaml must hold keys and values, not str"),
        ("model: [1]\n", r"key 'model': .*got \[1\]"),
        ("!!python/object/apply:os.system ['touch executed']\n", r"design\.yaml is not valid YAML"),
    ],
)
def test_bad_designs_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_design(written(tmp_path / "d", text))


def test_folders_that_are_no_designs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none is not a folder; give the folder that holds design\.yaml"):
        load_design(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"has no design\.yaml; write one, or use `fpgaq convert`"):
        load_design(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file is not a folder"):
        load_design(tmp_path / "file")
