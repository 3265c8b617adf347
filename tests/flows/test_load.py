"""What `load` promises: what is wrong is found before dlopen and has words of its own; every way to a file works."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from elftools.elf.elffile import ELFFile

import wasmartifact as wa
import wasmartifact.loader
from tests.support.artifact_files import header_numbers, resealed, write
from tests.support.process import descriptors, mappings
from tests.support.tools import find_tool
from wasmartifact import loader, schema

TIMEOUT_S = 60


def answer_wasm(value: int) -> bytes:
    """A module with a memory image that answers a number by code and by data."""
    return bytes(
        wasmtime.wat2wasm(
            f"""(module (memory (export "memory") 1) (data (i32.const 4096) "{value}")
            (func (export "answer") (result i32) (i32.const {value}))
            (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
        )
    )


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """Contents of artifacts by their answer."""
    folder = tmp_path_factory.mktemp("artifacts")
    for value in (1, 2, 3):
        wa.pack(answer_wasm(value), folder / f"{value}.so")
    return {value: (folder / f"{value}.so").read_bytes() for value in (1, 2, 3)}


def check(artifact: wa.Artifact, value: int) -> wa.Instance:
    """The artifact's code and memory image are those of this answer."""
    made = artifact.instantiate()
    assert made.exports.answer() == value
    assert made.exports.memory[4096:4097] == b"%d" % value
    assert made.exports.read(4096) == ord(str(value))
    return made


# What is refused, before dlopen ---------------------------------------------------------------------------------------


@pytest.fixture
def no_dlopen(artifacts: dict[int, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing reaches the dynamic loader, and nothing is left behind."""

    def refuse(name: str, mode: int) -> int:
        pytest.fail(f"dlopen of {name}")

    monkeypatch.setattr(wasmartifact.loader, "dlopen", refuse)
    before = descriptors()
    yield
    assert descriptors() == before


def refused(path: Path, error: type[wa.WasmArtifactError], words: str) -> wa.WasmArtifactError:
    """The error of loading a file; loading its contents, where it has any, gives the same."""
    with pytest.raises(error, match=words) as caught:
        wa.load(path)
    assert type(caught.value) is error
    assert str(path) in str(caught.value)
    assert mappings(path) == []
    if path.is_file():
        with pytest.raises(error, match=words):
            wa.load(path.read_bytes())
        assert mappings("memfd:wasmartifact") == []
    return caught.value


def test_dlopen_is_what_a_sound_file_reaches(artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None) -> None:
    """The other tests can fail."""
    with pytest.raises(pytest.fail.Exception, match="dlopen of"):
        wa.load(write(tmp_path / "a.so", artifacts[1]))


def test_other_shared_objects(tmp_path: Path, no_dlopen: None) -> None:
    (tmp_path / "other.c").write_text(
        f"""#include <stdio.h>
        __attribute__((constructor)) static void run(void) {{ fclose(fopen("{tmp_path}/ran", "w")); }}"""
    )
    other = tmp_path / "other.so"
    subprocess.run([find_tool("cc"), "-shared", "-fPIC", "-o", other, tmp_path / "other.c"], check=True)
    refused(other, wa.BadMagic, r"an ELF file without a \.wasmartifact section; give a file that")
    assert not (tmp_path / "ran").exists()
    ctypes.CDLL(str(other))
    assert (tmp_path / "ran").exists()  # that is what would have shown


def test_the_c_library() -> None:
    path = next(line.split()[-1] for line in mappings("/libc") if "x" in line.split()[1])
    with pytest.raises(wa.BadMagic, match=r"without a \.wasmartifact section"):
        wa.load(path)


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        (b"", "0x0"),
        (b"M", "0x4d"),
        (b"#!/bin/sh\necho hello\n", "0x622f2123"),
        (b"text " * 10_000, "0x74786574"),
        (b"\0asm\1\0\0\0", "0x6d736100"),
        (bytes(5000), "0x0"),
    ],
)
def test_files_that_are_no_elf(tmp_path: Path, no_dlopen: None, contents: bytes, found: str) -> None:
    refused(
        write(tmp_path / "file", contents),
        wa.BadMagic,
        f"not an ELF file: found {found} at offset 0" if contents else "is an empty file, expected an artifact",
    )


def test_an_elf_file_that_ends_within_its_header(tmp_path: Path, no_dlopen: None) -> None:
    refused(write(tmp_path / "file", b"\x7fELF"), wa.CorruptArtifact, "the size of the file is 4, expected 64")


def test_paths_that_are_no_files(tmp_path: Path, no_dlopen: None) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(wa.BadMagic, match=re.escape(str(path))):
            wa.load(path)
    with pytest.raises(FileNotFoundError, match="missing"):
        wa.load(tmp_path / "missing.so")
    for nothing in (None, 5, object()):
        with pytest.raises(TypeError):
            wa.load(nothing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null"):
        wa.load("a\0b")


def test_every_truncation(artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None) -> None:
    contents = artifacts[1]
    lengths = {*range(0, 70), *range(0, len(contents), 61), *range(len(contents) - 70, len(contents))}
    for length in lengths:
        path = write(tmp_path / "cut.so", contents[:length])
        with pytest.raises((wa.BadMagic, wa.CorruptArtifact)):
            wa.load(path)
        with pytest.raises((wa.BadMagic, wa.CorruptArtifact)):
            wa.load(contents[:length])
        assert mappings(path) == []


def test_a_byte_too_many(artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None) -> None:
    size_bytes = len(artifacts[1])
    words = f"was rewritten by a tool .* {size_bytes + 1} bytes, packed were {size_bytes};"
    refused(write(tmp_path / "long.so", artifacts[1] + b"\0"), wa.CorruptArtifact, words)


def test_another_machine(tmp_path: Path, no_dlopen: None) -> None:
    host = os.uname().machine
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[host]
    wa.pack(answer_wasm(1), tmp_path / "other.so", target=other)
    numbers = schema.MACHINES
    error = refused(
        tmp_path / "other.so",
        wa.IncompatibleHost,
        rf"is for ELF machine {other} \({numbers[other]}\), this host is {host} \({numbers[host]}\); pack the module",
    )
    assert error.found == numbers[other]  # type: ignore[attr-defined]
    wa.verify(tmp_path / "other.so")  # it is sound, only elsewhere


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("format_major", r"artifact format 7, this version reads 2; pack the module again"),
        ("runtime_abi", r"artifact runtime ABI 7, this version has 6; pack the module again"),
    ],
)
def test_another_version(artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None, field: str, words: str) -> None:
    assert (schema.FORMAT_MAJOR, schema.RUNTIME_ABI) == (2, 6)
    refused(write(tmp_path / "other.so", resealed(artifacts[1], **{field: 7})), wa.VersionMismatch, words)


def test_a_newer_minor_version_is_read(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "newer.so", resealed(artifacts[1], format_minor=9))
    check(wa.load(path), 1)


#: The name in /proc/cpuinfo of features that many hosts lack.
CPUINFO_FLAGS = {
    "x86_64": {"avx512bitalg": "avx512_bitalg", "avx512f": "avx512f", "gfni": "gfni", "sha": "sha_ni", "avx2": "avx2"},
    "aarch64": {"fullfp16": "fphp", "dotprod": "asimddp", "sha2": "sha2", "lse": "atomics", "rdm": "asimdrdm"},
}


def test_a_cpu_feature_that_this_host_lacks(artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None) -> None:
    machine = os.uname().machine
    flags = Path("/proc/cpuinfo").read_text().split()
    names = schema.CPU_FEATURES[machine]
    needed = header_numbers(artifacts[1])["cpu_features"]
    lacking = [name for name, flag in CPUINFO_FLAGS[machine].items() if flag not in flags]
    for name in lacking:
        path = write(tmp_path / "fast.so", resealed(artifacts[1], cpu_features=needed | 1 << names.index(name)))
        refused(path, wa.IncompatibleHost, f"CPU features that this host lacks: {re.escape(name)}; pack it with cpu=")
    path = write(tmp_path / "future.so", resealed(artifacts[1], cpu_features=needed | 1 << len(names)))
    refused(path, wa.IncompatibleHost, "lacks: a feature unknown to this version; pack it with cpu=")


def test_code_for_a_cpu_that_this_host_lacks(tmp_path: Path, no_dlopen: None) -> None:
    """As packed: the newest CPUs have features that a host of any age lacks, or this is one, and it loads."""
    flags = Path("/proc/cpuinfo").read_text().split()
    cpu, flag = {"x86_64": ("sapphirerapids", "avx512_bitalg"), "aarch64": ("neoverse-v1", "asimddp")}[
        os.uname().machine
    ]
    wa.pack(answer_wasm(1), tmp_path / "a.so", cpu=cpu)
    if flag in flags:
        with pytest.raises(pytest.fail.Exception, match="dlopen of"):
            wa.load(tmp_path / "a.so")
    else:
        refused(tmp_path / "a.so", wa.IncompatibleHost, "needs CPU features that this host lacks: ")


def test_code_for_this_cpu_loads(tmp_path: Path) -> None:
    wa.pack(answer_wasm(1), tmp_path / "a.so", cpu="native")
    check(wa.load(tmp_path / "a.so"), 1)


def guarded_ranges(contents: bytes, path: Path) -> dict[str, tuple[int, int]]:
    """Start and end, in the file, of what `load` must find any change in; as pyelftools sees it."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        dynamic = next(segment for segment in elf.iter_segments() if segment["p_type"] == "PT_DYNAMIC")
        metadata = elf.get_section_by_name(".wasmartifact")
        assert metadata is not None
        section = metadata["sh_offset"]
        headers_start = elf["e_phoff"]
        headers_end = headers_start + elf["e_phnum"] * elf["e_phentsize"]
        dynamic_start, dynamic_size = dynamic["p_offset"], dynamic["p_filesz"]
    numbers = header_numbers(contents)
    directory = section + numbers["directory_offset"]
    return {
        "ELF header": (0, 64),
        "program headers": (headers_start, headers_end),
        "dynamic section": (dynamic_start, dynamic_start + dynamic_size),
        "metadata header": (section, section + schema.METADATA_HEADER.size_bytes),
        "directory": (directory, directory + numbers["directory_count"] * schema.DIRECTORY_ENTRY.size_bytes),
    }


def test_every_change_of_a_byte_that_dlopen_or_the_runtime_trusts(
    artifacts: dict[int, bytes], tmp_path: Path, no_dlopen: None
) -> None:
    contents = artifacts[1]
    path = write(tmp_path / "a.so", contents)
    ranges = guarded_ranges(contents, path)
    assert all(end > start for start, end in ranges.values())
    with path.open("r+b", buffering=0) as file:
        for part, (start, end) in ranges.items():
            for offset in range(start, end):
                for mask in (*(1 << bit for bit in range(8)), 0xFF):
                    os.pwrite(file.fileno(), bytes([contents[offset] ^ mask]), offset)
                    with pytest.raises((wa.ArtifactError, wa.IncompatibleHost)) as caught:
                        wa.load(path)
                    assert str(path) in str(caught.value), (part, offset, mask)
                os.pwrite(file.fileno(), contents[offset : offset + 1], offset)
    assert path.read_bytes() == contents
    wa.verify(path)


# What is refused after dlopen -----------------------------------------------------------------------------------------


def test_code_of_another_build(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    """The build id in the mapped code is not that of the metadata."""
    contents = bytearray(artifacts[1])
    numbers = header_numbers(artifacts[1])
    place = numbers["anchor_vaddr"] + schema.ANCHOR.offsets()["build_id"]
    assert len(contents) > place
    contents[place] ^= 1
    path = write(tmp_path / "a.so", bytes(contents))
    before = descriptors()
    refused(path, wa.CorruptArtifact, "the mapped code has another build id than the metadata")
    assert descriptors() == before


# Ways to a file -------------------------------------------------------------------------------------------------------


def test_another_artifact_under_a_loaded_name(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    wa.pack(answer_wasm(1), path)
    first = wa.load(path)
    old = check(first, 1)
    wa.pack(answer_wasm(2), path)
    second = wa.load(path)
    check(second, 2)
    wa.pack(answer_wasm(3), path)
    third = wa.load(path)
    for artifact, value in ((third, 3), (first, 1), (second, 2)):
        check(artifact, value)
    assert (old.exports.answer(), old.exports.read(4096)) == (1, ord("1"))
    del first, second, third, old, artifact
    assert mappings(path) == []
    check(wa.load(path), 3)


def test_an_artifact_under_the_name_of_another_loaded_library(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    """The dynamic loader compares names first, and gives a library that has no anchor."""
    path = tmp_path / "a.so"
    (tmp_path / "other.c").write_text("int other(void) { return 5; }")
    subprocess.run([find_tool("cc"), "-shared", "-fPIC", "-o", path, tmp_path / "other.c"], check=True)
    other = ctypes.CDLL(str(path))
    write(path, artifacts[2])
    check(wa.load(path), 2)
    assert other.other() == 5


def test_a_name_leads_to_another_file_later(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    for value in (1, 2):
        write(tmp_path / f"{value}.so", artifacts[value])
    link = tmp_path / "link.so"
    link.symlink_to("1.so")
    first = wa.load(link)
    link.unlink()
    link.symlink_to("2.so")
    check(wa.load(link), 2)
    check(first, 1)


def test_one_file_loaded_twice(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", artifacts[1])
    (tmp_path / "hard.so").hardlink_to(path)
    loaded = [wa.load(path), wa.load(str(path)), wa.load(tmp_path / "hard.so"), wa.load(artifacts[1])]
    made = [check(artifact, 1) for artifact in loaded]
    made[0].exports.memory[4096] = 0
    assert [each.exports.read(4096) for each in made] == [0, ord("1"), ord("1"), ord("1")]
    del loaded[0]
    del made[0]
    check(loaded[0], 1)
    assert made[0].exports.answer() == 1


def test_several_artifacts_from_bytes(artifacts: dict[int, bytes]) -> None:
    contents: list[Callable[[bytes], bytes]] = [bytes, bytearray, memoryview]  # type: ignore[list-item]
    loaded = [wa.load(kind(artifacts[value])) for value, kind in zip((1, 2, 3), contents, strict=True)]
    for artifact, value in zip(loaded, (1, 2, 3), strict=True):
        assert artifact.path is None
        check(artifact, value)
    del artifact
    # The descriptors that become free here are used again at once.
    del loaded[1]
    again = wa.load(artifacts[3])
    check(again, 3)
    check(loaded[0], 1)
    check(loaded[1], 3)
    del loaded, again
    assert mappings("memfd:wasmartifact") == []


def test_a_view_with_other_items_is_bytes_too(artifacts: dict[int, bytes]) -> None:
    contents = artifacts[2] + bytes(-len(artifacts[2]) % 8)
    if len(contents) == len(artifacts[2]):
        check(wa.load(memoryview(contents).cast("Q")), 2)  # type: ignore[arg-type]
    with pytest.raises(wa.BadMagic):
        wa.load(b"")


@pytest.mark.parametrize("name", ["plain.so", "with space.so", "ünïcödé 模块.so", "-", "a.b%s$ORIGIN;:'\".so", "\n"])
def test_names_without_a_slash(
    artifacts: dict[int, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    write(folder / name, artifacts[1])
    monkeypatch.chdir(folder)
    for path in (name, f"./{name}", f"../{folder.name}/{name}", str(folder / name), Path(name), Path(folder, name)):
        artifact = wa.load(path)
        assert artifact.path == os.fspath(path)
        check(artifact, 1)
        del artifact
        assert mappings(folder) == []


def test_a_name_that_is_not_utf8(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.so")
    write(path, artifacts[1])
    check(wa.load(path), 1)


def test_a_library_path_does_not_matter(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    """A name without a slash is a file here, never one that the dynamic loader searches for."""
    for value, folder in ((1, "here"), (2, "elsewhere")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "a.so", artifacts[value])
    code = "import wasmartifact; print(wasmartifact.load('a.so').instantiate().exports.answer())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "here",
        env=os.environ | {"LD_LIBRARY_PATH": str(tmp_path / "elsewhere")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("1\n", "")


def test_a_file_that_is_gone_stays_loaded(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    artifact = wa.load(write(folder / "a.so", artifacts[1]))
    shutil.rmtree(folder)
    first, second = check(artifact, 1), check(artifact, 1)
    first.exports.memory[4096] = 9
    assert second.exports.read(4096) == ord("1")
    assert artifact.metadata.exports[0].name == "memory"


def test_a_file_that_nobody_may_write(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", artifacts[1])
    path.chmod(0o444)
    made = check(wa.load(path), 1)
    made.exports.memory[4096] = 9
    assert path.read_bytes() == artifacts[1]


def test_a_child_process_loads_on_its_own(artifacts: dict[int, bytes], tmp_path: Path) -> None:
    """After a fork: what the parent loaded works in the child, and so does another load there."""
    made = check(wa.load(artifacts[1]), 1)
    path = write(tmp_path / "a.so", artifacts[2])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert made.exports.answer() == 1
            check(made.artifact, 1)
            check(wa.load(artifacts[3]), 3)
            check(wa.load(path), 2)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert made.exports.answer() == 1


def test_a_file_that_is_removed_while_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache may evict it between our look and dlopen: what was opened is what gets loaded."""
    path = tmp_path / "fleeting.so"
    wa.pack(b'(module (func (export "f") (result i32) (i32.const 7)))', path)
    bind = loader._bind

    def remove_and_bind(native: Any, fd: int, name: str | None, path_: str | None) -> None:
        path.unlink()
        bind(native, fd, name, path_)

    monkeypatch.setattr(loader, "_bind", remove_and_bind)
    assert wa.load(path).instantiate().exports.f() == 7
