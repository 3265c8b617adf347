"""Small sound modules that use all that metadata describes: what ``forge`` makes lying artifacts from.

Each has exports to read, to write and to call. An importer (``LINKED``) takes what another module exports, so that an
honest instance and a lying one share a memory, a table, a global, a tag and functions.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

import wasmtime

import wasmartifact as wa

_MANY: Final = 200
_SOME: Final = 40
_MIXED: Final = "i32 i64 f32 f64 v128 funcref externref " * 4


def _repeat(text: str, count: int) -> str:
    return " ".join(text.format(i=i) for i in range(count))


_CALLS: Final = f"""(module
  (type $many (func (result {_repeat("i64", _MANY)})))
  (type $wide (func (param {_repeat("i64", _MANY)}) (result i64)))
  (type $mixed (func (param {_MIXED}) (result {_MIXED})))
  (type $unary (func (param i32) (result i32)))
  (import "host" "unary" (func $unary (type $unary)))
  (import "host" "mixed" (func $host_mixed (type $mixed)))
  (import "host" "many" (func $host_many (type $many)))
  (func $many (export "many") (type $many) {_repeat("(i64.const {i})", _MANY)})
  (func $wide (export "wide") (type $wide) (i64.xor (local.get 0) (local.get {_MANY - 1})))
  (func $mixed (export "mixed") (type $mixed) {_repeat("(local.get {i})", 28)})
  (func $double (export "double") (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "host_mixed") (type $mixed) (call $host_mixed {_repeat("(local.get {i})", 28)}))
  (func (export "host_many") (type $many) (call $host_many))
  (func (export "host_unary") (type $unary) (call $unary (local.get 0)))
  (func (export "by_ref") (param i32) (result i32) (call_ref $unary (local.get 0) (ref.func $double)))
  (func (export "host_by_ref") (param i32) (result i32) (call_ref $unary (local.get 0) (ref.func $unary)))
  (func (export "typed") (param (ref null $unary) i32) (result i32) (call_ref $unary (local.get 1) (local.get 0)))
  (func (export "get_typed") (result (ref $unary)) (ref.func $double))
  (func (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (unreachable)) (else (i32.const 3))))
  (export "unary" (func $unary))
  (elem declare func $double $unary))"""

_GLOBALS: Final = f"""(module
  (type $unary (func (param i32) (result i32)))
  (import "host" "i32" (global $i32 i32))
  (import "host" "i64" (global $i64 (mut i64)))
  (import "host" "v128" (global $v128 (mut v128)))
  (import "host" "funcref" (global $funcref (mut funcref)))
  (import "host" "externref" (global $externref (mut externref)))
  (global (export "a") (mut i32) (i32.const 7))
  (global (export "b") (mut i64) (i64.const 0x4141414141414140))
  (global (export "c") (mut f32) (f32.const 1.5))
  (global (export "d") (mut f64) (f64.const 2.5))
  (global (export "e") (mut v128) (v128.const i64x2 0x4141414141414140 0x4242424242424240))
  (global $f (export "f") (mut funcref) (ref.func $get))
  (global $g (export "g") (mut externref) (ref.null extern))
  (global $h (export "h") (mut (ref null $unary)) (ref.func $double))
  (global $j (export "j") (ref $unary) (ref.func $double))
  (global (export "computed") i32 (i32.add (global.get $i32) (i32.const 3)))
  {_repeat("(global $many{i} (mut i64) (i64.const {i}))", _MANY)}
  (export "imported_i64" (global $i64)) (export "imported_v128" (global $v128))
  (export "imported_funcref" (global $funcref)) (export "imported_externref" (global $externref))
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $get (export "get") (result i64) (global.get $many{_MANY - 1}))
  (func (export "set") (param i64) {_repeat("(global.set $many{i} (local.get 0))", _MANY)})
  (func (export "set_i64") (param i64) (global.set $i64 (local.get 0)))
  (func (export "swap") (param funcref externref) (result funcref externref)
    (global.get $f) (global.get $g) (global.set $f (local.get 0)) (global.set $g (local.get 1)))
  (func (export "call_h") (param i32) (result i32) (call_ref $unary (local.get 0) (global.get $h)))
  (func (export "call_j") (param i32) (result i32) (call_ref $unary (local.get 0) (global.get $j)))
  (func (export "references") (global.set $funcref (ref.func $get)) (global.set $externref (global.get $g))))"""

_MEMORY: Final = f"""(module
  (import "host" "i32" (global $base i32))
  (memory (export "memory") 2 9)
  (data (i32.const 16) "active") (data (i32.const 65530) "over the edge of pages")
  (data (offset (global.get $base)) "computed")
  (data $passive "passive bytes")
  {_repeat('(data "x")', _SOME)}
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store offset=4 (local.get 0) (local.get 1)))
  (func (export "far") (param i32) (result i64) (i64.load offset=0x7fffffff (local.get 0)))
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
  (func (export "copy") (param i32 i32) (memory.copy (local.get 0) (local.get 1) (i32.const 100)))
  (func (export "init") (param i32 i32) (memory.init $passive (local.get 0) (i32.const 0) (local.get 1)))
  (func (export "drop") (data.drop $passive) {_repeat("(data.drop {i})", _SOME)})
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))"""

_MEMORIES: Final = """(module
  (import "host" "memory" (memory $imported 1 4))
  (memory $wide (export "wide") i64 1 9)
  (memory $tiny (export "tiny") 100 3000 (pagesize 1))
  (memory $plain (export "plain") 1 1)
  (data (memory $wide) (i64.const 65500) "wide") (data (memory $tiny) (i32.const 90) "tiny bytes")
  (data (memory $plain) (i32.const 4096) "plain") (data (memory $imported) (i32.const 8) "imported")
  (data $passive "passive")
  (export "imported" (memory $imported))
  (func (export "load_wide") (param i64) (result i64) (i64.load $wide (local.get 0)))
  (func (export "store_wide") (param i64 i64) (i64.store $wide offset=0x100000000 (local.get 0) (local.get 1)))
  (func (export "put_wide") (param i64 i64) (i64.store $wide (local.get 0) (local.get 1)))
  (func (export "load_tiny") (param i32) (result i32) (i32.load8_u $tiny (local.get 0)))
  (func (export "store_tiny") (param i32 i32) (i32.store8 $tiny (local.get 0) (local.get 1)))
  (func (export "load_plain") (param i32) (result i32) (i32.load $plain (local.get 0)))
  (func (export "store_plain") (param i32 i32) (i32.store $plain (local.get 0) (local.get 1)))
  (func (export "store_imported") (param i32 i32) (i32.store $imported (local.get 0) (local.get 1)))
  (func (export "copy") (param i32 i32) (memory.copy $tiny $plain (local.get 0) (local.get 1) (i32.const 8)))
  (func (export "init") (param i64) (memory.init $wide $passive (local.get 0) (i32.const 0) (i32.const 5)))
  (func (export "grow") (result i64) (drop (memory.grow $tiny (i32.const 1))) (memory.grow $wide (i64.const 1)))
  (func (export "size") (result i32) (memory.size $tiny)))"""

_TABLES: Final = f"""(module
  (type $unary (func (param i32) (result i32)))
  (type $nullary (func (result i64)))
  (import "host" "unary" (func $unary (type $unary)))
  (import "host" "table" (table $imported 2 10 funcref))
  (import "host" "i32" (global $base i32))
  (table $funcs (export "funcs") 8 20 funcref)
  (table $things (export "things") 4 9 externref)
  (table $typed (export "typed") 4 9 (ref null $unary))
  (table $sure (export "sure") 3 3 (ref $unary) (ref.func $double))
  (table $caught (export "caught") 2 4 exnref)
  (table $wide (export "wide") i64 3 6 funcref)
  (export "imported" (table $imported))
  (elem (table $funcs) (i32.const 1) func $unary $double $seven)
  (elem (table $funcs) (offset (global.get $base)) func $seven)
  (elem (table $imported) (i32.const 0) func $double)
  (elem (table $wide) (i64.const 1) func $double)
  (elem (table $typed) (i32.const 0) (ref null $unary) (ref.func $double) (ref.null $unary))
  (elem $passive func $double $seven $unary)
  (elem $expressions (ref null $unary) (ref.func $double) (ref.null $unary))
  (elem declare func $seven)
  {_repeat("(elem func $double)", _SOME)}
  (func $double (export "double") (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $seven (export "seven") (type $nullary) (i64.const 7))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect $funcs (type $unary) (i32.const 5) (local.get 0)))
  (func (export "indirect_imported") (param i32) (result i32)
    (call_indirect $imported (type $unary) (i32.const 5) (local.get 0)))
  (func (export "indirect_typed") (param i32) (result i32)
    (call_indirect $typed (type $unary) (i32.const 5) (local.get 0)))
  (func (export "indirect_sure") (param i32) (result i32)
    (call_ref $unary (i32.const 5) (table.get $sure (local.get 0))))
  (func (export "indirect_wide") (param i64) (result i32)
    (call_indirect $wide (type $unary) (i32.const 5) (local.get 0)))
  (func (export "nullary") (param i32) (result i64) (call_indirect $funcs (type $nullary) (local.get 0)))
  (func (export "get") (param i32) (result funcref) (table.get $funcs (local.get 0)))
  (func (export "get_thing") (param i32) (result externref) (table.get $things (local.get 0)))
  (func (export "set_thing") (param i32 externref) (table.set $things (local.get 0) (local.get 1)))
  (func (export "set") (param i32 funcref) (table.set $funcs (local.get 0) (local.get 1)))
  (func (export "init") (param i32) (table.init $funcs $passive (local.get 0) (i32.const 0) (i32.const 3)))
  (func (export "init_typed") (param i32)
    (table.init $typed $expressions (local.get 0) (i32.const 0) (i32.const 2)))
  (func (export "drop") (elem.drop $passive) (elem.drop $expressions))
  (func (export "drop_many") {_repeat("(elem.drop {i})", _SOME)})
  (func (export "copy") (param i32) (table.copy $funcs $typed (local.get 0) (i32.const 0) (i32.const 2)))
  (func (export "fill") (param i32 externref) (table.fill $things (local.get 0) (local.get 1) (i32.const 2)))
  (func (export "size") (result i32) (i32.add (table.size $funcs) (table.size $caught)))
  (func (export "grow") (result i32)
    (i32.add (table.grow $funcs (ref.null func) (i32.const 1))
      (table.grow $things (ref.null extern) (i32.const 1)))))"""

_IMAGES: Final = f"""(module
  (type $unary (func (param i32) (result i32)))
  (table $big (export "big") 4096 6000 funcref)
  (table $other (export "other") 3000 funcref)
  (memory (export "memory") 4 8)
  (elem (table $big) (i32.const 10) func {_repeat("$double $half", 2000)})
  (elem (table $other) (i32.const 2900) func {_repeat("$half", _SOME)})
  (data (i32.const 0) "{"first page " * 40}") (data (i32.const 131072) "{"third page " * 40}")
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $half (type $unary) (i32.div_s (local.get 0) (i32.const 2)))
  (func (export "indirect") (param i32) (result i32) (call_indirect $big (type $unary) (i32.const 8) (local.get 0)))
  (func (export "other_indirect") (param i32) (result i32)
    (call_indirect $other (type $unary) (i32.const 8) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "set_null") (param i32) (table.set $big (local.get 0) (ref.null func)))
  (func (export "grow") (result i32) (table.grow $big (ref.func $double) (i32.const 3))))"""

_EXCEPTIONS: Final = f"""(module
  (type $none (func)) (type $big (func (param {_repeat("i64", _SOME)})))
  (type $mixed (func (param i32 v128 externref funcref)))
  (import "host" "tag" (tag $host (param i64)))
  (import "host" "throw" (func $throw (param i32)))
  (tag $big (export "big") (type $big)) (tag $mixed (export "mixed") (type $mixed)) (tag $none (export "none"))
  (export "host" (tag $host))
  (table $caught (export "caught") 3 exnref)
  (global $last (export "last") (mut exnref) (ref.null exn))
  (func (export "throw_big") (type $none) (throw $big {_repeat("(i64.const 0x4141414141414140)", _SOME)}))
  (func (export "throw_mixed") (param externref)
    (throw $mixed (i32.const 1) (v128.const i64x2 2 3) (local.get 0) (ref.null func)))
  (func (export "throw_none") (throw $none))
  (func (export "throw_host") (param i64) (throw $host (local.get 0)))
  (func $catch (export "catch") (param i32) (result i64)
    (block $host (result i64)
      (block $none
        (block $all (result exnref)
          (try_table (catch $host $host) (catch $none $none) (catch_all_ref $all) (call $throw (local.get 0)))
          (return (i64.const 1)))
        (global.set $last)
        (table.set $caught (i32.const 1) (global.get $last))
        (return (i64.const 2)))
      (i64.const 3)))
  (func (export "catch_big") (result i64)
    (block $got (result {_repeat("i64", _SOME)})
      (try_table (catch $big $got) (throw $big {_repeat("(i64.const {i})", _SOME)}))
      (unreachable))
    {_repeat("(i64.add)", _SOME - 1)})
  (func (export "again") (throw_ref (global.get $last))))"""

_TAILS: Final = f"""(module
  (type $wide (func (param {_repeat("i64", _SOME)}) (result i64)))
  (type $pair (func (param i32 i64) (result i32 i64 f64 v128)))
  (type $count (func (param i32 i64) (result i64)))
  (import "host" "wide" (func $host_wide (type $wide)))
  (import "host" "pair" (func $host_pair (type $pair)))
  (table $table (export "table") 6 funcref)
  (elem (i32.const 0) func $wide $pair $count $host_wide $host_pair)
  (func $wide (export "wide") (type $wide) {_repeat("(local.get {i})", _SOME)} {_repeat("(i64.add)", _SOME - 1)})
  (func $pair (export "pair") (type $pair)
    (local.get 0) (local.get 1) (f64.const 1.5) (v128.const i64x2 2 3))
  (func $count (export "count") (type $count)
    (if (i32.le_u (local.get 0) (i32.const 0)) (then (return (local.get 1))))
    (return_call $count (i32.const 0) (i64.add (local.get 1) (i64.const 1))))
  (func (export "tail_wide") (param i32) (result i64)
    {_repeat("(i64.const {i})", _SOME)} (return_call_indirect (type $wide) (local.get 0)))
  (func (export "tail_pair") (param i32) (result i32 i64 f64 v128)
    (i32.const 7) (i64.const 8) (return_call_indirect (type $pair) (local.get 0)))
  (func (export "tail_host") (result i64) {_repeat("(i64.const {i})", _SOME)} (return_call $host_wide))
  (func (export "tail_ref") (result i64)
    {_repeat("(i64.const {i})", _SOME)} (return_call_ref $wide (ref.func $wide)))
  (export "host_wide" (func $host_wide)) (export "host_pair" (func $host_pair)))"""

_START: Final = """(module
  (type $unary (func (param i32) (result i32)))
  (import "host" "unary" (func $unary (type $unary)))
  (import "host" "i32" (global $base i32))
  (import "host" "memory" (memory $imported 1 4))
  (import "host" "table" (table $table 2 10 funcref))
  (memory $own (export "own") 1)
  (global $state (export "state") (mut i32) (i32.const 0))
  (data (memory $imported) (offset (global.get $base)) "offset is an import")
  (data (memory $own) (i32.const 0) "in the image")
  (elem (table $table) (offset (global.get $base)) func $start)
  (func $start (global.set $state (call $unary (i32.add (global.get $state) (i32.const 1)))))
  (func (export "state_of") (result i32) (global.get $state))
  (export "start" (func $start)) (export "table" (table $table)) (export "imported" (memory $imported))
  (start $start))"""

_EXPORTER: Final = """(module
  (type $unary (func (param i32) (result i32))) (type $wide (func (param i64 i64 f64) (result f64 i64)))
  (memory (export "memory") 1 4) (table $table (export "table") 6 12 funcref)
  (global (export "global") (mut i64) (i64.const 3)) (global (export "constant") i32 (i32.const 5))
  (global (export "reference") (mut funcref) (ref.func $double))
  (tag $tag (export "tag") (param i64 i32))
  (elem (i32.const 0) func $double $wide)
  (data (i32.const 100) "of the exporter")
  (func $double (export "double") (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $wide (export "wide") (type $wide) (local.get 2) (i64.add (local.get 0) (local.get 1)))
  (func (export "thrower") (param i32) (throw $tag (i64.const 9) (local.get 0)))
  (func (export "indirect") (param i32) (result i32) (call_indirect (type $unary) (i32.const 21) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""

_IMPORTER: Final = """(module
  (type $unary (func (param i32) (result i32))) (type $wide (func (param i64 i64 f64) (result f64 i64)))
  (import "other" "memory" (memory 1 4)) (import "other" "table" (table $table 4 12 funcref))
  (import "other" "global" (global $global (mut i64))) (import "other" "constant" (global $constant i32))
  (import "other" "reference" (global $reference (mut funcref)))
  (import "other" "tag" (tag $tag (param i64 i32)))
  (import "other" "double" (func $double (type $unary))) (import "other" "wide" (func $wide (type $wide)))
  (import "other" "thrower" (func $thrower (param i32)))
  (data (offset (i32.add (global.get $constant) (i32.const 3))) "of the importer")
  (elem (table $table) (i32.const 3) func $triple $double)
  (func $triple (export "triple") (type $unary) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "call_double") (param i32) (result i32) (call $double (local.get 0)))
  (func (export "call_wide") (param i64) (result f64 i64) (call $wide (local.get 0) (i64.const 1) (f64.const 2.5)))
  (func (export "indirect") (param i32) (result i32) (call_indirect $table (type $unary) (i32.const 21) (local.get 0)))
  (func (export "indirect_wide") (param i32) (result f64 i64)
    (call_indirect $table (type $wide) (i64.const 1) (i64.const 2) (f64.const 3) (local.get 0)))
  (func (export "set_global") (param i64) (global.set $global (local.get 0)))
  (func (export "set_reference") (global.set $reference (ref.func $triple)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "catch") (param i32) (result i64 i32)
    (block $got (result i64 i32)
      (try_table (catch $tag $got) (call $thrower (local.get 0)))
      (i64.const 0) (i32.const 0)))
  (export "memory" (memory 0)) (export "table" (table $table)) (export "global" (global $global)))"""

_LEVELS: Final = """(module
  (type $binary (func (param i64 i64) (result i64)))
  (global (export "global") (mut i64) (i64.const 5))
  (memory (export "memory") 1)
  (table (export "table") 4 funcref) (elem (i32.const 0) func $shifted $plain $calls)
  (start $start)
  (func $start (global.set 0 (call $shifted (i64.const 3) (i64.const 2))))
  (func $plain (export "plain") (type $binary) (i64.add (local.get 0) (local.get 1)))
  (func $shifted (export "shifted") (type $binary)
    (i64.add (i64.shl (local.get 0) (local.get 1)) (i64.clz (local.get 0))))
  (func $calls (export "calls") (type $binary) (call $plain (call $shifted (local.get 0) (local.get 1)) (i64.const 1)))
  (func (export "indirect") (param i32) (result i64)
    (call_indirect (type $binary) (i64.const 9) (i64.const 4) (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (i32.shl (local.get 0) (local.get 1)) (local.get 1)))
  (func (export "divided") (param i64) (result i64) (i64.div_s (i64.const 9) (i64.shl (local.get 0) (local.get 0))))
  (func (export "sum") (param f32) (result f32) (f32.add (local.get 0) (f32.const 1.5))))"""

#: WebAssembly text by name.
TEXTS: Final = {
    "calls": _CALLS,
    "globals": _GLOBALS,
    "memory": _MEMORY,
    "memories": _MEMORIES,
    "tables": _TABLES,
    "images": _IMAGES,
    "exceptions": _EXCEPTIONS,
    "tails": _TAILS,
    "metered": _TAILS,
    "start": _START,
    "exporter": _EXPORTER,
    "importer": _IMPORTER,
    "levels": _LEVELS,
}
_CPU_LEVELS: Final = ("baseline", "x86-64-v3" if platform.machine() == "x86_64" else "neoverse-n1")
#: What a module is packed with, where that is not level 0.
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "metered": {"fuel": True},
    "levels": {"opt_level": 2, "cpu": _CPU_LEVELS},
}
#: Importers by name, and the module whose exports they take.
LINKED: Final = {"importer": "exporter"}


def modules() -> dict[str, bytes]:
    """All modules by name, in binary form; one of them a compiler's, with DWARF."""
    made = {name: bytes(wasmtime.wat2wasm(text)) for name, text in TEXTS.items()}
    return made | {"dwarf": (Path(__file__).parents[1] / "data" / "source_lines.dwarf5.wasm").read_bytes()}


class Host:
    """What the modules import from the host, made anew for each instance.

    Parameters
    ----------
    names : collection of str
        What to make: making all takes longer than an instance.

    Attributes
    ----------
    namespace : dict
        Names of the module ``host`` and their values.
    reenter : callable or None
        What the host functions call before they answer; it may call the guest again.
    thrown : BaseException or None
        What ``throw`` raises instead of its own exception.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.reenter: Callable[[], object] | None = None
        self.thrown: wa.WasmException | None = None
        self.tag = wa.Tag(["i64"])
        mixed = _MIXED.split()
        makers: dict[str, Callable[[], Any]] = {
            "unary": lambda: self._func(lambda value: value ^ 5, ["i32"], ["i32"]),
            "mixed": lambda: self._func(lambda *values: values, mixed, mixed),
            "many": lambda: self._func(lambda: tuple(range(_MANY)), [], ["i64"] * _MANY),
            "wide": lambda: self._func(lambda *values: len(values), ["i64"] * _SOME, ["i64"]),
            "pair": lambda: self._func(
                lambda a, b: (a, b, 0.5, bytes(16)), ["i32", "i64"], ["i32", "i64", "f64", "v128"]
            ),
            "throw": lambda: self._func(self._throw, ["i32"], []),
            "tag": lambda: self.tag,
            "i32": lambda: wa.Global("i32", 6),
            "i64": lambda: wa.Global("i64", 0x4242424242424240, mutable=True),
            "v128": lambda: wa.Global("v128", bytes(range(16)), mutable=True),
            "funcref": lambda: wa.Global("funcref", None, mutable=True),
            "externref": lambda: wa.Global("externref", None, mutable=True),
            "memory": lambda: wa.Memory(1, 4),
            "table": lambda: wa.Table("funcref", 9, 10),
            "host": lambda: self._func(lambda value: value ^ 5, ["i32"], ["i32"]),
        }
        self.namespace: dict[str, Any] = {name: makers[name]() for name in names if name in makers}

    @property
    def imports(self) -> dict[str, Mapping[str, Any]]:
        """For `instantiate`: the host's modules by name."""
        return {"host": self.namespace, "env": self.namespace}

    def _func(self, callable_: Any, params: list[str], results: list[str]) -> wa.Func:
        def run(*values: Any) -> Any:
            if self.reenter is not None:
                self.reenter()
            return callable_(*values)

        return wa.Func(run, params=params, results=results)

    def _throw(self, value: int) -> None:
        if self.thrown is not None:
            raise self.thrown
        if value % 2:
            raise wa.WasmException(self.tag, [value])
