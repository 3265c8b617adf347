"""Tiering up: level 0 at once, the level asked for from a process of its own, once per machine, whatever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.flows.test_pack_limits import long_wat
from wasmartifact import cache, tier, tier_child
from wasmartifact.cache import TIER_UP_VARIABLE
from wasmartifact.cli import main
from wasmartifact.errors import ToolchainError
from wasmartifact.host import cache_folder
from wasmartifact.packer import INCREMENTAL_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
ADD = b'(module (func (export "f") (result i32) (i32.const 42)))'
#: What waits for another process gives up then.
TIMEOUT_S = 120
#: LLVM takes seconds for it at level 2, and far less at level 0.
LONG_WAT = long_wat(2000)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache, without any process that works for it at the end."""
    monkeypatch.delenv(TIER_UP_VARIABLE, raising=False)
    folder = tmp_path / "home" / "wasmartifact"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    yield folder
    for pid in builders(folder):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "module.wat"
    path.write_bytes(ADD)
    while time.time_ns() <= path.stat().st_ctime_ns + cache.COARSE_STEP_NS // 10:  # old enough to be known by its stat
        time.sleep(0.02)
    return path


def level(artifact: wa.Artifact) -> str:
    return artifact.metadata.info["opt_level"]


def open_files(process: Path) -> Iterator[str]:
    """Where the descriptors of a process lead; one that is closed meanwhile leads nowhere."""
    for entry in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(entry)


def builders(folder: Path) -> list[int]:
    """Processes that pack in the background for a cache: they have its lock open."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_child = b"wasmartifact.tier_child" in (path / "cmdline").read_bytes()
            is_one = is_child and str(folder / "lock") in open_files(path)
            if is_one and os.getsid(int(path.name)) != int(path.name):  # the leader of the session only starts it
                found.append(int(path.name))
        except OSError:  # it has ended
            continue
    return found


def is_given_up(folder: Path) -> bool:
    """Whether nobody packs, nor holds the lock of it: a process shows no descriptors before all of them are closed."""
    return not builders(folder) and all(row["state"] != "building" for row in tier.list_builds(str(folder)))


def builder(folder: Path) -> int:
    """The process that packs."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = builders(folder)
        return bool(found)

    wait_until(is_there, "nobody builds")
    (pid,) = found
    return pid


def wait_until(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def wait_for_builds(folder: Path) -> None:
    wait_until(lambda: not list(folder.glob("*.tier")), "the level that was asked for does not come")
    wait_until(lambda: not builders(folder), "the process that packed does not end")


def test_level_0_at_once_then_the_level_that_was_asked_for(folder: Path, source: Path) -> None:
    first = wa.compile(source)
    assert (level(first), first.instantiate().exports.f()) == ("0", 42)
    wait_for_builds(folder)
    second = wa.compile(source)
    assert (level(second), second.instantiate().exports.f()) == ("2", 42)
    assert first.instantiate().exports.f() == 42
    assert not builders(folder)


def test_contents_and_other_levels_tier_up_too(folder: Path) -> None:
    assert level(wa.compile(ADD, opt_level=1, cpu="native")) == "0"
    wait_for_builds(folder)
    assert level(wa.compile(ADD, opt_level=1, cpu="native")) == "1"
    assert level(wa.compile(ADD, opt_level=1, tier_up=False)) == "1"


@pytest.mark.parametrize("options", [{"tier_up": False}, {"opt_level": 0}, {"tier_up": False, "opt_level": 1}], ids=str)
def test_who_wants_none_gets_none(options: dict[str, Any], folder: Path, source: Path) -> None:
    assert level(wa.compile(source, **options)) == str(options.get("opt_level", 2))
    assert not list(folder.glob("*.tier")) and not builders(folder)


def test_the_environment_turns_it_off(folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIER_UP_VARIABLE, "0")
    assert level(wa.compile(source)) == "2"
    assert not list(folder.glob("*.tier"))


def test_wrong_options_are_refused_as_ever(folder: Path) -> None:
    with pytest.raises(ValueError, match="opt_level is 9"):
        wa.compile(ADD, opt_level=9)
    with pytest.raises(wa.InvalidModule):
        wa.compile(b"(module (func (result i32)))")
    assert not list(folder.glob("*.tier"))


def test_the_process_is_nobodys_and_stands_back(folder: Path) -> None:
    wa.compile(LONG_WAT.encode())
    pid = builder(folder)
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == 19, "the process has its full priority")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(fields[1]), int(fields[3]), int(fields[4])
    assert parent != os.getpid() and session not in (os.getsid(0), pid) and terminal == 0
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    wait_until(lambda: os.readlink(f"/proc/{pid}/fd/0") == "/dev/null", "the request stays open")
    ours = {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)}
    assert ours == {"/dev/null"}
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not any(b"tier_child" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)


COMPILE = "import sys, wasmartifact as wa; print(wa.compile(sys.argv[1]).metadata.info['opt_level'])"


def test_of_ten_programs_one_has_it_packed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.wat"
    path.write_text(LONG_WAT)
    command = [sys.executable, "-c", COMPILE, str(path)]
    programs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(10)]
    most = 0
    while any(program.poll() is None for program in programs):
        most = max(most, len(builders(folder)))
        time.sleep(0.02)
    assert {program.communicate(timeout=TIMEOUT_S)[0] for program in programs} <= {b"0\n", b"2\n"}
    assert most <= 1
    if state := tier.list_builds(str(folder)):
        assert [row["attempts"] for row in state] == [1]
    wait_for_builds(folder)  # though all programs have ended
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout == b"2\n"


def test_what_was_killed_is_taken_up(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wa.compile(LONG_WAT.encode())
    pid = builder(folder)
    (row,) = tier.list_builds(str(folder))
    assert (row["state"], row["level"], row["attempts"]) == ("building", 2, 1)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_given_up(folder), "it lives on")
    assert [row["state"] for row in tier.list_builds(str(folder))] == ["stopped"]
    assert main(["cache", "list"]) == 0 and "stopped  level 2" in capfd.readouterr().out
    assert level(wa.compile(LONG_WAT.encode())) == "0"
    (row,) = tier.list_builds(str(folder))
    assert (row["state"], row["attempts"]) == ("building", 2)
    assert main(["cache", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["builds"][0]["state"] == "building"
    pid = builder(folder)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_given_up(folder), "it lives on")
    for attempts in (3, 3):  # what is killed again and again is left alone in the end
        wa.compile(LONG_WAT.encode())
        assert tier.list_builds(str(folder))[0]["attempts"] == attempts
        for pid in builders(folder):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_given_up(folder), "it lives on")
    assert not [path for path in folder.iterdir() if path.suffix not in {".so", ".tier", ""}]
    assert level(wa.compile(LONG_WAT.encode(), tier_up=False)) == "2"


def request(folder: Path, **changes: Any) -> dict[str, Any]:
    """What the process in the background is told."""
    told: list[dict[str, Any]] = []

    def listen(module: str, told_now: dict[str, Any], fd: int) -> bool:
        told.append(told_now)
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tier, "start_detached", listen)
        wa.compile(ADD)
    told[0]["options"] |= changes
    return told[0]


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_no_program_and_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = request(folder)
    with monkeypatch.context() as patch:
        patch.setattr(
            cache, "_make_private", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        tier_child.work(**wanted)
    (row,) = tier.list_builds(str(folder))
    assert row["state"] == "failed" and "No space left" in row["problem"]
    assert main(["cache", "list"]) == 0
    assert "failed  level 2" in (page := capfd.readouterr().out) and "No space left" in page
    assert len(list(folder.glob("*.so"))) == 1 and not list(folder.glob(".wasmartifact.*"))
    assert level(wa.compile(ADD)) == "0"  # and does not try again at once
    assert not builders(folder)
    monkeypatch.setattr(cache_folder, "RETRY_SECONDS", -1)
    assert level(wa.compile(ADD)) == "0"
    wait_for_builds(folder)
    assert level(wa.compile(ADD)) == "2"


def test_without_room_for_the_state_nothing_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier, "write_state", no_space)
    assert wa.compile(ADD).instantiate().exports.f() == 42
    assert not builders(folder)
    with monkeypatch.context() as patch:  # and what could not start leaves no lock
        patch.undo()
    monkeypatch.undo()
    monkeypatch.delenv(TIER_UP_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    assert level(wa.compile(ADD)) == "0"
    wait_for_builds(folder)


def test_it_is_bounded(folder: Path) -> None:
    tier_child.work(**request(folder, limits=wa.PackLimits(seconds=0.001)))
    (row,) = tier.list_builds(str(folder))
    assert row["state"] == "failed" and row["problem"].startswith("LimitExceeded")


def test_another_package_does_not_pack_for_this_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = request(folder)
    monkeypatch.setattr(cache, "VERSION", "9.9")
    tier_child.work(**wanted)
    assert tier.list_builds(str(folder))[0]["problem"].startswith("ValueError")
    assert len(list(folder.glob("*.so"))) == 1


def test_what_can_not_start_costs_no_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise ToolchainError("no process")

    monkeypatch.setattr(tier, "start_detached", fail)
    assert wa.compile(ADD).instantiate().exports.f() == 42


def test_no_memory_for_the_process_costs_no_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wa.compile(ADD, opt_level=0)
    started: list[object] = []

    def fail(*arguments: object, **_: object) -> None:
        started.append(arguments)
        raise MemoryError

    monkeypatch.setattr(subprocess, "Popen", fail)
    assert wa.compile(ADD).instantiate().exports.f() == 42
    assert started


def test_without_a_generator_no_process_starts_and_the_cache_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setattr(tier, "start_detached", lambda *_: pytest.fail("a process that can't pack"))
    assert wa.compile(ADD).instantiate().exports.f() == 42
    (row,) = tier.list_builds(str(folder))
    assert row["state"] == "failed" and "llvmlite, which is not installed" in row["problem"]


@pytest.mark.parametrize("place", ["no cache", "read-only", "frozen"])
def test_without_a_generator_level_0_runs_whatever_the_cache(
    place: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a container, say, whose home can't be written to, and where only what running needs is installed."""
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setattr(cache, "_find_spec", lambda *_: None)
    options: dict[str, Any] = {"warn": lambda words: None}
    if place == "no cache":
        (tmp_path / "file").touch()
        options["cache_dir"] = tmp_path / "file" / "cache"
    elif place == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        folder.mkdir(mode=0o700, parents=True)
        monkeypatch.setattr(os, "access", lambda *_: False)
    for _ in range(2):
        assert level(wa.compile(ADD, **options)) == "0"
    monkeypatch.setenv("WASMARTIFACT_TIER_UP", "0")  # who asks for a level gets that, or why not
    with pytest.raises(wa.ToolchainError, match="llvmlite"):
        wa.compile(ADD, **options)


WARM = """
import os, sys, wasmartifact as wa
before = set(sys.modules)
artifact = wa.compile(sys.argv[1])
print(artifact.instantiate().exports.f(), *(set(sys.modules) - before))
"""
#: Each of them costs more than the rest of a warm start.
HEAVY = {"typing", "re", "json", "pickle", "pathlib", "subprocess", "wasmartifact.packer", "wasmartifact.tier"}


@pytest.mark.parametrize("reason", ["no generator", "others build"])
def test_a_start_from_level_0_imports_nothing_heavy(
    reason: str, folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without an optimising compiler always starts so, others while one packs."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "llvmlite", None)
        assert level(wa.compile(source)) == "0"
    (state,) = folder.glob("*.tier")
    lock = None
    if reason == "others build":
        state.unlink()
        lock = cache_folder.try_lock(str(folder), state.stem)
    # -S: what a virtual environment imports at its start is none of ours; nor is the environment known then.
    start = f"import sys; sys.path[:0] = {sys.path!r}; sys.prefix = {sys.prefix!r}"
    command = [sys.executable, "-S", "-c", f"{start}\n{WARM}", str(source)]
    answer, *imported = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if lock is not None:
        cache_folder.unlock(lock)
    assert answer == "42" and "wasmartifact.loader" in imported
    assert not HEAVY.intersection(imported)


def test_what_failed_rests_but_not_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    wa.compile(ADD)
    (state,) = folder.glob("*.tier")
    tried: list[object] = []

    def try_it(folder: str, key: str, source: str, level: int, lock: int, request: object) -> None:
        cache_folder.unlock(lock)
        tried.append(request)

    monkeypatch.setattr(tier, "begin", try_it)
    for wait_seconds, count in ((cache_folder.RETRY_SECONDS - 60, 0), (1e6, 1), (-1, 2)):  # 1e6: the clock was wrong
        os.utime(state, (time.time(), time.time() + wait_seconds))
        wa.compile(ADD)
        assert len(tried) == count


def test_a_cache_that_was_removed_is_not_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INCREMENTAL_VARIABLE, raising=False)
    wanted = request(folder)
    shutil.rmtree(folder)
    tier_child.work(**wanted)
    assert not folder.exists()


def test_a_state_that_makes_no_sense_is_none(folder: Path) -> None:
    wa.compile(ADD, opt_level=0)
    for text in (b"", b"[1]", b"{", b"\xff"):
        (folder / f"{'a' * 64}.tier").write_bytes(text)
        assert tier.list_builds(str(folder)) == []


def test_run_tiers_up(folder: Path, source: Path) -> None:
    command = [sys.executable, "-m", "wasmartifact", "run"]
    for options, built in (([], 1), ([], 2), (["--no-tier-up"], 2)):
        words = [*command, *options, str(source), "--invoke", "f"]
        assert subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout == b"42\n"
        wait_for_builds(folder)
        assert len(list(folder.glob("*.so"))) == 2 >= built
