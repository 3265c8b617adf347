"""Images and actions against wasmtime: after them, memories and tables hold what its instances hold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wasm.inputs import quickjs, wat
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.initial import MERGE_GAP_BYTES, InitialState, plan_initial_state
from wasmartifact.wasm.model import Module

PAGE = 4096
WASM_PAGE = 65536
#: Pages and slots of the imported and the own memory and table; their index is their place here.
MEMORY_PAGES = (1, 3)
TABLE_SLOTS = (6, 8)
GLOBAL_VALUE = 5


def plan(text: str, page_size_bytes: int = PAGE) -> tuple[Module, InitialState]:
    module = decode_module(wat(text))
    return module, plan_initial_state(module, page_size_bytes)


# --------------------------------------------------------------------------------------------------------------------
# Any segments


@dataclass(frozen=True)
class Segment:
    """A segment of a generated module; ``is_computed``: the offset is the value of an imported global."""

    is_element: bool
    target: int
    is_computed: bool
    offset: int
    contents: tuple[int, ...]

    def start(self) -> int:
        return GLOBAL_VALUE if self.is_computed else self.offset

    def text(self) -> str:
        offset = "(global.get $g)" if self.is_computed else f"(i32.const {self.offset})"
        if self.is_element:
            items = " ".join(f"(ref.func {item})" if item >= 0 else "(ref.null func)" for item in self.contents)
            return f"(elem (table {self.target}) {offset} funcref {items})"
        contents = "".join(f"\\{byte:02x}" for byte in self.contents)
        return f'(data (memory {self.target}) {offset} "{contents}")'


near_edges = st.sampled_from([0, 1, 4090, 8192, 65530, 65536, 131072, 196600, 196608, 196609]) | st.integers(0, 196610)
data_segments = st.builds(
    Segment, st.just(False), st.integers(0, 1), st.booleans(), near_edges,
    st.lists(st.sampled_from([0, 1, 255]), max_size=9).map(tuple),
)  # fmt: skip
element_segments = st.builds(
    Segment,
    st.just(True),
    st.integers(0, 1),
    st.booleans(),
    st.integers(0, 9),
    st.lists(st.integers(-1, 2), max_size=4).map(tuple),
)


def module_text(segments: list[Segment]) -> str:
    """Function 0 reads the own memory, 1 and 2 return constants: what stands in a table can be told by calling it."""
    return f"""(module
        (type $t (func (param i32) (result i32)))
        (import "" "m" (memory {MEMORY_PAGES[0]})) (import "" "t" (table {TABLE_SLOTS[0]} funcref))
        (import "" "g" (global $g i32))
        (memory {MEMORY_PAGES[1]}) (table {TABLE_SLOTS[1]} funcref)
        (export "m" (memory 1)) (export "t" (table 1))
        (func (type $t) (i32.load8_u 1 (local.get 0)))
        (func (type $t) (i32.const 1001))
        (func (type $t) (i32.const 1002))
        {" ".join(segment.text() for segment in segments)})"""


class Guest:
    """Memories and tables of a wasmtime instance, also of one whose instantiation trapped."""

    def __init__(self, engine: wasmtime.Engine, data: bytes) -> None:
        self.store = wasmtime.Store(engine)
        memory = wasmtime.Memory(self.store, wasmtime.MemoryType(wasmtime.Limits(MEMORY_PAGES[0], None)))
        funcref = wasmtime.ValType.funcref()
        table_type = wasmtime.TableType(funcref, wasmtime.Limits(TABLE_SLOTS[0], None))
        table = wasmtime.Table(self.store, table_type, None)
        global_type = wasmtime.GlobalType(wasmtime.ValType.i32(), False)
        value = wasmtime.Global(self.store, global_type, wasmtime.Val.i32(GLOBAL_VALUE))
        self.memories, self.tables, self.trapped = [memory], [table], False
        try:
            instance = wasmtime.Instance(self.store, wasmtime.Module(engine, data), [memory, table, value])
        except wasmtime.Trap:
            self.trapped = True
        else:
            own_memory, own_table = instance.exports(self.store).values()
            assert isinstance(own_memory, wasmtime.Memory) and isinstance(own_table, wasmtime.Table)
            self.memories.append(own_memory)
            self.tables.append(own_table)

    def memory(self, index: int) -> bytes:
        return bytes(self.memories[index].read(self.store))

    def functions(self, index: int) -> list[wasmtime.Func | None]:
        values = [self.tables[index].get(self.store, slot) for slot in range(TABLE_SLOTS[index])]
        return [value if isinstance(value, wasmtime.Func) else None for value in values]

    def slots(self, index: int) -> list[int]:
        """Function indices, -1 for null."""
        found = []
        for function in self.functions(index):
            result = -1 if function is None else function(self.store, 0)
            found.append(result - 1000 if result > 1000 else min(result, 0))
        return found


class Model:
    """What images and actions make of memories and tables, by the rules of table.init and memory.init."""

    def __init__(self, module: Module, state: InitialState, segments: list[Segment]) -> None:
        self.memories = [bytearray(pages * WASM_PAGE) for pages in MEMORY_PAGES]
        self.tables = [[-1] * slots for slots in TABLE_SLOTS]
        for run in state.memory_runs:
            assert run.memory_offset + len(run.data) <= len(self.memories[run.memory_index])
            self.memories[run.memory_index][run.memory_offset : run.memory_offset + len(run.data)] = run.data
        for image in state.table_images:
            for index, slot in enumerate(image.slots):
                assert slot == 0 or slot & 1
                self.tables[image.table_index][index] = slot >> 1 if slot else -1
        elements = [segment for segment in segments if segment.is_element]
        datas = [segment for segment in segments if not segment.is_element]
        assert [action for action in state.actions if action[0] not in ("element", "data")] == []
        assert [kind for kind, _ in state.actions] == sorted((kind for kind, _ in state.actions), reverse=True)
        self.trapped = not all(
            self.init((elements if kind == "element" else datas)[index]) for kind, index in state.actions
        )

    def init(self, segment: Segment) -> bool:
        target = (self.tables if segment.is_element else self.memories)[segment.target]
        start = segment.start()
        if start + len(segment.contents) > len(target):
            return False
        target[start : start + len(segment.contents)] = segment.contents
        return True


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    return wasmtime.Engine()


@settings(max_examples=250, deadline=None)
@given(segments=st.lists(element_segments | data_segments, max_size=7))
def test_like_wasmtime(engine: wasmtime.Engine, segments: list[Segment]) -> None:
    data = wat(module_text(segments))
    module = decode_module(data)
    model = Model(module, plan_initial_state(module, PAGE), segments)
    guest = Guest(engine, data)
    assert model.trapped == guest.trapped
    for index in range(len(guest.memories)):
        assert model.memories[index] == guest.memory(index)
        assert model.tables[index] == guest.slots(index)
    # A function that got out before the trap shows the own memory.
    for function, slot in zip(guest.functions(0), model.tables[0], strict=True):
        if guest.trapped and function is not None and slot == 0:
            for segment in segments:
                address = segment.start()
                if not segment.is_element and address < len(model.memories[1]):
                    assert function(guest.store, address) == model.memories[1][address]


def test_a_trap_that_can_be_seen_keeps_later_segments_out_of_images() -> None:
    """The case that the property above must not miss: the imported table shows the instance, then a segment traps."""
    segments = [
        Segment(True, 0, False, 0, (0,)),
        Segment(True, 1, False, 8, (1,)),
        Segment(False, 1, False, 0, (7,)),
    ]
    _, state = plan(module_text(segments))
    assert state.actions == (("element", 0), ("element", 1), ("data", 0))
    _, state = plan(module_text([segments[0], segments[2]]))
    assert state.actions == (("element", 0),)


# --------------------------------------------------------------------------------------------------------------------
# Constants


def test_globals() -> None:
    module, state = plan("""(module
        (import "" "g" (global $imported i32)) (func $f)
        (global i32 (i32.const -2))
        (global (mut i64) (i64.const 0x0102030405060708))
        (global f32 (f32.const 1)) (global f64 (f64.const -0))
        (global v128 (v128.const i64x2 1 2))
        (global $folded i32
          (i32.mul (i32.sub (i32.const 3) (i32.const 5)) (i32.add (i32.const 1) (i32.const 2147483647))))
        (global i64 (i64.mul (i64.const -1) (i64.const 3)))
        (global i32 (global.get $folded))
        (global i32 (i32.add (global.get $imported) (i32.const 1)))
        (global funcref (ref.null func)) (global funcref (ref.func $f)) (global externref (ref.null extern)))""")
    cells = [state.global_image[index : index + 16] for index in range(0, len(state.global_image), 16)]
    assert cells == [
        (0xFFFFFFFE).to_bytes(16, "little"),
        (0x0102030405060708).to_bytes(16, "little"),
        (0x3F800000).to_bytes(16, "little"),
        (1 << 63).to_bytes(16, "little"),
        (1).to_bytes(8, "little") + (2).to_bytes(8, "little"),
        (0).to_bytes(16, "little"),  # -2 * 2**31 wraps to 0
        (2**64 - 3).to_bytes(16, "little"),
        (0).to_bytes(16, "little"),
        bytes(16),
        bytes(16),
        bytes(16),
        bytes(16),
    ]
    assert state.actions == (("global", 8), ("global", 10))
    assert len(module.globals) == len(cells)


def test_a_folded_global_as_offset_and_item() -> None:
    module, state = plan("""(module (memory 1) (table 9 funcref) (func) (func $f)
        (global $at i32 (i32.add (i32.const 4) (i32.const 4))) (global $item funcref (ref.func $f))
        (elem (i32.const 1) funcref (global.get $item) (ref.null func) (ref.func 0))
        (elem funcref (global.get $item))
        (data (global.get $at) "x"))""")
    (image,), (run,) = state.table_images, state.memory_runs
    assert (image.table_index, list(image.slots)) == (0, [0, 1 << 1 | 1, 0, 0 << 1 | 1])
    assert (run.memory_offset, run.data.rstrip(b"\0")) == (0, bytes(8) + b"x")
    assert state.elements_in_image == {0} and state.datas_in_image == {0}
    # The metadata holds the passive segment's item as null until init code stores it.
    assert ("element_values", 1) in state.actions
    assert [action for action in state.actions if action[0] in ("element", "data")] == []
    assert len(module.elements) == 2


def test_order_of_actions() -> None:
    _, state = plan("""(module
        (import "" "g" (global $g i32)) (import "" "r" (global $r externref)) (import "" "m" (memory 1)) (func $f)
        (table 4 (ref func) (ref.func $f)) (table 4 externref) (table 4 funcref (ref.null func))
        (global i32 (global.get $g))
        (elem (table 1) (i32.const 0) externref (global.get $r) (ref.null extern))
        (elem (table 1) (i32.const 2) externref (ref.null extern))
        (elem (table 2) (i32.const 0) func $f)
        (elem (table 0) (i32.const 1) (ref func) (ref.func $f))
        (data (i32.const 0) "x") (data "passive"))""")
    assert state.actions == (
        ("global", 0), ("table", 0), ("element_values", 0), ("element", 0), ("element", 1), ("element", 3), ("data", 0),
    )  # fmt: skip
    assert state.elements_in_image == {2}


def test_segments_of_null_need_no_image() -> None:
    _, state = plan(
        """(module (table 9 externref) (elem (i32.const 3) externref (ref.null extern))
            (memory 1) (data (i32.const 9) ""))"""
    )
    assert state == InitialState((), (), b"", frozenset({0}), frozenset({0}), ())


# --------------------------------------------------------------------------------------------------------------------
# Runs


def runs(state: InitialState) -> list[tuple[int, int, int]]:
    return [(run.memory_index, run.memory_offset, len(run.data)) for run in state.memory_runs]


def test_small_gaps_are_filled_and_large_ones_are_not() -> None:
    _, state = plan(
        '(module (memory 9) (data (i32.const 100) "a") (data (i32.const 60000) "b") (data (i32.const 262144) "c"))'
    )
    assert runs(state) == [(0, 0, 61440), (0, 262144, 4096)]


def test_pages_of_zeros_are_not_stored() -> None:
    zeros = "\\00" * 5000
    large = "\\00" * (2 * MERGE_GAP_BYTES)
    _, state = plan(f'(module (memory 9) (data (i32.const 0) "{zeros}{zeros}a{large}b{zeros}"))')
    assert runs(state) == [(0, 8192, 4096), (0, 139264, 4096)]


def test_memories_ascend() -> None:
    _, state = plan(
        '(module (memory 1) (memory i64 1) (data (memory 1) (i64.const 5) "a") (data (memory 0) (i32.const 5) "b"))'
    )
    assert runs(state) == [(0, 0, 4096), (1, 0, 4096)]


def test_a_memory_that_ends_within_a_page_of_the_machine() -> None:
    _, state = plan(
        """(module (memory 5000 (pagesize 1))
            (data (i32.const 10) "a") (data (i32.const 4998) "bc") (data (i32.const 0) "d"))"""
    )
    assert runs(state) == [(0, 0, 4096)]
    assert state.actions == (("data", 1), ("data", 2))


def test_large_pages() -> None:
    _, state = plan('(module (memory 4) (data (i32.const 70000) "a"))', page_size_bytes=65536)
    assert runs(state) == [(0, 65536, 65536)]


def test_a_hostile_spread_of_segments_is_not_blown_up() -> None:
    """Each byte would cost a page, or all the zeros up to the next one."""
    for distance in (60000, 200000):
        datas = " ".join(f'(data (i32.const {index * distance}) "x")' for index in range(20000))
        _, state = plan(f"(module (memory 65536) {datas})")
        assert state.memory_runs == ()
        assert len(state.actions) == 20000
    _, state = plan("(module (table 4000000000 funcref) (func $f) (elem (i32.const 3999999999) func $f))")
    assert (state.table_images, state.actions) == ((), (("element", 0),))


def test_quickjs_is_all_image() -> None:
    """Its memory and table as wasmtime instantiates them."""
    data = quickjs()
    module = decode_module(data)
    state = plan_initial_state(module, PAGE)
    assert state.actions == ()
    memory = bytearray(module.memory_types[0].limits.min * WASM_PAGE)
    for run in state.memory_runs:
        memory[run.memory_offset : run.memory_offset + len(run.data)] = run.data
    engine = wasmtime.Engine()
    linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
    compiled = wasmtime.Module(engine, data)
    linker.define_unknown_imports_as_traps(compiled)
    exported = linker.instantiate(store, compiled).exports(store)["memory"]
    assert isinstance(exported, wasmtime.Memory)
    assert exported.read(store) == memory
    (image,) = state.table_images
    assert [slot >> 1 for slot in image.slots if slot] == list(module.elements[0].items)
    for one, other in pairwise(state.memory_runs):
        assert other.memory_offset - (one.memory_offset + len(one.data)) >= MERGE_GAP_BYTES
