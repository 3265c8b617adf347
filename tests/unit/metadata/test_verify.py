"""Whole files: what open_metadata maps, what verify refuses, what a stranger's reader prints."""

from __future__ import annotations

import gc
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tools import find_tool
from tests.unit.metadata.sections import RICH_WAT, artifact_from_text
from wasmartifact.elf.read import find_section
from wasmartifact.errors import ArtifactError, BadMagic, CorruptArtifact, VersionMismatch
from wasmartifact.metadata.header import patch_header
from wasmartifact.verifier import open_metadata, verify

ROOT = Path(__file__).resolve().parents[3]
ARTIFACT = artifact_from_text(RICH_WAT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rich.so"
    path.write_bytes(ARTIFACT)
    return path


def mappings_of(path: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(path))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_open_and_verify(tmp_path: Path, machine: str) -> None:
    path = tmp_path / "rich.so"
    path.write_bytes(artifact_from_text(RICH_WAT, machine))
    verify(path)
    with open_metadata(path) as metadata:
        assert metadata.exports.find("add") is not None
        assert mappings_of(path) == 1
    assert mappings_of(path) == 0


def test_no_descriptor_stays(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open_metadata(path):
        verify(path)
        # A mapping holds a descriptor of its own in CPython.
        assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_live_views_keep_the_mapping(path: Path) -> None:
    with open_metadata(path) as metadata:
        data = metadata.data[2].data
    assert data is not None and bytes(data) == b"passive"
    del data, metadata
    gc.collect()
    assert mappings_of(path) == 0


def test_failed_opens_leave_no_mapping(path: Path) -> None:
    artifact = bytearray(ARTIFACT)
    offset, _ = find_section(artifact)
    patch_header(memoryview(artifact)[offset:], format_major=9)
    path.write_bytes(artifact)
    for function in (open_metadata, verify):
        with pytest.raises(VersionMismatch, match="format 9, this version reads 2"):
            function(path)
    gc.collect()
    assert mappings_of(path) == 0


def test_files_that_are_no_artifacts(tmp_path: Path) -> None:
    empty, text, fifo = tmp_path / "empty", tmp_path / "text", tmp_path / "fifo"
    empty.touch()
    text.write_text("hello")
    os.mkfifo(fifo)
    for path in (empty, text, fifo):
        for function in (open_metadata, verify):
            with pytest.raises(BadMagic):
                function(path)
    with pytest.raises(FileNotFoundError):
        open_metadata(tmp_path / "missing")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(ARTIFACT) * 8 - 1))
def test_every_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.so"
    artifact = bytearray(ARTIFACT)
    artifact[bit // 8] ^= 1 << bit % 8
    path.write_bytes(artifact)
    with pytest.raises(ArtifactError):
        verify(path)


@pytest.mark.parametrize("size", [len(ARTIFACT) - 1, len(ARTIFACT) + 1, 100])
def test_another_size_is_found(path: Path, size: int) -> None:
    path.write_bytes((ARTIFACT + b"\0")[:size])
    with pytest.raises(ArtifactError):
        verify(path)


def test_stripped_files_hold_all_that_is_loaded(path: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped.so"
    subprocess.run([find_tool("strip"), "-o", stripped, path], check=True)
    assert stripped.stat().st_size < len(ARTIFACT)
    verify(stripped)
    with open_metadata(stripped) as metadata:
        numbers = metadata.header.numbers
    for place in (numbers["anchor_vaddr"] + 20, numbers["text_vaddr"] + 3, numbers["type_digests_vaddr"] + 1, 50):
        artifact = bytearray(stripped.read_bytes())
        artifact[place] ^= 1
        path.write_bytes(artifact)
        with pytest.raises(CorruptArtifact):
            verify(path)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader in C that was written from docs/FORMAT.md, with sanitizers."""
    program = tmp_path_factory.mktemp("reader") / "read_exports"
    source = ROOT / "tests" / "native" / "read_exports.c"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-fsanitize=address,undefined"]
    subprocess.run([find_tool("cc"), *flags, "-o", program, source], check=True)
    return program


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_stranger_reads_the_exports(stranger: Path, tmp_path: Path, machine: str) -> None:
    path = tmp_path / "rich.so"
    path.write_bytes(artifact_from_text(RICH_WAT, machine))
    printed = subprocess.run([stranger, path], check=True, capture_output=True).stdout.decode()
    with open_metadata(path) as metadata:
        assert printed == "".join(f"{row.kind} {row.index} {row.name}\n" for row in metadata.exports)
    assert "func 4 naïve\n" in printed


def test_a_stranger_survives_damage(stranger: Path, path: Path) -> None:
    offset, _ = find_section(ARTIFACT)
    for place in range(offset + 20, offset + 4000, 97):
        artifact = bytearray(ARTIFACT)
        artifact[place] ^= 0xFF
        path.write_bytes(artifact)
        done = subprocess.run([stranger, path], capture_output=True, check=False)
        assert done.returncode in (0, 1) and b"Sanitizer" not in done.stderr, (place, done.stderr)


def test_the_reader_is_short_and_alone() -> None:
    source = (ROOT / "tests" / "native" / "read_exports.c").read_text()
    assert len(source.splitlines()) < 150
    assert '#include "' not in source
