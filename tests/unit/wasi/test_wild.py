"""Arguments that no program means, at the edges, to every function of WASI: an errno, never a crash."""

from __future__ import annotations

import itertools
import os
import random
import threading
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.unit.runtime import harness as runtime_harness
from tests.unit.wasi.guest import DATA, ERRNO, MEMORY_BYTES, RIGHTS, VECTORS, Guest, Ours, ours
from wasmartifact.wasi import abi

EDGES_32 = (
    0,
    1,
    3,
    4,
    7,
    255,
    4096,
    MEMORY_BYTES - 1,
    MEMORY_BYTES,
    MEMORY_BYTES + 1,
    2**31 - 1,
    2**31,
    2**32 - 8,
    2**32 - 1,
)
EDGES_64 = (0, 1, 4096, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
CALLS = 400
FUNCTIONS = [f for f in abi.FUNCTIONS if f.name != "proc_exit"]


def prepared(tmp_path: Path, module: str) -> Guest:
    """A guest with some descriptors open and some plausible bytes in memory."""
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "file").write_bytes(bytes(1000))
    guest = ours(root, module=module, stdin=lambda size: b"x" * min(size, 10), stdout=lambda data: None)
    assert guest.open(3, "file", rights=RIGHTS["fd_read"] | RIGHTS["fd_write"]) == (0, 4)
    assert guest.open(3, "dir") == (0, 5)
    return guest


@pytest.mark.parametrize("module", [abi.MODULE, abi.UNSTABLE_MODULE])
def test_edges(tmp_path: Path, module: str) -> None:
    guest = prepared(tmp_path, module)
    chooser = random.Random(module)
    for function in FUNCTIONS:
        if module == abi.UNSTABLE_MODULE and not function.in_unstable:
            continue
        for _ in range(CALLS if function.params else 1):
            arguments = [chooser.choice(EDGES_32 if letter == "i" else EDGES_64) for letter in function.params]
            if function.params[:1] == "i" and function.name not in {"poll_oneoff", "random_get"}:
                arguments[0] = chooser.choice((*range(7), *EDGES_32))
            if function.name == "fd_close" and arguments[0] < 6:
                continue  # the rest shall find something open
            if function.name == "fd_allocate":
                arguments[2] %= 1 << 16  # what succeeds takes room
                arguments[1] %= 1 << 16
            if function.name == "poll_oneoff":
                guest.engine.write(VECTORS, bytes(4096))  # zeros: clocks that are due
            errno = guest.call(function.name, *arguments)
            assert 0 <= errno < len(abi.ERRNOS), (function.name, arguments)


def test_random_memory(tmp_path: Path) -> None:
    """Vectors, paths and subscriptions of random bytes."""
    guest = prepared(tmp_path, abi.MODULE)
    chooser = random.Random(1)
    for _ in range(300):
        guest.engine.write(VECTORS, chooser.randbytes(512))
        count = chooser.choice((1, 2, 8, 64))
        for name in ("fd_read", "fd_write"):
            assert 0 <= guest.call(name, chooser.randrange(6), VECTORS, count, DATA) < len(abi.ERRNOS)
        for name in ("path_create_directory", "path_unlink_file", "path_remove_directory"):
            assert 0 <= guest.call(name, 3, VECTORS, chooser.randrange(64)) < len(abi.ERRNOS)
        assert 0 <= guest.call("path_open", 3, 1, VECTORS, 5, chooser.randrange(16), 2, 0, 0, DATA) < len(abi.ERRNOS)


def test_addresses_outside_are_faults(tmp_path: Path) -> None:
    """One byte too far is one too far: each pointer of some calls, at the end of memory."""
    guest = prepared(tmp_path, abi.MODULE)
    end, fault = MEMORY_BYTES, ERRNO["fault"]
    for place, size in ((end - 7, 8), (end - 1, 8), (end, 8), (2**32 - 1, 8)):
        assert guest.call("clock_time_get", 0, 0, place) == fault
        assert guest.call("fd_tell", 4, place) == fault
        assert guest.call("random_get", place, size) == fault
    assert guest.call("clock_time_get", 0, 0, end - 8) == 0
    assert guest.call("random_get", end - 6, 6) == 0
    assert guest.call("random_get", end, 0) == 0
    assert guest.call("fd_filestat_get", 4, end - 64) == 0
    assert guest.call("fd_filestat_get", 4, end - 63) == fault
    assert guest.call("fd_write", 1, end - 4, 1, 0) == fault
    assert guest.call("fd_write", 1, VECTORS, 2**29, 0) == fault
    guest.engine.write(VECTORS, (end - 1).to_bytes(4, "little") + (2).to_bytes(4, "little"))
    assert guest.call("fd_write", 1, VECTORS, 1, 0) == fault
    guest.engine.write(VECTORS, bytes(4) + (2**32 - 1).to_bytes(4, "little"))
    assert guest.call("fd_read", 4, VECTORS, 1, 0) == fault
    assert guest.call("path_open", 3, 0, end - 3, 4, 0, 2, 0, 0, 0) == fault
    assert guest.call("poll_oneoff", end - 47, 0, 1, 0) == fault
    assert guest.call("poll_oneoff", 0, 0, 2**27, 0) == fault


def test_a_result_that_has_no_place_costs_nothing(tmp_path: Path) -> None:
    """What can't be reported is not done: no byte is read, no descriptor opened."""
    guest = prepared(tmp_path, abi.MODULE)
    guest.engine.write(VECTORS, DATA.to_bytes(4, "little") + (5).to_bytes(4, "little"))
    assert guest.call("fd_read", 4, VECTORS, 1, MEMORY_BYTES) == ERRNO["fault"]
    assert guest.call("fd_tell", 4, 0) == 0
    assert guest.u64(0) == 0
    opened = len(os.listdir("/proc/self/fd"))
    assert guest.call("path_open", 3, 1, *guest.path("file"), 0, 2, 0, 0, MEMORY_BYTES - 2) == ERRNO["fault"]
    assert len(os.listdir("/proc/self/fd")) == opened


def test_empty_buffers_before_the_others_are_no_end_of_the_file(tmp_path: Path) -> None:
    """However many there are: a read of 0 bytes would mean the end, a write of 0 is repeated for ever by many."""
    guest = prepared(tmp_path, abi.MODULE)
    written: list[bytes] = []
    other = Guest(Ours(wa.Wasi(stdout=written.append)))
    for empty in (127, 128, 300, 3000):
        vectors = [0] * empty + [5, 0, 2]
        assert (guest.call("fd_pread", 4, *guest.vectors(*vectors), 0, 0), guest.u32(0)) == (0, 7)
        assert (guest.call("fd_write", 4, *guest.vectors(*vectors), 0), guest.u32(0)) == (0, 7)
        assert (other.call("fd_write", 1, *other.vectors(*vectors), 0), other.u32(0)) == (0, 7)
    assert written == [bytes(7)] * 4
    guest.engine.write(VECTORS + 8 * 200, (MEMORY_BYTES + 1).to_bytes(4, "little") + bytes(4))
    assert guest.call("fd_pread", 4, VECTORS, 300, 0, 0) == ERRNO["fault"]


@pytest.mark.parametrize("memory", ["", '(memory (export "other") 1)', '(global (export "memory") i32 (i32.const 1))'])
def test_a_guest_without_the_memory(memory: str) -> None:
    """WASI works on the export "memory"; where it is missing, every address is a fault."""
    wat = f"""(module
      (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func $y (result i32)))
      {memory}
      (func (export "random") (param i32 i32) (result i32) (call $r (local.get 0) (local.get 1)))
      (func (export "yield") (result i32) (call $y)))"""
    exports = runtime_harness.exports(wat, wa.Wasi().imports())
    assert exports["random"](0, 8) == ERRNO["fault"]
    assert exports["random"](-1, 1) == ERRNO["fault"]
    assert exports["yield"]() == 0


def test_memory_that_grew() -> None:
    """The size that counts is the one at the time of the call."""
    wat = """(module
      (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "random") (param i32 i32) (result i32) (call $r (local.get 0) (local.get 1)))
      (func (export "grow") (result i32) (memory.grow (i32.const 1))))"""
    exports = runtime_harness.exports(wat, wa.Wasi().imports())
    assert exports["random"](65536, 8) == ERRNO["fault"]
    assert exports["grow"]() == 1
    assert exports["random"](65536, 8) == 0
    assert exports["memory"][65536 : 65536 + 8] != bytes(8)


def test_python_cannot_call_one() -> None:
    random_get = wa.Wasi().imports()["wasi_snapshot_preview1"]["random_get"]
    with pytest.raises(TypeError, match=r"random_get\(i32, i32\) -> i32 works on the memory of the .* instance"):
        random_get(0, 8)


def test_signatures_are_checked() -> None:
    wat = '(module (import "wasi_snapshot_preview1" "random_get" (func (param i32) (result i32))))'
    with pytest.raises(wa.UnlinkableModule, match="random_get"):
        runtime_harness.instance(wat, wa.Wasi().imports())


def test_every_function_links_to_wasmtimes_type(tmp_path: Path) -> None:
    """The guest's text says the types; both engines take it (wasmtime's linker knows them by itself)."""
    from tests.unit.wasi.guest import guest_wat, theirs

    assert theirs(tmp_path).call("sched_yield") == 0
    names = {f.name for f in abi.FUNCTIONS}
    assert set(wa.Wasi().imports()[abi.MODULE]) == names
    assert set(Ours(wa.Wasi()).instance.exports) == {*names, "memory"}
    assert all(name in guest_wat() for name in itertools.chain(names))


RECURSIVE = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $r (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\40\\00\\00\\00\\01\\00\\00\\00")
  (data (i32.const 64) "abc")
  (func $deeper (export "deeper") (param i32) (result i32)
    (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $r (i32.const 3) (i32.const 64) (i32.const 1) (i32.const 3) (i32.const 65) (i32.const 1)))
    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))"""


@pytest.mark.parametrize("stack_bytes", [0, 128 * 1024, 1024 * 1024])
def test_an_exhausted_stack_is_a_trap(tmp_path: Path, stack_bytes: int) -> None:
    """Calls into the runtime and into Python at every depth; 0: the main thread."""
    outcomes: list[object] = []

    def run() -> None:
        wasi = wa.Wasi(preopens={"/": tmp_path}, stdout=lambda data: None)
        wasi._avoid_openat2()
        try:
            runtime_harness.exports(RECURSIVE, wasi.imports())["deeper"](0)
        except wa.Trap as trap:
            outcomes.append(trap.code)

    if stack_bytes == 0:
        run()
    else:
        runtime_harness.packed(RECURSIVE)
        saved = threading.stack_size(stack_bytes)
        try:
            thread = threading.Thread(target=run)
            thread.start()
        finally:
            threading.stack_size(saved)
        thread.join()
    assert outcomes == ["stack_exhausted"]


def test_a_stream_may_call_the_guest_again() -> None:
    wat = """(module
      (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1 4)
      (data (i32.const 0) "\\40\\00\\00\\00\\03\\00\\00\\00")
      (data (i32.const 64) "abc")
      (func (export "grow") (result i32) (memory.grow (i32.const 1)))
      (func (export "write") (param i32) (result i32)
        (call $w (i32.const 1) (i32.const 0) (i32.const 1) (local.get 0))))"""
    calls: list[object] = []

    def write(data: bytes) -> None:
        calls.append((data, exports["grow"]()))
        if len(calls) < 2:
            calls.append(exports["write"](128))

    exports = runtime_harness.exports(wat, wa.Wasi(stdout=write).imports())
    assert exports["write"](16) == 0
    assert calls == [(b"abc", 1), (b"abc", 2), 0]
    assert exports["memory"][16] == exports["memory"][128] == 3


def test_a_function_that_is_handed_on_works_on_its_caller() -> None:
    """Through an export, and through a table: the memory is that of the instance that calls."""
    first = runtime_harness.instance(
        """(module (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
             (memory (export "memory") 1) (export "random" (func $r))
             (table (export "table") 1 funcref) (elem (i32.const 0) $r))""",
        wa.Wasi().imports(),
    )
    second = runtime_harness.instance(
        """(module (type $t (func (param i32 i32) (result i32)))
             (import "first" "random" (func $r (type $t))) (import "first" "table" (table 1 funcref))
             (memory (export "memory") 1)
             (func (export "direct") (result i32) (call $r (i32.const 0) (i32.const 8)))
             (func (export "indirect") (result i32)
               (call_indirect (type $t) (i32.const 8) (i32.const 8) (i32.const 0))))""",
        {"first": first},
    )
    assert second.exports["direct"]() == 0
    assert second.exports["indirect"]() == 0
    assert first.exports["memory"][0:16] == bytes(16)
    assert bytes(8) not in {second.exports["memory"][0:8], second.exports["memory"][8:16]}
    with pytest.raises(TypeError, match="Python can't call it"):
        first.exports["random"](0, 8)
