"""The check before an artifact gets its name: sound files pass, every kind of fault is found and worded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tools import find_tool
from tests.unit.elf import objects as elf_objects
from wasmartifact.elf import check
from wasmartifact.elf.check import check_shared_object
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import ANCHOR_MAGIC


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "a.so"
    elf_objects.link(path, elf_objects.objects())
    return path


def edit(path: Path, format_: str, offset: int, value: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(f"<{format_}", data, offset, value)
    path.write_bytes(data)


def dynamic_offset(path: Path) -> int:
    """File offset of the dynamic section: the second program header's p_offset."""
    return int(struct.unpack_from("<Q", path.read_bytes(), 64 + 56 + 8)[0])


def anchor_offset(path: Path) -> int:
    return path.read_bytes().index(struct.pack("<Q", ANCHOR_MAGIC))


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "entry point": (lambda path: edit(path, "Q", 24, 0x400), "with entry point 0x400"),
    "machine": (lambda path: edit(path, "H", 18, 40), "ET_DYN for EM_ARM"),
    "executable stack": (lambda path: edit(path, "I", 64 + 3 * 56 + 4, 7), r"PT_GNU_STACK are \[7\]"),
    "writable code": (lambda path: edit(path, "I", 64 + 4, 7), "PT_LOAD at 0x0 is writable and executable"),
    "no stack header": (lambda path: edit(path, "I", 64 + 3 * 56, 0), "there is a PT_NULL segment"),
    "zero fill": (lambda path: edit(path, "Q", 64 + 40, 1 << 20), "PT_LOAD at 0x0 maps 1048576 bytes"),
    "needed": (lambda path: edit(path, "Q", dynamic_offset(path), 1), "holds DT_NEEDED DT_STRTAB"),
    "text relocations": (lambda path: edit(path, "Q", dynamic_offset(path) + 16, 22), "DT_TEXTREL"),
    "relocations": (lambda path: edit(path, "Q", dynamic_offset(path) + 16, 7), "DT_RELA "),
    "constructor": (lambda path: edit(path, "Q", dynamic_offset(path) + 64, 12), "DT_INIT "),
    "anchor": (lambda path: edit(path, "B", anchor_offset(path), 0), "wasmartifact_anchor holds 00"),
    "build id": (lambda path: edit(path, "B", anchor_offset(path) + 16, 0), "expected its magic number and build id"),
    "hash": (lambda path: edit(path, "Q", 0x120 + 32 + 16, 0), "dynamic symbols are not wasmartifact_anchor alone"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(sound: Path, fault: str) -> None:
    check_shared_object(sound)
    damage, words = FAULTS[fault]
    damage(sound)
    with pytest.raises(ToolchainError, match=words):
        check_shared_object(sound)


def test_other_libraries_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int f(void) { return 1; }")
    elf_objects.run(find_tool("cc"), "-shared", "-fPIC", tmp_path / "x.c", "-o", tmp_path / "x.so")
    with pytest.raises(ToolchainError, match=r"DT_INIT|the sections are"):
        check_shared_object(tmp_path / "x.so")
    with pytest.raises(ToolchainError, match="can't be read as ELF"):
        check_shared_object(tmp_path / "x.c")


def test_a_stripped_file_is_not_what_pack_writes(sound: Path) -> None:
    elf_objects.run(find_tool("strip"), sound)
    with pytest.raises(ToolchainError, match="the sections are"):
        check_shared_object(sound)


def test_lief_looks_at_larger_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def find_one(path: Path) -> list[str]:
        asked.append(path)
        return ["a fault that LIEF found"]

    monkeypatch.setattr(check, "_lief_faults", find_one)
    elf_objects.link(tmp_path / "a.so", elf_objects.objects(), section=bytes(check.LIEF_MIN_BYTES))
    with pytest.raises(ToolchainError, match="a fault that LIEF found"):
        check_shared_object(tmp_path / "a.so")
    elf_objects.link(tmp_path / "b.so", elf_objects.objects(), section=bytes(8192))
    check_shared_object(tmp_path / "b.so")
    assert asked == [tmp_path / "a.so"]


def test_lief_finds_faults(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    elf_objects.link(path, elf_objects.objects(), section=bytes(check.LIEF_MIN_BYTES))
    check_shared_object(path)
    edit(path, "I", 64 + 3 * 56 + 4, 7)
    with pytest.raises(ToolchainError, match=r"LIEF finds .* an executable stack"):
        check_shared_object(path)
