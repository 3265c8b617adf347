"""Reading the primitives of the binary format: bytes, LEB128 integers, names, value types (spec sections 5.2, 5.3)."""

from __future__ import annotations

from typing import Final

from wasmartifact.errors import MalformedModule, UnsupportedModule
from wasmartifact.schema import HEAP_ABSTRACT, HEAP_TYPES, VALTYPE_REF, VALTYPE_REF_NULL

#: Abstract heap types by the byte that encodes them.
_HEAP_BY_BYTE = {code & 0xFF: code for code in HEAP_TYPES.values()}
#: Value types by their first byte; a byte that encodes an abstract heap type stands for the nullable reference to it.
_VALTYPE_BY_BYTE = {code: code for code in range(0x7B, 0x80)} | {
    byte: VALTYPE_REF_NULL | heap << 8 for byte, heap in _HEAP_BY_BYTE.items()
}

#: Encodings of proposals that no validator here knows, by first byte of a value type, and opcode.
_FOREIGN_TYPES: Final = {0x67: "stringref"}
_FOREIGN_OPCODES: Final = (
    (range(0xFB0080, 0xFB00C0), "stringref"),
    (range(0xFC0030, 0xFC0032), "half-precision"),
    (range(0xFD0120, 0xFD0150), "half-precision"),
)


def malformed(wasm_offset: int, problem: str) -> MalformedModule:
    """The error for bytes that break the binary format at ``wasm_offset``."""
    return MalformedModule(f"malformed WebAssembly module: byte {wasm_offset:#x}: {problem}", wasm_offset=wasm_offset)


def foreign(wasm_offset: int, feature: str | None, problem: str) -> MalformedModule | UnsupportedModule:
    """The error for bytes that only a proposal gives a meaning, if any does: ``feature`` names it, or is None."""
    if feature is None:
        return malformed(wasm_offset, problem)
    return UnsupportedModule(
        f"byte {wasm_offset:#x}: {problem}, unless by the proposal {feature}, which this version does not compile; "
        "build the module without it",
        feature=feature,
        wasm_offset=wasm_offset,
    )


def illegal_opcode(wasm_offset: int, opcode: int) -> MalformedModule | UnsupportedModule:
    """The error for an opcode that the table of opcodes does not know: a byte, or ``prefix << 16 | sub_opcode``."""
    feature = next((name for codes, name in _FOREIGN_OPCODES if opcode in codes), None)
    words = f"{opcode:#04x}" if opcode <= 0xFF else f"{opcode >> 16:#04x} {opcode & 0xFFFF:#04x}"
    return foreign(wasm_offset, feature, f"illegal opcode {words}")


class Reader:
    """A position in ``data`` that never passes ``end``.

    Every method reads one item at ``pos`` and moves behind it; each raises MalformedModule, with ``wasm_offset``, where
    the bytes don't encode such an item; UnsupportedModule where a proposal that is known by name says that they do.
    """

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int, end: int) -> None:
        self.data = data
        self.pos = pos
        self.end = end

    def byte(self) -> int:
        """One byte."""
        pos = self.pos
        if pos >= self.end:
            raise malformed(pos, "unexpected end of section or function")
        self.pos = pos + 1
        return self.data[pos]

    def take(self, size_bytes: int) -> int:
        """Skip ``size_bytes`` bytes and return where they start."""
        start = self.pos
        if size_bytes > self.end - start:
            raise malformed(start, f"length out of bounds: {size_bytes} bytes wanted, {self.end - start} left")
        self.pos = start + size_bytes
        return start

    def u32(self) -> int:
        """An unsigned LEB128 integer below 2**32, at most 5 bytes."""
        pos, data = self.pos, self.data
        if pos < self.end and (value := data[pos]) < 0x80:
            self.pos = pos + 1
            return value
        if pos + 1 < self.end and (high := data[pos + 1]) < 0x80:
            self.pos = pos + 2
            return value & 0x7F | high << 7
        return self._unsigned(32)

    def u64(self) -> int:
        """An unsigned LEB128 integer below 2**64, at most 10 bytes."""
        return self._unsigned(64)

    def s32(self) -> int:
        """A signed LEB128 integer of 32 bits, at most 5 bytes."""
        return self._signed(32)

    def s33(self) -> int:
        """A signed LEB128 integer of 33 bits, at most 5 bytes."""
        return self._signed(33)

    def s64(self) -> int:
        """A signed LEB128 integer of 64 bits, at most 10 bytes."""
        return self._signed(64)

    def _leb(self, bits: int) -> tuple[int, int]:
        # The raw value and the number of bits read, which is up to 6 more than asked for.
        start, value, shift = self.pos, 0, 0
        for byte in self.data[start : min(start + -(-bits // 7), self.end)]:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self.pos = start + shift // 7
                return value, shift
        if shift < bits:
            raise malformed(self.end, "unexpected end of section or function: an integer is cut off")
        raise malformed(start, f"integer representation too long: more than {-(-bits // 7)} bytes for {bits} bits")

    def _unsigned(self, bits: int) -> int:
        start = self.pos
        value, _ = self._leb(bits)
        if value >> bits:
            raise malformed(start, f"integer too large: {value:#x} does not fit {bits} bits")
        return value

    def _signed(self, bits: int) -> int:
        start = self.pos
        value, read = self._leb(bits)
        if value >> (read - 1) & 1:
            value -= 1 << read
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise malformed(start, f"integer too large: {value} does not fit {bits} bits, signed")
        return value

    def name(self) -> str:
        """A name: length and UTF-8 bytes."""
        size_bytes = self.u32()
        start = self.take(size_bytes)
        try:
            return self.data[start : self.pos].decode("utf-8")
        except UnicodeDecodeError as error:
            raise malformed(start + error.start, f"malformed UTF-8 encoding of a name: {error.reason}") from None

    def count(self) -> int:
        """The length of a vector. No item is shorter than a byte, so a length beyond the bytes left is an error."""
        start = self.pos
        value = self.u32()
        if value > self.end - self.pos:
            raise malformed(
                start, f"unexpected end of section or function: {value} items and {self.end - self.pos} bytes left"
            )
        return value

    def heap_type(self) -> int:
        """A heap type: a code of ``schema.HEAP_TYPES`` or a type index."""
        start = self.pos
        byte = self.byte()
        if byte in _HEAP_BY_BYTE:
            return _HEAP_BY_BYTE[byte]
        self.pos = start
        return self._type_index(start, "heap type")

    def valtype(self) -> int:
        """A value type, as a u32 code of ``schema``."""
        start = self.pos
        byte = self.byte()
        if byte in (VALTYPE_REF, VALTYPE_REF_NULL):
            return byte | self.heap_type() << 8
        if byte not in _VALTYPE_BY_BYTE:
            raise foreign(start, _FOREIGN_TYPES.get(byte), f"malformed value type {byte:#04x}")
        return _VALTYPE_BY_BYTE[byte]

    def reftype(self) -> int:
        """A reference type, as a u32 code of ``schema``."""
        start = self.pos
        valtype = self.valtype()
        if valtype & 0xFF not in (VALTYPE_REF, VALTYPE_REF_NULL):
            raise malformed(start, f"malformed reference type {valtype:#04x}")
        return valtype

    def block_type(self) -> tuple[str, int | None]:
        """A block type, in the form that ``opcodes`` defines."""
        start = self.pos
        byte = self.byte()
        if byte == 0x40:
            return "value", None
        self.pos = start
        if byte & 0xC0 == 0x40:  # a negative number of one byte
            return "value", self.valtype()
        return "type", self._type_index(start, "block type")

    def _type_index(self, start: int, what: str) -> int:
        # 2**23 is where the codes of abstract heap types begin; validators stop at 1,000,000 types in a module.
        index = self.s33()
        if not 0 <= index < HEAP_ABSTRACT:
            raise malformed(start, f"malformed {what}: found {index}, expected a type index below {HEAP_ABSTRACT}")
        return index
