"""What is told about a quantization system of the literature."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number format", "training", "rounding", "bit widths", "architecture", "baseline"]
#: An adapter takes what a system leads to, without its training.
Status = Literal["works", "adapter", "out of scope"]

_TYPED = {
    "train": "fpgaq train float.keras --inputs x.npy --targets y.npy {options} -o q.keras",
    "quantize": "fpgaq quantize float.keras --calibration x.npy {options} -o q.keras",
    "search": "fpgaq search float.keras --calibration x.npy --calibration-labels y.npy --budget lut=4000 {options} "
    "-o build/searched",
}


@dataclass(frozen=True)
class Way:
    """How a system is asked for.

    Parameters
    ----------
    command : str
        "train", "quantize" or "search"; "model" where a model of one's own has it.
    text : str
        The options that ask for it; of a model what it has.
    """

    command: Literal["train", "quantize", "search", "model"]
    text: str

    @property
    def typed(self) -> str:
        """The whole command; of a model what it has."""
        if self.command == "model":
            return f"in a model: {self.text}"
        return _TYPED[self.command].format(options=self.text)

    def asked(self) -> Iterator[tuple[str, str]]:
        """Give the options with their values."""
        if self.command == "model":
            return
        words = shlex.split(self.text)
        for place, word in enumerate(words):
            if word.startswith("--"):
                following = words[place + 1] if place + 1 < len(words) else ""
                yield word, "" if following.startswith("--") else following


@dataclass(frozen=True)
class Entry:
    """A system.

    Parameters
    ----------
    name : str
    kind : str
    status : str
    idea : str
        One line.
    source : str
        Where it was published, as far as known here.
    ways : tuple of Way
        How it is asked for, the plainest one first; of adapters what takes their results.
    remark : str
        What it is known from and what is ours in it; of what is not built, why.
    """

    name: str
    kind: Kind
    status: Status
    idea: str
    source: str = ""
    ways: tuple[Way, ...] = ()
    remark: str = ""


def trained(options: str) -> Way:
    """Return a way by ``fpgaq train``."""
    return Way("train", options)


def rounded(options: str) -> Way:
    """Return a way by ``fpgaq quantize``."""
    return Way("quantize", options)


def searched(options: str) -> Way:
    """Return a way by ``fpgaq search``."""
    return Way("search", options)


def modelled(what: str) -> Way:
    """Return a way by a model of one's own."""
    return Way("model", what)
