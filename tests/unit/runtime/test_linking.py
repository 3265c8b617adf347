"""Linking: imports by kind and type, what instances share, stores and how they become one."""

from __future__ import annotations

from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load


@pytest.mark.parametrize(
    ("imports", "wanted"),
    [
        ('(import "env" "f" (func (param i32) (result i64)))', "func"),
        ('(import "env" "f" (memory 1 2))', "memory"),
        ('(import "env" "f" (table 1 funcref))', "table"),
        ('(import "env" "f" (global (mut f64)))', "global"),
    ],
)
@pytest.mark.parametrize("given", [None, {}, {"env": {}}, {"other": {"f": print}}])
def test_a_missing_import_is_named(imports: str, wanted: str, given: Any) -> None:
    with pytest.raises(
        wa.UnlinkableModule, match=rf"^unknown import: env\.f, a {wanted} of type .*imports\['env'\]\['f'\]"
    ) as caught:
        instance(f"(module {imports})", given)
    error = caught.value
    assert (error.module, error.name, error.kind, error.found) == ("env", "f", wanted, None)
    assert error.expected == load(f"(module {imports})").metadata.imports[0].type


@pytest.mark.parametrize(
    ("wanted", "given", "message"),
    [
        ("(func)", 5, "env.f is a func, found an object of type int"),
        ("(func)", wa.Memory(1), "is a func, found a memory"),
        ("(memory 1)", print, "is a memory, found an object of type builtin_function_or_method"),
        ("(memory 1)", wa.Func(print), "is a memory, found a func"),
        ("(table 1 funcref)", wa.Global("i32", 0), "is a table, found a global"),
        (
            "(func (param i32))",
            wa.Func(print, ["i64"]),
            r"expected \(i32\) -> \(\), found \(i64\) -> \(\)",
        ),
        ("(memory 2)", wa.Memory(1), r"smaller than the minimum.*min_pages=2.*min_pages=1"),
        ("(memory 1 2)", wa.Memory(1), "maximum"),
        ("(memory 1 2)", wa.Memory(1, 3), "maximum"),
        ("(table 3 funcref)", wa.Table("funcref", 2), "smaller"),
        ("(table 1 funcref)", wa.Table("externref", 1), "element type"),
        ("(global i32)", wa.Global("i64", 0), "value type"),
        ("(global (mut i32))", wa.Global("i32", 0), "mutable"),
        ("(global i32)", wa.Global("i32", 0, mutable=True), "mutable"),
        ("(global (mut i32))", 5, "a mutable global of type i32, which only a wa.Global can be, found int"),
        ("(global i32)", 5.5, "must be an int"),
        ("(global i32)", 2**32, "outside"),
        ("(global f32)", "1", "must be a float"),
        ("(global (mut externref))", wa.Func(print), "is a global, found a func"),
    ],
)
def test_an_import_of_another_type_is_unlinkable(wanted: str, given: Any, message: str) -> None:
    wat = f'(module (import "env" "f" {wanted}))'
    with pytest.raises(wa.UnlinkableModule, match=rf"^incompatible import type: .*{message}") as caught:
        instance(wat, {"env": {"f": given}})
    row = load(wat).metadata.imports[0]
    assert caught.value.facts == {
        "module": "env", "name": "f", "kind": row.kind, "expected": row.type,
        "found": getattr(given, "type", type(given).__name__),
    }  # fmt: skip


def test_one_object_is_a_memory_and_a_reference_to_it() -> None:
    """As Kotlin imports its memory, under one name."""
    memory, func = wa.Memory(1), wa.Func(lambda: 7, [], ["i32"])
    exports = instance(
        """(module
          (import "env" "memory" (memory $memory 1))
          (import "env" "memory" (global $object externref))
          (import "env" "seven" (func $seven (result i32)))
          (import "env" "seven" (global $seven funcref))
          (table $functions 1 funcref)
          (export "memory" (memory $memory))
          (export "object" (global $object))
          (func (export "call") (result i32)
            (table.set $functions (i32.const 0) (global.get $seven))
            (i32.add (call $seven) (call_indirect $functions (result i32) (i32.const 0)))))""",
        {"env": {"memory": memory, "seven": func}},
    ).exports
    assert exports.object.value is memory
    exports.memory[0] = 9
    assert memory[0] == 9
    assert exports.call() == 14


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"env": {"lgo": print}}, r"imports\['env'\] has 'lgo'"),
        ({"emv": {"log": print}}, r"imports has 'emv'"),
        ({"log": print}, r"imports\['log'\] was given: each module's names have a mapping of their own"),
    ],
)
def test_a_near_miss_gets_a_hint(given: Any, words: str) -> None:
    with pytest.raises(wa.UnlinkableModule, match=words):
        instance('(module (import "env" "log" (func)))', given)


def test_forgotten_wasi_gets_a_hint() -> None:
    wat = '(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))))'
    with pytest.raises(wa.UnlinkableModule, match=r"wa\.Wasi\(\)\.imports\(\) has the functions of WASI"):
        instance(wat)
    with pytest.raises(TypeError, match=r"found Wasi; imports\(\) makes a mapping of it"):
        instance(wat, wa.Wasi())  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [[], [("env", {})], "env", b"env", 5, print, wa.Memory(1)])
def test_imports_are_a_mapping_of_mappings(given: Any) -> None:
    wat = '(module (import "env" "log" (func)))'
    with pytest.raises(TypeError, match=r"^imports must be a mapping of modules .*, here for env; found "):
        instance(wat, given)
    with pytest.raises(TypeError, match=r"^imports\['env'\] must be a mapping of names to values, .*found "):
        instance(wat, {"env": given})
    with pytest.raises(TypeError, match=r"^imports must be a mapping"):
        load(wat).link(given)


def test_an_instance_stands_for_one_module_only() -> None:
    one = instance('(module (func (export "log")))')
    with pytest.raises(TypeError, match=r"an instance can stand for one module: imports=\{module: instance\}"):
        instance('(module (import "env" "log" (func)))', one)  # type: ignore[arg-type]
    with pytest.raises(wa.UnlinkableModule, match="is a func, found an object of type Instance"):
        instance('(module (import "env" "log" (func)))', {"env": {"log": one}})


def test_plain_values_stand_for_functions_and_globals() -> None:
    got = exports(
        """(module (import "env" "f" (func $f (param i32) (result i32)))
        (import "env" "i" (global $i i32)) (import "env" "x" (global $x f64)) (import "env" "o" (global $o externref))
        (func (export "go") (result i32 f64 externref) (call $f (global.get $i)) (global.get $x) (global.get $o)))""",
        {"env": {"f": lambda value: value + 1, "i": 41, "x": 0.5, "o": "object", "unused": 1}},
    )
    assert got.go() == (42, 0.5, "object")


COUNTER_WAT = """(module
    (memory (export "memory") 1) (global $count (export "count") (mut i32) (i32.const 0))
    (table (export "table") 4 funcref)
    (func (export "bump") (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))"""
USER_WAT = """(module
    (import "counter" "memory" (memory 1)) (import "counter" "count" (global $count (mut i32)))
    (import "counter" "table" (table $table 4 funcref)) (import "counter" "bump" (func $bump (result i32)))
    (func $mine (result i32) (i32.const 77))
    (func (export "go") (result i32) (drop (call $bump)) (drop (call $bump))
      (i32.store (i32.const 4) (global.get $count))
      (table.set $table (i32.const 2) (ref.func $mine)) (global.get $count))
    (elem declare func $mine))"""


@pytest.mark.parametrize(
    "as_namespace", [lambda made: made, lambda made: made.exports, lambda made: dict(made.exports)]
)
def test_instances_share_what_they_import(as_namespace: Any) -> None:
    counter = instance(COUNTER_WAT)
    user = instance(USER_WAT, {"counter": as_namespace(counter)})
    assert user.exports.go() == 2
    assert counter.exports.count.value == 2
    assert counter.exports.memory[4:8] == b"\2\0\0\0"
    function = counter.exports.table[2]
    del user, counter
    assert function() == 77


def test_two_instances_of_one_artifact_are_apart() -> None:
    artifact = load(COUNTER_WAT)
    first, second = artifact.instantiate(), artifact.instantiate()
    first.exports.bump()
    first.exports.memory[0] = 5
    assert (second.exports.count.value, second.exports.memory[0]) == (0, 0)
    assert first.exports.memory is not second.exports.memory


def test_host_objects_serve_several_instances() -> None:
    memory, count, table = wa.Memory(1), wa.Global("i32", 10, mutable=True), wa.Table("funcref", 4)
    given = {"counter": {"memory": memory, "count": count, "table": table, "bump": lambda: 0}}
    first, second = instance(USER_WAT, given), instance(USER_WAT, given)
    assert (first.exports.go(), second.exports.go()) == (10, 10)
    count.value = 11
    assert second.exports.go() == 11
    assert memory[4] == 11
    assert table[2]() == 77


def test_instances_import_each_other() -> None:
    """Both directions: one imports, the other gets functions by a table, which both use."""
    table = wa.Table("funcref", 2)
    wat = """(module (type $op (func (param i32) (result i32))) (import "env" "table" (table $table 2 funcref))
        (func $down (export "down") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const {step})
              (call_indirect (type $op) (i32.sub (local.get 0) (i32.const 1)) (i32.const {other}))))
            (else (i32.const 0)))))"""
    first = instance(wat.format(step=1, other=1), {"env": {"table": table}})
    second = instance(wat.format(step=100, other=0), {"env": {"table": table}})
    table[0], table[1] = first.exports.down, second.exports.down
    assert first.exports.down(4) == 202
    assert second.exports.down(3) == 201


def test_stores_made_by_hand_keep_apart() -> None:
    one, other = wa.Store(), wa.Store()
    counter = instance(COUNTER_WAT, store=one)
    assert counter.store is one
    with pytest.raises(wa.UnlinkableModule, match=r"two different wa\.Store"):
        instance(USER_WAT, {"counter": counter}, store=other)
    with pytest.raises(wa.UnlinkableModule, match=r"two different wa\.Store"):
        instance('(module (table (export "t") 1 funcref))', store=other).exports.t[0] = counter.exports.bump
    assert instance(USER_WAT, {"counter": counter}, store=one).exports.go() == 2
    assert instance(USER_WAT, {"counter": counter}).exports.go() == 4  # an implicit store joins


def test_functions_as_arguments_join_stores() -> None:
    got = exports(
        """(module (table $t 1 funcref)
        (func (export "set") (param funcref) (table.set $t (i32.const 0) (local.get 0)))
        (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0))))"""
    )
    got.set(exports('(module (func (export "f") (result i32) (i32.const 5)))').f)
    assert got.call() == 5


@pytest.mark.parametrize("option", [{"limits": 5}, {"limit": None}])
def test_a_store_takes_limits_only(option: Any) -> None:
    with pytest.raises(TypeError, match=r"[Ll]imit"):
        wa.Store(**option)
    with pytest.raises(TypeError, match=r"store must be a wasmartifact\.Store, found an object of <class 'int'>"):
        instance(COUNTER_WAT, store=5)


def test_the_start_function_runs_and_its_errors_come_through() -> None:
    wat = """(module (import "env" "f" (func $f)) (memory (export "m") 1)
        (func $start (i32.store (i32.const 0) (i32.const 9)) (call $f)) (start $start))"""
    ran = []
    assert exports(wat, {"env": {"f": lambda: ran.append(1)}}).m[0] == 9
    assert ran == [1]

    def fail() -> None:
        raise LookupError("in start")

    with pytest.raises(LookupError, match="in start"):
        instance(wat, {"env": {"f": fail}})


def test_start_sees_the_same_instance_as_caller() -> None:
    seen: list[wa.Instance] = []
    made = instance(
        '(module (import "env" "f" (func $f)) (start $f))',
        {"env": {"f": wa.Func(seen.append, caller=True)}},
    )
    assert seen == [made]


def test_a_segment_that_does_not_fit_traps_after_those_before_it() -> None:
    memory = wa.Memory(1)
    with pytest.raises(wa.Trap) as caught:
        instance(
            '(module (import "env" "m" (memory 1)) (data (i32.const 8) "written") (data (i32.const 65535) "no room"))',
            {"env": {"m": memory}},
        )
    assert caught.value.code == "memory_out_of_bounds"
    assert memory[8:15] == b"written"


def test_a_failed_instance_leaves_its_functions_in_a_shared_table() -> None:
    table = wa.Table("funcref", 2)
    with pytest.raises(wa.Trap):
        instance(
            """(module (import "env" "t" (table 2 funcref)) (func $f (result i32) (i32.const 6))
            (elem (i32.const 0) $f) (func $start unreachable) (start $start))""",
            {"env": {"t": table}},
        )
    assert table[0]() == 6


def test_many_imports() -> None:
    count = 200
    imports = "\n".join(f'(import "m{index % 7}" "f{index}" (func $f{index} (result i32)))' for index in range(count))
    body = "\n".join(f"call $f{index} i32.add" for index in range(count))
    given: dict[str, dict[str, Any]] = {f"m{index}": {} for index in range(7)}
    for index in range(count):
        given[f"m{index % 7}"][f"f{index}"] = lambda index=index: index
    assert exports(f'(module {imports} (func (export "sum") (result i32) i32.const 0 {body}))', given).sum() == sum(
        range(count)
    )
