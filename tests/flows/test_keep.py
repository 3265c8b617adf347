"""`pack --keep`: what LLVM was given and what it made of it stays in a folder, and the artifact is the same."""

from __future__ import annotations

import re
from pathlib import Path

import llvmlite.binding as llvm
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

import wasmartifact as wa
from tests.support.workload import workload_wasm
from wasmartifact.cli import main


def defined_functions(path: Path) -> set[str]:
    """Functions that an object defines."""
    with path.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        return {
            symbol.name
            for symbol in symbols.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
        }


@pytest.mark.parametrize("opt_level", [1, 2])
def test_all_stages_of_every_group_are_kept(tmp_path: Path, opt_level: int) -> None:
    kept = tmp_path / "new" / "folder"
    report = wa.pack(workload_wasm(), tmp_path / "a.so", opt_level=opt_level, keep=kept)
    wa.pack(workload_wasm(), tmp_path / "b.so", opt_level=opt_level)
    assert (tmp_path / "a.so").read_bytes() == (tmp_path / "b.so").read_bytes()
    stems = sorted({path.stem for path in kept.iterdir()})
    assert sorted(path.name for path in kept.iterdir()) == [
        f"{stem}.{suffix}" for stem in stems for suffix in ("ll", "o", "s")
    ]
    ranges = [(int(first), int(last)) for stem in stems for first, last in re.findall(r"^functions-(\d+)-(\d+)$", stem)]
    assert len(ranges) > 1
    assert [index for first, last in ranges for index in range(first, last + 1)] == list(range(report.functions))
    for stem in stems:
        names = defined_functions(kept / f"{stem}.o")
        with llvm.parse_assembly((kept / f"{stem}.ll").read_text(), llvm.create_context()) as module:
            module.verify()
            assert names == {function.name for function in module.functions if not function.is_declaration}
        assert names == set(re.findall(r"^(\w+):", (kept / f"{stem}.s").read_text(), re.MULTILINE))
        if stem.startswith("functions"):
            first, last = map(int, stem.split("-")[1:])
            assert names == {f"f{index}" for index in range(first, last + 1)}


def test_level_0_keeps_its_code(tmp_path: Path) -> None:
    """No IR stands before it: the bytes of all functions, as they lie in the artifact before they are linked."""
    report = wa.pack(workload_wasm(), tmp_path / "a.so", opt_level=0, keep=tmp_path / "kept")
    wa.pack(workload_wasm(), tmp_path / "b.so", opt_level=0)
    assert (tmp_path / "a.so").read_bytes() == (tmp_path / "b.so").read_bytes()
    ranges = sorted(
        (int(first), int(last), path)
        for path in (tmp_path / "kept").glob("functions-*.bin")
        for first, last in re.findall(r"functions-(\d+)-(\d+)", path.name)
    )
    assert sum(last + 1 - first for first, last, _ in ranges) == report.functions
    assert all(path.read_bytes().startswith(b"\x55\x48\x89\xe5") for _, _, path in ranges)  # push %rbp; mov %rsp, %rbp


def test_innermost_loops_start_a_line_of_the_cache(tmp_path: Path) -> None:
    """64 bytes: how long a loop takes must not depend on what stands before it."""
    loops = "".join(
        f"(func (param i32) (result i32) (local i32) {'nop ' * number} (loop $l (local.set 1 (i32.add (i32.mul "
        "(local.get 1) (i32.const 31)) (i32.load (local.get 0)))) (br_if $l (local.tee 0 (i32.sub (local.get 0) "
        "(i32.const 4))))) (local.get 1))"
        for number in range(4)
    )
    wat = f"(module (memory 1) {loops})".encode()
    wa.pack(wat, tmp_path / "a.so", target="x86_64", keep=tmp_path / "kept")
    assembly = (tmp_path / "kept" / "functions-000000-000003.s").read_text()
    assert assembly.count(".p2align\t6") == 4


def test_init_code_has_a_name_of_its_own(tmp_path: Path) -> None:
    wat = b'(module (import "env" "base" (global i32)) (memory 1) (data (global.get 0) "x"))'
    wa.pack(wat, tmp_path / "a.so", keep=tmp_path / "kept")
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["init.ll", "init.o", "init.s"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.wat"
    source.write_text('(module (func (export "answer") (result i32) (i32.const 1234567)))')
    assert main(["pack", str(source), "--keep", str(tmp_path / "kept")]) == 0
    assert "1234567" in (tmp_path / "kept" / "functions-000000-000000.ll").read_text()
    capsys.readouterr()
    (tmp_path / "file").touch()
    assert main(["pack", str(source), "-o", str(tmp_path / "b.so"), "--keep", str(tmp_path / "file")]) == 1
    assert f"{tmp_path / 'file'}: File exists" in capsys.readouterr().err
    assert not (tmp_path / "b.so").exists()


def test_a_file_that_can_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "kept" / "functions-000000-000000.ll").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        wa.pack(b"(module (func))", tmp_path / "a.so", keep=tmp_path / "kept")
    assert not (tmp_path / "a.so").exists()
