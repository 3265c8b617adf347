"""Source lines of a module's instructions, from the DWARF line table that compilers put into custom sections.

DWARF in a module counts addresses from the start of the code section's contents. The sections are no part of what
validation looks at: what does not decode is left out, and never fails a pack.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wasmartifact.dataclass import dataclass, field
from wasmartifact.wasm.model import Module

if TYPE_CHECKING:
    from wasmartifact.wasm.linetable import LineUnit

#: How names of the custom sections begin that hold DWARF.
DEBUG_PREFIX: Final = ".debug_"
_U32_MAX: Final = 0xFFFFFFFF
#: More bytes of file names than this are not kept, whatever a module claims.
_NAMES_MAX_BYTES: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class SourceLines:
    """Rows, strictly ascending by wasm offset: from there to the next row, instructions come from this line.

    Attributes
    ----------
    wasm_offsets, lines, files : array of u32
        The columns source_wasm_offset, source_line (0: unknown), source_file (index in ``file_names`` + 1; 0: unknown).
    file_names : list[str]
        Paths as the compiler wrote them: absolute, or relative to the directory where it ran.
    """

    wasm_offsets: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    files: array[int] = field(default_factory=lambda: array("I"))
    file_names: list[str] = field(default_factory=list)

    def of(self, wasm_offsets: Iterable[int]) -> SourceLines:
        """The rows that instructions at these offsets have; rows of one place behind each other become one."""
        if not self.wasm_offsets:
            return self
        kept = SourceLines(file_names=self.file_names)
        previous = None
        for row in sorted({bisect_right(self.wasm_offsets, offset) - 1 for offset in set(wasm_offsets)}):
            place = self.lines[row], self.files[row]
            if row >= 0 and place != previous:
                kept.wasm_offsets.append(self.wasm_offsets[row])
                kept.lines.append(place[0])
                kept.files.append(place[1])
                previous = place
        return kept


def read_source_lines(module: Module) -> SourceLines:
    """Decode the line table of a module; no rows where it has none."""
    sections = {section.name: section for section in module.custom_sections if section.name.startswith(DEBUG_PREFIX)}
    if ".debug_line" not in sections or module.code_section_start is None:
        return SourceLines()
    from wasmartifact.wasm.linetable import LineTableError, read_units  # few modules need it, and what it imports

    line, line_strings, strings = (
        module.data[section.start : section.end] if (section := sections.get(name)) else b""
        for name in (".debug_line", ".debug_line_str", ".debug_str")
    )
    collector = _Collector(module, module.code_section_start)
    with suppress(LineTableError):
        for unit in read_units(line, line_strings, strings):
            with suppress(LineTableError):
                collector.add_unit(unit)
    return collector.join()


@dataclass(slots=True)
class _Sequence:
    """Rows of consecutive instructions, and the offset behind the last one."""

    offsets: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    files: array[int] = field(default_factory=lambda: array("I"))
    end: int = 0

    def add(self, offset: int, line: int, file: int) -> None:
        """Append a row. The last of several rows for one offset counts; one that repeats the row before is left out."""
        if self.offsets and offset == self.offsets[-1]:
            self.lines[-1], self.files[-1] = line, file
        elif not self.offsets or (line, file) != (self.lines[-1], self.files[-1]):
            self.offsets.append(offset)
            self.lines.append(line)
            self.files.append(file)

    def close(self, end: int) -> bool:
        """Note the end; False where no instruction lies before it."""
        self.end = end
        if self.offsets and self.offsets[-1] == end:
            for column in (self.offsets, self.lines, self.files):
                column.pop()
        return bool(self.offsets)


class _Collector:
    """Takes the rows of all units and puts them in order."""

    def __init__(self, module: Module, base: int) -> None:
        self.base = base
        self.starts = [code.start for code in module.codes]
        self.ends = [code.end for code in module.codes]
        self.sequences: list[_Sequence] = []
        self.file_numbers: dict[str, int] = {}
        self.names_size_bytes = 0

    def add_unit(self, unit: LineUnit) -> None:
        """Take the sequences of one unit that end and whose offsets ascend; none where its program does not decode.

        Linkers leave the sequences of functions that they dropped in the table, with addresses where no function
        starts.
        """
        from wasmartifact.wasm.linetable import END

        numbers: dict[int, int] = {}
        sequences: list[_Sequence] = []
        current: _Sequence | None = None
        is_open = False
        for rows in unit.rows():
            for address, file, line, _ in rows:
                offset = self.base + address
                if not is_open:
                    is_open = True
                    current = _Sequence() if self.is_code(offset) else None
                if current is not None and (offset > _U32_MAX or (current.offsets and offset < current.offsets[-1])):
                    current = None
                if line == END:
                    is_open = False
                    if current is not None and current.close(offset):
                        sequences.append(current)
                elif current is not None:
                    if file not in numbers:
                        numbers[file] = self.file_number(unit.path(file))
                    is_known = 0 < line <= _U32_MAX
                    current.add(offset, line if is_known else 0, numbers[file] if is_known else 0)
        self.sequences += sequences

    def is_code(self, offset: int) -> bool:
        """Whether an offset lies in a function."""
        position = bisect_right(self.starts, offset) - 1
        return position >= 0 and offset < self.ends[position]

    def file_number(self, path: str | None) -> int:
        """Index of a path in ``file_names`` + 1; 0 where there is none."""
        if not path:
            return 0
        number = self.file_numbers.get(path)
        if number is None:
            self.names_size_bytes += len(path.encode())
            if self.names_size_bytes > _NAMES_MAX_BYTES:
                return 0
            number = self.file_numbers[path] = len(self.file_numbers) + 1
        return number

    def join(self) -> SourceLines:
        """All sequences in order; of two that overlap, the one that starts first."""
        result = SourceLines(file_names=list(self.file_numbers))
        end: int | None = None
        for sequence in sorted(self.sequences, key=lambda sequence: sequence.offsets[0]):
            start = sequence.offsets[0]
            if end is not None and start < end:
                continue
            if end is not None and start > end:
                _append_end(result, end)
            result.wasm_offsets.extend(sequence.offsets)
            result.lines.extend(sequence.lines)
            result.files.extend(sequence.files)
            end = sequence.end
        if end is not None:
            _append_end(result, end)
        return result


def _append_end(result: SourceLines, end: int) -> None:
    """From here on nothing is known, up to the next row."""
    result.wasm_offsets.append(end)
    result.lines.append(0)
    result.files.append(0)
