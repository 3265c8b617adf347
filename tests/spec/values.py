"""Values of the spec suite's JSON: to raw slots or Python objects, and comparison with what a function returned.

Numbers travel as raw 64-bit slots (a v128 takes two), because a Python float can't carry a signalling f32 NaN.
References travel as Python objects.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import wasmartifact as wa

Json = dict[str, Any]

LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
SLOTS = {"i32": 1, "i64": 1, "f32": 1, "f64": 1, "v128": 2}
#: Per float width: mask of everything but the sign, pattern of the canonical NaN.
CANONICAL = {32: (0x7FFFFFFF, 0x7FC00000), 64: (0x7FFFFFFFFFFFFFFF, 0x7FF8000000000000)}


@dataclass(frozen=True)
class HostRef:
    """The external reference that a script writes as ``(ref.extern number)``."""

    number: int


def to_slots(value: Json) -> list[int]:
    """Raw slots of a numeric or vector value."""
    if value["type"] == "v128":
        bits = LANE_BITS[value["lane_type"]]
        whole = sum(int(lane) % (1 << bits) << index * bits for index, lane in enumerate(value["value"]))
        return [whole % (1 << 64), whole >> 64]
    return [int(value["value"]) % (1 << LANE_BITS[value["type"]])]


def to_python(value: Json) -> Any:
    """The Python argument for a value: numbers as int or float, references as objects."""
    kind = value["type"]
    if kind == "v128":
        return struct.pack("<2Q", *to_slots(value))
    if kind in SLOTS:
        return from_bits(kind, to_slots(value)[0])
    if value.get("value") in {"null", None}:
        return None
    return HostRef(int(value["value"]))


def from_bits(kind: str, bits: int) -> int | float:
    """A number from its bit pattern; integers unsigned."""
    formats = {"f32": ("<I", "<f"), "f64": ("<Q", "<d")}
    if kind not in formats:
        return bits
    raw, floating = formats[kind]
    number: float = struct.unpack(floating, struct.pack(raw, bits))[0]
    return number


def python_to_slots(kind: str, value: Any) -> list[int]:
    """Raw slots of a value that a global or a function with references gave as a Python object."""
    if kind == "v128":
        return list(struct.unpack("<2Q", value))
    if kind == "f32":
        return list(struct.unpack("<I", struct.pack("<f", value)))
    if kind == "f64":
        return list(struct.unpack("<Q", struct.pack("<d", value)))
    return [value % (1 << LANE_BITS[kind])]


def matches(expected: Json, kind: str, actual: Any) -> bool:
    """Whether a result is what the script expects.

    Parameters
    ----------
    expected : dict
        A value, a value pattern, or ``either`` of several.
    kind : str
        Result type of the function.
    actual : list[int] | object
        Raw slots where the type is a number or a vector, else the reference.
    """
    if expected["type"] == "either":
        return any(matches(choice, kind, actual) for choice in expected["values"])
    if kind in SLOTS:
        return expected["type"] == kind and _numbers_match(expected, actual)
    return _references_match(expected, actual)


def _numbers_match(expected: Json, slots: list[int]) -> bool:
    if expected["type"] != "v128":
        return _lane_matches(expected["value"], slots[0], LANE_BITS[expected["type"]])
    bits = LANE_BITS[expected["lane_type"]]
    whole = slots[0] | slots[1] << 64
    lanes = (whole >> index * bits & ((1 << bits) - 1) for index in range(128 // bits))
    return all(_lane_matches(want, lane, bits) for want, lane in zip(expected["value"], lanes, strict=True))


def _lane_matches(want: str, bits: int, width: int) -> bool:
    if want == "nan:canonical":
        mask, canonical = CANONICAL[width]
        return bits & mask == canonical
    if want == "nan:arithmetic":
        canonical = CANONICAL[width][1]
        return bits & canonical == canonical
    return bits == int(want) % (1 << width)


#: What a reference of some type is in Python, whatever it refers to.
_CLASSES: dict[str, type | tuple[type, ...]] = {
    "funcref": wa.Func,
    "i31ref": int,
    "structref": wa.Struct,
    "arrayref": wa.Array,
    "eqref": (int, wa.Struct, wa.Array),
}


def _references_match(expected: Json, actual: Any) -> bool:
    kind, value = expected["type"], expected.get("value")
    if kind.startswith("null") or kind == "refnull" or value == "null":
        return actual is None
    if value is not None:
        return bool(actual == HostRef(int(value)))
    if kind in _CLASSES:
        return isinstance(actual, _CLASSES[kind])
    return actual is not None
