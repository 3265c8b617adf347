"""Metadata that lies while the code is honest: a file is refused, or does what its code was compiled for.

Every case runs in a process of its own; what it must answer is what the specification says of the module.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.support.lying import Lie, outcome
from tests.unit.runtime.harness import packed
from wasmartifact import schema

MANY = 200
PATTERN = 0x4141414141414140
MANY_RESULTS = f"""(module (func (export "f") (result {"i64 " * MANY}) {f"(i64.const {PATTERN})" * MANY}))"""
MANY_PARAMS = f"""(module (func (export "f") (param {"i64 " * MANY}) (result i64) (local.get 150)))"""
GLOBAL = f"""(module (global (export "g") (mut i64) (i64.const {PATTERN})))"""
SAME_SLOTS = """(module (type $number (func (param i64) (result i64)))
  (type $reference (func (param i64) (result funcref))) (func (export "f") (type $number) (local.get 0))
  (func (export "h") (type $reference) (ref.null func)))"""
MEMORY = """(module (memory (export "m") 1)
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""
GLOBALS = f"""(module {"(global (mut i64) (i64.const 1))" * MANY} (func (export "set") (param i64)
  {"".join(f"(global.set {index} (local.get 0))" for index in range(MANY))}))"""
DATA = f"""(module (memory 1) {'(data "x")' * 3000}
  (func (export "f") {"".join(f"(data.drop {index})" for index in range(3000))}))"""
ELEMENTS = f"""(module (table 1 funcref) (func $q) {"(elem func $q)" * 300}
  (func (export "f") {"".join(f"(elem.drop {index})" for index in range(300))}))"""
TABLE = """(module (table 4 funcref) (type $t (func)) (func (export "call") (call_indirect (type $t) (i32.const 0)))
  (func (export "size") (result i32) (table.size)) (func (export "set") (table.set (i32.const 1) (ref.null func))))"""
IMPORT = """(module (import "e" "f" (func)) (func (export "f") (call 0)))"""
TAG = f"""(module (type $none (func)) (type $many (func (param {"i64 " * 60}))) (tag $t (type $many))
  (func (export "f") (type $none) {f"(i64.const {PATTERN})" * 60} (throw $t)))"""
HOST = f"""(module (type $go (func (result i64))) (type $h (func (param i64)))
  (type $big (func (result {"i64 " * MANY}))) (import "e" "f" (func $f (type $h)))
  (func (export "go") (type $go) (call $f (i64.const 1)) (i64.const 5)) (func (type $big) unreachable))"""
OBJECTS = """(module (table (export "t") 4 externref)
  (func (export "f") (param i32) (result externref) (table.get (local.get 0))))"""
CALLS = """(module (table (export "t") 4 funcref) (type $t (func (result i32))) (elem (i32.const 1) func $one)
  (func $one (type $t) (i32.const 1))
  (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""
LARGE = 3000  # slots: their image is mapped
LARGE_CALLS = f"""(module (table (export "t") {LARGE} funcref) (type $t (func (result i32)))
  (elem (i32.const 0) func {"$one $two " * (LARGE // 2)})
  (func $one (type $t) (i32.const 1)) (func $two (type $t) (i32.const 2))
  (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""
PASSIVE = """(module (table 4 funcref) (type $t (func (result i32))) (elem $e func $one $one)
  (func $one (type $t) (i32.const 1))
  (func (export "init") (table.init $e (i32.const 0) (i32.const 0) (i32.const 2)))
  (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""
COMPUTED = """(module (import "e" "g" (global $g funcref)) (table 4 funcref) (type $t (func (result i32)))
  (elem $e funcref (global.get $g) (ref.func $one) (ref.null func)) (func $one (type $t) (i32.const 1))
  (func (export "init") (table.init $e (i32.const 0) (i32.const 0) (i32.const 3)))
  (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""
EXCEPTIONS = """(module (table (export "t") 4 exnref) (elem $e exnref (ref.null exn) (ref.null exn))
  (func (export "init") (table.init $e (i32.const 0) (i32.const 0) (i32.const 2)))
  (func (export "f") (param i32) (throw_ref (table.get (local.get 0)))))"""
FUNCTION_GLOBAL = """(module (global (export "g") (mut funcref) (ref.func $one))
  (global (export "n") (mut funcref) (ref.null func))
  (func $one (export "one") (result i32) (i32.const 1)))"""
TWO_IMPORTS = """(module (import "e" "f" (func)) (import "e" "g" (global i32)) (func (export "f") (call 0)))"""
TAIL = """(module (type $t (func (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)))
  (func (export "f") (type $t) (return_call $g (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
    (local.get 5) (local.get 6) (local.get 7)))
  (func $g (type $t) (i64.sub (local.get 0) (local.get 7))))"""


def contents(wat: str) -> bytes:
    return packed(wat).read_bytes()


def exports(file: bytes, **imports: object) -> Any:
    """What an instance exports; imports of the module "e"."""
    return wa.load(file).instantiate({"e": imports}).exports


def called(file: bytes, *arguments: object) -> str:
    """What calling the export "f" gives."""
    return outcome(lambda: exports(file).f(*arguments))


def refused(what: str) -> Callable[[str], bool]:
    """The words of a refusal by the contract."""
    return lambda words: words.startswith("CorruptArtifact: the metadata does not fit the code") and what in words


# Types ------------------------------------------------------------------------------------------------------------


def shortened(wat: str, column: str) -> bytes:
    """The first function's type loses all parameters or results."""
    lie = Lie(contents(wat))
    type_ = lie.get("function", 0) & 0xFFFFFFFF
    start, end = lie.get(column, type_), lie.get(column, type_ + 1)
    assert end - start == MANY
    return lie.row(column, type_ + 1, start).sealed()


def test_results_are_those_of_the_code() -> None:
    """An entry trampoline writes all of them, into an array of the caller."""
    assert outcome(lambda: exports(shortened(MANY_RESULTS, "type_results")).f() == (PATTERN,) * MANY) == "True"


def test_parameters_are_those_of_the_code() -> None:
    arguments = range(MANY)
    assert outcome(lambda: exports(shortened(MANY_PARAMS, "type_params")).f(*arguments)) == "150"
    assert outcome(lambda: exports(shortened(MANY_PARAMS, "type_params")).f()).startswith("TypeError")


def test_a_lie_does_not_reach_an_honest_artifact() -> None:
    """Function types are shared between artifacts, by their digests."""

    def use() -> bool:
        lying = exports(shortened(MANY_RESULTS, "type_results")).f
        honest = exports(contents(MANY_RESULTS)).f
        return bool(honest() == lying() == (PATTERN,) * MANY) and honest.type.results == ("i64",) * MANY

    assert outcome(use) == "True"


@pytest.mark.parametrize("valtype", [schema.VALTYPE_FUNCREF, schema.VALTYPE_EXTERNREF, schema.VALTYPE_V128, 0])
def test_a_number_of_the_guest_is_no_pointer(valtype: int) -> None:
    lie = Lie(contents(GLOBAL)).row("global_type", 0, valtype).sealed()
    assert outcome(lambda: exports(lie).g.value) == str(PATTERN)
    function = Lie(contents(SAME_SLOTS))
    function.row("function", 0, function.get("function", 0) ^ 1)  # the other type
    assert outcome(lambda: exports(function.sealed()).f(PATTERN)) == str(PATTERN)


def test_an_exception_has_room_for_what_the_code_stores() -> None:
    lie = Lie(contents(TAG))
    type_ = lie.get("tag_type", 0)
    lie.row("type_params", type_ + 1, lie.get("type_params", type_))

    def use() -> list[int]:
        found = []
        got = exports(lie.sealed())
        for _ in range(50):
            with pytest.raises(wa.WasmException) as caught:
                got.f()
            found.append(len(caught.value.values))
        return found

    assert outcome(use) == str([60] * 50)


def test_a_host_function_returns_what_the_guest_has_room_for() -> None:
    lie = Lie(contents(HOST))
    type_ = lie.get("function", 0) & 0xFFFFFFFF
    big = next(row for row in range(3) if lie.get("type_results", row + 1) - lie.get("type_results", row) == MANY)
    lie.row("type_results", type_, lie.get("type_results", big))
    assert outcome(lambda: exports(lie.sealed(), f=lambda value: None).go()) == "5"
    assert outcome(lambda: exports(lie.sealed(), f=lambda value: (PATTERN,) * MANY).go()).startswith("TypeError")


def test_tables_hold_what_the_code_takes_from_them() -> None:
    objects = Lie(contents(OBJECTS)).row("table_type", 0, schema.VALTYPE_FUNCREF).sealed()
    functions = Lie(contents(CALLS)).row("table_type", 0, schema.VALTYPE_EXTERNREF).sealed()

    def store(file: bytes, value: object) -> object:
        got = exports(file)
        got.t[0] = value
        return got.f(0)

    assert outcome(lambda: store(objects, "an object")) == "'an object'"
    assert outcome(lambda: store(functions, "an object")).startswith("TypeError")
    assert outcome(lambda: store(functions, None)) == "Trap: uninitialized element"
    assert outcome(lambda: exports(functions).f(1)) == "1"


def test_trampolines_are_those_of_the_code() -> None:
    for column in ("type_entry", "type_inward", "type_canonical"):
        for value in (0, 1, 5, 0xFFFFFFFF):
            lie = Lie(contents(TAIL)).row(column, 0, value).sealed()
            assert called(lie, 9, 0, 0, 0, 0, 0, 0, 2) == "7"


# Memories ---------------------------------------------------------------------------------------------------------


def test_a_guest_reaches_its_own_memory_only() -> None:
    """One page: what lies beyond traps, wherever the process has something."""
    lie = Lie(contents(MEMORY)).row("memory_guard", 0, 1).row("memory_flags", 0, schema.LIMITS_64).sealed()

    def use() -> int:
        got = exports(lie)
        base = ctypes.addressof(ctypes.c_char.from_buffer(got.m))
        for line in Path("/proc/self/maps").read_text().splitlines():
            start = int(line.split("-")[0], 16) - base
            if 65536 <= start < 1 << 32:
                with pytest.raises(wa.Trap, match="out of bounds memory access"):
                    got.load(start)
                with pytest.raises(wa.Trap, match="out of bounds memory access"):
                    got.store(start, 1)
        got.store(0, 7)
        return int(got.load(0))

    assert outcome(use) == "7"


# Counts and places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wat", "group", "what"),
    [
        (MEMORY, "memories", "memory_min_pages"),
        (TABLE, "tables", "table_type"),
        (GLOBALS, "globals", "global_type"),
        (DATA, "data", "data segments"),
        (ELEMENTS, "elements", "element_type"),
        (IMPORT, "imports", "imports"),
        (IMPORT, "functions", "function"),
        (IMPORT, "code", "defined functions"),
        (TAG, "tags", "tag_type"),
        (TAG, "types", "type_"),
        (TAIL, "inward_trampolines", "type_inward"),
    ],
)
def test_every_index_space_has_its_size(wat: str, group: str, what: str) -> None:
    sound = Lie(contents(wat))
    column = next(column for column in schema.COLUMNS if column.group == group and column.shape == "rows")
    rows = sound.entries[column.name].count
    for count in {0, rows - 1} - {rows}:
        words = outcome(partial(exports, Lie(contents(wat)).rows(group, count).sealed()))
        assert refused(what)(words), words


def test_the_number_of_cells_that_globals_have() -> None:
    lie = Lie(contents(GLOBALS)).entry("global_image", count=0).sealed()
    assert refused("global_image")(outcome(lambda: exports(lie)))


@pytest.mark.parametrize("field", schema.TIED_HEADER_FIELDS)
def test_header_fields_are_those_of_the_code(field: str) -> None:
    """Sizes and places of the instance's record, the start of init code, features of the CPU: all that it goes by."""
    bits = 8 * schema.TYPE_SIZES[next(item.type for item in schema.METADATA_HEADER.fields if item.name == field)]
    value = Lie(contents(GLOBALS)).numbers[field]
    for other in {0, value ^ 1, value ^ 2, value ^ 64, value ^ 4096, (1 << bits) - 1} - {value}:
        words = outcome(partial(exports, Lie(contents(GLOBALS)).header(**{field: other}).sealed()))
        assert words.startswith(("CorruptArtifact", "IncompatibleHost")), (other, words)


def test_imports_are_of_the_kinds_of_the_code() -> None:
    for column, row, value in (
        ("import_kind", 0, schema.KIND_GLOBAL),
        ("import_kind", 1, schema.KIND_FUNC),
        ("import_kind", 0, schema.KIND_TAG),
        ("import_kind", 0, 9),
        ("import_index", 0, 1),
        ("import_index", 1, 7),
    ):
        for other in (5, lambda: None, wa.Tag([]), wa.Memory(1)):
            lie = Lie(contents(TWO_IMPORTS)).row(column, row, value).sealed()
            words = outcome(partial(exports, lie, f=other, g=5))
            assert words.startswith(("CorruptArtifact", "UnlinkableModule")), words


def test_exports_are_objects_of_their_index_spaces() -> None:
    count = Lie(contents(CALLS)).entries["export_slots"].count
    slots = [slot for slot in range(count) if Lie(contents(CALLS)).get("export_slots", slot) & 0xFFFFFFFF]
    for slot in slots:
        for item in (0, 7, 6, 4 << 3 | 1, 1 << 3 | 2, 3, 4, 5, 0xFFFFFFFF):
            lie = Lie(contents(CALLS))
            row = lie.get("export_slots", slot)
            lie.row("export_slots", slot, row >> 32 << 32 | item)
            words = outcome(partial(looked_up, lie.sealed(), "t", "f"))
            assert words.startswith(("CorruptArtifact", "KeyError", "[<")), words


def looked_up(file: bytes, *names: str) -> list[object]:
    got = exports(file)
    return [got[name] for name in names]


# Slots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slot", [PATTERN, 8, 0xFFFFFFFF_FFFFFFFE, 0xFFFFFFFF_FFFFFFFF, 99 << 1 | 1, 1 << 33 | 1])
def test_no_slot_of_a_file_is_a_pointer(slot: int) -> None:
    """It is null or names a function; what names none is null, and calling null traps (spec section 4.4.8)."""
    null = "Trap: uninitialized element"
    small = Lie(contents(CALLS))
    small.write(small.get("table_image_offset", 0) + 8, slot.to_bytes(8, "little"))
    assert outcome(lambda: exports(small.sealed()).f(1)) == null
    assert outcome(lambda: exports(small.sealed()).t[1]) == "None"

    def passive() -> int:
        got = exports(Lie(contents(PASSIVE)).row("element_slot_values", 0, slot).sealed())
        got.init()
        assert got.f(1) == 1
        return int(got.f(0))

    def computed() -> int:
        lie = Lie(contents(COMPUTED)).row("element_slot_values", 2, slot)
        got = exports(lie.sealed(), g=wa.Global("funcref", wa.Func(lambda: 3, [], ["i32"])))
        got.init()
        assert (got.f(0), got.f(1)) == (3, 1)
        return int(got.f(2))

    assert outcome(passive) == null
    assert outcome(computed) == null


def test_a_mapped_image_is_that_of_the_code() -> None:
    """Nothing is done for each of its slots, so none may come from what can be changed."""
    lie = Lie(contents(LARGE_CALLS))
    lie.write(lie.get("table_image_offset", 0), PATTERN.to_bytes(8, "little") * LARGE)
    for lying in (lie, lie.row("table_image_count", 0, 9), lie.row("table_image_offset", 0, 0)):
        got = partial(exports, lying.sealed())
        assert outcome(lambda: [got().f(index) for index in (0, 1, LARGE - 1)]) == "[1, 2, 2]"  # noqa: B023
        assert outcome(lambda: [got().t[index]() for index in (0, 1, LARGE - 1)]) == "[1, 2, 2]"  # noqa: B023


def throw(file: bytes) -> str:
    """Throw the null reference of a table: as it starts, and from a segment."""
    got = exports(file)
    words = []
    for _ in range(2):
        with pytest.raises(wa.Trap) as caught:
            got.f(0)
        words.append(caught.value.code)
        got.init()
    return ", ".join(words)


def test_references_other_than_functions_start_as_null() -> None:
    """Of them a file can hold nothing: what it says is null, and to throw null traps."""
    for slot in (PATTERN, PATTERN | 1, 3):
        lie = Lie(contents(EXCEPTIONS)).row("element_slot_values", 0, slot).row("element_slot_values", 1, slot)
        lie.row("table_image_offset", 0, lie.entries["element_slot_values"].offset).row("table_image_count", 0, 2)
        assert outcome(partial(throw, lie.sealed())) == "'null_exception_reference, null_exception_reference'"
    objects = Lie(contents(OBJECTS))
    objects.row("table_image_offset", 0, objects.entries["function"].offset).row("table_image_count", 0, 2)
    assert (called(objects.sealed(), 0), called(objects.sealed(), 1)) == ("None", "None")


def test_cells_of_references_are_those_of_the_code() -> None:
    lie = Lie(contents(FUNCTION_GLOBAL)).row("global_image", 0, PATTERN).row("global_image", 1, PATTERN).sealed()
    assert outcome(lambda: (exports(lie).g.value(), exports(lie).n.value)) == "(1, None)"


# Linking ----------------------------------------------------------------------------------------------------------

EXPORTER = f"""(module (type $pair (func (param i64) (result i64))) (type $other (func (param f64) (result f64)))
  (memory (export "m") 1) (global (export "g") (mut i64) (i64.const {PATTERN}))
  (table (export "t") 2 funcref) (elem (i32.const 0) $double)
  (tag (export "x") (param i64)) (func $double (export "double") (type $pair) (i64.mul (local.get 0) (i64.const 2)))
  (func (type $other) (local.get 0)))"""
IMPORTER = """(module (type $pair (func (param i64) (result i64)))
  (import "e" "m" (memory 1)) (import "e" "g" (global $g (mut i64))) (import "e" "t" (table 1 funcref))
  (import "e" "x" (tag $x (param i64))) (import "e" "double" (func $double (type $pair)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "g") (result i64) (global.get $g))
  (func (export "call") (param i64) (result i64) (call $double (local.get 0)))
  (func (export "indirect") (param i64) (result i64) (call_indirect (type $pair) (local.get 0) (i32.const 0)))
  (func (export "throw") (param i64) (throw $x (local.get 0))))"""
OTHER_IMPORTER = """(module (import "e" "double" (func (param f64) (result f64))))"""


def exporter_lies() -> list[bytes]:
    sound = Lie(contents(EXPORTER))
    pair, other = (sound.get("type_digest", row) for row in (0, 1))
    return [
        Lie(contents(EXPORTER)).row("memory_guard", 0, 1).row("memory_flags", 0, schema.LIMITS_64).sealed(),
        Lie(contents(EXPORTER)).row("memory_page_log2", 0, 0).row("memory_min_pages", 0, 1 << 20).sealed(),
        Lie(contents(EXPORTER)).row("global_type", 0, schema.VALTYPE_FUNCREF).row("global_flags", 0, 0).sealed(),
        Lie(contents(EXPORTER)).row("table_type", 0, schema.VALTYPE_EXTERNREF).row("table_min", 0, 9).sealed(),
        Lie(contents(EXPORTER)).row("type_digest", 0, other).row("type_digest", 1, pair).sealed(),
        Lie(contents(EXPORTER)).row("type_canonical", 0, 1).row("function", 0, sound.get("function", 1)).sealed(),
        Lie(contents(EXPORTER)).row("tag_type", 0, 1).row("type_params", 1, 0).sealed(),
    ]


def link_and_use(exporter: bytes) -> list[object]:
    """What an honest importer of all that a liar exports does with it."""
    got = exports(contents(IMPORTER), **dict(exports(exporter)))
    with pytest.raises(wa.Trap, match="out of bounds memory access"):
        got.load((1 << 32) - 1)
    with pytest.raises(wa.WasmException) as caught:
        got.throw(PATTERN)
    return [got.load(0), got.g() == PATTERN, got.call(21), got.indirect(4), caught.value.values == (PATTERN,)]


@pytest.mark.parametrize("number", range(7))
def test_what_a_liar_exports_is_what_its_code_has(number: int) -> None:
    lie = exporter_lies()[number]
    assert outcome(partial(link_and_use, lie)) == "[0, True, 42, 8, True]"
    words = outcome(lambda: exports(contents(OTHER_IMPORTER), double=exports(lie).double))
    assert words.startswith("UnlinkableModule: incompatible import type: e.double"), words


# Digests ----------------------------------------------------------------------------------------------------------


def test_a_digest_that_two_types_have_is_refused() -> None:
    """What a call goes by is the type itself: one that was seen first does not stand for another with its digest."""
    one, other = (contents(f'(module (func (export "f") (param {params})))') for params in ("i32", "i64"))
    place, size = other.index(digest_of(other)), 16
    forged = other[:place] + digest_of(one) + other[place + size :]

    def use() -> object:
        first = exports(one)
        return first.f, exports(forged).f

    words = outcome(use)
    assert words.startswith("CorruptArtifact: two function types that differ have one digest"), words


def digest_of(file: bytes) -> bytes:
    return Lie(file).get("type_digest", 0).to_bytes(16, "little")


def test_verify_names_what_differs(tmp_path: Path) -> None:
    """All digests are right but the build id, which covers code that can't be changed with it."""
    path = tmp_path / "lie.so"
    for column in schema.TIED_COLUMNS:
        for wat in (TAIL, CALLS, TAG, MEMORY, FUNCTION_GLOBAL, PASSIVE):
            lie = Lie(contents(wat))
            if lie.entries[column].count:
                lie.row(column, 0, lie.get(column, 0) ^ 1)
                path.write_bytes(lie.sealed())
                with pytest.raises(wa.CorruptArtifact):
                    wa.verify(path)
                break
        else:
            raise AssertionError(f"no module has the column {column}")
