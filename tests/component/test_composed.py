"""A component that wasm-tools links of two: the inner one's exports are the outer one's imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.component.libc import LIBC
from tests.component.wit_inputs import wasm_tools

#: Gives a text twice.
INNER = f"""(component {LIBC}
  (core module $m (import "" "memory" (memory 1))
    (func (export "twice") (param $at i32) (param $size i32) (result i32)
      (memory.copy (i32.const 4096) (local.get $at) (local.get $size))
      (memory.copy (i32.add (i32.const 4096) (local.get $size)) (local.get $at) (local.get $size))
      (i32.store (i32.const 16) (i32.const 4096))
      (i32.store (i32.const 20) (i32.mul (i32.const 2) (local.get $size)))
      (i32.const 16)))
  (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory))))))
  (func $twice (param "text" string) (result string)
    (canon lift (core func $i "twice") (memory $memory) (realloc $realloc)))
  (instance $out (export "twice" (func $twice)))
  (export "example:text/repeat@1.0.0" (instance $out)))"""
#: Has it twice twice.
OUTER = f"""(component
  (import "example:text/repeat@1.0.0" (instance $repeat (export "twice" (func (param "text" string) (result string)))))
  {LIBC}
  (core func $twice (canon lower (func $repeat "twice") (memory $memory) (realloc $realloc)))
  (core module $m (import "" "twice" (func $twice (param i32 i32 i32))) (import "" "memory" (memory 1))
    (func (export "four") (param i32 i32) (result i32)
      (call $twice (local.get 0) (local.get 1) (i32.const 16))
      (call $twice (i32.load (i32.const 16)) (i32.load (i32.const 20)) (i32.const 16))
      (i32.const 16)))
  (core instance $i (instantiate $m
    (with "" (instance (export "twice" (func $twice)) (export "memory" (memory $memory))))))
  (func (export "four-times") (param "text" string) (result string)
    (canon lift (core func $i "four") (memory $memory) (realloc $realloc))))"""


@pytest.mark.parametrize("opt_level", [0, 2])
def test_what_wasm_tools_composed(opt_level: int, tmp_path: Path) -> None:
    for name, text in (("inner", INNER), ("outer", OUTER)):
        (tmp_path / f"{name}.wat").write_text(text)
        wasm_tools("parse", tmp_path / f"{name}.wat", "-o", tmp_path / f"{name}.wasm")
    whole = tmp_path / "whole.wasm"
    wasm_tools("compose", tmp_path / "outer.wasm", "-d", tmp_path / "inner.wasm", "-o", whole)
    wa.pack(whole, tmp_path / "whole.so", opt_level=opt_level)
    loaded: Any = wa.load(tmp_path / "whole.so")
    assert loaded.types.imports.interfaces == {}
    instance = loaded.instantiate()
    assert [instance.four_times(text) for text in ("aß", "", "€" * 100)] == ["aß" * 4, "", "€" * 400]
