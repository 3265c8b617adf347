"""Limits of stores: growth beyond them is refused, instances beyond them too, and what goes is given back."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load

PAGE = 65536
GROWING = """(module (memory (export "memory") 1) (table (export "table") 10 externref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0))))"""
IMPORTING = """(module (import "m" "memory" (memory 1)) (import "m" "table" (table 1 externref))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0))))"""
EMPTY = '(module (func (export "f")))'


def limited(**limits: int) -> wa.Store:
    return wa.Store(limits=wa.Limits(**limits))


# ---- the value ------------------------------------------------------------------------------------------------------


def test_it_is_a_value() -> None:
    limits = wa.Limits(memory_bytes=PAGE, stack_bytes=0)
    assert limits == wa.Limits(stack_bytes=0, memory_bytes=PAGE) != wa.Limits(memory_bytes=PAGE)
    assert limits != wa.Limits() and limits != (PAGE, None)
    assert hash(limits) == hash(wa.Limits(memory_bytes=PAGE, stack_bytes=0))
    assert (limits.memory_bytes, limits.stack_bytes, limits.instances, limits.descriptors) == (PAGE, 0, None, None)
    assert repr(limits) == "Limits(memory_bytes=65536, stack_bytes=0)" and repr(wa.Limits()) == "Limits()"
    assert pickle.loads(pickle.dumps(limits)) == copy.deepcopy(limits) == limits
    with pytest.raises(AttributeError, match="never changes"):
        limits.memory_bytes = 1
    with pytest.raises(AttributeError, match="never changes"):
        del limits.memory_bytes


@pytest.mark.parametrize("bound", ["1", 1.0, True, b"1"])
def test_only_ints_are_limits(bound: object) -> None:
    with pytest.raises(TypeError, match="instances must be int or None, found "):
        wa.Limits(instances=bound)  # type: ignore[arg-type]


def test_what_makes_no_limits() -> None:
    with pytest.raises(ValueError, match="table_elements is -1; expected a number from 0"):
        wa.Limits(table_elements=-1)
    with pytest.raises(TypeError):
        wa.Limits(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="expected Limits, found dict"):
        wa.Store(limits={"instances": 1})  # type: ignore[arg-type]


def test_a_store_tells_its_limits() -> None:
    limits = wa.Limits(instances=2, memory_bytes=2**70)  # more than any host has: none
    store = wa.Store(limits=limits)
    made = instance(GROWING, store=store)
    assert store.limits is limits and made.store.limits is limits
    assert wa.Store().limits is None and instance(GROWING).store.limits is None


# ---- growth ---------------------------------------------------------------------------------------------------------


def test_growth_beyond_is_refused() -> None:
    guest = exports(GROWING, store=limited(memory_bytes=4 * PAGE, table_elements=15))
    assert (guest.grow(4), guest.grow(3), guest.grow(1), guest.grow(0)) == (-1, 1, -1, 4)
    assert (guest.grow_table(6), guest.grow_table(5), guest.grow_table(1), guest.grow_table(0)) == (-1, 10, -1, 15)
    assert guest.memory.size_bytes == 4 * PAGE and len(guest.table) == 15


def test_python_gets_the_same_exception_as_beyond_a_maximum() -> None:
    guest = exports(GROWING, store=limited(memory_bytes=2 * PAGE, table_elements=11))
    with pytest.raises(ValueError, match=r"can't grow by 2: the store's Limits\(memory_bytes=131072, "):
        guest.memory.grow(2)
    with pytest.raises(ValueError, match=r"can't grow by 2; the store's Limits\(.*\) does not allow it"):
        guest.table.grow(2)
    assert guest.memory.grow(1) == 1 and guest.table.grow(1) == 10


def test_all_memories_and_tables_of_a_store_count() -> None:
    store = limited(memory_bytes=8 * PAGE, table_elements=40)
    guests = [exports(GROWING, store=store) for _ in range(3)]
    assert guests[0].grow(4) == 1 and guests[1].grow(2) == -1 and guests[2].grow(1) == 1
    assert guests[0].grow_table(11) == -1 and guests[1].grow_table(10) == 10 and guests[2].grow_table(1) == -1


def test_a_limit_bounds_one_store_only() -> None:
    limits = wa.Limits(memory_bytes=PAGE)
    one, other = (exports(GROWING, store=wa.Store(limits=limits)) for _ in range(2))
    assert one.grow(1) == other.grow(1) == -1


# ---- instantiating --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "which", "limit", "wanted"),
    [
        (wa.Limits(memory_bytes=3 * PAGE - 1), "memory_bytes", 3 * PAGE - 1, 3 * PAGE),
        (wa.Limits(table_elements=29), "table_elements", 29, 30),
        (wa.Limits(instances=2), "instances", 2, 3),
    ],
)
def test_instances_beyond_are_refused(limits: wa.Limits, which: str, limit: int, wanted: int) -> None:
    store = wa.Store(limits=limits)
    artifact = load(GROWING)
    guests = [artifact.instantiate(store=store).exports for _ in range(2)]
    for _ in range(3):
        with pytest.raises(wa.LimitExceeded) as caught:
            artifact.instantiate(store=store)
        error = caught.value
        assert (error.which, error.limit, error.wanted, error.exit_code) == (which, limit, wanted, 43)
        assert str(artifact.path) in str(error) and f"({which})" in str(error) and "use another store" in str(error)
    assert guests[0].grow(0) == 1  # those that are there go on
    assert artifact.instantiate().exports.grow(1) == 1


def test_a_memory_of_any_size_is_refused_before_it_is_made() -> None:
    """The sum of sizes near 2**64 does not wrap."""
    huge = "(module (memory i64 0x800000000000) (memory i64 0x800000000000) (memory 1))"
    with pytest.raises(wa.LimitExceeded) as caught:
        instance(huge, store=limited(memory_bytes=2**40))
    assert caught.value.wanted == 2**64 - 1


def mapped_kilobytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4


def test_a_refused_instance_leaves_nothing_behind() -> None:
    artifact = load(GROWING)
    store = limited(table_elements=5)
    for _ in range(3):
        with pytest.raises(wa.LimitExceeded):
            artifact.instantiate(store=store)
    before = mapped_kilobytes()
    for _ in range(200):
        with pytest.raises(wa.LimitExceeded):
            artifact.instantiate(store=store)
    assert mapped_kilobytes() - before < 2**20  # one memory reserves 8 GiB
    assert exports(EMPTY, store=store).f() is None


def test_an_instance_that_does_not_link_gives_back_what_it_took() -> None:
    """Refused after its memory was made, since an import brings too much."""
    store = limited(memory_bytes=4 * PAGE, instances=2)
    wat = '(module (import "m" "memory" (memory 1)) (memory (export "memory") 2))'
    for _ in range(3):
        with pytest.raises(wa.LimitExceeded):
            instance(wat, {"m": {"memory": wa.Memory(3)}}, store=store)
    guest = exports(GROWING, store=store)
    assert guest.grow(3) == 1
    assert exports(EMPTY, store=store).f() is None


def test_spare_memories_count_again() -> None:
    """Those of dropped instances lie in a pool, which belongs to no store."""
    artifact = load(GROWING)
    for _ in range(5):
        store = limited(memory_bytes=3 * PAGE)
        guest = artifact.instantiate(store=store).exports
        assert (guest.grow(2), guest.grow(1)) == (1, -1)
        with pytest.raises(wa.LimitExceeded):
            artifact.instantiate(store=store)
        del guest, store
        gc.collect()


# ---- imports and joins ----------------------------------------------------------------------------------------------


def test_memories_and_tables_of_the_host_count_from_their_import() -> None:
    memory, table = wa.Memory(2), wa.Table("externref", 20)
    memory.grow(1)
    store = limited(memory_bytes=5 * PAGE, table_elements=25)
    imports = {"m": {"memory": memory, "table": table}}
    guest, again = (exports(IMPORTING, imports, store=store) for _ in range(2))  # once, however many import it
    assert (guest.grow(3), again.grow(2), guest.grow(1)) == (-1, 3, -1)
    assert (guest.grow_table(6), again.grow_table(5), guest.grow_table(1)) == (-1, 20, -1)
    with pytest.raises(ValueError, match="can't grow"):
        memory.grow(1)
    with pytest.raises(ValueError, match="can't grow"):
        table.grow(1)


@pytest.mark.parametrize("limits", [wa.Limits(memory_bytes=2 * PAGE), wa.Limits(table_elements=19)])
def test_an_import_that_is_too_large_is_refused(limits: wa.Limits) -> None:
    imports = {"m": {"memory": wa.Memory(3), "table": wa.Table("externref", 20)}}
    with pytest.raises(wa.LimitExceeded):
        instance(IMPORTING, imports, store=wa.Store(limits=limits))
    assert exports(IMPORTING, imports).grow(1) == 3  # elsewhere it is as it was


def test_a_joined_store_is_limited() -> None:
    """Whichever of the two has the limits, and whatever its weight: they hold for all that is there."""
    for extra in (0, 5):
        other = instance(GROWING)
        assert other.exports.grow(1) == 1
        store = limited(memory_bytes=3 * PAGE, table_elements=10, instances=2 + extra)
        for _ in range(extra):
            instance(EMPTY, store=store)
        assert exports(IMPORTING, {"m": other.exports}, store=store).grow(2) == -1
        assert other.store.limits == store.limits
        assert (other.exports.grow(2), other.exports.grow(1), other.exports.grow_table(1)) == (-1, 2, -1)
        with pytest.raises(wa.LimitExceeded) as caught:
            instance(EMPTY, store=other.store)
        assert caught.value.which == "instances"


def test_an_instance_that_nobody_limits_joins_what_it_imports() -> None:
    inner = instance(GROWING, store=limited(memory_bytes=2 * PAGE))
    outer = exports(IMPORTING, {"m": inner.exports})
    assert (outer.grow(2), outer.grow(1), inner.exports.grow(1)) == (-1, 1, -1)


def test_a_join_beyond_the_limits_is_refused() -> None:
    other = instance(GROWING)
    assert other.exports.grow(5) == 1
    store = limited(memory_bytes=4 * PAGE)
    for _ in range(3):
        with pytest.raises(wa.LimitExceeded) as caught:
            instance(IMPORTING, {"m": other.exports}, store=store)
        assert (caught.value.which, caught.value.wanted) == ("memory_bytes", 6 * PAGE)
    assert other.store.limits is None and other.exports.grow(5) == 6
    assert exports(GROWING, store=store).grow(3) == 1


def test_a_shared_memory_counts_in_the_first_store_with_limits() -> None:
    memory = wa.Memory(2, 10, shared=True)
    wat = """(module (import "m" "memory" (memory 1 10 shared))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""
    imports = {"m": {"memory": memory}}
    free = exports(wat, imports)
    bound = exports(wat, imports, store=limited(memory_bytes=4 * PAGE))
    small = exports(wat, imports, store=limited(memory_bytes=PAGE))  # it counts in the other
    assert (free.grow(3), small.grow(1), bound.grow(2), bound.grow(1), free.grow(1)) == (-1, 2, -1, 3, -1)
    with pytest.raises(wa.LimitExceeded):
        instance(wat, {"m": {"memory": wa.Memory(2, 10, shared=True)}}, store=limited(memory_bytes=PAGE))


def test_shared_growth_on_threads_never_passes_the_limit() -> None:
    memory = wa.Memory(1, 60000, shared=True)
    wat = """(module (import "m" "memory" (memory 1 60000 shared))
      (func (export "grow") (result i32) (local $n i32)
        (loop $more
          (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (memory.size)))"""
    store = limited(memory_bytes=3000 * PAGE)
    guests = [exports(wat, {"m": {"memory": memory}}, store=store)]
    guests += [exports(wat, {"m": {"memory": memory}}) for _ in range(3)]
    threads = [threading.Thread(target=guest.grow) for guest in guests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.size_bytes == 3000 * PAGE


# ---- exceptions -----------------------------------------------------------------------------------------------------

CHAIN = """(module (tag $link (param exnref)) (tag $end)
  (global $kept (export "kept") (mut exnref) (ref.null exn))
  (func $wrap (param $inner exnref) (result exnref)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (throw $link (local.get $inner)))
      (unreachable)))
  (func (export "chain") (param $n i32)
    (loop $more
      (global.set $kept (call $wrap (global.get $kept)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n))))
  (func (export "drop") (global.set $kept (ref.null exn)))
  (func (export "throw") (param $n i32)
    (loop $more
      (drop (call $wrap (ref.null exn)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n)))))"""


def test_kept_exceptions_count_as_memory() -> None:
    guest = exports(CHAIN, store=limited(memory_bytes=2**20))
    with pytest.raises(wa.Trap) as caught:
        guest.chain(10**6)
    assert caught.value.code == "out_of_memory"
    guest.drop()
    guest.chain(5000)  # what nobody keeps is given back
    guest.drop()
    guest.throw(200_000)  # and what nobody keeps needs no room
    assert exports(CHAIN).chain(100_000) is None


def test_exceptions_are_counted_by_a_join() -> None:
    other = instance(CHAIN)
    other.exports.chain(20_000)
    wat = '(module (import "m" "chain" (func (param i32))))'
    with pytest.raises(wa.LimitExceeded) as caught:
        instance(wat, {"m": other.exports}, store=limited(memory_bytes=2**18))
    assert caught.value.which == "memory_bytes"
    instance(wat, {"m": other.exports}, store=limited(memory_bytes=2**21))
    with pytest.raises(wa.Trap, match="memory"):
        other.exports.chain(10**6)


OBJECTS = """(module
  (type $bytes (array (mut i8)))
  (global $kept (mut (ref null $bytes)) (ref.null $bytes))
  (func (export "make") (param i32) (result (ref $bytes)) (array.new_default $bytes (local.get 0)))
  (func (export "length") (param (ref $bytes)) (result i32) (array.len (local.get 0)))
  (func (export "keep") (param i32) (global.set $kept (array.new_default $bytes (local.get 0))))
  (func (export "churn") (param $rounds i32)
    (loop $more
      (drop (array.new_default $bytes (i32.const 100000)))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))))"""
MEGABYTE = 2**20


def test_objects_are_counted_by_a_join() -> None:
    other, store = exports(OBJECTS), limited(memory_bytes=16 * MEGABYTE)
    held, limits = other.make(8 * MEGABYTE), exports(OBJECTS, store=store)
    with pytest.raises(wa.LimitExceeded) as caught:
        exports(OBJECTS, store=limited(memory_bytes=4 * MEGABYTE)).length(held)
    assert caught.value.which == "memory_bytes"
    assert limits.length(held) == 8 * MEGABYTE
    with pytest.raises(wa.Trap, match="memory"):
        limits.keep(9 * MEGABYTE)
    del held
    limits.churn(1000)  # what was made elsewhere is freed here
    limits.keep(15 * MEGABYTE)
    with pytest.raises(wa.Trap, match="memory"):
        limits.keep(15 * MEGABYTE)  # both at a time


def test_garbage_keeps_no_store_from_a_join() -> None:
    other = exports(OBJECTS)
    other.churn(100)
    held = other.make(1000)
    assert exports(OBJECTS, store=limited(memory_bytes=MEGABYTE)).length(held) == 1000


# ---- the stack ------------------------------------------------------------------------------------------------------

DEEP = """(module (import "host" "again" (func $again (param i32)))
  (global $depth (mut i32) (i32.const 0))
  (func $down (export "down") (result i32)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (i32.add (call $down) (i32.const 1)))
  (func (export "depth") (result i32) (global.get $depth))
  (func (export "reset") (global.set $depth (i32.const 0)))
  (func $to (export "to") (param $n i32)
    (if (local.get $n) (then (call $to (i32.sub (local.get $n) (i32.const 1))))
      (else (call $again (i32.const 0))))))"""


def depth_of(guest: Any) -> int:
    guest.reset()
    with pytest.raises(wa.Trap) as caught:
        guest.down()
    assert caught.value.code == "stack_exhausted"
    return int(guest.depth())


def test_the_stack_is_limited() -> None:
    def made(**options: wa.Store) -> Any:
        return exports(DEEP, {"host": {"again": lambda _: None}}, **options)

    whole, half, quarter = depth_of(made()), *(depth_of(made(store=limited(stack_bytes=n * 2**16))) for n in (2, 1))
    assert whole > 4 * half and 1.8 * quarter < half < 2.2 * quarter
    guest = made(store=limited(stack_bytes=2**16))
    assert len({depth_of(guest) for _ in range(3)}) == 1

    def deeper(levels: int) -> int:
        return deeper(levels - 1) if levels else depth_of(guest)

    assert abs(deeper(20) - quarter) < quarter / 10  # counted from the call into the store, wherever that is
    assert depth_of(made(store=limited(stack_bytes=2**60))) > whole * 0.9  # no more than there is
    # Counted from a frame of the runtime, wherever in it; a frame of the guest is up to five calls.
    assert depth_of(made(store=limited(stack_bytes=0))) <= 5


def test_the_stack_counts_from_the_outermost_call() -> None:
    """What guest, host and guest take in turn is one amount."""
    store = limited(stack_bytes=2**18)
    depths = []

    def again(_: int) -> None:
        depths.append(depth_of(guest))

    guest = exports(DEEP, {"host": {"again": again}}, store=store)
    guest.to(0)
    guest.to(1000)
    assert 0 < depths[1] < depths[0] - 800
    threads = [threading.Thread(target=lambda: depths.append(depth_of(guest))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert depths[2] == depths[3] and depths[2] > depths[0]


def test_the_stack_of_a_joined_store_is_limited() -> None:
    """Also where the join happens inside a call."""
    outer = instance(DEEP, {"host": {"again": lambda _: join()}})
    store = limited(stack_bytes=2**16)
    depths = []

    def join() -> None:
        instance('(module (import "m" "depth" (func (result i32))))', {"m": outer.exports}, store=store)
        depths.append(depth_of(outer.exports))

    whole = depth_of(outer.exports)
    outer.exports.to(10)
    assert depths[0] < whole / 4
    assert depth_of(outer.exports) < whole / 4


# ---- descriptors ----------------------------------------------------------------------------------------------------

OPENING = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "file")
  (func (export "open") (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i64.const 2) (i64.const 2)
      (i32.const 0) (i32.const 16)))
  (func (export "close") (param i32) (result i32) (call $close (local.get 0)))
  (func (export "renumber") (param i32 i32) (result i32) (call $renumber (local.get 0) (local.get 1))))"""
EMFILE = 33


def test_descriptors_are_limited(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wasi = wa.Wasi(preopens={"/": str(tmp_path)}, limits=wa.Limits(descriptors=6))
    guest = exports(OPENING, wasi.imports())
    assert [guest.open() for _ in range(4)] == [0, 0, EMFILE, EMFILE]
    assert (guest.close(4), guest.close(4), guest.open(), guest.open()) == (0, 8, 0, EMFILE)
    assert (guest.renumber(4, 5), guest.renumber(5, 5), guest.open(), guest.open()) == (0, 0, 0, EMFILE)
    assert (guest.close(0), guest.open(), guest.open()) == (0, 0, EMFILE)


def test_what_is_given_counts_as_descriptors(tmp_path: Path) -> None:
    for descriptors in (0, 3, 4):
        with pytest.raises(wa.LimitExceeded, match=r"5 descriptors .*limits allow \d") as caught:
            wa.Wasi(preopens={"/a": str(tmp_path), "/b": str(tmp_path)}, limits=wa.Limits(descriptors=descriptors))
        assert (caught.value.which, caught.value.limit, caught.value.wanted) == ("descriptors", descriptors, 5)
    wa.Wasi(preopens={"/a": str(tmp_path), "/b": str(tmp_path)}, limits=wa.Limits(descriptors=5))
    with pytest.raises(TypeError, match="limits must be Limits, found int"):
        wa.Wasi(limits=5)  # type: ignore[arg-type]


def test_run_takes_limits(tmp_path: Path) -> None:
    source = tmp_path / "program.wat"
    source.write_text("""(module (memory (export "memory") 2)
      (func (export "_start") (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))))""")
    assert wa.run(source, limits=wa.Limits(memory_bytes=2 * PAGE)) == 0
    with pytest.raises(wa.LimitExceeded):
        wa.run(source, limits=wa.Limits(memory_bytes=PAGE))
    with pytest.raises(wa.Trap):
        wa.run(source)


def test_limits_change_while_the_store_lives() -> None:
    store = wa.Store(limits=wa.Limits())
    instance = load('(module (memory (export "memory") 1) (table (export "table") 1 funcref))').instantiate(store=store)
    memory, table = instance.exports.memory, instance.exports.table
    memory.grow(1)
    store.limits = wa.Limits(memory_bytes=3 * 65536, table_elements=2, instances=1)
    assert store.limits == wa.Limits(memory_bytes=3 * 65536, table_elements=2, instances=1)
    memory.grow(1)
    table.grow(1)
    with pytest.raises(ValueError, match="can't grow"):
        memory.grow(1)
    with pytest.raises(ValueError, match="can't grow"):
        table.grow(1)
    with pytest.raises(wa.LimitExceeded, match="2 instances, its limits allow 1"):
        load("(module)").instantiate(store=store)
    store.limits = wa.Limits(memory_bytes=65536)  # less than there is: it stays
    assert memory.size_bytes == 3 * 65536
    table.grow(5)
    with pytest.raises(ValueError, match="can't grow"):
        memory.grow(1)


def test_a_stores_limits_stay_some() -> None:
    with pytest.raises(ValueError, match="where the store was made with some"):
        wa.Store().limits = wa.Limits()
    store = wa.Store(limits=wa.Limits(instances=1))
    with pytest.raises(ValueError, match="where the store was made with some"):
        store.limits = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match="Limits"):
        store.limits = 3  # type: ignore[assignment]
    assert store.limits == wa.Limits(instances=1)
