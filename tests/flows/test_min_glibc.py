"""`min_glibc`: a packer on a new C library makes artifacts for older ones, which write into the dynamic section."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import wasmtime
from elftools.elf.elffile import ELFFile

import wasmartifact as wa
from wasmartifact import cli

ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
PF_W = 2  # elf.h


def pack(path: Path, **options: str) -> bytes:
    wa.pack(bytes(wasmtime.wat2wasm(ADD)), path, opt_level=0, **options)  # type: ignore[arg-type]
    return path.read_bytes()


def loaded_segments(path: Path) -> tuple[int, bool]:
    """How many segments are mapped, and whether the one of the dynamic section is writable; as pyelftools sees it."""
    with path.open("rb") as file:
        segments = list(ELFFile(file).iter_segments())
        mapped = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
        (dynamic,) = (segment for segment in segments if segment["p_type"] == "PT_DYNAMIC")
        holders = [
            bool(segment["p_flags"] & PF_W)
            for segment in mapped
            if segment["p_vaddr"] <= dynamic["p_vaddr"] < segment["p_vaddr"] + segment["p_memsz"]
        ]
        return len(mapped), holders == [True]


def answers_like_a_host_of(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setattr(os, "confstr", lambda name: library if name == "CS_GNU_LIBC_VERSION" else None)


@pytest.mark.parametrize("version", ["2.17", "2.31", "2.34"])
@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
def test_older_ones_get_a_writable_dynamic_section(tmp_path: Path, version: str, target: str) -> None:
    pack(tmp_path / "add.so", min_glibc=version, target=target)
    assert loaded_segments(tmp_path / "add.so") == (2, True)


@pytest.mark.parametrize("version", ["2.35", "2.43", "3.0"])
def test_newer_ones_get_one_segment(tmp_path: Path, version: str) -> None:
    pack(tmp_path / "add.so", min_glibc=version)
    assert loaded_segments(tmp_path / "add.so") == (1, False)


def test_it_loads_and_runs_on_this_host_too(tmp_path: Path) -> None:
    pack(tmp_path / "add.so", min_glibc="2.17")
    wa.verify(tmp_path / "add.so")
    assert wa.load(tmp_path / "add.so").instantiate().exports.add(2, 3) == 5


@pytest.mark.parametrize("version", ["2.17", "2.35"])
def test_the_bytes_are_the_same_whatever_the_host_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    made = set()
    for library in ("glibc 2.31", "glibc 2.43", "musl"):
        answers_like_a_host_of(monkeypatch, library)
        made.add(pack(tmp_path / "add.so", min_glibc=version))
    assert len(made) == 1


def test_by_default_it_is_for_hosts_like_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers_like_a_host_of(monkeypatch, "glibc 2.31")
    pack(tmp_path / "old.so")
    answers_like_a_host_of(monkeypatch, "glibc 2.36")
    pack(tmp_path / "new.so")
    assert (loaded_segments(tmp_path / "old.so")[0], loaded_segments(tmp_path / "new.so")[0]) == (2, 1)


@pytest.mark.parametrize("text", ["", "2", "2.x", "2.17.1", "-2.17", "glibc 2.17", "２.17"])
def test_what_is_no_version_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"min_glibc is .*, expected a version as \"2\.17\""):
        pack(tmp_path / "add.so", min_glibc=text)
    assert not (tmp_path / "add.so").exists()


def test_from_the_shell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "add.wat", tmp_path / "add.so"
    source.write_text(ADD)
    assert cli.main(["pack", str(source), "-o", str(output), "--min-glibc", "2.17"]) == 0
    assert loaded_segments(output) == (2, True)
    assert cli.main(["pack", str(source), "-o", str(output), "--min-glibc", "new"]) == 2
    assert "min_glibc is 'new', expected a version" in capfd.readouterr().err
