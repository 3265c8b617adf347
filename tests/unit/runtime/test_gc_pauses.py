"""What a collection does to the rest: a deadline ends it, memory goes back to the system, limits hold all the while."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.pauses import WAT, resident_bytes
from tests.support.endless import COLLECTING_WAT

MEGABYTE = 1 << 20
NODE_BYTES = 32
ROWS_WAT = COLLECTING_WAT.replace(
    "(start $make)",
    """(start $make) (memory (export "memory") 0) (type $row (array (mut i64)))
    (func (export "rows") (loop $again (drop (array.new $row (i64.const 1) (i32.const 131072))) (br $again)))""",
)


@pytest.fixture(scope="module", params=[0, 2])
def level(request: pytest.FixtureRequest) -> Any:
    return request.param


def _artifact(wat: str, level: int, folder: Path) -> wa.Artifact:
    path = folder / "pauses.so"
    wa.pack(wat.encode(), path, opt_level=level)
    return wa.load(path)


def test_memory_goes_back_to_the_system(level: int, tmp_path: Path) -> None:
    """The measure is Linux's: pages that the process has."""
    instance = _artifact(WAT, level, tmp_path).instantiate()
    exports = instance.exports
    gc.collect()
    before = resident_bytes()
    exports.keep(160 * MEGABYTE // NODE_BYTES)
    full = resident_bytes()
    assert full - before > 150 * MEGABYTE
    exports.keep(0)
    exports.churn(400 * MEGABYTE // NODE_BYTES)
    assert resident_bytes() - before < 60 * MEGABYTE


def test_the_tree_outlives_collections_and_is_made_again(level: int, tmp_path: Path) -> None:
    exports = _artifact(WAT, level, tmp_path).instantiate().exports
    for count in (1_000_003, 77, 400_000):
        exports.keep(count)
        exports.churn(2_000_000)
        assert exports.count() == count


def test_deadlines_in_collections_keep_no_garbage(level: int, tmp_path: Path) -> None:
    """Marking half a million objects in a row takes several milliseconds, longer than these deadlines.

    Each call makes a megabyte of garbage or more. Were no collection ever to end, nothing would be left for the memory.
    """
    store = wa.Store(limits=wa.Limits(memory_bytes=100 * MEGABYTE))
    exports = _artifact(ROWS_WAT, level, tmp_path).instantiate(store=store).exports
    for _ in range(300):
        with pytest.raises(wa.DeadlineExceeded), store.deadline(0.001):
            exports.rows()
    exports.memory.grow(32 * MEGABYTE // 65536)
    assert exports.usable() == 41


LINKED_WAT = WAT.replace(
    "(module",
    """(module (import "host" "other" (func $other (result i32)))
    (func (export "both") (result i32) (local $before i32)
      (local.set $before (call $count (global.get $kept)))
      (drop (call $other))
      (call $churn (i32.const 2000000))
      (i32.add (i32.mul (local.get $before) (i32.const 3)) (call $count (global.get $kept))))""",
    1,
).replace('(func (export "churn")', '(func $churn (export "churn")')
JOIN_WAT = """(module
  (import "one" "count" (func $one (result i32))) (import "two" "count" (func $two (result i32)))
  (func (export "sum") (result i32) (i32.add (call $one) (call $two))))"""


@pytest.mark.parametrize("kept", [(0, 40_000), (40_000, 0), (30_000, 20_000)])
def test_heaps_that_become_one_keep_what_lives(kept: tuple[int, int], level: int, tmp_path: Path) -> None:
    """A host function joins the stores of two instances while code of one runs, which allocates before and after."""
    artifact = _artifact(LINKED_WAT, level, tmp_path)
    wa.pack(JOIN_WAT.encode(), tmp_path / "join.so", opt_level=level)
    join, sums = wa.load(tmp_path / "join.so"), []

    def other() -> int:
        sums.append(join.instantiate({"one": one, "two": two}).exports.sum())
        return 1

    one = artifact.instantiate({"host": {"other": other}})
    two = artifact.instantiate({"host": {"other": lambda: 1}})
    for instance, count in zip((one, two), kept, strict=True):
        if count:
            instance.exports.keep(count)
            instance.exports.churn(100)
    assert one.exports.both() == 4 * kept[0]
    assert two.exports.both() == 4 * kept[1]
    assert sums == [sum(kept)]
    for instance, count in zip((two, one), reversed(kept), strict=True):
        instance.exports.churn(2_000_000)
        assert instance.exports.count() == count
    one.exports.keep(7)
    two.exports.churn(2_000_000)
    assert (one.exports.count(), two.exports.count()) == (7, kept[1])
