"""XXH64, the 64-bit xxHash, for pack and verify: native/runtime/checksum.c computes the same for load."""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = (1 << 64) - 1
_PRIME1: Final = 0x9E3779B185EBCA87
_PRIME2: Final = 0xC2B2AE3D27D4EB4F
_PRIME3: Final = 0x165667B19E3779F9
_PRIME4: Final = 0x85EBCA77C2B2AE63
_PRIME5: Final = 0x27D4EB2F165667C5
_STRIPE_BYTES: Final = 32


def xxh64(data: bytes | bytearray | memoryview, seed: int = 0) -> int:
    """The XXH64 of some bytes, as an unsigned number."""
    view = memoryview(data).cast("B")
    stripes_end = len(view) // _STRIPE_BYTES * _STRIPE_BYTES
    if stripes_end:
        lanes = [(seed + start) & _MASK for start in (_PRIME1 + _PRIME2, _PRIME2, 0, -_PRIME1)]
        for words in struct.iter_unpack("<4Q", view[:stripes_end]):
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
        state = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * _PRIME1 + _PRIME4) & _MASK
    else:
        state = (seed + _PRIME5) & _MASK
    return _avalanche(_rest(view[stripes_end:], (state + len(view)) & _MASK))


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _PRIME2) & _MASK, 31) * _PRIME1 & _MASK


def _rest(view: memoryview, state: int) -> int:
    """Mix in the bytes after the last whole stripe: by eight, by four, one by one."""
    while len(view) >= 8:
        state = (_rotate(state ^ _round(0, int.from_bytes(view[:8], "little")), 27) * _PRIME1 + _PRIME4) & _MASK
        view = view[8:]
    if len(view) >= 4:
        word = int.from_bytes(view[:4], "little")
        state = (_rotate(state ^ word * _PRIME1 & _MASK, 23) * _PRIME2 + _PRIME3) & _MASK
        view = view[4:]
    for byte in view:
        state = _rotate(state ^ byte * _PRIME5 & _MASK, 11) * _PRIME1 & _MASK
    return state


def _avalanche(state: int) -> int:
    state = (state ^ state >> 33) * _PRIME2 & _MASK
    state = (state ^ state >> 29) * _PRIME3 & _MASK
    return state ^ state >> 32
