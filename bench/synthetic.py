"""Writes WebAssembly modules of any size as bytes, fast: the input of the load benchmark and of its test."""

from __future__ import annotations

I32 = 0x7F
FUNC = 0x60
END = 0x0B
I32_CONST = 0x41


def leb128(value: int) -> bytes:
    """Unsigned LEB128 (spec section 5.2.2)."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed_leb128(value: int) -> bytes:
    """Signed LEB128 (spec section 5.2.2)."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def section(number: int, count: int, entries: bytes) -> bytes:
    """A section that is a vector of ``count`` entries (spec section 5.5.2)."""
    body = leb128(count) + entries
    return bytes([number]) + leb128(len(body)) + body


def exported_functions(count: int) -> bytes:
    """A module of ``count`` functions () -> i32, each exported as ``f<index>`` and returning its index."""
    exports, codes = bytearray(), bytearray()
    for index in range(count):
        name = b"f%d" % index
        exports += leb128(len(name)) + name + b"\0" + leb128(index)
        body = bytes([0, I32_CONST]) + signed_leb128(index) + bytes([END])
        codes += leb128(len(body)) + body
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            section(1, 1, bytes([FUNC, 0, 1, I32])),
            section(3, count, bytes(count)),
            section(7, count, bytes(exports)),
            section(10, count, bytes(codes)),
        )
    )
