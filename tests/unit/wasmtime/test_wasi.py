"""WASI programs: arguments, environment, streams as files and callables, and folders."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .harness import func_type

#: Writes "Hello, stdout!" and "Hello, stderr!".
HELLO = """
    (module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 100) "Hello, stdout!")
      (data (i32.const 200) "Hello, stderr!")
      (func $print (param $fd i32) (param $address i32)
        (i32.store (i32.const 300) (local.get $address))
        (i32.store (i32.const 304) (i32.const 14))
        (if (call $write (local.get $fd) (i32.const 300) (i32.const 1) (i32.const 400)) (then unreachable)))
      (func (export "_start")
        (call $print (i32.const 1) (i32.const 100))
        (call $print (i32.const 2) (i32.const 200))))"""

#: Copies what it reads to standard output, once.
CAT = """
    (module
      (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 1000))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 4) (i32.load (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


def strings(kind: str) -> str:
    """A program that writes its arguments (args) or environment (environ), each with its zero byte."""
    return f"""
        (module
          (import "wasi_snapshot_preview1" "{kind}_get" (func $get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "{kind}_sizes_get" (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (drop (call $get (i32.const 1024) (i32.const 8192)))
            (i32.store (i32.const 0) (i32.const 8192))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


#: Opens "file" beneath the first folder with the right to read, or to write, and tells the error number.
OPEN = """
    (module
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "file")
      (func (export "open") (param $rights i64) (param $create i32) (result i32)
        (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
          (local.get $create) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 16))))"""
READ, WRITE = 1 << 1, 1 << 6
SUCCESS, BADF, NOENT, NOTCAPABLE, PERM, ROFS = 0, 8, 44, 76, 63, 69


def run(w: ModuleType, config: Any, text: str) -> Any:
    """Run the module's _start with a configuration, if it has one; what it exports."""
    linker = w.Linker(w.Engine())
    linker.define_wasi()
    store = w.Store(linker.engine)
    store.set_wasi(config)
    exports = linker.instantiate(store, w.Module(linker.engine, text)).exports(store)
    if "_start" in exports:
        exports["_start"](store)
    return store, exports


@pytest.fixture
def config(w: ModuleType) -> Any:
    return w.WasiConfig()


def output_of(w: ModuleType, config: Any, text: str) -> bytes:
    parts: list[bytes] = []
    config.stdout_custom = parts.append
    run(w, config, text)
    return b"".join(parts)


# ---- arguments and environment -------------------------------------------------------------------------------------


@pytest.mark.core
def test_arguments(w: ModuleType, config: Any) -> None:
    config.argv = ["program", "a b", "größe", ""]
    assert output_of(w, config, strings("args")) == "program\0a b\0größe\0\0".encode()


def test_no_arguments(w: ModuleType, config: Any) -> None:
    assert output_of(w, config, strings("args")) == b""


@pytest.mark.differs("an assignment takes the place of the one before")
def test_arguments_and_variables_add_up(w: ModuleType, config: Any) -> None:
    config.argv = ["one", "two"]
    config.argv = ("three",)
    config.env = [["A", "1"]]
    config.env = [["B", "2"]]
    out: list[bytes] = []
    for kind in ("args", "environ"):
        config.stdout_custom = out.append
        run(w, config, strings(kind))
        config = w.WasiConfig()
        config.env = [["A", "1"]]
        config.env = [["B", "2"]]
    assert out == [b"one\0two\0three\0", b"A=1\0B=2\0"]


@pytest.mark.core
def test_environment(w: ModuleType, config: Any) -> None:
    config.env = [["A", "1"], ("B", "=2")]
    assert sorted(output_of(w, config, strings("environ")).split(b"\0")[:-1]) == [b"A=1", b"B==2"]


def test_environment_of_a_dictionary(w: ModuleType, config: Any) -> None:
    config.env = {"A": "1"}.items()
    assert output_of(w, config, strings("environ")) == b"A=1\0"


@pytest.mark.core
def test_environment_of_this_process(w: ModuleType, config: Any) -> None:
    """What the process began with: what Python put into os.environ later may be missing."""
    config.inherit_env()
    inherited = set(output_of(w, config, strings("environ")).split(b"\0"))
    assert os.environb[b"PATH"] in {one.removeprefix(b"PATH=") for one in inherited if one.startswith(b"PATH=")}


@pytest.mark.core
def test_arguments_of_this_process(w: ModuleType, config: Any) -> None:
    config.inherit_argv()
    assert output_of(w, config, strings("args")).count(b"\0") >= 1


@pytest.mark.parametrize("bad", [3, None, [1], [None]])
def test_what_are_no_arguments(w: ModuleType, config: Any, bad: object) -> None:
    with pytest.raises((TypeError, AttributeError)):
        config.argv = bad


@pytest.mark.parametrize("bad", [3, None, ["A"], [1], [("A", 1)], [("A", "1", "2")]])
def test_what_is_no_environment(w: ModuleType, config: Any, bad: object) -> None:
    with pytest.raises((TypeError, AttributeError, ValueError)):
        config.env = bad


def test_values_that_are_no_text_are_what_programs_catch(w: ModuleType, config: Any) -> None:
    with pytest.raises(AttributeError):
        config.argv = ["program", 1]
    with pytest.raises(AttributeError):
        config.env = [("A", 1)]


# ---- streams -------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_output_to_callables(w: ModuleType, config: Any) -> None:
    out: list[bytes] = []
    err: list[bytes] = []
    config.stdout_custom = out.append
    config.stderr_custom = err.append
    run(w, config, HELLO)
    assert (b"".join(out), b"".join(err)) == (b"Hello, stdout!", b"Hello, stderr!")
    assert {type(part) for part in out + err} == {bytes}


def test_callable_that_tells_how_much_it_took(w: ModuleType, config: Any) -> None:
    out = bytearray()

    def take(data: bytes) -> int:
        out.extend(data[:14])
        return len(data)

    config.stdout_custom = take
    run(w, config, HELLO)
    assert out == b"Hello, stdout!"


@pytest.mark.differs("the exception comes out of the call: nobody has to look for it in the output")
def test_callable_that_fails(w: ModuleType, config: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """The guest gets an error number, and the host goes on."""

    def fail(data: bytes) -> None:
        raise ValueError("no room")

    config.stdout_custom = fail
    with pytest.raises(w.Trap) as caught:
        run(w, config, HELLO)
    assert caught.value.trap_code is w.TrapCode.UNREACHABLE
    capfd.readouterr()


@pytest.mark.core
@pytest.mark.parametrize("kind", [str, bytes, Path])
def test_output_to_files(w: ModuleType, config: Any, tmp_path: Path, kind: type) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text("what was there, and longer than what comes")
    config.stdout_file = os.fsencode(out) if kind is bytes else kind(out)
    config.stderr_file = os.fsencode(err) if kind is bytes else kind(err)
    run(w, config, HELLO)
    assert (out.read_text(), err.read_text()) == ("Hello, stdout!", "Hello, stderr!")


def test_file_is_made_at_once(w: ModuleType, config: Any, tmp_path: Path) -> None:
    config.stdout_file = str(tmp_path / "out")
    assert (tmp_path / "out").exists()


@pytest.mark.core
@pytest.mark.parametrize("kind", [str, bytes, Path])
def test_input_from_a_file(w: ModuleType, config: Any, tmp_path: Path, kind: type) -> None:
    source = tmp_path / "in"
    source.write_text("from the file")
    config.stdin_file = os.fsencode(source) if kind is bytes else kind(source)
    assert output_of(w, config, CAT) == b"from the file"


def test_no_input(w: ModuleType, config: Any) -> None:
    assert output_of(w, config, CAT) == b""


def test_output_to_nowhere(w: ModuleType, config: Any, capfd: pytest.CaptureFixture[str]) -> None:
    run(w, config, HELLO)
    assert capfd.readouterr() == ("", "")


@pytest.mark.core
def test_streams_of_this_process(w: ModuleType, config: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config.inherit_stdin()
    config.inherit_stdout()
    config.inherit_stderr()
    run(w, config, HELLO)
    assert capfd.readouterr() == ("Hello, stdout!", "Hello, stderr!")


@pytest.mark.core
@pytest.mark.parametrize("name", ["stdin_file", "stdout_file", "stderr_file"])
def test_file_that_can_not_be_opened(w: ModuleType, config: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(w.WasmtimeError, match=f"failed to set {name.replace('_', ' ')}"):
        setattr(config, name, str(tmp_path / "missing" / "file"))


@pytest.mark.parametrize("name", ["argv", "env", "stdin_file", "stdout_file", "stdout_custom", "stderr_custom"])
def test_option_cannot_be_read(w: ModuleType, config: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(config, name)


@pytest.mark.parametrize("name", ["stdin_file", "stdout_file", "stderr_file"])
def test_file_that_is_no_path(w: ModuleType, config: Any, name: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(config, name, 3)


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_folder_to_read_and_write(w: ModuleType, config: Any, tmp_path: Path) -> None:
    config.preopen_dir(str(tmp_path), "/")
    store, exports = run(w, config, OPEN)
    assert exports["open"](store, READ, 0) == NOENT
    assert exports["open"](store, READ | WRITE, 1) == SUCCESS
    assert (tmp_path / "file").exists()


def test_folder_to_read_only(w: ModuleType, config: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    config.preopen_dir(str(tmp_path), "/", False)
    store, exports = run(w, config, OPEN)
    assert exports["open"](store, READ, 0) == SUCCESS
    assert exports["open"](store, WRITE, 0) in (NOTCAPABLE, PERM, ROFS)
    (tmp_path / "file").unlink()
    assert exports["open"](store, READ, 1) != SUCCESS
    assert not (tmp_path / "file").exists()


def test_no_folder(w: ModuleType, config: Any) -> None:
    store, exports = run(w, config, OPEN)
    assert exports["open"](store, READ, 0) == BADF


@pytest.mark.core
def test_folder_that_is_missing(w: ModuleType, config: Any, tmp_path: Path) -> None:
    for mutable in (True, False):
        with pytest.raises(w.WasmtimeError, match="failed to add preopen dir"):
            config.preopen_dir(str(tmp_path / "missing"), "/", mutable)


def test_folder_that_is_no_text(w: ModuleType, config: Any, tmp_path: Path) -> None:
    bad: list[tuple[Any, Any]] = [(3, "/"), (str(tmp_path), 3), (None, None)]
    for path, guest in bad:
        with pytest.raises((AttributeError, TypeError)):
            config.preopen_dir(path, guest)


# ---- the configuration and the store -------------------------------------------------------------------------------


@pytest.mark.core
def test_module_that_imports_wasi(w: ModuleType, config: Any) -> None:
    text = '(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))'
    run(w, config, text)


def test_store_takes_its_configuration_over(w: ModuleType, store: Any, config: Any) -> None:
    store.set_wasi(config)
    with pytest.raises(ValueError, match="already closed"):
        w.Store().set_wasi(config)
    with pytest.raises(ValueError, match="already closed"):
        config.argv = ["x"]


def test_store_takes_only_a_configuration(w: ModuleType, store: Any) -> None:
    for bad in (3, None, "x"):
        with pytest.raises(AttributeError):
            store.set_wasi(bad)


def test_two_stores_with_their_own_streams(w: ModuleType) -> None:
    """One linker serves both; each program writes to the stream of its store."""
    linker = w.Linker(w.Engine())
    linker.define_wasi()
    module = w.Module(linker.engine, HELLO)
    outputs: list[list[bytes]] = [[], []]
    for output in outputs:
        config = w.WasiConfig()
        config.stdout_custom = output.append
        store = w.Store(linker.engine)
        store.set_wasi(config)
        linker.instantiate(store, module).exports(store)["_start"](store)
    assert outputs == [[b"Hello, stdout!"]] * 2


def test_program_beside_functions_of_the_host(w: ModuleType, config: Any) -> None:
    linker = w.Linker(w.Engine())
    linker.define_wasi()
    hits: list[int] = []
    linker.define_func("env", "hit", func_type(w, "i32"), hits.append)
    store = w.Store(linker.engine)
    store.set_wasi(config)
    text = """
        (module
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (import "env" "hit" (func $hit (param i32)))
          (memory (export "memory") 1)
          (func (export "_start") (call $hit (call $yield))))"""
    linker.instantiate(store, w.Module(linker.engine, text)).exports(store)["_start"](store)
    assert hits == [0]
