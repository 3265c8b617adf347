"""Values that cross between a test and an engine, and the interesting ones among them.

A number or a vector is its bit pattern, an unsigned int. An externref is None or an index into a pool of host objects.
A funcref is None, or, as an argument, a Func; one that an engine gave back is told by its signature. An exnref is None
or an exception, told by its tag and values; as it has no object in Python, it crosses as a value of an exception only.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NUMBERS: Final = {"i32": 32, "i64": 64, "f32": 32, "f64": 64, "v128": 128}
VECTOR: Final = "v128"
EXCEPTION: Final = "exnref"
REFERENCES: Final = ("funcref", "externref", EXCEPTION)
#: In place of the name of a type that wasmtime's C interface has no way to make.
OTHER_TYPE: Final = "another type"
#: Objects that the host passes as externref have the indices below this.
EXTERN_POOL: Final = 5
#: In place of an index: what the guest made, and converted.
GUEST_OBJECT: Final = -1


@dataclass(frozen=True)
class Signature:
    """Parameter and result types by name."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({' '.join(self.params)})->({' '.join(self.results)})"

    @property
    def crosses(self) -> bool:
        """Whether the host can call it, and be called: exnrefs don't cross."""
        return EXCEPTION not in (*self.params, *self.results)

    @property
    def is_numeric(self) -> bool:
        """Whether no reference crosses."""
        return all(kind in NUMBERS for kind in (*self.params, *self.results))


def told(signature: Signature) -> str:
    """A signature as both engines can tell it."""

    def names(kinds: Sequence[str]) -> tuple[str, ...]:
        return tuple(kind if kind in NUMBERS or kind in REFERENCES else OTHER_TYPE for kind in kinds)

    return str(Signature(names(signature.params), names(signature.results)))


@dataclass(frozen=True)
class HostFunc:
    """A host function: what it does follows from the label, see ``host_results``."""

    label: str
    signature: Signature


@dataclass(frozen=True)
class ExportedFunc:
    """The function that this module (0, or 1 in the second of a pair) exports under this name."""

    module: int
    name: str


@dataclass(frozen=True)
class Exn:
    """An exception: the first name that its tag has among those that the host knows, and its values."""

    tag: str
    values: tuple[Value, ...]


#: HostFunc and ExportedFunc go in; a str, the signature, comes out.
Value = int | None | HostFunc | ExportedFunc | Exn | str
#: The tags that the host knows, by name: those that it made and those that are exported, and the types of their values.
Tags = Mapping[str, tuple[str, ...]]


class HostError(Exception):
    """What a host function raises now and then, and no guest can catch."""


class HostThrow(Exception):
    """What a host function throws in the guest now and then."""

    def __init__(self, exception: Exn) -> None:
        super().__init__(exception)
        self.exception = exception


# --------------------------------------------------------------------------------------------------------------------
# NaNs

_EXPONENT: Final = {"f32": 0x7F800000, "f64": 0x7FF0000000000000}
_QUIET: Final = {"f32": 0x00400000, "f64": 0x0008000000000000}
_SIGN: Final = {"f32": 0x80000000, "f64": 0x8000000000000000}


def is_nan(kind: str, value: Value) -> bool:
    """Whether a number is a NaN."""
    return kind in _EXPONENT and isinstance(value, int) and value & ~_SIGN[kind] > _EXPONENT[kind]


def quieted(kind: str, value: Value) -> Value:
    """An f32 as it comes out of a Python float, which makes signalling NaNs quiet and keeps every other bit."""
    return value | _QUIET[kind] if kind == "f32" and is_nan(kind, value) and isinstance(value, int) else value


def canonical(kind: str, value: Value) -> Value:
    """A number with all NaNs made one."""
    return _EXPONENT[kind] | _QUIET[kind] if is_nan(kind, value) else value


# --------------------------------------------------------------------------------------------------------------------
# Between bit patterns and Python's numbers


def to_python(kind: str, bits: int) -> int | float | bytes:
    """The number of a bit pattern; integers unsigned."""
    if kind == VECTOR:
        return bits.to_bytes(16, "little")
    if kind == "f32":
        single: float = struct.unpack("<f", struct.pack("<I", bits))[0]
        return single
    if kind == "f64":
        double: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
        return double
    return bits


def from_python(kind: str, number: int | float | bytes) -> int:
    """The bit pattern of a number."""
    if isinstance(number, bytes):
        return int.from_bytes(number, "little")
    if kind == "f32":
        return int.from_bytes(struct.pack("<f", number), "little")
    if kind == "f64":
        return int.from_bytes(struct.pack("<d", number), "little")
    return int(number) & (1 << NUMBERS[kind]) - 1


# --------------------------------------------------------------------------------------------------------------------
# Interesting values

_INTEGERS: Final = (0, 1, -1, 2, 7, 31, 32, 63, 64, 127, 128, -128, 255, 256, 32767, 32768, -32768, 65535, 65536)
_EDGES: Final = ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, 1 << 63)
_FLOATS: Final = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, 0.1, -0.9999999, math.inf, -math.inf, 1e30, -1e30, 1e-40, 3.25e9),
    *(2147483647.0, 2147483648.0, -2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 16777217.0),
    *(9223372036854775807.0, -9223372036854775808.0, 18446744073709551615.0, 4503599627370497.5, 65536.0),
)
#: Smallest subnormal, largest one, smallest normal, largest; NaNs: canonical, negative, with payload, signalling.
_FLOAT_BITS: Final = {
    "f32": (
        *(0x00000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF),
        *(0x7FC00000, 0xFFC00000, 0x7FC01234, 0xFFE00001, 0x7F800001, 0xFFA00000),
    ),
    "f64": (
        *(0x0000000000000001, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF),
        *(0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000001234, 0xFFFC000000000001),
        *(0x7FF0000000000001, 0xFFF4000000000000),
    ),
}


def interesting(kind: str, rng: random.Random) -> int:
    """A bit pattern for a number."""
    if kind == VECTOR:
        lane = rng.choice(("i32", "i64", "f32", "f64"))
        lanes = [interesting(lane, rng) for _ in range(128 // NUMBERS[lane])]
        return sum(value << NUMBERS[lane] * index for index, value in enumerate(lanes))
    bits = NUMBERS[kind]
    choice = rng.random()
    if choice < 0.2:
        return rng.getrandbits(bits)
    if kind in _FLOAT_BITS:
        return rng.choice(_FLOAT_BITS[kind]) if choice < 0.5 else from_python(kind, rng.choice(_FLOATS))
    if choice < 0.4:
        return rng.randrange(200)
    return rng.choice((*_INTEGERS, *_EDGES)) & (1 << bits) - 1


# --------------------------------------------------------------------------------------------------------------------
# Host functions

#: One in so many calls of a host function raises; one in so many throws, where there are tags.
_RAISES: Final = 40
_THROWS: Final = 6
#: How deep exceptions are values of exceptions.
_NESTING: Final = 2


def host_results(func: HostFunc, arguments: Sequence[Value], tags: Tags) -> list[Value]:
    """What a host function returns: a function of its label and its arguments, NaNs being all alike.

    A funcref result is null or the first funcref argument that is not; it is given back as the index of that argument.

    Raises
    ------
    HostError, HostThrow
        For some arguments.
    """
    kinds = func.signature.params
    seen = [canonical(kind, value) for kind, value in zip(kinds, arguments, strict=True)]
    state = zlib.crc32(repr((func.label, seen)).encode())
    if state % _RAISES == 0:
        raise HostError(func.label)
    if tags and state % _THROWS == 1:
        raise HostThrow(_exception(tags, random.Random(state), _NESTING))
    results: list[Value] = []
    for position, kind in enumerate(func.signature.results):
        rng = random.Random(state + position)
        if kind in NUMBERS:
            results.append(quieted(kind, interesting(kind, rng)))
        elif kind == "externref":
            results.append(rng.choice((None, *range(EXTERN_POOL))))
        else:
            results.append(next((i for i, k in enumerate(kinds) if k == "funcref" and arguments[i] is not None), None))
    return results


def _exception(tags: Tags, rng: random.Random, nesting: int) -> Exn:
    """Any exception; its functions are null, for the host knows none that both engines have."""
    name = rng.choice(list(tags))
    values: list[Value] = []
    for kind in tags[name]:
        if kind in NUMBERS:
            values.append(quieted(kind, interesting(kind, rng)))
        elif kind == "externref":
            values.append(rng.choice((None, *range(EXTERN_POOL))))
        else:
            values.append(_exception(tags, rng, nesting - 1) if kind == EXCEPTION and nesting else None)
    return Exn(name, tuple(values))
