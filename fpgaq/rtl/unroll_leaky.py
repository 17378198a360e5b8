"""Rectifiers with a slope for negative values as scalar operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.ir.ops import LeakyRelu
from fpgaq.rtl.datapath import Datapath, Larger, Max0, Ref, Smaller
from fpgaq.rtl.unroll_linear import append_product


def leaky_rectifiers(path: Datapath, elements: Sequence[Ref], node: LeakyRelu, adder_inputs: int) -> list[Ref]:
    """Append one rectifier for every element, which are those of one pixel or of a whole frame."""
    slopes = np.resize(node.slope, len(elements))
    negative = np.array([path.ref_bounds(ref)[0] < 0 for ref in elements])
    products = append_product(path, elements, np.diag(np.where(negative, slopes, 0)), adder_inputs)
    pairs = zip(elements, products, slopes.tolist(), strict=True)
    return [_rectified(path, x, product, slope, node.slope_frac) for x, product, slope in pairs]


def _rectified(path: Datapath, x: Ref, product: Ref, slope: int, frac: int) -> Ref:
    """Append the choice between a value and its product: of slopes up to 1 the larger one, of others the smaller."""
    same = Ref(x.node, x.shift + frac)
    lo, hi = path.ref_bounds(same)
    if lo >= 0 or slope == 1 << frac:
        return same
    if hi <= 0:
        return product
    if slope == 0:
        return Ref(path.add(Max0(same), (0, hi)))
    steepest = path.ref_bounds(x)[0] * slope
    choice = Larger if slope < 1 << frac else Smaller
    return Ref(path.add(choice(same, product), (min(steepest, 0), max(steepest, hi))))
