"""The three ways to run a program on the face: another import, install(), and python -m."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
import wasmtime
from wasmtime import Store, Module, Instance

store = Store()
module = Module(store.engine, '(module (func (export "f") (param i32) (result i32) (local.get 0)))')
print(Instance(store, module, []).exports(store)["f"](store, 42), sys.argv[1:], __name__)
"""
#: Says which library of wasmtime's is mapped, and which modules of its package are loaded.
TRACES = """
import sys
with open("/proc/self/maps") as maps:
    print("libwasmtime" in maps.read())
"""


def run(*arguments: str, folder: Path, code: int = 0) -> str:
    """What a Python with these arguments prints; errors too, where it is to fail."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + (result.stderr if code else "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_script(program: Path) -> None:
    printed = run("-m", "wasmartifact.wasmtime", "program.py", "a", "--b", folder=program.parent)
    assert printed == "42 ['a', '--b'] __main__\n"


def test_module(program: Path) -> None:
    printed = run("-m", "wasmartifact.wasmtime", "-m", "program", "a", "-m", folder=program.parent)
    assert printed == "42 ['a', '-m'] __main__\n"


def test_script_finds_its_neighbours(program: Path) -> None:
    """The first entry of sys.path is the script's folder, as Python itself has it."""
    folder = program.parent / "elsewhere"
    folder.mkdir()
    (folder / "neighbour.py").write_text("print('found')\n")
    (folder / "script.py").write_text("import neighbour\n")
    assert run("-m", "wasmartifact.wasmtime", str(folder / "script.py"), folder=program.parent) == "found\n"


def test_exit_code_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys, wasmtime\nsys.exit(7)\n")
    run("-m", "wasmartifact.wasmtime", "script.py", folder=tmp_path, code=7)


def test_traceback_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import wasmtime\nwasmtime.Engine(3)\n")
    printed = run("-m", "wasmartifact.wasmtime", "script.py", folder=tmp_path, code=1)
    assert "script.py" in printed
    assert printed.rstrip().splitlines()[-1].startswith("TypeError")


@pytest.mark.parametrize("arguments", [(), ("missing.py",), ("-m", "no_such_module"), ("-m",)])
def test_program_that_is_missing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "wasmartifact.wasmtime", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode in (1, 2)
    assert result.stderr


def test_no_library_of_wasmtime_is_mapped(program: Path) -> None:
    program.write_text(PROGRAM + TRACES)
    assert run("-m", "wasmartifact.wasmtime", "program.py", folder=program.parent).splitlines()[-1] == "False"


def test_install_stands_in_for_wasmtime(program: Path) -> None:
    code = "import wasmartifact.wasmtime as face; face.install(); import program, wasmtime\n"
    code += "print(wasmtime.Store is face.Store)\n"
    printed = run("-c", code + TRACES, folder=program.parent)
    assert printed.splitlines() == ["42 [] program", "True", "False"]


def test_install_twice(program: Path) -> None:
    code = "import wasmartifact.wasmtime as face; face.install(); face.install(); import program"
    assert run("-c", code, folder=program.parent) == "42 [] program\n"


def test_import_alone_stands_in_for_nothing(tmp_path: Path) -> None:
    """Whoever imports wasmtime itself beside the face gets wasmtime itself, or its absence."""
    code = "import wasmartifact.wasmtime, sys; print('wasmtime' in sys.modules)"
    assert run("-c", code, folder=tmp_path) == "False\n"


def test_both_in_one_process(tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="wasmtime-py is not installed")
    code = """
import wasmtime
import wasmartifact.wasmtime as face
TEXT = '(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))'
for w in (wasmtime, face, wasmtime, face):
    store = w.Store()
    f = w.Instance(store, w.Module(store.engine, TEXT), []).exports(store)["f"]
    try:
        f(store, 0)
    except w.Trap as trap:
        print(trap.trap_code.name, f(store, 1))
"""
    assert run("-c", code, folder=tmp_path) == "INTEGER_DIVISION_BY_ZERO 1\n" * 4
