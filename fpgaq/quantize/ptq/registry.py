"""Methods of rounding by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.quantize.ptq.adaround import adaround
from fpgaq.quantize.ptq.attention_round import attention_round
from fpgaq.quantize.ptq.entropy import entropy_constrained
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.nearest import nearest, stochastic
from fpgaq.quantize.ptq.reconstruction import Reconstruction

#: From a layer's task, its grid and a source of random numbers to the places of its weights.
Rounding = Callable[[Reconstruction, Grid, np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class Method:
    """A way of rounding weights.

    Parameters
    ----------
    name : str
    round : callable
    summary : str
        One line.
    source : str
    evidence : str
        What the source of the implementation is known from.
    format : str or None
        The only format of weights that it is for, one of `fpgaq.quantize.ptq.fits.FITS`; None for any.
    ranges : str
        How ranges of activations are found unless something else is asked for.
    priced : bool
        Whether it asks what a bit of a weight costs.
    """

    name: str
    round: Rounding
    summary: str
    source: str
    evidence: str
    format: str | None = None
    ranges: str = "mse"
    priced: bool = False


METHODS = {
    method.name: method
    for method in (
        Method("nearest", nearest, "every weight to the number next to it", "", "definition"),
        Method("stochastic", stochastic, "every weight to a neighbour, by lot", "", "definition"),
        Method(
            "adaround",
            adaround,
            "every weight to one of its two neighbours, as the outputs of the layer need it",
            "Nagel et al. 2020, arXiv 2004.10568",
            "constants from the code of BRECQ; steps over whole calibration data instead of batches",
        ),
        Method(
            "attention-round",
            attention_round,
            "every weight to any number, the further the rarer, as the outputs of the layer need it",
            "arXiv 2207.03088",
            "reconstruction: idea from the abstract, gradient and constants from trials, not checked against the paper",
        ),
        Method(
            "pwlq",
            nearest,
            "nearest, with fine steps around zero and coarse ones in the tails",
            "Fang et al. 2020, arXiv 2002.00104",
            "the paper; steps and breakpoint searched on squared errors, all multiples of one step",
            format="pwlq",
        ),
        Method(
            "cfws",
            nearest,
            "nearest, with two scales of the same integers and ranges of activations by divergence",
            "coarse and fine weight splitting",
            "reconstruction: the idea alone; scales searched on squared errors, a power of two apart",
            format="cfws",
            ranges="kl",
        ),
        Method(
            "ecqx",
            entropy_constrained,
            "every weight to a number near by that is used often, relevant ones less so",
            "Becking et al. 2022, arXiv 2109.04236",
            "rule of the paper; one assignment without training, the relevance is weight times gradient",
            priced=True,
        ),
    )
}


def method_of(name: str) -> Method:
    """Return a method.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in METHODS:
        known = ", ".join(f"{method.name} ({method.summary})" for method in METHODS.values())
        raise ConfigError(f"method {name!r} is unknown; known are {known}")
    return METHODS[name]
