"""Codes as the bytes of stream beats, element 0 in the low bits, and back; fast for millions of them.

Fields of any width are put into 64-bit words, all beats of a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpgaq.ir.types import IntArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

#: Elements that go through the caches together.
_BLOCK = 1 << 16


def packed(codes: IntArray, width: int) -> Bytes:
    """Return beats, shape (beats, bytes).

    Parameters
    ----------
    codes : int array, shape (beats, elements)
    width : int
        Bits of an element in the beat, at most 64; higher bits of the codes are cut.
    """
    beats, elements = codes.shape
    found = np.empty((beats, -(-elements * width // 8)), np.uint8)
    mask = np.uint64((1 << width) - 1)
    for rows in _blocks(beats, elements):
        fields = codes[rows].astype(np.int64, copy=False).view(np.uint64).T & mask
        words = np.zeros((-(-elements * width // 64), fields.shape[1]), np.uint64)
        for k, field in enumerate(fields):
            word, shift = divmod(k * width, 64)
            words[word] |= field << np.uint64(shift)
            if shift + width > 64:
                words[word + 1] |= field >> np.uint64(64 - shift)
        found[rows] = _bytes(words)[:, : found.shape[1]]
    return found


def unpacked(beats: Bytes, width: int, elements: int, signed: bool) -> IntArray:
    """Return codes of shape (beats, elements) from fields of `width` bits."""
    found = np.empty((len(beats), elements), np.int64)
    mask, sign = np.uint64((1 << width) - 1), np.uint64(1 << (width - 1) if signed else 0)
    for rows in _blocks(len(beats), elements):
        words = _words(beats[rows])
        fields = np.empty((elements, words.shape[1]), np.uint64)
        for k in range(elements):
            word, shift = divmod(k * width, 64)
            field = words[word] >> np.uint64(shift)
            if shift + width > 64:
                field |= words[word + 1] << np.uint64(64 - shift)
            fields[k] = ((field & mask) ^ sign) - sign
        found[rows] = fields.T.view(np.int64)
    return found


def _blocks(beats: int, elements: int) -> Iterator[slice]:
    step = max(_BLOCK // max(elements, 1), 1)
    return (slice(start, start + step) for start in range(0, beats, step))


def _bytes(words: Words) -> Bytes:
    """Return words of shape (words, beats) as bytes of shape (beats, 8 * words), on any machine."""
    return np.ascontiguousarray(words.T.astype("<u8")).view(np.uint8)


def _words(beats: Bytes) -> Words:
    filled = np.zeros((len(beats), -(-beats.shape[1] // 8) * 8), np.uint8)
    filled[:, : beats.shape[1]] = beats
    return np.ascontiguousarray(filled.view("<u8").astype(np.uint64).T)
