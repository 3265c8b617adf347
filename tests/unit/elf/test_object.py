"""Reading relocatable objects: what is kept, what is refused by name, what damage does."""

from __future__ import annotations

import ctypes
import io
import random
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import pytest
from elftools.elf.elffile import ELFFile

from tests.support.tools import find_tool
from tests.unit.elf import objects as elf_objects
from wasmartifact.elf.layout import layout
from wasmartifact.elf.object import TEXT, read_object, section_bytes
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import TIED_ARRAYS_OFFSET

#: Two functions whose instructions carry wasm offsets as line numbers.
DEBUG_IR = """
define i32 @f(i32 %a, i32 %b) !dbg !5 {
  %q = sdiv i32 %a, %b, !dbg !8
  %r = add i32 %q, %b, !dbg !9
  ret i32 %r, !dbg !9
}
define i32 @g(i32 %a) !dbg !6 {
  %q = udiv i32 77, %a, !dbg !10
  ret i32 %q, !dbg !10
}
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2, !3}
!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: LineTablesOnly)
!1 = !DIFile(filename: "w", directory: "")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !{i32 2, !"Dwarf Version", i32 4}
!4 = !DISubroutineType(types: !{})
!5 = distinct !DISubprogram(name: "f", file: !1, line: 1, type: !4, unit: !0, spFlags: DISPFlagDefinition)
!6 = distinct !DISubprogram(name: "g", file: !1, line: 1, type: !4, unit: !0, spFlags: DISPFlagDefinition)
!8 = !DILocation(line: 5000, scope: !5)
!9 = !DILocation(line: 5003, scope: !5)
!10 = !DILocation(line: 7000, scope: !6)
"""


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_functions_are_those_that_pyelftools_sees(machine: str, opt_level: int) -> None:
    for data in elf_objects.objects(machine, opt_level):
        elf: Any = ELFFile(io.BytesIO(data))
        expected = [
            (symbol.name, symbol["st_value"], symbol["st_size"])
            for symbol in elf.get_section_by_name(".symtab").iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_info"]["bind"] == "STB_GLOBAL"
        ]
        item = read_object(data)
        assert sorted(item.functions) == sorted(expected)
        assert len(item.sections[TEXT].data) == elf.get_section_by_name(".text")["sh_size"]
        constants = {section.name: (section.data, section.entry_size_bytes) for section in item.sections}
        for section in elf.iter_sections():
            if section.name.startswith(".rodata.cst"):
                assert constants[section.name] == (section.data(), section["sh_entsize"])


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_debug_lines_carry_text_offsets(machine: str) -> None:
    data = elf_objects.compile_ir(DEBUG_IR, machine)
    item = read_object(data)
    with_addresses = section_bytes(data, ".debug_line")
    assert with_addresses is not None
    # pyelftools relocates by itself where it is told to.
    elf: Any = ELFFile(io.BytesIO(data))
    assert with_addresses == elf.get_dwarf_info(relocate_dwarf_sections=True).debug_line_sec.stream.getvalue()
    assert {offset for _, offset, _ in item.functions} != {0}
    assert section_bytes(data, ".debug_nothing") is None


def test_text_sections_are_joined(tmp_path: Path) -> None:
    source = """
    __attribute__((visibility("hidden"))) int first(int a) { return a * 3 + 1; }
    __attribute__((visibility("hidden"))) int second(int a) { return first(a) ^ 0x55; }
    """
    data = elf_objects.compile_c(tmp_path, source, "-ffunction-sections", "-fno-inline")
    placed = elf_objects.link(tmp_path / "joined.so", [data])
    library = elf_objects.Library(tmp_path / "joined.so", placed)
    second = library.function("second", *[ctypes.c_int] * 2)
    assert [second(value) for value in (0, 7, -9)] == [1 ^ 0x55, 22 ^ 0x55, -26 ^ 0x55]


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("extern int far; int f(void) { return far; }", ("-fpic",), r"R_X86_64_(REX_)?GOTPCRELX? against 'far'"),
        ("extern int far; int *f(void) { return &far; }", ("-fno-pic",), r"R_X86_64_32 against 'far'"),
        ("extern int t[]; int f(long i) { return t[i]; }", ("-fno-pic",), r"R_X86_64_32S against 't'"),
        ("extern int t[]; int *f(void) { return t; }", ("-mcmodel=large", "-fno-pic"), r"R_X86_64_64 against 't'"),
        ("extern __thread int t; int f(void) { return t; }", ("-fpic",), r"R_X86_64_TLSGD against 't'"),
        ("int counter = 1; int f(void) { return 1; }", (), r"section \.data of the object"),
        ("int counter[5]; int f(void) { return 1; }", ("-fno-common",), r"section \.bss of the object"),
        ("int f(void); int (*const p)(void) = f;", ("-fpic",), r"section \.data\.rel\.ro\.?\w* of the object"),
        ("void g(void); __attribute__((constructor)) void f(void) { g(); }", (), r"section \.init_array of the object"),
        ("__attribute__((weak)) int f(void) { return 1; }", (), r"symbol 'f' of the object \(binding 2"),
        ("__attribute__((weak)) int g(void); int f(void) { return g(); }", ("-fno-pic",), r"refers to 'g'"),
        ("int shared; int f(void) { return 1; }", ("-fcommon",), r"symbol 'shared' of the object"),
        ("int f(void) { return 1; }", ("-fcf-protection=full",), r"section \.note\.gnu\.property of the object"),
    ],
)
def test_refused_by_name(tmp_path: Path, source: str, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(ToolchainError, match=words):
        read_object(elf_objects.compile_c(tmp_path, source, *options))


def test_a_relocation_outside_of_the_set_is_refused_on_aarch64() -> None:
    text = "@far = external global i32\ndefine i32 @f() { \n %v = load i32, ptr @far\n ret i32 %v\n}"
    with pytest.raises(ToolchainError, match=r"R_AARCH64_ADR_GOT_PAGE against 'far'"):
        read_object(elf_objects.compile_ir(text, "aarch64"))


def test_unwind_tables_are_kept(tmp_path: Path) -> None:
    text = "define hidden i32 @f(i32 %a) uwtable {\n  %r = add i32 %a, 3\n  ret i32 %r\n}"
    for machine in ("x86_64", "aarch64"):
        path = tmp_path / f"{machine}.so"
        placed = elf_objects.link(
            path, [elf_objects.compile_ir(text, machine), *elf_objects.objects(machine)], machine=machine
        )
        frames = elf_objects.run(find_tool("readelf"), "--debug-dump=frames", "-W", path)
        assert not frames.stderr
        offset, size = placed.functions["f"]
        start = placed.text_vaddr + offset
        assert f"pc={start:016x}..{start + size:016x}" in frames.stdout


def test_not_an_object() -> None:
    executable = Path(llvm.__file__).read_bytes()
    for data in (b"", b"\x7fELF", executable, b"\x7fELF" + bytes(100)):
        with pytest.raises(ToolchainError):
            read_object(data)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_damage_raises_nothing_else(machine: str) -> None:
    """Objects come from our own workers, but a defect there must end in a ToolchainError all the same."""
    generator = random.Random(7)
    sound = elf_objects.compile_ir(DEBUG_IR, machine)
    outcomes = {True: 0, False: 0}
    for _ in range(1500):
        data = bytearray(sound)
        for _ in range(generator.randrange(1, 4)):
            data[generator.randrange(len(data))] = generator.choice((0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)))
        try:
            section_bytes(bytes(data), ".debug_line")
            layout([read_object(bytes(data))], machine=machine, contract_size_bytes=TIED_ARRAYS_OFFSET)
            outcomes[True] += 1
        except ToolchainError:
            outcomes[False] += 1
    assert min(outcomes.values()) > 100


def test_llvm_is_the_version_that_the_relocations_were_taken_from() -> None:
    assert llvm.llvm_version_info[0] == 22
