"""What components may take of the host: bytes of values, and handles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import load

ITEMS, TEXT_BYTES = 500, 40_000


def escaped(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)


#: A list of 500 lists, which are one, of 500 strings, which are one: 10 GB of text in a memory of 64 KiB.
LISTS = f"""(component
  (import "take" (func $take (param "texts" (list (list string)))))
  (core module $memory (memory (export "memory") 1)
    (data (i32.const 0) "{"a" * TEXT_BYTES}")
    (data (i32.const 40000) "{escaped(pack("<2I", 0, TEXT_BYTES) * ITEMS)}")
    (data (i32.const 50000) "{escaped(pack("<2I", 40000, ITEMS) * ITEMS)}")
    (data (i32.const 60000) "{escaped(pack("<2I", 40000, ITEMS))}"))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (core func $lowered (canon lower (func $take) (memory $memory)))
  (core module $code (import "" "take" (func $take (param i32 i32)))
    (import "" "memory" (memory 1))
    (func (export "give") (param $count i32) (result i32)
      (i32.store (i32.const 60008) (i32.const 50000))
      (i32.store (i32.const 60012) (local.get $count))
      (i32.const 60008))
    (func (export "pass") (param $count i32) (call $take (i32.const 50000) (local.get $count))))
  (core instance $c (instantiate $code
    (with "" (instance (export "take" (func $lowered)) (export "memory" (memory $memory))))))
  (func (export "give") (param "count" u32) (result (list (list string)))
    (canon lift (core func $c "give") (memory $memory)))
  (func (export "pass") (param "count" u32) (canon lift (core func $c "pass"))))"""
#: Handles of the guest's own resource, and of one of the host.
HANDLES = """(component
  (import "thing" (type $thing (sub resource)))
  (import "make" (func $make (result (own $thing))))
  (core func $lowered (canon lower (func $make)))
  (type $own (resource (rep i32)))
  (core func $new (canon resource.new $own))
  (core func $drop (canon resource.drop $own))
  (core module $code (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "make" (func $make (result i32)))
    (func (export "news") (param $count i32)
      (loop $more
        (drop (call $new (local.get $count)))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
    (func (export "dropped") (param $count i32)
      (loop $more
        (call $drop (call $new (local.get $count)))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
    (func (export "makes") (param $count i32)
      (loop $more
        (drop (call $make))
        (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
  (core instance $c (instantiate $code (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop)) (export "make" (func $lowered))))))
  (func (export "news") (param "count" u32) (canon lift (core func $c "news")))
  (func (export "dropped") (param "count" u32) (canon lift (core func $c "dropped")))
  (func (export "makes") (param "count" u32) (canon lift (core func $c "makes"))))"""


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("limits")
    for name, text in (("lists", LISTS), ("handles", HANDLES)):
        wa.pack(text.encode(), folder / f"{name}.so", opt_level=0)
    return {name: wa.load(folder / f"{name}.so") for name in ("lists", "handles")}


def ignored(texts: object) -> None: ...


def trap_of(call: Callable[[], object]) -> str:
    with pytest.raises(wa.Trap) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("name", ["give", "pass"])
def test_values_that_stand_for_the_same_bytes(components: dict[str, Any], name: str) -> None:
    taken: list[list[list[str]]] = []
    texts = [["a" * TEXT_BYTES] * ITEMS]
    instance = components["lists"].instantiate({"take": taken.append})
    given = instance[name](1)  # 20 MB
    assert (taken or [given]) == [texts]
    assert trap_of(lambda: instance[name](ITEMS)) == "values_too_large"


@pytest.mark.parametrize("name", ["give", "pass"])
def test_a_limit_of_values(components: dict[str, Any], name: str) -> None:
    # Two lists, of one and of 500 references; 500 strings.
    needed = 64 + 8 + 64 + ITEMS * (8 + 64 + TEXT_BYTES)
    for size_bytes, is_enough in ((needed, True), (needed - 1, False), (0, False)):
        store = wa.Store(limits=wa.Limits(value_bytes=size_bytes))
        instance = components["lists"].instantiate({"take": ignored}, store=store)
        if is_enough:
            instance[name](1)
        else:
            assert trap_of(lambda instance=instance: instance[name](1)) == "values_too_large"  # type: ignore[misc]
            store.limits = wa.Limits(value_bytes=needed)
            components["lists"].instantiate({"take": ignored}, store=store)[name](1)


def test_more_than_the_usual_limit_of_values_where_it_is_given(components: dict[str, Any]) -> None:
    store = wa.Store(limits=wa.Limits(value_bytes=2**40))
    found = components["lists"].instantiate({"take": ignored}, store=store).give(8)  # 160 MB
    assert [len(texts) for texts in found] == [ITEMS] * 8


@pytest.mark.parametrize("size_bytes", [2**63, 2**64 - 1, 2**64, 2**100])
def test_numbers_that_nothing_reaches_are_limits_too(components: dict[str, Any], size_bytes: int) -> None:
    store = wa.Store(limits=wa.Limits(value_bytes=size_bytes, handles=size_bytes))
    assert len(components["lists"].instantiate({"take": ignored}, store=store).give(8)) == 8  # 160 MB
    components["handles"].instantiate({"thing": object, "make": object}, store=store).news(100_001)


def test_limits_of_a_store_that_was_joined(components: dict[str, Any]) -> None:
    """The lighter store becomes a part of the other one, with its limits."""
    memory = load('(module (memory (export "m") 1))').instantiate()
    user = load('(module (import "x" "m" (memory 1)))')
    for _ in range(5):
        user.instantiate({"x": memory})
    store = wa.Store(limits=wa.Limits(value_bytes=1000, handles=3))
    user.instantiate({"x": memory}, store=store)
    lists = components["lists"].instantiate({"take": ignored}, store=store)
    assert trap_of(lambda: lists.give(1)) == "values_too_large"
    things = components["handles"].instantiate({"thing": object, "make": object}, store=store)
    assert trap_of(lambda: things.news(4)) == "too_many_handles"


def handles(components: dict[str, Any], limit: int | None) -> Any:
    store = None if limit is None else wa.Store(limits=wa.Limits(handles=limit))
    return components["handles"].instantiate({"thing": object, "make": object}, store=store)


@pytest.mark.parametrize("name", ["news", "makes"])
@pytest.mark.parametrize(("limit", "most"), [(None, 100_000), (3, 3), (200_000, 200_000)])
def test_a_limit_of_handles(components: dict[str, Any], name: str, limit: int | None, most: int) -> None:
    instance = handles(components, limit)
    instance[name](most)
    assert trap_of(lambda: instance[name](1)) == "too_many_handles"


def test_handles_that_were_dropped_count_no_more(components: dict[str, Any]) -> None:
    instance = handles(components, 1)
    instance.dropped(10_000)
    instance.news(1)
    assert trap_of(lambda: instance.dropped(1)) == "too_many_handles"
