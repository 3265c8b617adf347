"""Pieces of the binary format as bytes, for code that the package writes itself (spec section 5)."""

from __future__ import annotations

from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Sequence


def unsigned(value: int) -> bytes:
    """An unsigned number, in LEB128 (spec section 5.2.2)."""
    if value < 0x80:  # most are
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """A signed number, in LEB128 (spec section 5.2.2)."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def vector(items: Sequence[bytes]) -> bytes:
    """A vector of encoded items (spec section 5.1.3)."""
    return unsigned(len(items)) + b"".join(items)


def text(value: str) -> bytes:
    """A name (spec section 5.2.4)."""
    encoded = value.encode()
    return unsigned(len(encoded)) + encoded


def opcode_bytes(code: int) -> bytes:
    """An opcode, as `opcodes` numbers it: those with a prefix have it above the low 16 bits."""
    return bytes((code,)) if code <= 0xFF else bytes((code >> 16,)) + unsigned(code & 0xFFFF)


def operator(name: str, *indices: int) -> bytes:
    """An instruction by its name, whose immediates are indices."""
    return opcode_bytes(OPCODE_BY_NAME[name].code) + b"".join(map(unsigned, indices))


def constant(value: int, *, is64: bool = False) -> bytes:
    """An integer of either type; those of i32 are given without sign."""
    number = value if is64 else (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return operator("i64.const" if is64 else "i32.const") + signed(number)
