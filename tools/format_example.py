"""The worked example of docs/FORMAT.md: a small artifact, every byte of contract and metadata section explained.

The packer's own passes make it, from a module and machine code that are fixed bytes: what differs between machines or
versions of tools (the code generator, the C library) has no part in it.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from wasmartifact import schema
from wasmartifact.codegen.chunks import chunk_columns
from wasmartifact.elf.assemble import SharedObject, assemble
from wasmartifact.elf.layout import Layout, layout
from wasmartifact.elf.object import CodeObject, Section
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.contract import contract_size_bytes, encode_contract
from wasmartifact.metadata.encode import CodeFacts, MetadataFacts, encode_metadata
from wasmartifact.packer import layout_facts, seal
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.initial import plan_initial_state
from wasmartifact.wasm.types import canonical_types, type_digests

WAT = """(module
  (func (export "sum") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))"""
MODULE = bytes.fromhex(
    "0061736d 01000000"  # magic, version
    "01 07 01 60 02 7f 7f 01 7f"  # types: (i32, i32) -> i32
    "03 02 01 00"  # functions: one of type 0
    "07 07 01 03 73756d 00 00"  # exports: "sum", function 0
    "0a 09 01 07 00 20 00 20 01 6a 0b"  # code: local.get 0, local.get 1, i32.add, end
)
#: The function (instance, a, b), what the gap holds, and at 16 its entry trampoline (code, instance, slots).
TEXT = bytes.fromhex(
    "8d 04 16 c3"  # lea eax, [rsi + rdx]; ret
    + "cc" * 12
    + "53 48 89 d3"  # push rbx; mov rbx, rdx
    "48 89 f8 48 89 f7"  # mov rax, rdi; mov rdi, rsi
    "8b 33 8b 53 08"  # mov esi, [rbx]; mov edx, [rbx + 8]
    "ff d0 89 03 5b c3"  # call rax; mov [rbx], eax; pop rbx; ret
)
MACHINE = "x86_64"
LINE_BYTES = 24  # a directory entry


class Piece(NamedTuple):
    """Bytes at an offset, and what they are."""

    offset: int
    data: bytes
    name: str
    meaning: str


def example() -> tuple[SharedObject, Layout]:
    """The artifact, sealed."""
    module = decode_module(MODULE)
    types = type_digests(module)
    canonical = canonical_types(types)
    code = CodeObject(MACHINE, [Section(".text", TEXT, 16)], [("f0", 0, 4), ("entry_0", 16, 21)], [], [], array("i"),
                      array("Q"), [])  # fmt: skip
    placed = layout([code], machine=MACHINE, contract_size_bytes=contract_size_bytes(module, has_tail_calls=False))
    chunks, _ = chunk_columns(module, array("I", [0]), array("I", [module.codes[0].start]), array("I", [0]))
    section = encode_metadata(
        MetadataFacts(
            module=module,
            initial=plan_initial_state(module, schema.PAGE_BYTES[MACHINE]),
            code=CodeFacts(
                text_offsets=[0],
                sizes_bytes=[4],
                flags=[1],
                entry_text_offsets=[16],
                host_text_offsets=[None],
                inward_text_offsets=[],
                init_text_offset=None,
                memory_guards=[],
                chunks=chunks,
                source_files=[],
            ),
            layout=layout_facts(placed),
            type_digests=types,
            type_canonical=canonical,
            cpu_features=schema.BASELINE_FEATURES[MACHINE],
            wasm_features=(),
            info={"cpu": "x86-64-v2"},
            library_version=(0, 1, 0),
            wasm_sha256=hashlib.sha256(MODULE).digest(),
        )
    )
    placed.write_contract(*encode_contract(section, {}))
    built = assemble(placed, section=section, runtime_abi=schema.RUNTIME_ABI_OLDEST, symbol_names={"f0": "sum"})
    seal(built)
    return built, placed


def contract_pieces(built: SharedObject, placed: Layout) -> Iterator[Piece]:
    """The anchor, which is where the code begins, and the contract behind it."""
    data = bytes(built.code[0][: placed.contract_size_bytes])
    yield from _fields(schema.ANCHOR, data, 0)
    yield from _fields(schema.CONTRACT, data, schema.ANCHOR.size_bytes)
    entries = schema.ANCHOR.size_bytes + schema.CONTRACT.size_bytes
    size = schema.TIED_ARRAY.size_bytes
    arrays = []
    for number, tied in enumerate(schema.TIED_ARRAYS):
        entry = data[entries + number * size : entries + (number + 1) * size]
        offset, count = schema.TIED_ARRAY.packer().unpack(entry)
        value_bytes = schema.VALUE_SIZES[tied.type]
        yield Piece(entries + number * size, entry, tied.name, f"{count} of {value_bytes} bytes at {offset:#x}")
        arrays.append((tied, offset, data[offset : offset + count * value_bytes]))
    for tied, offset, values in arrays:
        if values:
            unit = schema.COLUMN_BY_NAME[tied.name].unit if tied.name in schema.TIED_COLUMNS else ""
            yield Piece(offset, values, tied.name, _values(tied.type, unit, tied.doc, values))


def section_pieces(section: bytes) -> Iterator[Piece]:
    """All bytes of the section that are not padding: header, directory, columns, ascending."""
    yield from _fields(schema.METADATA_HEADER, section, 0)
    columns = Columns(memoryview(section))
    entries = sorted(columns.entries.values(), key=lambda entry: entry.number)
    start = schema.METADATA_HEADER.size_bytes
    size = schema.DIRECTORY_ENTRY.size_bytes
    for entry in entries:
        at = start + entry.number * size
        meaning = f"{entry.count} of {entry.element_size_bytes} bytes at {entry.offset:#x}"
        yield Piece(at, section[at : at + size], entry.name, meaning)
    for entry in sorted(entries, key=lambda entry: entry.offset):
        data = section[entry.offset : entry.offset + entry.count * entry.element_size_bytes]
        if data:
            column = schema.COLUMN_BY_NAME[entry.name]
            yield Piece(entry.offset, data, entry.name, _values(column.type, column.unit, column.doc, data))


def _fields(record: schema.Struct, data: bytes, start: int) -> Iterator[Piece]:
    offsets = record.offsets()
    for field in record.fields:
        at = start + offsets[field.name]
        value = data[at : at + schema.TYPE_SIZES[field.type]]
        number = int.from_bytes(value, "little")
        is_magic = field.name == "magic"
        yield Piece(at, value, field.name, field.doc if field.type.startswith("u8x") or is_magic else _number(number))


def _values(type_: str, unit: str, doc: str, data: bytes) -> str:
    """The values of a column or an array in words, after their unit."""
    if type_ in schema.STRUCT_BY_NAME:
        record = schema.STRUCT_BY_NAME[type_]
        return ", ".join(
            " ".join(f"{field.name} {_number(value)}" for field, value in zip(record.fields, row, strict=True))
            for row in record.packer().iter_unpack(data)
        )
    if type_.startswith("u8x"):
        return doc
    if type_ == "u8" and unit == "bytes":
        return f'"{data.decode()}"'
    code = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}[type_]
    values = struct.unpack(f"<{len(data) // schema.TYPE_SIZES[type_]}{code}", data)
    return f"{unit}: {', '.join(map(_number, values))}"


def _number(value: int) -> str:
    return str(value) if value < 10 else f"{value:#x}"


def dump(pieces: Iterator[Piece]) -> Iterator[str]:
    """Lines of up to 24 bytes, the first one of each piece with its name and meaning."""
    for piece in pieces:
        for at in range(0, len(piece.data), LINE_BYTES):
            words = f"{piece.name}: {piece.meaning}" if at == 0 else ""
            hexadecimal = piece.data[at : at + LINE_BYTES].hex(" ")
            yield f"{piece.offset + at:04x}  {hexadecimal:<{3 * LINE_BYTES - 1}}  {words}".rstrip()


def page() -> str:
    """The example as the format page shows it."""
    built, placed = example()
    return "\n".join([
        "```wat", WAT, "```", "",
        f"Anchor and contract, at virtual address {placed.anchor_vaddr:#x}, which is their file offset, too; bytes in",
        "no line are zero:", "",
        "```text", *dump(contract_pieces(built, placed)), "```", "",
        f"The section, at file offset {len(built.head) + sum(map(len, built.code)):#x}; bytes in no line are zero:", "",
        "```text", *dump(section_pieces(bytes(built.section))), "```",
    ])  # fmt: skip
