"""Line tables of modules: against pyelftools on what clang wrote, and without harm on what nobody should write."""

from __future__ import annotations

import inspect
import io
from pathlib import Path

import pytest
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.dwarf.structs import DWARFStructs
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.linetable import END, LineTableError, Row, read_leb, read_units
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.sourcelines import SourceLines, read_source_lines

DATA = Path(__file__).resolve().parents[2] / "data"
VERSIONS = [4, 5]
#: A header of version 4 without directories and with one file, up to the program; see ``unit``.
PARAMETERS = bytes([1, 1, 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])
NAMES = b"\0" + b"a.c\0\0\0\0" + b"\0"


def clang_module(version: int) -> Module:
    return decode_module((DATA / f"source_lines.dwarf{version}.wasm").read_bytes())


def debug_sections(module: Module) -> dict[str, bytes]:
    return {entry.name: module.data[entry.start : entry.end] for entry in module.custom_sections}


def elftools_rows(sections: dict[str, bytes], version: int) -> list[Row]:
    """What pyelftools reads from the only line program of a module."""
    wanted = list(inspect.signature(DWARFInfo.__init__).parameters)[2:]  # every section of DWARF, as name_sec
    found = {f"{name.removeprefix('.')}_sec": data for name, data in sections.items()}
    dwarf = DWARFInfo(
        DwarfConfig(little_endian=True, machine_arch="", default_address_size=4),
        **{
            name: DebugSectionDescriptor(io.BytesIO(found[name]), name, 0, len(found[name]), 0)
            if name in found
            else None
            for name in wanted
        },
    )
    structs = DWARFStructs(little_endian=True, dwarf_format=32, address_size=4, dwarf_version=version)
    program = dwarf._parse_line_program_at_offset(0, structs)
    states = [entry.state for entry in program.get_entries() if entry.state]
    return [
        (state.address, state.file, END, 0)
        if state.end_sequence
        else (state.address, state.file, state.line, state.column)
        for state in states
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_agree_with_pyelftools(version: int) -> None:
    sections = debug_sections(clang_module(version))
    (unit,) = read_units(sections[".debug_line"], sections.get(".debug_line_str", b""))
    assert unit.version == version
    expected = elftools_rows(sections, version)
    assert len(expected) > 30
    assert [row for rows in unit.rows() for row in rows] == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_dropped_functions_leave_no_line(version: int) -> None:
    """The table still has the function that the linker dropped, at an address that wraps around."""
    module = clang_module(version)
    source = (DATA / "source_lines.c").read_text().splitlines()
    (dropped,) = (number for number, line in enumerate(source, 1) if "int never_called" in line)
    sections = debug_sections(module)
    assert any(row[0] >= 0xFFFFFFFF for row in elftools_rows(sections, version))
    found = read_source_lines(module)
    assert not {dropped, dropped + 1, dropped + 2} & set(found.lines)
    assert found.file_names == ["source_lines.c", "include/fraction.h"]
    codes = [(code.start, code.end) for code in module.codes]
    assert all(any(start <= offset <= end for start, end in codes) for offset in found.wasm_offsets)
    check(found)


def check(found: SourceLines) -> None:
    """What the columns promise of any rows."""
    assert len(found.wasm_offsets) == len(found.lines) == len(found.files)
    assert all(a < b for a, b in zip(found.wasm_offsets, found.wasm_offsets[1:], strict=False))
    assert all(number <= len(found.file_names) for number in found.files)
    assert all(name.encode() for name in found.file_names)


# Tables made by hand: a module with two functions, of 4 bytes each, at addresses 2 and 7 ----------------------------


def leb(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def section(number: int, contents: bytes) -> bytes:
    return bytes([number]) + leb(len(contents)) + contents


def module_with(**debug: bytes) -> Module:
    """Two functions, with debug sections by name."""
    body = bytes([4, 0, 1, 1, 0x0B])  # no locals, nop, nop, end
    return decode_module(
        b"\0asm\1\0\0\0"
        + section(1, b"\1\x60\0\0")
        + section(3, b"\2\0\0")
        + section(10, b"\2" + body + body)
        + b"".join(section(0, leb(len(name) + 1) + b"." + name.encode() + data) for name, data in debug.items())
    )


def unit(program: bytes, version: int = 4) -> bytes:
    header = PARAMETERS + NAMES
    contents = version.to_bytes(2, "little") + len(header).to_bytes(4, "little") + header + program
    return len(contents).to_bytes(4, "little") + contents


def address(value: int) -> bytes:
    return b"\0\5\2" + value.to_bytes(4, "little")


#: Opcodes: advance the line by one, advance the address by one, append a row, end the sequence.
LINE, STEP, COPY, STOP = b"\3\1", b"\2\1", b"\1", b"\0\1\1"
FIRST, SECOND = 2, 7  # addresses of the functions
SOUND = address(FIRST) + COPY + STEP * 2 + LINE + COPY + STEP * 2 + STOP


def rows_of(table: bytes, **more: bytes) -> list[tuple[int, int, int]]:
    """Address, line and file of the rows of a module with this table."""
    module = module_with(debug_line=table, **more)
    assert module.code_section_start is not None
    found = read_source_lines(module)
    check(found)
    offsets = [offset - module.code_section_start for offset in found.wasm_offsets]
    return list(zip(offsets, found.lines, found.files, strict=True))


ROWS = [(2, 1, 1), (4, 2, 1), (6, 0, 0)]


def test_a_table_made_by_hand() -> None:
    assert rows_of(unit(SOUND)) == ROWS


def test_sequences_are_put_in_order() -> None:
    second = address(SECOND) + LINE * 6 + COPY + STEP * 4 + STOP
    assert rows_of(unit(second + SOUND)) == [*ROWS, (7, 7, 1), (11, 0, 0)]
    assert rows_of(unit(second) + unit(SOUND)) == [*ROWS, (7, 7, 1), (11, 0, 0)]
    adjacent = address(FIRST) + COPY + STEP * 5 + STOP + second
    assert rows_of(unit(adjacent)) == [(2, 1, 1), (7, 7, 1), (11, 0, 0)]


@pytest.mark.parametrize(
    ("program", "rows"),
    [
        (address(0) + COPY + STEP * 9 + STOP, []),  # where older linkers put dropped functions
        (address(0xFFFFFFFF) + COPY + STEP * 4 + STOP, []),
        (address(6) + COPY + STEP + STOP, []),  # between the functions: the size of the second
        (address(FIRST) + COPY + STEP, []),  # without an end
        (address(FIRST) + COPY + STOP, []),  # covers no instruction
        (address(4) + COPY + address(FIRST) + COPY + STEP * 4 + STOP, []),  # goes back
        (address(FIRST) + COPY + LINE + COPY + STEP + COPY + STEP + STOP, [(2, 2, 1), (4, 0, 0)]),  # the last counts
        (address(FIRST) + b"\3\x7f" + COPY + STEP + STOP, [(2, 0, 0), (3, 0, 0)]),  # line 0
        (address(FIRST) + b"\4\x7f" + COPY + STEP + STOP, [(2, 1, 0), (3, 0, 0)]),  # a file that the header lacks
        (SOUND + address(3) + LINE * 8 + COPY + STEP * 8 + STOP, ROWS),  # overlaps what came first
        (SOUND + address(SECOND) + b"\0\0", []),  # an extended opcode without a length
        (SOUND + address(SECOND) + b"\2" + b"\x80" * 50, []),  # an integer that does not end
    ],
)  # fmt: skip
def test_programs_that_mean_little(program: bytes, rows: list[tuple[int, int, int]]) -> None:
    assert rows_of(unit(program)) == rows
    # What comes behind such a program is found.
    behind = rows_of(unit(program) + unit(address(SECOND) + LINE * 6 + COPY + STEP * 4 + STOP))
    assert behind[-2:] == [(7, 7, 1), (11, 0, 0)]


def test_broken_headers_end_the_table() -> None:
    sound = unit(SOUND)
    for broken in (
        unit(SOUND, version=1),
        unit(SOUND, version=6),
        (1 << 20).to_bytes(4, "little") + bytes(100),  # longer than the section
        b"\xff\xff\xff\xff" + bytes(4),
        sound.replace(PARAMETERS, PARAMETERS[:4] + b"\0" + PARAMETERS[5:]),  # a line range of 0
        sound[:20],
        b"\1",
    ):
        with pytest.raises(LineTableError):
            list(read_units(broken))
        assert rows_of(sound + broken) == ROWS
    for count in range(len(sound)):
        assert rows_of(sound[:count]) == []


def test_an_address_is_no_number_of_any_size() -> None:
    """One of a million bytes that each row repeats would take their product."""
    for size_bytes in (4, 8, 9, 1 << 20):
        start = b"\0" + leb(1 + size_bytes) + b"\2" + FIRST.to_bytes(size_bytes, "little")
        table = unit(start + SOUND.removeprefix(address(FIRST)))
        assert rows_of(table) == (ROWS if size_bytes <= 8 else [])


def test_dwarf_of_64_bits() -> None:
    header = PARAMETERS + NAMES
    contents = b"\4\0" + len(header).to_bytes(8, "little") + header + SOUND
    assert rows_of(b"\xff\xff\xff\xff" + len(contents).to_bytes(8, "little") + contents) == ROWS


def test_tables_of_names_that_lie() -> None:
    """Version 5 lets a header describe its own columns."""

    def table(directories: bytes, files: bytes) -> bytes:
        header = PARAMETERS + directories + files
        contents = b"\5\0\4\0" + len(header).to_bytes(4, "little") + header + SOUND
        return len(contents).to_bytes(4, "little") + contents

    def names(*texts: bytes) -> bytes:
        return b"\1\1\x08" + leb(len(texts)) + b"".join(text + b"\0" for text in texts)

    files = b"\2\1\x08\2\x0b\2x.c\0\0y.c\0"
    assert rows_of(table(names(b"/here", b"there"), files + b"\1")) == ROWS
    (line_unit,) = read_units(table(names(b"/here", b"there"), files + b"\1"))
    assert [line_unit.path(index) for index in (-1, 0, 1, 2)] == [None, "x.c", "there/y.c", None]
    # No columns but a great many entries; a form that nobody knows; more entries than bytes.
    for bad in (b"\0" + b"\xff" * 4 + b"\x7f", b"\1\1\x33\1", b"\1\1\x0b" + b"\xff" * 8 + b"\x7f"):
        with pytest.raises(LineTableError):
            list(read_units(table(bad, bad)))
    # A name behind the end of the section of strings, and one that is longer than any name.
    pooled = table(b"\1\1\x1f\1" + bytes(4), b"\2\1\x1f\2\x0b\2" + (1 << 20).to_bytes(4, "little") + b"\0" + bytes(5))
    assert [row[1] for row in rows_of(pooled)] == [1, 2, 0]
    assert rows_of(pooled, debug_line_str=b"x" * 100_000) == [(address, line, 0) for address, line, _ in ROWS]


def test_integers() -> None:
    assert read_leb(b"\xe5\x8e\x26", 0) == (624485, 3)  # the examples of the DWARF standard, figures 22 and 23
    assert [read_leb(bytes([a, b]), 0, signed=True)[0] for a, b in ((0xFF, 0), (0x81, 0x7F), (0x80, 0x7F))] == [
        127,
        -127,
        -128,
    ]
    with pytest.raises(IndexError):
        read_leb(b"\x80", 0)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(VERSIONS), st.data())
def test_no_bytes_do_harm(version: int, data: st.DataObject) -> None:
    module = clang_module(version)
    sections = debug_sections(module)
    table = bytearray(sections[".debug_line"])
    for _ in range(data.draw(st.integers(1, 6))):
        table[data.draw(st.integers(0, len(table) - 1))] = data.draw(st.integers(0, 255))
    strings = sections.get(".debug_line_str", b"")
    check(read_source_lines(module_with(debug_line=bytes(table), debug_line_str=strings)))
    # With the module's own code too, so that rows get as far as possible.
    replaced = module.data.replace(sections[".debug_line"], bytes(table))
    check(read_source_lines(decode_module(replaced)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_program_does_harm(program: bytes) -> None:
    rows_of(unit(address(FIRST) + program + STOP))
