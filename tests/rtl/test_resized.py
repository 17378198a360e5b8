"""Elements of words with the bits of other types."""

from __future__ import annotations

import pytest

from fpgaq.ir import FixedType
from fpgaq.rtl.resized import resized

SIGNED, UNSIGNED, BIT = FixedType(4, 0, True), FixedType(4, 0, False), FixedType(1, 0, False)


@pytest.mark.parametrize(
    ("bits", "low", "source", "width", "shift", "want"),
    [
        (12, 4, SIGNED, 4, 0, "w[4+:4]"),
        (12, 4, SIGNED, 6, 0, "{{2{w[7]}}, w[4+:4]}"),
        (12, 4, UNSIGNED, 6, 0, "{2'd0, w[4+:4]}"),
        (12, 8, SIGNED, 3, 0, "w[8+:3]"),
        (12, 8, SIGNED, 7, 2, "{{1{w[11]}}, w[8+:4], 2'd0}"),
        (12, 8, UNSIGNED, 5, 2, "{w[8+:3], 2'd0}"),
        (1, 0, BIT, 3, 1, "{1'd0, w, 1'd0}"),
        (12, 0, SIGNED, 2, 2, "2'd0"),
        (12, 0, SIGNED, 1, 10, "1'd0"),
    ],
)
def test_values_that_fit_are_kept(bits: int, low: int, source: FixedType, width: int, shift: int, want: str) -> None:
    assert resized("w", bits, low, source, width, shift) == want
