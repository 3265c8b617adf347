"""How workers start: only a Python of this version serves, else a fork; and how they end: with their parent."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wasmartifact.codegen import process
from wasmartifact.codegen.pool import close_idle_workers
from wasmartifact.codegen.process import ChildProcess, encode_message
from wasmartifact.errors import ToolchainError

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 120
PROBE = "wasmartifact.codegen.probe"
QUESTION = encode_message(("host",))


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No interpreter is proven yet, and none is installed beside a foreign program."""
    close_idle_workers()
    monkeypatch.setattr(process, "_proven", set())
    monkeypatch.setattr(process, "_refused", {})
    monkeypatch.setattr(sys, "exec_prefix", "/nowhere")
    monkeypatch.setattr(sys, "base_exec_prefix", "/nowhere")
    yield
    close_idle_workers()


def program(path: Path, text: str) -> str:
    """A shell script that leaves a mark where it runs."""
    path.write_text(f"#!/bin/sh\necho >> '{path}.ran'\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def use(monkeypatch: pytest.MonkeyPatch, executable: Any) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "_base_executable", executable)


def answer() -> tuple[Any, bool]:
    """A child's answer, and whether it is a fork."""
    child = ChildProcess(PROBE)
    try:
        child.send(QUESTION)
        return child.receive(), isinstance(child._process, process._Fork)
    finally:
        child.close()


def test_an_interpreter_is_used_where_there_is_one() -> None:
    (cpu, features), is_fork = answer()
    assert cpu and features and not is_fork
    assert process._proven == {sys.executable}


def test_a_child_has_small_blocks_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    ours = process._environment()["GLIBC_TUNABLES"]
    assert ours.startswith("glibc.malloc.tcache_count=") and "GLIBC_TUNABLES" not in os.environ
    # The C library takes the last of several values: what the user set counts.
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=7")
    assert process._environment() == {**os.environ, "GLIBC_TUNABLES": f"{ours}:glibc.malloc.tcache_count=7"}


@pytest.mark.parametrize("executable", [None, "", "/nowhere/python3", "/etc/passwd", "./python"])
@pytest.mark.filterwarnings("error")
def test_no_interpreter_at_all(monkeypatch: pytest.MonkeyPatch, executable: str | None) -> None:
    expected, _ = answer()
    use(monkeypatch, executable)
    assert answer() == (expected, True)


def test_a_server_is_never_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, program(tmp_path / "uwsgi", "exec sleep 1000"))
    assert answer()[1]
    assert not (tmp_path / "uwsgi.ran").exists()


@pytest.mark.parametrize("text", ["exit 1", "echo usage: server; exit 1", "echo program starts here, and then goes on"])
def test_what_is_called_python_must_greet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    use(monkeypatch, program(tmp_path / "python3-server", text))
    assert answer()[1] and answer()[1]
    assert (tmp_path / "python3-server.ran").read_text() == "\n"  # once, not for each worker


def test_what_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "GREETING_SECONDS", 0.2)
    use(monkeypatch, program(tmp_path / "python3-server", "exec sleep 1000"))
    assert answer()[1]
    assert process._refused[sys.executable] == "is not a Python of this version: it says nothing"


def test_the_variable_names_the_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WASMARTIFACT_PYTHON", sys.executable)
    use(monkeypatch, program(tmp_path / "server", "exec sleep 1000"))
    assert not answer()[1]
    wrong = program(tmp_path / "wrong", "echo no")
    monkeypatch.setenv("WASMARTIFACT_PYTHON", wrong)
    with pytest.raises(ToolchainError, match=rf"\$WASMARTIFACT_PYTHON is '{wrong}', which is not a Python of this"):
        answer()
    monkeypatch.setenv("WASMARTIFACT_PYTHON", "/nowhere/python")
    with pytest.raises(
        ToolchainError, match=r"can't be started \(No such file or directory\); set WASMARTIFACT_PYTHON"
    ):
        answer()


def test_a_fork_that_gets_stuck_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a lock that another thread holds at the fork."""
    use(monkeypatch, "/opt/server")
    monkeypatch.setattr(process, "FORK_READY_SECONDS", 0.2)
    monkeypatch.setattr(process, "import_module", lambda name: time.sleep(1000))
    with pytest.raises(ToolchainError, match=r"sys.executable is '/opt/server'.* and a fork says nothing"):
        answer()


def test_a_fork_beside_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds nothing of its parent: no descriptor, no handler; and the parent's exit functions don't run in it."""
    use(monkeypatch, None)
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    reader, writer = os.pipe()
    try:
        child = ChildProcess(PROBE)
        status = Path(f"/proc/{child._process.pid}/status").read_text()
        os.close(writer)
        assert os.read(reader, 1) == b""  # nobody else holds the other end
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
        assert not caught >> (signal.SIGTERM - 1) & 1
        child.send(QUESTION)
        assert child.receive()
        child.close()
    finally:
        signal.signal(signal.SIGTERM, previous)
        stop.set()
        os.close(reader)


KILLED = """
import os, sys, threading, time
from wasmartifact.codegen import process
{how}
child = process.ChildProcess("tests.unit.codegen.busy")
if os.environ.get("SIBLING") and os.fork() == 0:  # it holds the other ends of the child's pipes
    time.sleep(30)
    os._exit(0)
child.send(process.encode_message(None))
assert child.receive() == "busy"
print(child._process.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("how", ["", "sys.frozen = True"], ids=["interpreter", "fork"])
@pytest.mark.parametrize("sibling", ["", "1"])
def test_workers_end_with_a_parent_that_is_killed(how: str, sibling: str) -> None:
    """While they compile, too: they can't see then that their input ends."""
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(how=how)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SIBLING": sibling},
        start_new_session=True,
    )
    assert parent.stdout is not None
    try:
        worker = int(parent.stdout.readline())
        assert not is_gone(worker)
        parent.kill()
        deadline = time.monotonic() + TIMEOUT_S
        while not is_gone(worker):
            assert time.monotonic() < deadline, "the worker outlives its parent"
            time.sleep(0.05)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


FROZEN = """
import os, sys, tempfile
sys.frozen = True
sys.executable = sys._base_executable = sys.argv[1]
print("program starts")
import wasmartifact as wa
wa.pack(b'(module (func (export "f") (result i32) (i32.const 7)))', sys.argv[2], cpu="native")
print(wa.load(sys.argv[2]).instantiate().exports.f())
"""


def test_a_frozen_program_packs_and_is_not_started_again(tmp_path: Path) -> None:
    """Its executable is the program, whatever its arguments are."""
    app = program(
        tmp_path / "python-app", f"exec '{sys.executable}' -c '{FROZEN.replace(chr(39), chr(34) * 3)}' \"$0\" \"$1\""
    )
    done = subprocess.run(
        [app, str(tmp_path / "m.so")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.returncode) == ("program starts\n7\n", 0), done.stderr
    assert (tmp_path / "python-app.ran").read_text() == "\n"
