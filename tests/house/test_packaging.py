"""What a build asks for and says: no mypy where it is not wanted, no error for a warning, no free-threaded CPython."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in the source tree, with these variables and none of the build's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WASMARTIFACT_")}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("hook", ["get_requires_for_build_wheel", "get_requires_for_build_editable"])
def test_mypy_is_asked_for_unless_the_build_is_pure(hook: str) -> None:
    # setuptools' own hook runs setup.py; what it answers is not the question here.
    program = (
        f"import sys; sys.path.insert(0, 'tools'); import build_backend; "
        f"build_backend.build_meta.{hook} = lambda settings: ['cffi']; print(*build_backend.{hook}())"
    )
    assert run(program).stdout.split() == ["cffi", "mypy>=2.4"]
    assert run(program, WASMARTIFACT_PURE="1").stdout.split() == ["cffi"]


SETUP = "import runpy, sys; sys.argv = ['setup.py', '--name']; runpy.run_path('setup.py')"


def test_a_build_without_mypyc_says_so() -> None:
    done = run(f"import sys; sys.modules['mypyc'] = None; {SETUP}")
    assert done.returncode == 0, done.stderr
    assert "mypy is not installed: the files of compiled_python.txt stay Python" in done.stdout
    assert (
        "WASMARTIFACT_PURE=1: the files of compiled_python.txt stay Python" in run(SETUP, WASMARTIFACT_PURE="1").stdout
    )


def test_a_free_threaded_build_is_refused() -> None:
    done = run(f"import sysconfig; sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1; {SETUP}")
    assert done.returncode == 1
    assert "is a free-threaded build of CPython, which wasmartifact does not support" in done.stderr


def test_warnings_are_errors_only_where_asked() -> None:
    program = (
        "import runpy; built = runpy.run_path('native/build_native.py')['ffibuilder']; "
        "print(*built.distutils_extension('build/flags', verbose=False).extra_compile_args)"
    )
    assert "-Wall" in run(program).stdout.split()
    assert "-Werror" not in run(program).stdout.split()
    assert "-Werror" in run(program, WASMARTIFACT_WERROR="1").stdout.split()


def test_the_licence_is_an_expression() -> None:
    """PEP 639: a string and a list of files, and no classifier beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert [(ROOT / name).is_file() for name in project["license-files"]] == [True]
    assert not [name for name in project["classifiers"] if name.startswith("License")]


def test_no_text_is_executed() -> None:
    """An interrupt while one is would end a program that caught it: findings/cpython_interrupted_text.sh."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "wasmartifact").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"exec", "eval"}
        if not ast.unparse(node.args[0]).startswith(("compile(", "code"))
    ]
    assert not found
