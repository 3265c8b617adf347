"""The line program's decoder against pyelftools, on objects of both machines."""

from __future__ import annotations

import io

import pytest
from elftools.dwarf.structs import DWARFStructs
from elftools.elf.elffile import ELFFile

from tests.unit.codegen.harness import context_of, module_from_wat, whole_group
from wasmartifact.codegen.emit_group import emit_group
from wasmartifact.codegen.lineprogram import read_address_map
from wasmartifact.codegen.llvm import emit_object
from wasmartifact.elf.object import section_bytes
from wasmartifact.errors import ToolchainError


def wat(functions: int) -> str:
    """Functions with loads, loops and far jumps of the wasm offset."""
    body = """(func (param i32) (result i32) (local i32)
      (loop (local.set 1 (i32.add (local.get 1) (i32.load offset=8 (local.get 0))))
        (i32.store16 (local.get 1) (i32.div_u (i32.load8_s (local.get 1)) (local.get 0)))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4))) (i32.const 1000))))
      (call 0 (local.get 1)))"""
    return f"(module (memory 1) {body * functions})"


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
@pytest.mark.parametrize("opt_level", [0, 2])
def test_rows_agree_with_pyelftools(target: str, opt_level: int) -> None:
    module = module_from_wat(wat(40))
    context = context_of(module, opt_level, target=target)
    data = emit_object(context.options, emit_group(context, whole_group(module))[0])
    found = read_address_map(section_bytes(data, ".debug_line"))
    dwarf = ELFFile(io.BytesIO(data)).get_dwarf_info()
    structs = DWARFStructs(little_endian=True, dwarf_format=32, address_size=8, dwarf_version=4)
    # There are line directives only, hence no unit that would lead to the program.
    assert dwarf.debug_line_sec is not None
    dwarf.debug_line_sec.stream.seek(0)
    dwarf.debug_line_sec.stream.write(section_bytes(data, ".debug_line") or b"")  # with addresses in the joined text
    program = dwarf._parse_line_program_at_offset(0, structs)
    states = [entry.state for entry in program.get_entries() if entry.state and not entry.state.end_sequence]
    expected = {state.address: (state.line, state.column if state.line else 0) for state in states}
    assert len(expected) > 300
    rows = list(zip(found.text_offsets, found.wasm_offsets, found.traps, strict=True))
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    place = 0
    for address, line_and_column in sorted(expected.items()):
        if place + 1 < len(rows) and rows[place + 1][0] == address:
            place += 1
            assert rows[place][1:] != rows[place - 1][1:]
        if line_and_column == (0, 0):  # says nothing
            assert rows[place][0] != address
        else:
            assert rows[place][0] <= address and rows[place][1:] == line_and_column


def test_damaged_sections() -> None:
    with pytest.raises(ToolchainError, match="DWARF version 9"):
        read_address_map(b"\x10\0\0\0\x09\0" + bytes(14))
    with pytest.raises(ToolchainError, match="damaged line table"):
        read_address_map(b"\x10\0\0\0\x04\0")
    assert len(read_address_map(None).text_offsets) == 0
