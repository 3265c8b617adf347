"""Makes artifacts whose metadata lies while the code is honest: rows, counts, directory, header, columns of others.

All that the dynamic loader maps stays as packed. What changes is sealed again, so that every digest of the file that
its author can compute is right. A lie is a list of steps; a step is words and what they write where, so that steps can
be left out to find those that matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wasmartifact import schema
from wasmartifact.constants import DIRECTORY_ENTRY_BYTES, HEADER_RANGES
from wasmartifact.elf.read import find_section, read_segments
from wasmartifact.elf.structs import ELF_HEADER, SECTION_HEADER
from wasmartifact.metadata import digests, header
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.header import Entry

#: Most steps of one lie.
MAX_STEPS: Final = 6
_HEADER_FIELDS: Final = schema.METADATA_HEADER.fields
_ENTRY_FIELDS: Final = {"column_id": (0, 4), "element_size_bytes": (4, 4), "offset": (8, 8), "count": (16, 8)}
#: Sealing computes these.
_SEALED: Final = frozenset({"load_checksum", "section_digest", "file_digest", "file_size_bytes"})
#: What a section of another artifact needs to pass for this one's.
_IDENTITY: Final = ("section_size_bytes", "file_size_bytes", "head_size_bytes", "build_id")
_VALTYPES: Final = (
    0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x80007063, 0x80006F63, 0x80006963, 0x80007064, 0x80006E63,
    0x63, 0x64, 0x163, 0x164, 0x6463, 0x7FFFFF63, 0, 0x78,
)  # fmt: skip

Patch = tuple[int, bytes]


@dataclass(frozen=True)
class Step:
    """One change in words, and its bytes by offset in the file."""

    words: str
    patches: tuple[Patch, ...]

    @property
    def kind(self) -> str:
        """The words without numbers: like steps have the same."""
        return " ".join(word for word in self.words.split() if not word.lstrip("-").isdigit())


class Artifact:
    """A sound artifact and where its parts lie.

    Parameters
    ----------
    name : str
        Of its module.
    data : bytes
        The file.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        start, size_bytes = find_section(data)
        self.section = slice(start, start + size_bytes)
        columns = Columns(data[self.section])
        self.numbers = columns.header.numbers
        self.entries: dict[str, Entry] = {
            column.name: columns.entry(column.id) for column in schema.ALL_COLUMNS if column.id in columns.directory
        }
        self.loaded_end = max(segment.offset + segment.size_bytes for segment in read_segments(memoryview(data)))

    def apply(self, steps: Sequence[Step]) -> bytes:
        """The file after these steps, sealed."""
        file = bytearray(self.data)
        for step in steps:
            for offset, data in step.patches:
                assert self.loaded_end <= offset and offset + len(data) <= len(file), step.words
                file[offset : offset + len(data)] = data
        section = memoryview(file)[self.section]
        header.patch_header(section, file_size_bytes=len(file))
        head = bytes(file[: self.numbers["head_size_bytes"]])
        digests.seal(head, section, [bytes(file[: self.section.start]), section, bytes(file[self.section.stop :])])
        section.release()
        # Bytes of the ELF header that strip rewrites are read, so they are no part of what is loaded.
        assert file[: self.loaded_end] == self.data[: self.loaded_end]
        return bytes(file)

    def value(self, name: str, row: int) -> bytes:
        """One value of a column."""
        entry = self.entries[name]
        start = self.section.start + entry.offset + row * entry.element_size_bytes
        return self.data[start : start + entry.element_size_bytes]

    def place(self, name: str, row: int, at: int = 0) -> int:
        """Offset in the file of a value, or of a byte within it."""
        entry = self.entries[name]
        return self.section.start + entry.offset + row * entry.element_size_bytes + at

    def directory_place(self, name: str, field: str) -> int:
        """Offset in the file of a field of a directory entry."""
        first = self.section.start + self.numbers["directory_offset"]
        return first + self.entries[name].number * DIRECTORY_ENTRY_BYTES + _ENTRY_FIELDS[field][0]

    def filled(self) -> list[str]:
        """Columns that have values."""
        return [name for name, entry in self.entries.items() if entry.count]


class Forger:
    """Invents lies about one artifact; ``others`` lend their columns."""

    def __init__(self, artifact: Artifact, others: Sequence[Artifact], rng: random.Random) -> None:
        self.artifact = artifact
        self.others = others
        self.rng = rng
        self._kinds: tuple[tuple[int, Callable[[], Step]], ...] = (
            (40, self.change_row),
            (8, self.swap_rows),
            (6, self.shift_rows),
            (10, self.count_column),
            (10, self.count_group),
            (10, self.change_entry),
            (3, self.swap_entries),
            (18, self.change_header),
            (5, self.borrow_column),
            (1, self.borrow_section),
            (2, self.change_section_table),
        )

    def lie(self) -> list[Step]:
        """One to MAX_STEPS steps; often of one group, as what belongs together must lie together to be believed."""
        count = self.rng.choice((1, 1, 1, 2, 2, 3, 4, MAX_STEPS))
        if self.rng.random() < 0.3:
            group = self.rng.choice(sorted({schema.COLUMN_BY_NAME[name].group for name in self.artifact.filled()}))
            names = [name for name in self.artifact.filled() if schema.COLUMN_BY_NAME[name].group == group]
            return [self.change_row(self.rng.choice(names)) for _ in range(max(2, count))]
        weights = [weight for weight, _ in self._kinds]
        return [self.rng.choices(self._kinds, weights)[0][1]() for _ in range(count)]

    # ---- rows

    def change_row(self, name: str = "") -> Step:
        """Another value in one row, or in one field of it."""
        name = name or self.rng.choice(self.artifact.filled())
        column, entry = schema.COLUMN_BY_NAME[name], self.artifact.entries[name]
        row = self._row(entry.count)
        unit, at, size = self._part(column)
        old = self.artifact.value(name, row)[at : at + size]
        new = self._other_value(column, unit, old)
        words = f"row {name} {row} at {at} {int.from_bytes(old, 'little')} -> {int.from_bytes(new, 'little')}"
        return Step(words, ((self.artifact.place(name, row, at), new),))

    def swap_rows(self) -> Step:
        """Two rows change places, or one is copied over the other."""
        name = self.rng.choice(self.artifact.filled())
        one, other = (self._row(self.artifact.entries[name].count) for _ in range(2))
        patches = [(self.artifact.place(name, one), self.artifact.value(name, other))]
        if self.rng.random() < 0.7:
            patches.append((self.artifact.place(name, other), self.artifact.value(name, one)))
        return Step(f"{('copy', 'swap')[len(patches) - 1]} {name} {one} {other}", tuple(patches))

    def shift_rows(self) -> Step:
        """All values of a column: grown, moved by a row, reversed, or all the same."""
        name = self.rng.choice(self.artifact.filled())
        entry = self.artifact.entries[name]
        values = [self.artifact.value(name, row) for row in range(entry.count)]
        how = self.rng.choice(("add", "rotate", "reverse", "fill"))
        if how == "add":
            size, delta = entry.element_size_bytes, self.rng.choice((1, -1, 2, 64, 1 << 12))
            top = (1 << 8 * size) - 1
            values = [((int.from_bytes(value, "little") + delta) & top).to_bytes(size, "little") for value in values]
        elif how == "rotate":
            values = values[1:] + values[:1]
        elif how == "reverse":
            values.reverse()
        else:
            values = [self.rng.choice(values)] * entry.count
        return Step(f"{how} {name}", ((self.artifact.place(name, 0), b"".join(values)),))

    def _row(self, count: int) -> int:
        """First and last ones often."""
        return self.rng.choice((0, count - 1, *(self.rng.randrange(count) for _ in range(3))))

    def _part(self, column: schema.Column) -> tuple[str, int, int]:
        """What to change of a value: unit, offset in the value, size."""
        if column.type in schema.TYPE_SIZES:
            size = schema.TYPE_SIZES[column.type]
            return column.unit, 0, size
        offsets = schema.STRUCT_BY_NAME[column.type].offsets()
        field = self.rng.choice(list(offsets))
        return field, offsets[field], 4

    def _other_value(self, column: schema.Column, unit: str, old: bytes) -> bytes:
        size, was = len(old), int.from_bytes(old, "little")
        if size == 16:
            return self.rng.choice((bytes(16), old[::-1], self.rng.randbytes(16), self._any_value(column.name)[:16]))
        choices: list[int] = [*self._near(was)]
        choices += [int.from_bytes(self._any_value(column.name)[:size], "little")] * 3
        choices += [entry.count for entry in self.rng.choices(list(self.artifact.entries.values()), k=2)]
        choices += [self.rng.choice(self._interesting_numbers())]
        if unit == "valtype":
            choices += [self.rng.choice(_VALTYPES) for _ in range(12)]
        elif size == 1:
            choices += list(range(8))
        return (self.rng.choice(choices) & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def _any_value(self, name: str) -> bytes:
        return self.artifact.value(name, self.rng.randrange(self.artifact.entries[name].count))

    def _near(self, was: int) -> Iterator[int]:
        yield from (0, 1, 2, was + 1, was - 1, was * 2, was ^ 1, was ^ 4, was + 64, was + 4096, was - 4096)
        yield from (-1, 1 << 31, 1 << 32, (1 << 63) - 1, was ^ (1 << self.rng.randrange(64)), self.rng.getrandbits(32))

    def _interesting_numbers(self) -> list[int]:
        return [*self.artifact.numbers.values(), 200, 1000, 65536, 65537, 10_000_000, 1 << 20, (1 << 61) + 1]

    # ---- directory

    def count_column(self) -> Step:
        """Another number of values in one column."""
        name = self.rng.choice(list(self.artifact.entries))
        return self._counted([name], self._other_count(self.artifact.entries[name].count))

    def count_group(self) -> Step:
        """Another number of rows in a whole group, as one who lies well would do."""
        there = [column for column in schema.ALL_COLUMNS if column.name in self.artifact.entries]
        group = self.rng.choice(sorted({column.group for column in there}))
        rowed = [column for column in there if column.group == group and column.shape != "flat"]
        first = self.artifact.entries[rowed[0].name].count - (rowed[0].shape == "offsets")
        rows = self._other_count(first)
        steps = [self._counted([column.name], rows + (column.shape == "offsets")) for column in rowed]
        return Step(f"group {group} {first} -> {rows}", tuple(patch for step in steps for patch in step.patches))

    def _counted(self, names: Sequence[str], count: int) -> Step:
        value = (count & ((1 << 64) - 1)).to_bytes(8, "little")
        patches = tuple((self.artifact.directory_place(name, "count"), value) for name in names)
        return Step(f"count {' '.join(names)} -> {count}", patches)

    def _other_count(self, was: int) -> int:
        others = [entry.count for entry in self.rng.choices(list(self.artifact.entries.values()), k=3)]
        big = self.rng.choice((1 << 32, 1 << 60, (1 << 64) - 1, 1 << 20))
        less, more = max(was - 1, 0), was + 1
        return self.rng.choice((0, 0, 1, less, less, more, more, was // 2, was * 2, big, *others))

    def change_entry(self) -> Step:
        """Another offset, size or id of a column; or that of another column."""
        name, other = (self.rng.choice(list(self.artifact.entries)) for _ in range(2))
        entry, lender = self.artifact.entries[name], self.artifact.entries[other]
        field = self.rng.choice(("offset", "offset", "offset", "element_size_bytes", "column_id"))
        size = _ENTRY_FIELDS[field][1]
        if field == "offset":
            size_bytes = self.section_bytes
            choices = [lender.offset] * 4 + [entry.offset + 64, entry.offset - 64, entry.offset + 1, 0, 384]
            choices += [size_bytes, size_bytes - 64, size_bytes & ~63, self.rng.randrange(size_bytes) & ~63, 1 << 63]
        elif field == "column_id":
            choices = [lender.column_id, entry.column_id + 1, 0, 0xFFFFFFFF]
        else:
            choices = [0, 1, 2, 4, 8, 16, 3, 0xFFFFFFFF]
        value = self.rng.choice(choices) & ((1 << 8 * size) - 1)
        patch = (self.artifact.directory_place(name, field), value.to_bytes(size, "little"))
        return Step(f"entry {name} {field} {getattr(entry, field)} -> {value}", (patch,))

    def swap_entries(self) -> Step:
        """Two columns of one element size lie where the other one does."""
        name = self.rng.choice(list(self.artifact.entries))
        size = self.artifact.entries[name].element_size_bytes
        alike = [other for other, entry in self.artifact.entries.items() if entry.element_size_bytes == size]
        other = self.rng.choice(alike)
        patches = []
        for taker, giver in ((name, other), (other, name)):
            lent = self.artifact.entries[giver]
            for field, value in (("offset", lent.offset), ("count", lent.count)):
                patches.append((self.artifact.directory_place(taker, field), value.to_bytes(8, "little")))
        return Step(f"swap_entries {name} {other}", tuple(patches))

    @property
    def section_bytes(self) -> int:
        """Size of the section."""
        return self.artifact.section.stop - self.artifact.section.start

    # ---- header and beyond

    def change_header(self) -> Step:
        """Another value of a header field."""
        field = self.rng.choice([field for field in _HEADER_FIELDS if field.name not in _SEALED])
        start, end = HEADER_RANGES[field.name]
        place = self.artifact.section.start + start
        old = self.artifact.data[place : place + end - start]
        if field.name in self.artifact.numbers:
            number = self.artifact.numbers[field.name]
            choices = [*self._near(number), *(self.rng.choice(self._interesting_numbers()) for _ in range(4))]
            choices += [number + delta for delta in (8, -8, 16, -16, 256)]
            new = (self.rng.choice(choices) & ((1 << 8 * len(old)) - 1)).to_bytes(len(old), "little")
        else:
            new = self.rng.choice((bytes(len(old)), self.rng.randbytes(len(old))))
        words = f"header {field.name} {int.from_bytes(old, 'little')} -> {int.from_bytes(new, 'little')}"
        return Step(words, ((place, new),))

    def borrow_column(self) -> Step:
        """The values of a column are those of another artifact, as many as there is room for."""
        other = self.rng.choice(self.others)
        names = [name for name in self.artifact.filled() if other.entries.get(name) and other.entries[name].count]
        name = self.rng.choice(names)
        mine, theirs = self.artifact.entries[name], other.entries[name]
        count = min(mine.count, theirs.count)
        start = other.place(name, 0)
        values = other.data[start : start + count * theirs.element_size_bytes]
        return Step(f"borrow {name} of {other.name} {count}", ((self.artifact.place(name, 0), values),))

    def borrow_section(self) -> Step:
        """The whole metadata of another artifact, with this one's identity, and perhaps its addresses."""
        fitting = [
            other for other in self.others if other.section.stop - other.section.start <= self.section_bytes
        ] or [self.artifact]
        other = self.rng.choice(fitting)
        section = bytearray(other.data[other.section].ljust(self.section_bytes, b"\0"))
        keep = [*_IDENTITY]
        if self.rng.random() < 0.8:
            keep += [name for name in self.artifact.numbers if name.endswith("_vaddr") or name.startswith("text_")]
        for name in keep:
            start, end = HEADER_RANGES[name]
            section[start:end] = self.artifact.data[self.artifact.section][start:end]
        return Step(f"section of {other.name}", ((self.artifact.section.start, bytes(section)),))

    def change_section_table(self) -> Step:
        """A field of the ELF section headers or names, which no digest of load covers."""
        table = ELF_HEADER.unpack_from(self.artifact.data)[6]
        place = self.rng.randrange(table, len(self.artifact.data) - 7) & ~7
        field = (place - table) % SECTION_HEADER.size
        old = int.from_bytes(self.artifact.data[place : place + 8], "little")
        new = self.rng.choice([*self._near(old)]) & ((1 << 64) - 1)
        words = f"section_header {(place - table) // SECTION_HEADER.size} at {field} {old} -> {new}"
        return Step(words, ((place, new.to_bytes(8, "little")),))
