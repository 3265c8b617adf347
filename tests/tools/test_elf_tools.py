"""A finished artifact before the tools of the trade: they find no fault, and `strip` leaves it loadable."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lief
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

import wasmartifact as wa
from bench import quickjs
from tests.support.tools import find_tool
from tests.support.workload import NAMES, workload_results, workload_wasm
from wasmartifact.schema import MACHINES

ARGUMENTS = (1, 7, 2**31)
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("workload") / "workload.so"
    wa.pack(workload_wasm(), path)
    return path


@pytest.fixture(scope="module")
def quickjs_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quickjs") / "quickjs.so"
    wa.pack(quickjs.module_path(), path, opt_level=0)
    return path


@pytest.fixture(scope="module", params=["workload", "quickjs_artifact", "foreign", "empty"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large and small ones, and one for the other machine."""
    if request.param not in {"foreign", "empty"}:
        path: Path = request.getfixturevalue(request.param)
        return path
    path = tmp_path_factory.mktemp(request.param) / "a.so"
    other = next(machine for machine in MACHINES if machine != os.uname().machine)
    source, target = (workload_wasm(), other) if request.param == "foreign" else (b"(module)", None)
    wa.pack(source, path, target=target)
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def check_workload(path: Path) -> None:
    """The guest computes what it does under wasmtime, from a load of the file and of its bytes."""
    for source in (path, path.read_bytes()):
        exports = wa.load(source).instantiate().exports
        assert tuple(exports.run(argument) for argument in ARGUMENTS) == workload_results(ARGUMENTS)
        assert exports.memory[131072:131081] == b"last page"
        with pytest.raises(wa.Trap) as caught:
            exports.divide(0)
        assert [str(frame).split()[0] for frame in caught.value.frames] == ["workload!divide"]


def test_the_guest_computes_what_it_should(workload: Path) -> None:
    check_workload(workload)


def test_quickjs_computes_what_it_should(quickjs_artifact: Path) -> None:
    guest = quickjs.QuickJs()
    exports = wa.load(quickjs_artifact).instantiate({quickjs.WASI_MODULE: guest.imports()}).exports

    def write(offset: int, data: bytes) -> None:
        exports.memory[offset : offset + len(data)] = data

    def read(offset: int, size: int) -> bytes:
        return bytes(exports.memory[offset : offset + size])

    guest.attach(quickjs.Engine(exports.__getitem__, read, write))
    assert guest.evaluate('console.log(JSON.stringify([6 * 7, "abc".replace(/b+/, "-")]))') == '[42,"a-c"]\n'


def test_readelf_and_elflint_find_no_fault(artifact: Path) -> None:
    described = run(find_tool("readelf"), "-a", "-W", artifact)
    assert described.stderr == ""
    assert "There are no relocations in this file." in described.stdout
    assert "NEEDED" not in described.stdout
    assert "TEXTREL" not in described.stdout
    assert not re.search(r"\((INIT|FINI|INIT_ARRAY|FINI_ARRAY)\)", described.stdout)
    lint = run(find_tool("eu-elflint"), "--gnu-ld", artifact)
    assert (lint.stdout, lint.stderr) == ("No errors\n", "")


def test_segments_are_safe(artifact: Path) -> None:
    with artifact.open("rb") as file:
        elf = ELFFile(file)
        segments = [(segment["p_type"], segment["p_flags"]) for segment in elf.iter_segments()]
        dynamic = elf.get_section_by_name(".dynsym")
        assert isinstance(dynamic, SymbolTableSection)
        assert [symbol.name for symbol in dynamic.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"] == [""]
    assert all(flags & 3 != 3 for _, flags in segments)  # write and execute
    assert [flags for kind, flags in segments if kind == "PT_GNU_STACK"] == [6]


def test_lief_and_pyelftools_read_it(artifact: Path) -> None:
    binary = lief.ELF.parse(str(artifact))
    assert isinstance(binary, lief.ELF.Binary)
    assert lief.ELF.check_layout(binary) == (True, "")
    assert binary.has_nx
    assert not list(binary.libraries)
    with artifact.open("rb") as file:
        names = [section.name for section in ELFFile(file).iter_sections()]
    assert [section.name for section in binary.sections] == names
    assert ".wasmartifact" in names


def test_the_build_id_is_the_one_that_the_report_gives(tmp_path: Path) -> None:
    report = wa.pack(b"(module)", tmp_path / "a.so")
    assert f"Build ID: {report.build_id}" in run(find_tool("readelf"), "-n", tmp_path / "a.so").stdout
    with (tmp_path / "a.so").open("rb") as file:
        notes = [
            note["n_desc"]
            for section in ELFFile(file).iter_sections()
            if isinstance(section, NoteSection)
            for note in section.iter_notes()
        ]
    assert notes == [report.build_id]


def test_ldd_says_statically_linked(workload: Path) -> None:
    assert run(find_tool("ldd"), workload).stdout.strip() == "statically linked"


def test_symbols_are_the_names_of_the_guest(workload: Path) -> None:
    with workload.open("rb") as file:
        elf = ELFFile(file)
        symtab, text = elf.get_section_by_name(".symtab"), elf.get_section_by_name(".text")
        assert isinstance(symtab, SymbolTableSection) and text is not None
        functions = {
            symbol.name: (symbol["st_value"], symbol["st_size"])
            for symbol in symtab.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        start, end = text["sh_addr"], text["sh_addr"] + text["sh_size"]
    assert set(NAMES) <= set(functions)
    assert all(start <= address and size > 0 and address + size <= end for address, size in functions.values())
    with wa.open_metadata(workload) as metadata:
        for index, name in enumerate(NAMES):
            row = metadata.functions[index]
            assert functions[name] == (start + (row.text_offset or 0), row.size_bytes), name


def test_the_process_stays_hardened(workload: Path) -> None:
    """In a fresh process: after a load and calls no stack is executable, and nothing is writable and executable."""
    code = """if True:
        import sys, threading, wasmartifact
        def stacks_and_more():
            return [line.split()[1] + " " + line.split()[-1] for line in open("/proc/self/maps")]
        before = stacks_and_more()
        exports = wasmartifact.load(sys.argv[1]).instantiate().exports
        exports.run(1)
        thread = threading.Thread(target=lambda: (exports.run(2), print(*stacks_and_more(), sep="\\n")))
        thread.start()
        thread.join()
        assert "rw-p [stack]" in before"""
    protections = run(sys.executable, "-c", code, workload).stdout.splitlines()
    assert "rw-p [stack]" in protections
    assert f"r-xp {workload}" in protections  # the code itself
    assert [line for line in protections if {"w", "x"} <= set(line[:4])] == []


def test_gdb_names_the_guests_functions(workload: Path, tmp_path: Path) -> None:
    """With a breakpoint in the guest gdb shows its functions by their names."""
    program = tmp_path / "program.py"
    program.write_text(f"import wasmartifact\nwasmartifact.load({str(workload)!r}).instantiate().exports.divide(5)\n")
    commands = ["set breakpoint pending on", "break divide", "run", "info symbol $pc", "kill", "quit"]
    arguments = [part for command in commands for part in ("-ex", command)]
    shown = run(find_tool("gdb"), "-q", "-nx", "-batch", *arguments, "--args", sys.executable, program).stdout
    assert re.search(rf"^divide( \+ \d+)? in section \.text of {workload}$", shown, re.MULTILINE)


@pytest.mark.parametrize("command", [["strip"], ["strip", "--strip-unneeded"], ["eu-strip"]], ids=" ".join)
def test_stripped_it_loads_and_verifies(workload: Path, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "stripped.so"
    shutil.copyfile(workload, path)
    run(find_tool(command[0]), *command[1:], path)
    assert path.stat().st_size < workload.stat().st_size
    with path.open("rb") as file:
        elf = ELFFile(file)
        assert elf.get_section_by_name(".symtab") is None
        text = elf.get_section_by_name(".text")
        assert text is not None
    check_workload(path)
    wa.verify(path)
    assert run(find_tool("eu-elflint"), "--gnu-ld", path).stdout == "No errors\n"
    # A change is still found where it counts.
    contents = bytearray(path.read_bytes())
    contents[text["sh_offset"]] ^= 1
    path.write_bytes(contents)
    with pytest.raises(wa.CorruptArtifact):
        wa.verify(path)
