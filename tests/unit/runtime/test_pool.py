"""Mappings of dropped instances that the next ones get: clean whatever was done to them, never while anybody looks."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import wasmartifact as wa
from tests.support.process import mappings
from tests.unit.runtime.harness import load, packed

TABLE_SIZE = 5000  # large enough to be mapped
PAGE = 65536
TIMEOUT_S = 60
#: Two memories, one with an image that leaves gaps; a mapped table; a passive segment; globals.
WAT = f"""(module
  (memory (export "m") 3 40) (memory (export "n") 1 4)
  (data (i32.const 100) "image") (data (i32.const 131000) "far") (data (memory 1) (i32.const 5) "other")
  (data $passive "passive")
  (table $t (export "t") {TABLE_SIZE} 100000 funcref)
  (elem (table $t) (i32.const 0) func {"$one $two " * (TABLE_SIZE // 2)})
  (global $g (export "g") (mut i32) (i32.const 7))
  (func $one (export "one") (result i32) (i32.const 1))
  (func $two (export "two") (result i32) (i32.const 2))
  (func (export "init") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 7)) (data.drop $passive))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
  (func (export "clear") (table.fill $t (i32.const 0) (ref.null func) (table.size $t)))
  (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0))))"""


@cache
def fresh_memories() -> tuple[bytes, bytes]:
    """What the memories of a new instance hold, from the text of the module."""
    first, second = bytearray(3 * PAGE), bytearray(PAGE)
    first[100:105], first[131000:131003], second[5:10] = b"image", b"far", b"other"
    return bytes(first), bytes(second)


def check_fresh(instance: wa.Instance) -> None:
    """The instance is as the module describes it."""
    got = instance.exports
    assert (bytes(got.m[:]), bytes(got.n[:])) == fresh_memories()
    assert got.g.value == 7
    assert len(got.t) == TABLE_SIZE
    assert [got.call(index) for index in (0, 1, TABLE_SIZE - 2, TABLE_SIZE - 1)] == [1, 2, 1, 2]
    assert got.t[4] is not None and got.t[4]() == 1
    for address in (3 * PAGE, 4 * PAGE, 39 * PAGE):
        try:
            found = got.load(address)
        except wa.Trap as trap:
            assert trap.code == "memory_out_of_bounds"
        else:
            raise AssertionError(f"address {address} behind the memory reads as {found}")


def spoil(instance: wa.Instance, *, pages: int = 30, elements: int = 0) -> None:
    """Change everything that can be changed."""
    got = instance.exports
    got.init()
    assert got.grow(pages) == 3
    assert bytes(got.m[3 * PAGE :]) == bytes(pages * PAGE)
    for memory in (got.m, got.n):
        memory[:] = b"\xaa" * memory.size_bytes
    got.clear()
    assert got.grow_table(elements) == TABLE_SIZE
    got.g.value = -1


def base_of(instance: wa.Instance) -> int:
    """Address of the first memory's bytes."""
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(instance.exports.m))


def test_a_reused_memory_is_clean() -> None:
    artifact = load(WAT)
    bases = set()
    for elements in (0, 5, 50000):
        for pages in (0, 1, 37):
            instance = artifact.instantiate()
            check_fresh(instance)
            bases.add(base_of(instance))
            spoil(instance, pages=pages, elements=elements)
            del instance
            gc.collect()
    check_fresh(artifact.instantiate())
    assert len(bases) == 1  # they were the same mapping, or this test shows nothing


def test_what_was_written_is_resident_no_more() -> None:
    artifact = load(WAT)
    instance = artifact.instantiate()
    base = base_of(instance)
    spoil(instance)
    del instance
    gc.collect()
    resident = pages_kib = 0
    is_ours = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            start = int(first.split("-")[0], 16)
            is_ours = base <= start < base + (8 << 30)
            pages_kib += 1 if is_ours else 0
        elif is_ours and first == "Rss:":
            resident += int(line.split()[1])
    assert pages_kib  # the mapping is still there
    assert resident == 0


def test_a_memory_with_views_is_nobody_elses() -> None:
    artifact = load(WAT)
    instance = artifact.instantiate()
    instance.exports.m[200:204] = b"mine"
    view = memoryview(instance.exports.m)
    del instance
    gc.collect()
    others = [artifact.instantiate() for _ in range(3)]
    for other in others:
        check_fresh(other)
        spoil(other)
    assert bytes(view[200:204]) == b"mine"
    assert bytes(view[100:105]) == b"image"
    del others, other
    gc.collect()
    assert bytes(view[200:204]) == b"mine"
    view.release()
    gc.collect()
    check_fresh(artifact.instantiate())


def test_a_table_that_outlives_its_instance_is_nobody_elses() -> None:
    artifact = load(WAT)
    table = artifact.instantiate().exports.t
    gc.collect()
    other = artifact.instantiate()
    other.exports.clear()
    assert table[0]() == 1
    del table
    check_fresh(artifact.instantiate())


def test_the_pool_goes_with_the_artifact() -> None:
    path = packed(WAT)
    artifact = wa.load(path)
    kept = [artifact.instantiate() for _ in range(5)]
    assert mappings(path)
    del kept
    gc.collect()
    del artifact
    gc.collect()
    assert not mappings(path)


def test_more_instances_than_the_pool_holds() -> None:
    artifact = load(WAT)
    before = len(mappings(""))
    for _ in range(2):
        many = [artifact.instantiate() for _ in range(300)]
        for instance in many[::10]:
            check_fresh(instance)
            spoil(instance, pages=1)
        del many, instance
        gc.collect()
    assert len(mappings("")) < before + 600
    check_fresh(artifact.instantiate())


def test_two_artifacts_don_t_mix() -> None:
    first, second = load(WAT), load('(module (memory (export "m") 3) (data (i32.const 0) "second"))')
    for _ in range(3):
        spoil(first.instantiate())
        got = second.instantiate().exports
        assert bytes(got.m[:]) == b"second" + bytes(3 * PAGE - 6)
        got.m[:] = b"\xff" * (3 * PAGE)
        check_fresh(first.instantiate())
        del got


def run_child(artifact: wa.Artifact, outer: wa.Instance) -> bool:
    """In a forked child: the pool's mappings and the parent's instance are copies of its own."""
    mine = artifact.instantiate()
    check_fresh(mine)
    spoil(mine)
    outer.exports.m[0:4] = b"chld"
    del mine
    check_fresh(artifact.instantiate())
    return True


def test_fork_copies_the_pool() -> None:
    artifact = load(WAT)
    spares = [artifact.instantiate() for _ in range(4)]
    for instance in spares:
        spoil(instance)
    outer = artifact.instantiate()
    outer.exports.m[0:4] = b"prnt"
    del spares, instance
    gc.collect()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:  # pragma: no cover: the child ends here
            signal.alarm(TIMEOUT_S)
            status = 1
            try:
                status = 0 if run_child(artifact, outer) else 1
            finally:
                os._exit(status)
        children.append(child)
        mine = artifact.instantiate()
        check_fresh(mine)
        spoil(mine)
        del mine
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert bytes(outer.exports.m[0:4]) == b"prnt"
    check_fresh(artifact.instantiate())


def test_fork_while_other_threads_use_the_pool() -> None:
    artifact = load(WAT)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            artifact.instantiate()

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    statuses = []
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:  # pragma: no cover: the child ends here
                signal.alarm(TIMEOUT_S)
                artifact.instantiate()
                os._exit(0)
            statuses.append(os.waitpid(child, 0)[1])
    finally:
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_S)
    assert statuses == [0] * 20


SCARCE = """
import gc, resource, sys
import wasmartifact as wa
first, second = wa.load(sys.argv[1]), wa.load(sys.argv[2])
first.instantiate()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (10 << 30), resource.RLIM_INFINITY))
kept = second.instantiate()     # fits beside the spare one
other = second.instantiate()    # needs the room of the spare one
print(len(bytes(other.exports.m[:])))
"""


def test_spare_mappings_make_room() -> None:
    small = packed('(module (memory (export "m") 1))')
    one = packed('(module (memory (export "m") 1) (data (i32.const 0) "x"))')
    used = [sys.executable, "-c", SCARCE, str(one), str(small)]
    run = subprocess.run(used, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (run.stdout, run.stderr) == (f"{PAGE}\n", "")


def test_locked_pages_are_not_reused() -> None:
    import ctypes

    artifact = load(WAT)
    instance = artifact.instantiate()
    page = resource.getpagesize()
    if ctypes.CDLL(None, use_errno=True).mlock(ctypes.c_void_p(base_of(instance)), ctypes.c_size_t(page)) != 0:
        raise OSError(ctypes.get_errno(), "mlock of one page")
    spoil(instance)
    del instance
    gc.collect()
    check_fresh(artifact.instantiate())
