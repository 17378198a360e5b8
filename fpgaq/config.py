"""Options of a build: validated with pydantic, the same for design.yaml, the command line and Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fpgaq.errors import ConfigError
from fpgaq.ir.types import FixedType

Strategy = Literal["unrolled", "folded", "auto"]
Head = Literal["logits", "argmax", "softmax"]


class Precision(BaseModel):
    """Bits for what a model leaves in float."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: int = Field(16, ge=2, le=32, description="weights and biases without quantizer")
    activation: int = Field(
        16, ge=2, le=32, description="activations without quantizer that feed a matrix, slopes or a curve"
    )
    scale: int = Field(16, ge=2, le=32, description="scales of alpha='auto', batch norm factors, and slopes")
    curve: int = Field(8, ge=2, le=10, description="results of tanh, sigmoid and other curves without quantizer")


class LayerOptions(BaseModel):
    """Options of one layer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reuse_factor: int | None = Field(None, ge=1, description="reuse factor of this layer")
    strategy: Strategy | None = Field(None, description="schedule of this layer")


class Options(BaseModel):
    """Options of a conversion.

    Every field is a key of design.yaml and an option of ``fpgaq convert`` (underscores become dashes).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_precision: str = Field("fixed<16,6>", description="type of the inputs, in hls4ml's spelling")
    weight_precision: int = Field(16, ge=2, le=32, description="bits of weights and biases without quantizer")
    activation_precision: int = Field(16, ge=2, le=32, description="bits of activations without quantizer")
    scale_precision: int = Field(16, ge=2, le=32, description="bits of alpha='auto' scales, batch norms and slopes")
    curve_precision: int = Field(8, ge=2, le=10, description="bits of tanh, sigmoid and curves without quantizer")
    state_precision: str = Field(
        "fixed<16,4,RND_CONV,SAT>", description="type of states of recurrent layers without quantizer"
    )
    head: Head = Field("logits", description="what becomes of a final softmax: left out, class index, or a table")
    io_type: Literal["io_parallel", "io_stream"] = Field(
        "io_parallel", description="hls4ml's interface style of the C++: arrays, or streams of pixels"
    )
    strategy: Strategy | None = Field(
        None, description="schedule of the matrices; without it the reuse factor says: 1 is unrolled, more is folded"
    )
    reuse_factor: int = Field(
        1, ge=1, description="reuse factor of every layer (hls4ml's meaning); with strategy auto the largest allowed"
    )
    target_ii: int | None = Field(
        None, ge=1, description="cycles between vectors or frames; every layer is folded as far as this allows"
    )
    target_fps: float | None = Field(None, gt=0, description="vectors or frames per second, instead of target_ii")
    folding: Path | None = Field(None, description="file of reuse factors, as every build writes one")
    family: str = Field("xc7", description="FPGA family that yosys maps to")
    clock_period: float = Field(5.0, gt=0, description="clock target in ns")
    inputs: Path | None = Field(None, description=".npy file with real inputs for the gates, .npz if several")
    labels: Path | None = Field(None, description=".npy file with class labels of the inputs")
    samples: int = Field(1000, ge=1, description="samples of every gate")
    seed: int = Field(0, ge=0, description="seed of random inputs and stalls")
    jobs: int = Field(2, ge=1, description="parallel tool runs")
    synth: bool = Field(True, description="whether yosys counts resources; without it a build ends with the gates")
    flat_limit: float = Field(300.0, gt=0, description="seconds after which flat synthesis is given up")
    layers: dict[str, LayerOptions] = Field(default_factory=dict, description="options by layer name")

    @field_validator("input_precision", "state_precision")
    @classmethod
    def _is_precision(cls, text: str) -> str:
        FixedType.parse(text)
        return text

    @model_validator(mode="after")
    def _has_one_target(self) -> Options:
        if self.target_ii is not None and self.target_fps is not None:
            raise ValueError("give target_ii or target_fps, not both")
        return self

    @property
    def wanted_ii(self) -> int | None:
        """Cycles between vectors or frames that are wanted, None where the reuse factors say it."""
        if self.target_fps is None:
            return self.target_ii
        return max(int(1e9 / (self.clock_period * self.target_fps)), 1)

    @property
    def precision(self) -> Precision:
        """Bits for what the model leaves in float."""
        return Precision(
            weight=self.weight_precision,
            activation=self.activation_precision,
            scale=self.scale_precision,
            curve=self.curve_precision,
        )


class DesignConfig(Options):
    """A design folder's design.yaml: the options, and where the model comes from."""

    model: Path = Field(Path("model.keras"), description="model file, made by `train` where it is missing")
    train: Path = Field(Path("train.py"), description="script that writes the model file")
    name: str | None = Field(None, description="name of the design and its top module (default: the folder's name)")

    @property
    def options(self) -> Options:
        """The options of the conversion."""
        return Options(**self.model_dump(include=set(Options.model_fields)))


def make_options(values: dict[str, Any]) -> Options:
    """Validate options given in Python or on the command line.

    Raises
    ------
    ConfigError
        With one line per wrong option.
    """
    return _validated(Options, values, "option")


def load_design(folder: Path) -> DesignConfig:
    """Read and validate ``design.yaml`` of a design folder; paths in it are relative to the folder."""
    path = folder / "design.yaml"
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the folder that holds design.yaml")
    if not path.is_file():
        raise ConfigError(f"{folder} has no design.yaml; write one, or use `fpgaq convert` for a bare model file")
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values, not {type(values).__name__}")
    config = _validated(DesignConfig, values, f"{path}: key")
    resolved = {
        key: folder / value
        for key in ("model", "train", "inputs", "labels", "folding")
        if (value := getattr(config, key)) is not None
    }
    return config.model_copy(update=resolved)


def load_trained_design(folder: Path) -> DesignConfig:
    """Read ``design.yaml`` of a design folder whose model is there.

    Raises
    ------
    ConfigError
        If it is not.
    """
    config = load_design(folder)
    if not config.model.is_file():
        raise ConfigError(f"{config.model} does not exist yet; run `fpgaq build {folder}` once, or train it")
    return config


def _validated(kind: type[Any], values: dict[str, Any], what: str) -> Any:
    try:
        return kind(**{str(key): value for key, value in values.items()})
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            if not problem["loc"]:  # options that contradict each other
                lines.append(f"{problem['ctx']['error']}")
                continue
            known = ", ".join(sorted((LayerOptions if problem["loc"][0] == "layers" else kind).model_fields))
            where = ".".join(map(str, problem["loc"]))
            if problem["type"] == "extra_forbidden":
                lines.append(f"{what} {where!r} is unknown; known are {known}")
            else:
                lines.append(f"{what} {where!r}: {problem['msg']}, got {problem['input']!r}")
        raise ConfigError("; ".join(lines)) from None
