"""What instances of a component share, and what each of them does without until it is called."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.component.libc import LIBC

#: Two libraries that ask the same clock, each by a lowering of its own.
CLOCKS = """(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $first (canon lower (func $clock "now")))
  (core func $second (canon lower (func $clock "now")))
  (core module $m (import "" "first" (func $first (result i64))) (import "" "second" (func $second (result i64)))
    (func (export "is-later") (result i32)
      (i64.le_u (call $first) (call $second)))
    (func (export "nothing")))
  (core instance $i (instantiate $m
    (with "" (instance (export "first" (func $first)) (export "second" (func $second))))))
  (func (export "is-later") (result bool) (canon lift (core func $i "is-later")))
  (func (export "nothing") (canon lift (core func $i "nothing"))))"""
#: Two libraries with a memory each, whose lowerings differ in nothing else.
LOGS = f"""(component
  (import "log" (func $log (param "text" string)))
  {LIBC}
  (core module $other (memory (export "memory") 1) (data (i32.const 8) "other"))
  (core instance $o (instantiate $other))
  (alias core export $o "memory" (core memory $others))
  (core func $here (canon lower (func $log) (memory $memory)))
  (core func $there (canon lower (func $log) (memory $others)))
  (core module $m (import "" "memory" (memory 1))
    (import "" "here" (func $here (param i32 i32))) (import "" "there" (func $there (param i32 i32)))
    (data (i32.const 8) "first")
    (func (export "both") (call $here (i32.const 8) (i32.const 5)) (call $there (i32.const 8) (i32.const 5))))
  (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory))
    (export "here" (func $here)) (export "there" (func $there))))))
  (func (export "both") (canon lift (core func $i "both"))))"""


@pytest.fixture
def clocks(tmp_path: Path) -> Any:
    (tmp_path / "clocks.wat").write_text(CLOCKS)
    wa.pack(tmp_path / "clocks.wat", tmp_path / "clocks.so", opt_level=0)
    return wa.load(tmp_path / "clocks.so")


def test_equal_lowerings_are_one_import(clocks: Any) -> None:
    assert [(row.module, row.name) for row in clocks.metadata.imports] == [("wasi:clocks/monotonic-clock@0.2.0", "now")]
    assert clocks.instantiate(wa.Wasi()).is_later() is True


def test_lowerings_of_two_memories_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "logs.wat").write_text(LOGS)
    wa.pack(tmp_path / "logs.wat", tmp_path / "logs.so", opt_level=0)
    loaded: Any = wa.load(tmp_path / "logs.so")
    said: list[str] = []
    loaded.instantiate({"log": said.append}).both()
    assert (said, len(loaded.metadata.imports)) == (["first", "other"], 2)


def test_an_instance_that_called_nothing_of_wasi_goes_without_the_collector(clocks: Any) -> None:
    class Sink:
        def __call__(self, data: bytes) -> None: ...

    sink = Sink()
    seen = weakref.ref(sink)
    instance = clocks.instantiate(wa.Wasi(stdout=sink))
    instance.nothing()
    gc.disable()
    try:
        del sink, instance
        assert seen() is None
    finally:
        gc.enable()


def test_a_client_that_is_given_later_is_none_of_earlier_instances(clocks: Any) -> None:
    wasi = wa.Wasi()
    clocks.instantiate(wasi)
    _, earlier = clocks._imported.find(wasi)
    wasi._give_http(True)
    _, later = clocks._imported.find(wasi)
    assert (earlier(0), later(0)) == (earlier(0), later(0))
    assert (earlier._interfaces.http, later._interfaces.http) == (None, True)
