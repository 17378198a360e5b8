"""The positions of a window brought to one: the maximum of each channel, and what an average is divided by."""

from __future__ import annotations

from collections.abc import Sequence

from fpgaq.rtl.datapath import Datapath, Larger, Ref


def window_max(path: Datapath, elements: Sequence[Ref], positions: int) -> list[Ref]:
    """Append the maximum of every channel over the positions, which come one after the other with all channels."""
    channels = len(elements) // positions
    return [_largest(path, list(elements[channel::channels])) for channel in range(channels)]


def reciprocal(divisor: int, most: int) -> tuple[int, int]:
    """Return the smallest factor and shift so that ``t // divisor == t * factor >> shift`` for all t from 0 to `most`.

    With ``factor * divisor = 2**shift + excess`` the quotient is too large by ``t * excess / (divisor * 2**shift)``,
    which shows nowhere if it is less than the 1 / divisor that the largest remainder leaves.
    """
    shift = 0
    while True:
        factor = -(-(1 << shift) // divisor)
        if most * (factor * divisor - (1 << shift)) < 1 << shift:
            return factor, shift
        shift += 1


def _largest(path: Datapath, refs: list[Ref]) -> Ref:
    """Return the largest of some values by a balanced tree, without those that never are."""
    floor = max(path.ref_bounds(ref)[0] for ref in refs)
    reaching = [ref for ref in refs if path.ref_bounds(ref)[1] > floor]
    # One of those that never fall below the floor has to stay: it is what is left when no other one reaches it.
    if not any(path.ref_bounds(ref)[0] == floor for ref in reaching):
        reaching.append(next(ref for ref in refs if path.ref_bounds(ref)[0] == floor))
    while len(reaching) > 1:
        pairs = [_larger(path, *reaching[k : k + 2]) for k in range(0, len(reaching) - 1, 2)]
        reaching = [*pairs, *reaching[2 * len(pairs) :]]
    return reaching[0]


def _larger(path: Datapath, a: Ref, b: Ref) -> Ref:
    (a_lo, a_hi), (b_lo, b_hi) = path.ref_bounds(a), path.ref_bounds(b)
    return Ref(path.add(Larger(a, b), (max(a_lo, b_lo), max(a_hi, b_hi))))
