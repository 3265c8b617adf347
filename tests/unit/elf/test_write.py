"""The finished file: tools accept it, the C library loads it, code runs as linked by gcc, strip leaves it whole."""

from __future__ import annotations

import ctypes
import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import lief
import pytest
from elftools.elf.elffile import ELFFile

from tests.support.tools import find_tool
from tests.unit.elf import objects as elf_objects
from wasmartifact.elf.assemble import SYMBOL_MAX_CHARS, assemble
from wasmartifact.elf.check import check_shared_object
from wasmartifact.elf.layout import Layout
from wasmartifact.elf.object import read_object
from wasmartifact.elf.read import find_section, is_stripped
from wasmartifact.schema import ANCHOR_MAGIC, HEAD_MASKED_RANGES, HEAD_MAX_BYTES, PAGE_BYTES, RUNTIME_ABI

VARIANTS = [(machine, segments) for machine in ("x86_64", "aarch64") for segments in (1, 2)]
SECTION = bytes(range(256)) * 40
#: Symbol, result and parameter types, arguments: what is called in ours and in gcc's.
CALLS: list[tuple[str, Any, list[Any], list[tuple[Any, ...]]]] = [
    ("branches", ctypes.c_int32, [ctypes.c_int32], [(value,) for value in range(-1, 8)]),
    ("values", ctypes.c_int32, [ctypes.c_int32], [(value,) for value in range(-1, 8)]),
    ("scale", ctypes.c_double, [ctypes.c_double], [(0.0,), (2.5,), (-1e300,)]),
    ("second_scale", ctypes.c_double, [ctypes.c_double], [(0.0,), (2.5,), (-1e300,)]),
    ("narrow", ctypes.c_float, [ctypes.c_float], [(1.5,), (-3e9,)]),
    ("digest8", ctypes.c_uint8, [], [()]),
    ("digest16", ctypes.c_uint16, [], [()]),
    ("digest32", ctypes.c_uint32, [], [()]),
    ("digest64", ctypes.c_uint64, [], [()]),
]
VECTOR_CALLS = ["vector", "second_vector"]


def make(path: Path, machine: str = "x86_64", segments: int = 1, opt_level: int = 2, **options: Any) -> Layout:
    inputs = elf_objects.objects(machine, opt_level)
    return elf_objects.link(path, inputs, machine=machine, segments=segments, section=SECTION, **options)


def link_with_gcc(folder: Path, opt_level: int) -> dict[str, int]:
    """Addresses of the same functions in a library that gcc linked from the same objects."""
    names = [name for name, *_ in CALLS] + VECTOR_CALLS
    digests = ",".join(map(str, elf_objects.TYPE_DIGESTS))
    declarations = "".join(f'extern char {name}[] __attribute__((visibility("hidden")));' for name in names)
    (folder / "table.c").write_text(
        f'{declarations} __attribute__((visibility("hidden"), aligned(16))) const unsigned char wa_type_digests[] = '
        f"{{{digests}}}; void *const table[] = {{{','.join(names)}}};"
    )
    for number, data in enumerate(elf_objects.objects(opt_level=opt_level)):
        (folder / f"{number}.o").write_bytes(data)
    library = folder / "gcc.so"
    elf_objects.run(
        find_tool("cc"), "-shared", "-fPIC", folder / "table.c", folder / "0.o", folder / "1.o", "-o", library
    )
    table = (ctypes.c_void_p * len(names)).in_dll(ctypes.CDLL(str(library)), "table")
    return {name: int(address or 0) for name, address in zip(names, table, strict=True)}


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("opt_level", [0, 2])
def test_code_runs_as_linked_by_gcc(tmp_path: Path, opt_level: int, segments: int) -> None:
    path = tmp_path / "ours.so"
    library = elf_objects.Library(path, make(path, segments=segments, opt_level=opt_level))
    theirs = link_with_gcc(tmp_path, opt_level)
    for name, result, params, cases in CALLS:
        ours = library.function(name, result, *params)
        reference = ctypes.CFUNCTYPE(result, *params)(theirs[name])
        for arguments in cases:
            assert ours(*arguments) == reference(*arguments), (name, arguments)
    for name in VECTOR_CALLS:
        ours = library.function(name, None, ctypes.c_void_p)
        reference = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(theirs[name])
        lanes = [(ctypes.c_int32 * 4)(5, -6, 7, 1 << 30) for _ in range(2)]
        ours(lanes[0])
        reference(lanes[1])
        assert list(lanes[0]) == list(lanes[1]) != [5, -6, 7, 1 << 30]
    address = library.function("digest_address", ctypes.c_void_p, ctypes.c_int64)
    assert ctypes.string_at(address(1), 48) == elf_objects.TYPE_DIGESTS[16:]
    assert address(0) == library.base + library.placed.type_digests_vaddr
    assert address(0) % 16 == 0


def test_anchor_holds_the_build_id(tmp_path: Path) -> None:
    placed = make(tmp_path / "a.so")
    library = elf_objects.Library(tmp_path / "a.so", placed)
    anchor = ctypes.string_at(library.base + placed.anchor_vaddr, 32)
    assert anchor == struct.pack("<QII", ANCHOR_MAGIC, RUNTIME_ABI, 0) + elf_objects.BUILD_ID
    notes = elf_objects.run(find_tool("readelf"), "-n", tmp_path / "a.so").stdout
    assert f"Build ID: {elf_objects.BUILD_ID.hex()}" in notes


@pytest.mark.parametrize(("machine", "segments"), VARIANTS)
def test_tools_find_no_fault(tmp_path: Path, machine: str, segments: int) -> None:
    path = tmp_path / "a.so"
    make(path, machine, segments)
    described = elf_objects.run(find_tool("readelf"), "-a", "-W", path)
    assert described.stderr == ""
    assert "There are no relocations in this file." in described.stdout
    assert elf_objects.run(find_tool("eu-elflint"), "--gnu-ld", path).stdout == "No errors\n"
    check_shared_object(path)
    binary = lief.ELF.parse(str(path))
    assert isinstance(binary, lief.ELF.Binary)
    assert lief.ELF.check_layout(binary) == (True, "")
    assert binary.has_nx
    assert not list(binary.libraries)
    loads = [segment for segment in binary.segments if segment.type == lief.ELF.Segment.TYPE.LOAD]
    flags = [int(segment.flags) for segment in loads]
    assert flags == ([5] if segments == 1 else [6, 5])


def test_ldd_says_statically_linked(tmp_path: Path) -> None:
    for segments in (1, 2):
        make(tmp_path / "a.so", segments=segments)
        assert elf_objects.run(find_tool("ldd"), tmp_path / "a.so").stdout.strip() == "statically linked"


def test_loading_leaves_the_stack_alone(tmp_path: Path) -> None:
    """In a fresh process: the stack's protection before and after, no mapping writable and executable."""
    make(tmp_path / "one.so")
    make(tmp_path / "two.so", segments=2)
    code = """if True:
        import ctypes, os, sys
        def maps():
            return [line.split() for line in open("/proc/self/maps")]
        def stack():
            return [fields[1] for fields in maps() if fields[-1] == "[stack]"]
        before = stack()
        for path in sys.argv[1:]:
            ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        ours = [fields[1] for fields in maps() if fields[-1] in sys.argv[1:]]
        print(before == stack(), before, sorted(ours))
    """
    found = elf_objects.run(sys.executable, "-c", code, tmp_path / "one.so", tmp_path / "two.so").stdout.strip()
    assert found == "True ['rw-p'] ['r-xp', 'r-xp', 'rw-p']"


STRIPPERS = {
    "strip": ["strip"],
    "strip-debug": ["strip", "-g"],
    "strip-unneeded": ["strip", "--strip-unneeded"],
    "debian": ["strip", "--remove-section=.comment", "--remove-section=.note", "--strip-unneeded"],
    "eu-strip": ["eu-strip"],
    "llvm-strip-gnu": ["llvm-strip", "--strip-all-gnu"],
    "llvm-strip-debug": ["llvm-strip", "-g"],
}


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("stripper", STRIPPERS)
def test_strip_leaves_it_whole(tmp_path: Path, stripper: str, segments: int) -> None:
    path, stripped = tmp_path / "a.so", tmp_path / "b.so"
    placed = make(path, segments=segments)
    shutil.copy(path, stripped)
    program, *options = STRIPPERS[stripper]
    elf_objects.run(find_tool(program), *options, stripped)
    data = stripped.read_bytes()
    offset, size = find_section(data)
    assert data[offset : offset + size] == SECTION
    assert offset % PAGE_BYTES["x86_64"] == 0
    assert not is_stripped(path.read_bytes())
    assert is_stripped(data) == (not {"-g"} & {*options})
    # All that is mapped stays, but for the fields of the ELF header that the load digest leaves out.
    end = placed.text_vaddr - placed.head.code_vaddr_bias + placed.text_size
    before, after = bytearray(path.read_bytes()[:end]), bytearray(data[:end])
    for start, stop in HEAD_MASKED_RANGES:
        before[start:stop] = after[start:stop] = bytes(stop - start)
    assert before == after
    assert elf_objects.run(find_tool("eu-elflint"), "--gnu-ld", stripped).stdout == "No errors\n"
    library = elf_objects.Library(stripped, placed)
    assert library.function("branches", ctypes.c_int32, ctypes.c_int32)(3) == 77


def test_llvm_strip_refuses_to_drop_the_section(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    make(path)
    before = path.read_bytes()
    result = subprocess.run([find_tool("llvm-strip"), path], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "'.wasmartifact' cannot be removed" in result.stderr
    assert path.read_bytes() == before


def test_eu_strip_leaves_aarch64_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    make(path, "aarch64")
    elf_objects.run(find_tool("eu-strip"), path)
    data = path.read_bytes()
    offset, size = find_section(data)
    assert data[offset : offset + size] == SECTION
    assert offset % PAGE_BYTES["aarch64"] == 0
    assert is_stripped(data)


def test_debuggers_see_the_given_names(tmp_path: Path) -> None:
    names = {"scale": "größe::<T>", "narrow": "nul\0inside", "values": "branches", "vector": ""}
    placed = make(tmp_path / "a.so", symbol_names=names)
    elf: Any = ELFFile(io.BytesIO((tmp_path / "a.so").read_bytes()))
    symbols = [*elf.get_section_by_name(".symtab").iter_symbols()][1:]
    assert {(symbol["st_info"]["type"], symbol["st_info"]["bind"]) for symbol in symbols} == {("STT_FUNC", "STB_LOCAL")}
    found = [(symbol["st_value"], symbol["st_size"], symbol.name) for symbol in symbols]
    assert found == [
        (placed.text_vaddr + offset, size, names.get(symbol, symbol).replace("\0", "\ufffd"))
        for symbol, (offset, size) in placed.functions.items()
    ]


def test_long_names_lose_their_middle(tmp_path: Path) -> None:
    head, tail = "std::basic_string<", ">::append(char const*)"
    longest, longer = head + "ä" * (SYMBOL_MAX_CHARS - 40) + tail, head + "b" * 1000 + tail
    assert len(longest) == SYMBOL_MAX_CHARS
    make(tmp_path / "a.so", symbol_names={"scale": longest, "narrow": longer})
    elf: Any = ELFFile(io.BytesIO((tmp_path / "a.so").read_bytes()))
    found = {symbol.name for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
    (name,) = (name for name in found if "..." in name)
    assert longest in found and len(name) == SYMBOL_MAX_CHARS
    assert name.startswith(head) and name.endswith(tail)


@pytest.mark.parametrize(("machine", "segments"), VARIANTS)
def test_chunks_can_be_patched_after_assembly(machine: str, segments: int) -> None:
    read = [read_object(data) for data in elf_objects.objects(machine)]
    placed = elf_objects.lay_out(read, machine, segments)
    section = bytearray(SECTION)
    built = assemble(placed, section=section, runtime_abi=RUNTIME_ABI, symbol_names={})
    assert len(built.head) == placed.head_size_bytes <= HEAD_MAX_BYTES
    plain = b"".join(built.pieces)
    assert len(plain) == built.size_bytes
    section[100:104] = b"\xde\xad\xbe\xef"
    patched = b"".join(built.pieces)
    offset, _ = find_section(patched)
    assert [at for at in range(len(plain)) if plain[at] != patched[at]] == [offset + at for at in range(100, 104)]
    built.section[:] = SECTION
    build_id = bytes(range(0xF1, 0xE1, -1))
    built.write_build_id(build_id)
    whole = b"".join(built.pieces)
    places = [at for at in range(len(whole)) if whole.startswith(build_id, at)]
    assert places == [placed.head.build_id_offset, placed.head_size_bytes + 16]
    built.write_build_id(bytes(16))
    assert b"".join(built.pieces) == plain


def test_identical_input_gives_identical_bytes(tmp_path: Path) -> None:
    """In processes with different hash seeds."""
    code = (
        "import sys, pathlib; from tests.unit.elf import test_write as t; "
        "t.make(pathlib.Path(sys.argv[1]), symbol_names={'scale': 'x'})"
    )
    root = Path(__file__).resolve().parents[3]
    files = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.so"
        subprocess.run(
            [sys.executable, "-c", code, path], check=True, cwd=root, env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"}
        )
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_an_empty_module_is_sound(tmp_path: Path) -> None:
    for machine, segments in VARIANTS:
        path = tmp_path / "a.so"
        placed = elf_objects.link(path, [], machine=machine, segments=segments)
        assert placed.text_size == 0
        check_shared_object(path)
        assert elf_objects.run(find_tool("eu-elflint"), "--gnu-ld", path).stdout == "No errors\n"
