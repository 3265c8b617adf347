"""`wa.run` and the command `run` with WASI programs: exit codes, streams, signals, reactors, the cache."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wasmartifact as wa
from wasmartifact import errors

COMMAND = [sys.executable, "-m", "wasmartifact", "run"]
PRELUDE = """
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 2)
  (func $write (param $fd i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 99)))))
"""
#: Writes its arguments and its environment, zero-terminated, copies its input, writes to standard error, exits with 7.
ECHO = f"""(module {PRELUDE}
  (data (i32.const 100) "to stderr\\n")
  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 1024) (i32.const 4096)))
    (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 20)))
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $environ_get (i32.const 1024) (i32.const 4096)))
    (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 20)))
    (block $end (loop $more
      (i32.store (i32.const 0) (i32.const 8192))
      (i32.store (i32.const 4) (i32.const 1000))
      (br_if $end (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 12)))
      (br_if $end (i32.eqz (i32.load (i32.const 12))))
      (call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 12)))
      (br $more)))
    (call $write (i32.const 2) (i32.const 100) (i32.const 10))
    (call $proc_exit (i32.const 7))))"""
#: Writes for ever; 99 is its exit code if a write fails.
YES = f"""(module {PRELUDE} (data (i32.const 100) "y\\n")
  (func (export "_start") (loop $more (call $write (i32.const 1) (i32.const 100) (i32.const 2)) (br $more))))"""
#: Writes once, then computes for ever.
SPIN = f"""(module {PRELUDE} (data (i32.const 100) "y\\n")
  (func (export "_start") (call $write (i32.const 1) (i32.const 100) (i32.const 2)) (loop $more (br $more))))"""
#: Writes once, then waits for input.
WAIT = f"""(module {PRELUDE} (data (i32.const 100) "y\\n")
  (func (export "_start")
    (call $write (i32.const 1) (i32.const 100) (i32.const 2))
    (i32.store (i32.const 4) (i32.const 1000))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 12)))))"""
TRAP = '(module $bad (func $inner unreachable) (func $outer (export "_start") (call $inner)))'
RETURNS = '(module (func (export "_start")))'
REACTOR = f"""(module {PRELUDE} (global $ready (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $ready (i32.add (global.get $ready) (i32.const 41))))
  (func (export "answer") (param i32) (result i32) (i32.add (global.get $ready) (local.get 0)))
  (func (export "leave") (call $proc_exit (i32.const 5))))"""
PROGRAMS = {
    "echo": ECHO,
    "yes": YES,
    "spin": SPIN,
    "wait": WAIT,
    "trap": TRAP,
    "returns": RETURNS,
    "reactor": REACTOR,
    "library": '(module (func (export "f")))',
}
YIELD = '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))'
EXIT = '(import "wasi_unstable" "proc_exit" (func $exit (param i32)))'
#: Modules whose start nobody can call: text, options, words of the message.
NO_STARTS = {
    "start-is-wasi": (f'(module {YIELD} (export "_start" (func $yield)))', (), "sched_yield"),
    "start-is-a-memory": ('(module (memory (export "_start") 1))', (), "Memory"),
    "start-with-a-parameter": ('(module (func (export "_start") (param i32)))', (), "a function of i32"),
    "invoked-is-wasi": (f'(module {EXIT} (export "f" (func $exit)))', ("--invoke", "f"), "wasi_unstable.proc_exit"),
    "initialize-is-wasi": (
        f'(module {YIELD} (export "_initialize" (func $yield)) (func (export "f") (param i32)))',
        ("--invoke", "f"),
        "as _initialize",
    ),
    "initialize-with-a-parameter": (
        '(module (func (export "_initialize") (param i64)) (func (export "f") (param i32)))',
        ("--invoke", "f"),
        "a function of i64",
    ),
    "nameless-variable": ('(module (func (export "_start")))', ("--env", "=3"), "no name of a variable"),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with NAME.so of each of PROGRAMS."""
    folder = tmp_path_factory.mktemp("programs")
    for name, text in PROGRAMS.items():
        wa.pack(text.encode(), folder / f"{name}.so", opt_level=0, jobs=1)
    return folder


def run(*arguments: str | Path, stdin: bytes = b"", **options: object) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of the command."""
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
        **options,  # type: ignore[call-overload]
    )
    return result.returncode, result.stdout, result.stderr


def test_arguments_environment_streams_and_exit_code(programs: Path) -> None:
    environment = {**os.environ, "SECRET": "not for guests"}
    found = run(
        "--env", "A=1", programs / "echo.so", "--env", "B=2", "--", "x", "--y", stdin=b"input" * 1000, env=environment
    )
    assert found == (7, b"echo.so\0x\0--y\0A=1\0B=2\0" + b"input" * 1000, b"to stderr\n")


def test_the_function_run(programs: Path) -> None:
    output, problems = io.BytesIO(), io.BytesIO()
    code = wa.run(
        programs / "echo.so", ["a", "b"], env={"K": "V"}, stdin=io.BytesIO(b"input"), stdout=output, stderr=problems
    )
    assert (code, output.getvalue(), problems.getvalue()) == (7, b"echo.so\0a\0b\0K=V\0input", b"to stderr\n")
    assert wa.run(programs / "returns.so") == 0


def test_bytes_are_contents(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module = b'(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    module += b' (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 5))))'
    output = io.BytesIO()
    code = wa.run(
        (programs / "echo.so").read_bytes(), ["a"], stdin=io.BytesIO(b"in"), stdout=output, stderr=io.BytesIO()
    )
    assert (code, output.getvalue(), wa.run(module)) == (7, b"program\0a\0in", 5)


def test_the_function_run_inherits_streams(programs: Path) -> None:
    code = (
        "import sys, wasmartifact as wa; print('before', end='');"
        f"code = wa.run({str(programs / 'echo.so')!r}); print('after', code, end='')"
    )
    result = subprocess.run([sys.executable, "-c", code], input=b"in", capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"beforeecho.so\0inafter 7", b"to stderr\n")


def test_the_function_run_after_python_closed_its_streams(programs: Path) -> None:
    """Closing sys.stdout leaves the descriptor, which the program inherits."""
    code = f"import sys, wasmartifact as wa; sys.stdout.close(); sys.exit(wa.run({str(programs / 'echo.so')!r}))"
    result = subprocess.run([sys.executable, "-c", code], input=b"in", capture_output=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, b"echo.so\0in", b"to stderr\n")


def test_traps_name_the_functions(programs: Path) -> None:
    code, output, problems = run(programs / "trap.so")
    assert (code, output) == (errors.Trap.exit_code, b"")
    assert problems.startswith(b"wasmartifact: ")
    assert problems.index(b"bad!inner") < problems.index(b"bad!outer")
    assert b"Traceback" not in problems
    with pytest.raises(wa.Trap, match="unreachable"):
        wa.run(programs / "trap.so")


@pytest.mark.parametrize(("name", "words"), [("reactor", b"a reactor"), ("library", b"no WASI program")])
def test_what_is_no_command(programs: Path, name: str, words: bytes) -> None:
    code, output, problems = run(programs / f"{name}.so")
    assert (code, output) == (2, b"")
    assert words in problems and b"--invoke" in problems
    with pytest.raises(ValueError, match=words.decode()):
        wa.run(programs / f"{name}.so")


@pytest.mark.parametrize("name", NO_STARTS)
def test_what_can_not_be_started(tmp_path: Path, name: str) -> None:
    """It is the program's fault, and no defect of ours."""
    text, options, words = NO_STARTS[name]
    wa.pack(text.encode(), tmp_path / "a.so", opt_level=0, jobs=1)
    code, output, problems = run(*options, tmp_path / "a.so", *(["3"] if "--invoke" in options else []))
    assert (code, output) == (2, b""), problems
    assert words.encode() in problems and b"defect" not in problems
    if not options:
        with pytest.raises(ValueError, match=words):
            wa.run(tmp_path / "a.so")


def test_a_start_that_returns_something(tmp_path: Path) -> None:
    wa.pack(b'(module (func (export "_start") (result i32) (i32.const 9)))', tmp_path / "a.so", opt_level=0, jobs=1)
    assert wa.run(tmp_path / "a.so") == 0  # as under node


def test_a_reactor_is_initialised_before_invoke(programs: Path) -> None:
    assert run("--invoke", "answer", programs / "reactor.so", "1") == (0, b"42\n", b"")
    assert run("--invoke", "leave", programs / "reactor.so") == (5, b"", b"")


def test_closed_streams(programs: Path) -> None:
    code = f"{sys.executable} -m wasmartifact run {programs / 'echo.so'} <&- >&-"
    result = subprocess.run(["sh", "-c", code], capture_output=True, check=False)
    # An empty input and a discarded output, not whatever file was opened under these numbers since.
    assert (result.returncode, result.stderr) == (7, b"to stderr\n")


def test_a_module_is_packed_once_into_the_cache(tmp_path: Path) -> None:
    source = tmp_path / "echo.wat"
    source.write_text(ECHO)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for _ in range(2):
        assert run("--opt-level", "0", source, "x", env=environment) == (7, b"echo.wat\0x\0", b"to stderr\n")
    assert len(list((tmp_path / "cache" / "wasmartifact").glob("*.so"))) == 1
    found = run("--opt-level", "0", "-", "x", stdin=ECHO.encode(), env=environment)
    assert found == (7, b"-\0x\0", b"to stderr\n")
    assert len(list((tmp_path / "cache" / "wasmartifact").glob("*.so"))) == 1


def test_without_a_cache_a_module_runs_all_the_same(tmp_path: Path) -> None:
    source = tmp_path / "echo.wat"
    source.write_text(ECHO)
    code, output, problems = run("--opt-level", "0", source, env={**os.environ, "XDG_CACHE_HOME": "/proc/none"})
    assert (code, output) == (7, b"echo.wat\0")
    assert problems.startswith(b"wasmartifact: warning: ")
    assert problems.endswith(b"\nto stderr\n") and problems.count(b"\n") == 2


@pytest.mark.parametrize("name", ["spin", "wait"])
def test_interrupt_kills_as_a_native_program(programs: Path, name: str) -> None:
    with subprocess.Popen(
        [*COMMAND, programs / f"{name}.so"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(2) == b"y\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGINT


def test_an_ignored_interrupt_stays_ignored(programs: Path) -> None:
    code = f"trap '' INT; exec {sys.executable} -m wasmartifact run {programs / 'wait.so'}"
    with subprocess.Popen(["sh", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.read(2) == b"y\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.stdin.close()
    assert process.returncode == 0


def test_a_closed_pipe_kills_as_a_native_program(programs: Path) -> None:
    with subprocess.Popen([*COMMAND, programs / "yes.so"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


def test_a_full_device_is_an_errno_of_the_guest(programs: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*COMMAND, programs / "yes.so"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (99, b"")


def test_run_is_lean(programs: Path) -> None:
    code = (
        "import atexit, sys; from wasmartifact import cli\n"
        f"assert cli.main(['run', {str(programs / 'echo.so')!r}]) == 7\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, input="", check=True)
    bare = [sys.executable, "-c", "import sys; print(*sys.modules)"]  # an editable install has its own imports
    loaded = set(result.stderr.split()) - set(
        subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"argparse", "json", "signal", "shutil", "contextlib", "wasmartifact.cache", "wasmartifact.packer"}
    assert "wasmartifact.wasi.host" in loaded
    assert not loaded & {*heavy, "wasmartifact.schema", "wasmartifact.cli.commands", "llvmlite"}


def test_packing_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    source = tmp_path / "echo.wat"
    source.write_text(ECHO)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    shown = []
    for _ in range(2):
        command = [*COMMAND, "--opt-level", "0", str(source)]
        subprocess.run(command, input=b"", stdout=subprocess.DEVNULL, stderr=theirs, check=False, env=environment)
        shown.append(os.read(ours, 1 << 16))
    os.close(theirs)
    os.close(ours)
    assert b"2/2 functions" in shown[0]
    assert shown[1] == b"to stderr\r\n"  # the second start packs nothing


def test_limits_of_a_program(tmp_path: Path) -> None:
    source = tmp_path / "program.wat"
    source.write_text("""(module (memory (export "memory") 2)
      (func $f (export "f") (result i32) (memory.grow (i32.const 1)))
      (func (export "_start") (if (i32.lt_s (call $f) (i32.const 0)) (then (unreachable)))))""")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    for options, code in ((("--max-memory", "200k"), 0), (("--max-memory=131072",), 40), (("--max-memory=1k",), 43)):
        assert run(*options, "--opt-level", "0", source, env=environment)[0] == code
    assert run("--max-memory=150k", "--invoke", "f", source, env=environment)[:2] == (0, b"-1\n")
    code, _, problems = run("--max-descriptors", "2", source, env=environment)
    assert code == 43 and b"3 descriptors" in problems
    for options in (("--max-memory", "1T"), ("--max-stack=-1",), ("--max-descriptors", "1k")):
        code, _, problems = run(*options, source, env=environment)
        assert code == 2 and b"expected a number" in problems
