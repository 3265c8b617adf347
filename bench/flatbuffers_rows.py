"""The metadata as a FlatBuffer, read in place through the ``flatbuffers`` package, without flatc.

The schema, for which the accessors below stand in::

    table Type { params: [uint]; results: [uint]; }
    table Import { module: string; name: string; kind: ubyte; index: uint; }
    table Export { name: string; kind: ubyte; index: uint; }
    struct Code { text_offset: uint; size_bytes: uint; }
    table Name { func_index: uint; name: string; }
    struct TrapSite { text_offset: uint; wasm_offset: uint; trap: uint; }
    table Module { types: [Type]; imports: [Import]; exports: [Export]; export_order: [uint]; function_types: [uint];
                   code: [Code]; names: [Name]; trap_sites: [TrapSite]; }

``export_order`` are the exports' rows in the order of their names, for the binary search that FlatBuffers have by key.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import flatbuffers
import numpy
from flatbuffers import encode, packer
from flatbuffers.number_types import Uint8Flags, Uint32Flags
from flatbuffers.table import Table

from bench.contestants import InPlaceContestant
from bench.facts import Facts

TYPES, IMPORTS, EXPORTS, EXPORT_ORDER, FUNCTION_TYPES, CODE, NAMES, TRAP_SITES = range(8)
CODE_FIELDS, TRAP_SITE_FIELDS = 2, 3


def slot(field: int) -> int:
    """Offset in the vtable of a field by its place in the schema."""
    return 4 + 2 * field


# --------------------------------------------------------------------------------------------------------------------
# Writing


class _Writer:
    """Builds the buffer; what a table refers to is written before it."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1 << 16)

    def module(self, facts: Facts) -> bytes:
        rows = enumerate(facts.exports)
        fields = [
            self.references([self.table((self.uints(params), self.uints(results))) for params, results in facts.types]),
            self.references(
                [
                    self.table((self.text(module), self.text(name)), (kind, Uint8Flags), (index, Uint32Flags))
                    for module, name, kind, index in facts.imports
                ]
            ),
            self.references(
                [
                    self.table((self.text(name),), (kind, Uint8Flags), (index, Uint32Flags))
                    for name, (kind, index) in facts.exports.items()
                ]
            ),
            self.uints([row for row, name in sorted(rows, key=lambda entry: entry[1].encode())]),
            self.uints(facts.function_types),
            self.structs(facts.code, CODE_FIELDS),
            self.references([self.name(func_index, name) for func_index, name in facts.names]),
            self.structs(facts.trap_sites, TRAP_SITE_FIELDS),
        ]
        self.builder.Finish(self.table(fields))
        return bytes(self.builder.Output())

    def text(self, value: str) -> int:
        return int(self.builder.CreateString(value))

    def name(self, func_index: int, name: str) -> int:
        text = self.text(name)
        self.builder.StartObject(2)
        self.builder.PrependUint32Slot(0, func_index, 0)
        self.builder.PrependUOffsetTRelativeSlot(1, text, 0)
        return int(self.builder.EndObject())

    def table(self, references: Iterable[int], *numbers: tuple[int, Any]) -> int:
        """A table of references, then numbers."""
        references = list(references)
        self.builder.StartObject(len(references) + len(numbers))
        for field, reference in enumerate(references):
            self.builder.PrependUOffsetTRelativeSlot(field, reference, 0)
        for field, (number, flags) in enumerate(numbers, len(references)):
            self.builder.PrependSlot(flags, field, number, 0)
        return int(self.builder.EndObject())

    def references(self, tables: list[int]) -> int:
        self.builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self.builder.PrependUOffsetTRelative(table)
        return int(self.builder.EndVector())

    def uints(self, values: list[int]) -> int:
        return int(self.builder.CreateNumpyVector(numpy.array(values, "<u4")))

    def structs(self, rows: Sequence[tuple[int, ...]], fields: int) -> int:
        """A vector of structs of 32-bit fields, which lie there like an array."""
        data = array("I", chain.from_iterable(rows)).tobytes()
        self.builder.StartVector(4 * fields, len(rows), 4)
        self.builder.head = self.builder.Head() - len(data)
        self.builder.Bytes[self.builder.Head() : self.builder.Head() + len(data)] = data
        return int(self.builder.EndVector())


# --------------------------------------------------------------------------------------------------------------------
# Reading


def _vector(table: Table, field: int) -> tuple[int, int]:
    """Position of the first element of a vector, and their number."""
    offset = table.Offset(slot(field))
    return (table.Vector(offset), table.VectorLen(offset)) if offset else (0, 0)


def _tables(table: Table, field: int) -> Iterator[Table]:
    """The tables of a vector."""
    start, count = _vector(table, field)
    return (Table(table.Bytes, table.Indirect(place)) for place in range(start, start + 4 * count, 4))


def _table_at(table: Table, field: int, row: int) -> Table:
    return Table(table.Bytes, table.Indirect(_vector(table, field)[0] + 4 * row))


def _uints(table: Table, field: int, struct_fields: int = 1) -> Any:
    """A vector of 32-bit numbers, or of structs of them: a numpy view with a row for each."""
    start, count = _vector(table, field)
    return encode.GetVectorAsNumpy("<u4", table.Bytes, count * struct_fields, start).reshape(-1, struct_fields)


def _uint(table: Table, field: int, row: int, struct_fields: int = 1) -> int:
    """The first number of an element."""
    return int(encode.Get(packer.uint32, table.Bytes, _vector(table, field)[0] + 4 * row * struct_fields))


def _text(table: Table, field: int) -> bytes:
    return bytes(table.String(table.Pos + table.Offset(slot(field))))


class FlatBuffers(InPlaceContestant[Table]):
    """Mapped, and read through the package's `Table`."""

    name = "flatbuffers"

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        path = directory / f"{artifact.stem}.flatbuffer"
        path.write_bytes(_Writer().module(facts))
        return path

    def open(self, path: Path) -> Table:
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return Table(mapping, encode.Get(packer.uoffset, mapping, 0))

    def code_offset(self, opened: Table, export: str) -> int:
        wanted = export.encode()
        first, count = 0, _vector(opened, EXPORTS)[1]
        while first < count:
            middle = (first + count) // 2
            row = _table_at(opened, EXPORTS, _uint(opened, EXPORT_ORDER, middle))
            found = _text(row, 0)
            if found == wanted:
                imported = _vector(opened, FUNCTION_TYPES)[1] - _vector(opened, CODE)[1]
                func_index = row.GetSlot(slot(2), 0, Uint32Flags)
                return _uint(opened, CODE, func_index - imported, CODE_FIELDS)
            if found < wanted:
                first = middle + 1
            else:
                count = middle
        raise KeyError(export)

    def numbers(self, opened: Table) -> Iterator[Sequence[int]]:
        def slots(field: int, number: int, flags: Any) -> list[int]:
            offset = slot(number)
            return [table.GetSlot(offset, 0, flags) for table in _tables(opened, field)]

        yield [int(code) for table in _tables(opened, TYPES) for field in (0, 1) for code in _uints(table, field)[:, 0]]
        yield slots(IMPORTS, 2, Uint8Flags)
        yield slots(IMPORTS, 3, Uint32Flags)
        yield slots(EXPORTS, 1, Uint8Flags)
        yield slots(EXPORTS, 2, Uint32Flags)
        yield _uints(opened, FUNCTION_TYPES)[:, 0]
        yield from _uints(opened, CODE, CODE_FIELDS).T
        yield slots(NAMES, 0, Uint32Flags)
        yield from _uints(opened, TRAP_SITES, TRAP_SITE_FIELDS).T

    def texts(self, opened: Table) -> Iterator[bytes]:
        for field, text_field in ((IMPORTS, 0), (IMPORTS, 1), (EXPORTS, 0), (NAMES, 1)):
            yield b"".join(_text(table, text_field) for table in _tables(opened, field))
