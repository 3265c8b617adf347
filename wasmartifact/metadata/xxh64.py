"""XXH64, the 64-bit xxHash, for verify: native/include/wa_xxh64.h computes the same for load and pack.

Its four lanes are kept in one number, each in 128 bits of which the upper 64 are free between steps: so one operation
on the number is one on each lane, and a product of 64 bits by 64 has room.
"""

from __future__ import annotations

from array import array
from typing import Final

_MASK: Final = (1 << 64) - 1
_PRIME1: Final = 0x9E3779B185EBCA87
_PRIME2: Final = 0xC2B2AE3D27D4EB4F
_PRIME3: Final = 0x165667B19E3779F9
_PRIME4: Final = 0x85EBCA77C2B2AE63
_PRIME5: Final = 0x27D4EB2F165667C5
_STRIPE_BYTES: Final = 32
_LANE_BITS: Final = 128
_LANES: Final = range(0, 4 * _LANE_BITS, _LANE_BITS)
_LANES_MASK: Final = sum(_MASK << lane for lane in _LANES)


def xxh64(data: bytes | bytearray | memoryview, seed: int = 0) -> int:
    """The XXH64 of some bytes, as an unsigned number."""
    view = memoryview(data).cast("B")
    stripes_end = len(view) // _STRIPE_BYTES * _STRIPE_BYTES
    if stripes_end:
        lanes = _mix(view[:stripes_end], seed)
        one, two, three, four = lanes
        state = (_rotate(one, 1) + _rotate(two, 7) + _rotate(three, 12) + _rotate(four, 18)) & _MASK
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * _PRIME1 + _PRIME4) & _MASK
    else:
        state = (seed + _PRIME5) & _MASK
    return _avalanche(_rest(view[stripes_end:], (state + len(view)) & _MASK))


def _mix(stripes: memoryview, seed: int) -> list[int]:
    """The four lanes after all whole stripes."""
    words = array("Q", bytes(2 * len(stripes)))
    words[0::2] = array("Q", stripes.tobytes())
    # No product reaches into the next lane, so that one multiplication does for all words.
    products = (int.from_bytes(words.tobytes(), "little") * _PRIME2).to_bytes(2 * len(stripes), "little")
    starts = (_PRIME1 + _PRIME2, _PRIME2, 0, -_PRIME1)
    lanes = sum(((seed + start) & _MASK) << lane for start, lane in zip(starts, _LANES, strict=True))
    for place in range(0, len(products), 2 * _STRIPE_BYTES):
        lanes = lanes + int.from_bytes(products[place : place + 2 * _STRIPE_BYTES], "little") & _LANES_MASK
        lanes = ((lanes << 31 | lanes >> 33) & _LANES_MASK) * _PRIME1 & _LANES_MASK  # rotated by 31
    return [lanes >> lane & _MASK for lane in _LANES]


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
