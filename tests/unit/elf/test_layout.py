"""Layout and relocation: equal to what lld makes of the same objects at the same addresses; refusals by name."""

from __future__ import annotations

import io
import pickle
from array import array
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.support.tools import find_tool
from tests.unit.elf import objects as elf_objects
from wasmartifact.elf import relocation
from wasmartifact.elf.layout import Layout, layout
from wasmartifact.elf.object import CodeObject, Relocations, Section, read_object
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import TIED_ARRAYS_OFFSET

#: What lld fills gaps between objects with; the anchor is written later.
LLD_SCRIPT = """
SECTIONS {{
  .rodata {rodata:#x} : {{
    . += {contract}; wa_type_digests = .; {digests}
    *(.rodata.cst32) *(.rodata.cst16) *(.rodata.cst8) *(.rodata.cst4) *(.rodata)
  }}
  .text {text:#x} : SUBALIGN(16) {{ *(.text) }} = {fill}
  /DISCARD/ : {{ *(.eh_frame) *(.comment) }}
}}
"""
FILLS = {"x86_64": "0xcccccccc", "aarch64": "0x000020d4"}
#: Relocations that LLVM emits only for hand-written code, each to the other object.
AARCH64_ASSEMBLY = """
    .text
    .globl first
first:
    b.ne second
    tbz x3, #7, second
    cbz x1, second
    adrp x0, constant
    ldrsh w2, [x0, :lo12:constant]
    str q3, [x0, :lo12:constant]
    bl second
    .section .rodata,"a"
    .balign 16
    .globl constant
constant:
    .word second - .
    .word first - . + 8
    .xword second - .
"""
AARCH64_SECOND = "    .text\n    .globl second\nsecond:\n    ret\n    b first\n"
SMALL = "define hidden i32 @{name}(i32 %a) {{\n  %r = add i32 %a, {value}\n  ret i32 %r\n}}"


def lay_out(inputs: list[bytes], machine: str = "x86_64") -> Layout:
    return elf_objects.lay_out([read_object(data) for data in inputs], machine)


def link_with_lld(folder: Path, inputs: list[bytes], placed: Layout) -> tuple[bytes, bytes]:
    """.rodata and .text of the same objects as lld links them to the same addresses."""
    digests = " ".join(f"BYTE({byte})" for byte in elf_objects.TYPE_DIGESTS)
    (folder / "script").write_text(
        LLD_SCRIPT.format(
            rodata=placed.rodata_vaddr,
            text=placed.text_vaddr,
            contract=TIED_ARRAYS_OFFSET,
            digests=digests,
            fill=FILLS[placed.machine],
        )
    )
    for number, data in enumerate(inputs):
        (folder / f"{number}.o").write_bytes(data)
    elf_objects.run(
        find_tool("ld.lld"), "-O0", "--no-relax", "-e", "0", "-T", folder / "script", "-o", folder / "linked",
        *(folder / f"{number}.o" for number in range(len(inputs))),
    )  # fmt: skip
    elf: Any = ELFFile(io.BytesIO((folder / "linked").read_bytes()))
    return elf.get_section_by_name(".rodata").data(), elf.get_section_by_name(".text").data()


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_same_bytes_as_lld(tmp_path: Path, machine: str, opt_level: int) -> None:
    inputs = elf_objects.objects(machine, opt_level)
    placed = lay_out(inputs, machine)
    rodata, text = link_with_lld(tmp_path, inputs, placed)
    assert placed.text.hex() == text.hex()
    assert placed.rodata.hex() == rodata.hex()


def test_same_bytes_as_lld_for_hand_written_aarch64_code(tmp_path: Path) -> None:
    inputs = []
    for source in (AARCH64_ASSEMBLY, AARCH64_SECOND):
        (tmp_path / "source.s").write_text(source)
        elf_objects.run(
            find_tool("clang"), "--target=aarch64-linux-gnu", "-c", tmp_path / "source.s", "-o", tmp_path / "source.o"
        )
        inputs.append((tmp_path / "source.o").read_bytes())
    kinds = {group.kind for data in inputs for group in read_object(data).relocations}
    names = {relocation.KINDS["aarch64"][kind].name for kind in kinds}
    assert {"R_AARCH64_CONDBR19", "R_AARCH64_TSTBR14", "R_AARCH64_PREL32", "R_AARCH64_PREL64"} <= names
    placed = lay_out(inputs, "aarch64")
    rodata, text = link_with_lld(tmp_path, inputs, placed)
    assert placed.text.hex() == text.hex()
    assert placed.rodata.hex() == rodata.hex()


def test_the_lld_comparison_covers_the_kinds_that_llvm_emits() -> None:
    seen = {
        relocation.KINDS[machine][group.kind].name
        for machine in ("x86_64", "aarch64")
        for data in elf_objects.objects(machine)
        for group in read_object(data).relocations
    }
    assert seen >= {
        "R_X86_64_PC32", "R_X86_64_PLT32", "R_AARCH64_CALL26", "R_AARCH64_ADR_PREL_PG_HI21",
        "R_AARCH64_ADD_ABS_LO12_NC", "R_AARCH64_LDST8_ABS_LO12_NC", "R_AARCH64_LDST16_ABS_LO12_NC",
        "R_AARCH64_LDST32_ABS_LO12_NC", "R_AARCH64_LDST64_ABS_LO12_NC", "R_AARCH64_LDST128_ABS_LO12_NC",
    }  # fmt: skip


def test_objects_travel_between_processes() -> None:
    read = [read_object(data) for data in elf_objects.objects()]
    sent = pickle.loads(pickle.dumps(read))
    one, other = (layout(items, machine="x86_64", contract_size_bytes=TIED_ARRAYS_OFFSET) for items in (read, sent))
    assert (one.text, one.rodata, one.functions) == (other.text, other.rodata, other.functions)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_equal_constants_are_stored_once(machine: str) -> None:
    second = elf_objects.FIRST_IR.replace("declare hidden i32 @second_add(i32)", "")
    for name in ("scale", "narrow", "vector", "branches", "values", "digest"):
        second = second.replace(f"@{name}", f"@other_{name}")
    second = second.replace("@second_add", "@other_narrow2") + SMALL.format(name="other_narrow2", value=9)
    inputs = [*elf_objects.objects(machine), elf_objects.compile_ir(second, machine)]
    once, twice = lay_out(inputs[:2], machine), lay_out(inputs, machine)
    jump_tables = sum(len(section.data) for section in read_object(inputs[2]).sections if section.name == ".rodata")
    assert len(twice.rodata) - len(once.rodata) <= jump_tables + 16
    assert twice.rodata.count(elf_objects.TYPE_DIGESTS) == 1


def test_functions_ascend_and_gaps_trap() -> None:
    texts = [SMALL.format(name=f"f{index}", value=index) for index in range(40)]
    placed = lay_out([elf_objects.compile_ir(text) for text in texts])
    assert list(placed.functions) == [f"f{index}" for index in range(40)]
    end = 0
    for offset, size in placed.functions.values():
        assert offset % 16 == 0
        assert set(placed.text[end:offset]) <= {0xCC}
        end = offset + size
    assert end == placed.text_size


def test_missing_and_repeated_symbols_are_named() -> None:
    first, second = elf_objects.objects()
    with pytest.raises(ToolchainError, match=r"1 symbols are used .*: second_add;"):
        lay_out([first])
    with pytest.raises(ToolchainError, match=r"3 symbols .* more than once: second_add, second_scale, second_vector"):
        lay_out([first, second, second])
    with pytest.raises(ToolchainError, match=r"more than once: wasmartifact_anchor"):
        lay_out([elf_objects.compile_ir(SMALL.format(name="wasmartifact_anchor", value=1))])
    with pytest.raises(ToolchainError, match=r"aarch64, expected x86_64"):
        lay_out(elf_objects.objects("aarch64"), "x86_64")


def far_object(machine: str, kind: int, gap_bytes: int) -> CodeObject:
    """An object with one relocation at the start of its text to a symbol ``gap_bytes`` further on."""
    group = Relocations(0, kind, array("I", [0]), array("I", [0]), array("q", [0]))
    sections = [Section(".text", bytes(64), 16)]
    return CodeObject(
        machine, sections, [("start", 0, 64)], [("target", 0, gap_bytes)], ["target"], array("i", [-1]),
        array("Q", [0]), [group],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "name", "reach_bytes", "words"),
    [
        ("x86_64", "R_X86_64_PC32", 1 << 31, r"R_X86_64_PC32 at 0x0 .*target is further .*2 GiB"),
        ("aarch64", "R_AARCH64_CALL26", 128 << 20, r"R_AARCH64_CALL26 .*reaches 128 MiB"),
        ("aarch64", "R_AARCH64_CONDBR19", 1 << 20, r"R_AARCH64_CONDBR19 .*reaches 1 MiB"),
        ("aarch64", "R_AARCH64_TSTBR14", 32 << 10, r"R_AARCH64_TSTBR14 .*reaches 0.03125 MiB"),
        ("aarch64", "R_AARCH64_ADR_PREL_PG_HI21", 1 << 32, r"R_AARCH64_ADR_PREL_PG_HI21 .*4 GiB"),
    ],
)
def test_reach_of_relocations(machine: str, name: str, reach_bytes: int, words: str) -> None:
    (kind,) = (number for number, entry in relocation.KINDS[machine].items() if entry.name == name)
    # The last distance that fits: one byte, one word or one page below the reach.
    step = {"R_X86_64_PC32": 1, "R_AARCH64_ADR_PREL_PG_HI21": 4096}.get(name, 4)
    layout([far_object(machine, kind, reach_bytes - step)], machine=machine, contract_size_bytes=TIED_ARRAYS_OFFSET)
    with pytest.raises(ToolchainError, match=words):
        layout([far_object(machine, kind, reach_bytes)], machine=machine, contract_size_bytes=TIED_ARRAYS_OFFSET)


def test_unaligned_targets_are_refused() -> None:
    for name, words in (("R_AARCH64_CALL26", "multiple of 4"), ("R_AARCH64_LDST64_ABS_LO12_NC", "multiple of 8")):
        (kind,) = (number for number, entry in relocation.KINDS["aarch64"].items() if entry.name == name)
        with pytest.raises(ToolchainError, match=words):
            layout([far_object("aarch64", kind, 66)], machine="aarch64", contract_size_bytes=TIED_ARRAYS_OFFSET)


def test_a_hundred_megabytes_take_seconds() -> None:
    """500 objects, 46,500 functions, a million relocations: bounded in CPU time, generously for a slow machine."""
    import random
    import time

    generator = random.Random(1)
    items = []
    for number in range(500):
        names = [f"f{generator.randrange(46_500)}" for _ in range(400)]
        group = Relocations(0, 4)
        group.offsets.extend(generator.sample(range(0, 204_000, 5), 2000))
        group.symbols.extend(generator.choices(range(400), k=2000))
        group.addends.extend([-4] * 2000)
        functions = [(f"f{number * 93 + index}", index * 2200, 2190) for index in range(93)]
        sections = [Section(".text", bytes(204_600), 16)]
        items.append(
            CodeObject("x86_64", sections, functions, [], names, array("i", [-1] * 400), array("Q", [0] * 400), [group])
        )
    start = time.process_time()
    placed = layout(items, machine="x86_64", contract_size_bytes=TIED_ARRAYS_OFFSET)
    assert time.process_time() - start < 10
    assert len(placed.functions) == 46_500
    for number in (0, 250, 499):
        group = items[number].relocations[0]
        for offset, symbol in zip(group.offsets[:50], group.symbols[:50], strict=True):
            at = placed.functions[f"f{number * 93}"][0] + offset
            distance = int.from_bytes(placed.text[at : at + 4], "little", signed=True)
            assert at + 4 + distance == placed.functions[items[number].symbol_names[symbol]][0]
