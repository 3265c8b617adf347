"""What simple arguments and results pass through on ways of their own: text, scalars, borrows, values in values."""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import wasmartifact as wa

#: Bytes as text and back; a tuple in a tuple, as deep as validators allow; a loop beside a function of two scalars.
WAT = """(component
  (core module $code (memory (export "memory") 2) (global $end (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
      (global.get $end) (global.set $end (i32.add (global.get $end) (local.get 3))))
    (func (export "free") (param i32) (global.set $end (i32.const 1024)))
    (func (export "pair") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "spin") (param i32) (loop $again
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if $again (local.get 0)))))
  (core instance $c (instantiate $code))
  (alias core export $c "memory" (core memory $memory))
  (alias core export $c "realloc" (core func $realloc))
  (alias core export $c "free" (core func $free))
  NESTED
  (func (export "text") (param "bytes" (list u8)) (result string)
    (canon lift (core func $c "pair") (memory $memory) (realloc $realloc) (post-return $free)))
  (func (export "bytes") (param "text" string) (result (list u8))
    (canon lift (core func $c "pair") (memory $memory) (realloc $realloc) (post-return $free)))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $c "add")))
  (func (export "deep") (param "it" $t90) (result $t90) (canon lift (core func $c "same")))
  (func (export "letter") (param "code" u32) (result char) (canon lift (core func $c "same")))
  (func (export "spin") (param "times" u32) (canon lift (core func $c "spin"))))
""".replace(
    "NESTED",
    "(type $t0 (tuple u32))" + "".join(f"(type $t{i} (tuple $t{i - 1}))" for i in range(1, 91)),
)


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    output = tmp_path_factory.mktemp("calls") / "calls.so"
    wa.pack(WAT.encode(), output, opt_level=0)
    loaded = wa.load(output)
    assert isinstance(loaded, wa.Component)
    return loaded


@pytest.fixture
def instance(component: wa.Component) -> Any:
    return component.instantiate()


def texts() -> Iterator[str]:
    """Of each length around the widths that are looked at at once: ASCII alone, and something else at each place."""
    for length in (*range(70), 127, 128, 129):
        yield "x" * length
        for place, other in itertools.product(range(length), "\x80é€😀"):
            yield "x" * place + other + "y" * (length - place - 1)
    for length in (4095, 4096, 4097, 100_000):
        yield "x" * length
        yield "x" * (length - 1) + "é"


def test_text_is_what_python_makes_of_its_bytes(instance: Any) -> None:
    for text in texts():
        assert instance.text(text.encode()) == text
        assert instance.bytes(text) == text.encode()


@pytest.mark.parametrize("wrong", [b"\x80", b"\xc3", b"\xff", b"\xed\xa0\x80"])
def test_wrong_text_is_found_wherever_it_stands(component: wa.Component, wrong: bytes) -> None:
    for place in range(0, 70, 3):
        for after in (b"", b"y", b"y" * 40):
            with pytest.raises(wa.Trap, match=r"utf-?8|incomplete"):
                component.instantiate().text(b"x" * place + wrong + after)


def nested(value: object) -> object:
    for _ in range(91):
        value = (value,)
    return value


def test_values_in_values_go_as_deep_as_their_type(instance: Any) -> None:
    assert instance.deep(nested(7)) == nested(7)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it counts calls of C apart, and allows more than types have")
def test_deep_values_count_as_calls_within_calls(instance: Any) -> None:
    value = nested(7)

    def call_at(depth: int) -> object:
        return call_at(depth - 1) if depth else instance.deep(value)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        with pytest.raises(RecursionError):
            call_at(50)
    finally:
        sys.setrecursionlimit(limit)
    assert instance.deep(value) == value


@pytest.mark.parametrize("wrong", [(1, -1), (1 << 32, 1), (1, "1"), (1.0, 1), (None, 1)])
def test_a_wrong_scalar_is_found_before_the_call(instance: Any, wrong: tuple[Any, Any]) -> None:
    with pytest.raises((TypeError, OverflowError)):
        instance.add(*wrong)
    assert instance.add((1 << 32) - 1, 3) == 2


def test_a_result_that_is_no_character_ends_the_instance(instance: Any) -> None:
    assert instance.letter(0x1F600) == "😀"
    with pytest.raises(wa.Trap, match="char"):
        instance.letter(0xD800)
    with pytest.raises(wa.Trap, match="enter"):
        instance.letter(65)


def test_a_short_call_waits_for_a_long_one_of_another_thread(instance: Any) -> None:
    begun = threading.Event()
    sums: list[int] = []

    def spin() -> None:
        begun.set()
        for _ in range(20):
            instance.spin(2_000_000)

    thread = threading.Thread(target=spin)
    thread.start()
    begun.wait()
    while thread.is_alive():
        sums.append(instance.add(len(sums), 1))
    thread.join()
    assert sums == list(range(1, len(sums) + 1))
