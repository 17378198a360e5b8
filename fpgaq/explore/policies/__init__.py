"""Policies: what every choice of every layer does to a network, before any of them is tried together with others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network
from fpgaq.explore.policies.coding_length import coding_length
from fpgaq.explore.policies.curvature import fisher, hessian
from fpgaq.explore.policies.nuclear_norm import nuclear_norm
from fpgaq.explore.policies.ompq import ompq
from fpgaq.explore.policies.sensitivity import cross_entropy, divergence
from fpgaq.explore.policies.weight_error import weight_error

#: One array a layer with the damage of every choice. Where a policy has a parameter, a table for each of its values.
Tables = dict[str, list[NDArray[np.float64]]]

#: By name.
POLICIES: dict[str, Callable[[Network], Tables]] = {
    "kl": divergence,
    "ce": cross_entropy,
    "mse": weight_error,
    "fisher": fisher,
    "hessian": hessian,
    "nuclear-norm": nuclear_norm,
    "ompq": ompq,
    "lossy-coding-length": coding_length,
}
#: Those that measure the network, and so know what activations of few bits do: the others know weights alone.
MEASURED = ("kl", "ce")
#: Those that need the classes of the calibration data.
LABELLED = ("ce", "fisher")
