"""Casts against the real ``ap_fixed`` headers that hls4ml ships and that the C++ simulation is compiled with."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fpgaq import toolchain
from fpgaq.ir import FixedType, Overflow, Rounding
from fpgaq.ir.types import cast

#: Source and target types: losing and gaining bits on either side, every sign, one bit, points outside the word.
PAIRS = [
    (FixedType(7, 4, True), FixedType(3, 1, True)),
    (FixedType(7, 4, True), FixedType(3, 1, False)),
    (FixedType(7, 4, False), FixedType(4, 2, True)),
    (FixedType(7, 4, False), FixedType(4, 2, False)),
    (FixedType(6, 3, True), FixedType(1, 0, True)),
    (FixedType(6, 3, True), FixedType(1, 0, False)),
    (FixedType(6, 2, True), FixedType(4, 4, True)),
    (FixedType(6, 0, True), FixedType(3, -2, True)),
    (FixedType(6, 8, True), FixedType(4, 6, False)),
    (FixedType(5, 1, False), FixedType(9, 3, True)),
    (FixedType(6, 5, True), FixedType(5, 0, True)),
]
#: One bit has no symmetric range; ap_fixed returns -1 there, and Requantize refuses it.
CASES = [
    (s, t, r, o)
    for (s, t), r, o in itertools.product(PAIRS, Rounding, Overflow)
    if o is not Overflow.SAT_SYM or t.width > t.signed
]


def _cpp_type(type_: FixedType, modes: str = "") -> str:
    return f"ap_{'' if type_.signed else 'u'}fixed<{type_.width}, {type_.integer_bits}{modes}>"


def _program() -> str:
    lines = [
        "#include <cstdio>",
        '#include "ap_fixed.h"',
        "template <class S, class T> void all(long long least, long long most) {",
        "    for (long long code = least; code <= most; code++) {",
        "        S x; x.V = code; T y = x;",
        '        printf("%lld ", (long long)y.V);',
        "    }",
        '    printf("\\n");',
        "}",
        "int main() {",
    ]
    for source, to, rounding, overflow in CASES:
        target = _cpp_type(to, f", AP_{rounding.value}, AP_{overflow.value}")
        lines.append(f"    all<{_cpp_type(source)}, {target}>({source.min}, {source.max});")
    return "\n".join([*lines, "}", ""])


@pytest.fixture(scope="module")
def from_cpp(tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """One line of integers a case."""
    import hls4ml

    folder = tmp_path_factory.mktemp("ap_fixed")
    headers = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
    (folder / "casts.cpp").write_text(_program())
    command = [str(toolchain.gxx()), "-std=c++17", "-O0", "-w", f"-I{headers}", "casts.cpp", "-o", "casts"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    text = subprocess.run([folder / "casts"], capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def test_every_cast_is_that_of_ap_fixed(from_cpp: list[list[int]]) -> None:
    assert len(from_cpp) == len(CASES)
    differing = []
    for (source, to, rounding, overflow), theirs in zip(CASES, from_cpp, strict=True):
        codes = np.arange(source.min, source.max + 1)
        ours = cast(codes, source.frac, to, rounding, overflow)
        if ours.tolist() != theirs:
            k = int(np.flatnonzero(ours != np.array(theirs))[0])
            differing.append(
                f"{source} -> {to} {rounding.value} {overflow.value}: code {codes[k]} {ours[k]} {theirs[k]}"
            )
    assert not differing, "\n".join(differing)


def test_the_comparison_can_fail(from_cpp: list[list[int]]) -> None:
    """Another rounding or overflow mode is noticed, for every pair of modes."""
    columns: dict[tuple[Rounding, Overflow], list[int]] = {}
    for (_, to, rounding, overflow), theirs in zip(CASES, from_cpp, strict=True):
        if to.width > 1:
            columns.setdefault((rounding, overflow), []).extend(theirs)
    assert len({tuple(c) for c in columns.values()}) == len(columns)
