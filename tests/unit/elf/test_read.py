"""Finding the metadata section in hostile bytes: a sound answer or an ArtifactError, nothing else, and fast."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.elf import objects as elf_objects
from wasmartifact.elf.read import find_section, is_stripped
from wasmartifact.errors import ArtifactError, BadMagic, CorruptArtifact

SECTION = bytes(range(256)) * 20


@pytest.fixture(scope="module", params=["x86_64", "aarch64"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("elf") / "a.so"
    elf_objects.link(path, elf_objects.objects(request.param), machine=request.param, section=SECTION)
    return path.read_bytes()


def change(data: bytes, format_: str, offset: int, value: int) -> bytes:
    """The file with one field set."""
    changed = bytearray(data)
    struct.pack_into(f"<{format_}", changed, offset, value)
    return bytes(changed)


def header_offset(data: bytes, name: str) -> int:
    """File offset of a section's header."""
    elf: Any = ELFFile(io.BytesIO(data))
    names = [section.name for section in elf.iter_sections()]
    return int(elf["e_shoff"]) + 64 * names.index(name)


def test_found_where_pyelftools_finds_it(sound: bytes) -> None:
    elf: Any = ELFFile(io.BytesIO(sound))
    section = elf.get_section_by_name(".wasmartifact")
    assert find_section(sound) == (section["sh_offset"], section["sh_size"])
    assert sound[section["sh_offset"] :][: len(SECTION)] == SECTION
    assert find_section(memoryview(bytearray(sound))) == find_section(sound)


@pytest.mark.parametrize(
    ("format_", "offset", "value", "words"),
    [
        ("B", 0, 0x7E, "not an ELF file"),
        ("B", 4, 1, r"without a \.wasmartifact section"),  # 32 bits
        ("B", 5, 2, r"without a \.wasmartifact section"),  # big endian
        ("H", 16, 2, r"without a \.wasmartifact section"),  # an executable
        ("H", 18, 40, r"without a \.wasmartifact section"),  # another machine
        ("Q", 40, 0, "e_shoff is 0, expected"),
        ("Q", 40, 2**64 - 1, "e_shoff is 18446744073709551615"),
        ("H", 58, 63, "e_shentsize is 63, expected 64"),
        ("H", 60, 0, r"without a \.wasmartifact section"),
        ("H", 60, 65535, r"without a \.wasmartifact section"),
        ("H", 60, 3, "e_shoff is"),
        ("H", 62, 0, "e_shstrndx is 0"),
        ("H", 62, 60, "e_shstrndx is 60"),
        ("H", 62, 1, "section name table"),
    ],
)
def test_damaged_elf_header(sound: bytes, format_: str, offset: int, value: int, words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        find_section(change(sound, format_, offset, value))


@pytest.mark.parametrize(
    ("section", "format_", "field", "value", "words"),
    [
        (".wasmartifact", "I", 0, 0xFFFFFFFF, r"without a \.wasmartifact section"),
        (".wasmartifact", "I", 0, 1, r"without a \.wasmartifact section"),
        (".wasmartifact", "I", 4, 8, r"place of \.wasmartifact"),
        (".wasmartifact", "Q", 24, 2**64 - 4096, r"place of \.wasmartifact"),
        (".wasmartifact", "Q", 24, 1024, r"alignment of \.wasmartifact is 1024, expected 0"),
        (".wasmartifact", "Q", 32, 2**64 - 1, r"place of \.wasmartifact"),
        (".wasmartifact", "Q", 32, 383, r"size of \.wasmartifact is 383, expected 384"),
        (".shstrtab", "I", 0, 0, "name of the section name table"),
        (".shstrtab", "I", 0, 2**32 - 1, "name of the section name table"),
        (".shstrtab", "I", 4, 1, "section name table"),
        (".shstrtab", "Q", 24, 2**64 - 1, "section name table"),
        (".shstrtab", "Q", 32, 5000, "section name table"),
        (".shstrtab", "Q", 32, 0, "name of the section name table"),
    ],
)
def test_damaged_section_header(sound: bytes, section: str, format_: str, field: int, value: int, words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        find_section(change(sound, format_, header_offset(sound, section) + field, value))


def test_the_classes_of_errors(sound: bytes) -> None:
    with pytest.raises(CorruptArtifact):
        find_section(sound[:-1])
    with pytest.raises(CorruptArtifact):
        find_section(sound + b"\0")
    for data in (b"", b"\x7fEL", b"\0asm\1\0\0\0" + bytes(100)):
        with pytest.raises(BadMagic):
            find_section(data)
    for path in (Path("/proc/self/exe"), Path(__file__)):
        with pytest.raises(BadMagic):
            find_section(path.read_bytes())


def test_every_truncation(sound: bytes) -> None:
    step = max(1, len(sound) // 3000)
    for size in [*range(200), *range(200, len(sound), step)]:
        with pytest.raises(ArtifactError):
            find_section(sound[:size])


def test_mutations(sound: bytes) -> None:
    """Of the bytes that matter: ELF header, section headers, their names. An answer must lie in the file, aligned."""
    generator = random.Random(3)
    table = struct.unpack_from("<Q", sound, 40)[0]
    names = struct.unpack_from("<Q", sound, header_offset(sound, ".shstrtab") + 24)[0]
    places = [*range(64), *range(names, len(sound))]
    page = 4096 if sound[18] == 62 else 65536
    outcomes = {True: 0, False: 0}
    for _ in range(20_000):
        data = bytearray(sound)
        for _ in range(generator.randrange(1, 5)):
            data[generator.choice(places)] = generator.choice((0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)))
        try:
            offset, size = find_section(data)
            is_stripped(data)
        except ArtifactError:
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        assert offset % page == 0
        assert size >= 384
        assert offset + size <= len(data)
    assert table > names
    assert min(outcomes.values()) > 1000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 70))
def test_any_bytes(data: bytes, keep: int) -> None:
    prefix = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 64, 0, 64, 56, 1, 64, 8, 7)
    )
    with pytest.raises(ArtifactError):
        find_section(prefix[:keep] + data)
