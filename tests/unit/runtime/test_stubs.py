"""The stubs are what the runtime is, and a wrong program is refused by mypy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["wasmartifact._types", "wasmartifact._native"])
def test_a_compiled_module_is_imported_alone(module: str, tmp_path: Path) -> None:
    ended = run("-c", f"import sys, {module} as module; assert sys.modules[{module!r}] is module", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_stubs_are_what_the_runtime_is() -> None:
    """As ``make lint`` has it."""
    options = ["--concise", "--mypy-config-file", "pyproject.toml", "--ignore-unused-allowlist"]
    allowed = ["--allowlist", "tests/data/stubtest.txt"]
    ended = run("-m", "mypy.stubtest", *options, *allowed, "wasmartifact._types", "wasmartifact._native", cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr


WRONG = {
    'wa.lod("x")': "attr-defined",
    "wa.Sotre()": "attr-defined",
    "wa.Func(print, 5)": "arg-type",
    'wa.Memory("1")': "arg-type",
    "wa.Memory(1).grwo(1)": "attr-defined",
    "wa.FuncType([1], [])": "list-item",
    "wa.WasmException(5)": "arg-type",
    'wa.load("x").instantiate([])': "arg-type",
    'wa.load("x").instantiate().export': "attr-defined",
}
RIGHT = """
func = wa.Func(lambda x: x, ["i32"], ["i32"])
print(func.call_bits([5])[0] + 1)
artifact: wa.Artifact = wa.load("x")
linked: wa.Linked = artifact.link({"m": {"f": print}})
instance: wa.Instance = linked.instantiate(store=wa.Store())
tag = wa.Tag(["i32"])
caught: tuple[str, ...] = wa.WasmException(tag, [1]).tag.params
memory: wa.Memory = instance.exports["memory"]
pages: int = memory.type.min_pages
same: bool = func.type == artifact.metadata.exports[0].type
"""


def test_mypy_refuses_wrong_programs_and_no_others(tmp_path: Path) -> None:
    lines = ["import wasmartifact as wa", *WRONG]
    program = tmp_path / "program.py"
    program.write_text("\n".join(lines) + RIGHT)
    ended = run("-m", "mypy", "--strict", "--no-error-summary", "--config-file", os.devnull, str(program), cwd=tmp_path)
    found = {
        line.split(":")[1]: line.rpartition("[")[2].rstrip("]") for line in ended.stdout.splitlines() if "error" in line
    }
    assert found == {str(number): code for number, code in enumerate(WRONG.values(), 2)}, ended.stdout + ended.stderr
