"""Memories, own and shared: sizes, growing, reading and writing, and pointers into them."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import pytest

from .harness import engine_with, exports, instantiate, store_with

PAGE = 65536


@pytest.fixture
def memory(w: ModuleType, store: Any) -> Any:
    return w.Memory(store, w.MemoryType(w.Limits(1, 3)))


@pytest.mark.core
def test_sizes(w: ModuleType, store: Any, memory: Any) -> None:
    assert memory.size(store) == 1
    assert memory.data_len(store) == PAGE
    assert isinstance(memory.type(store), w.MemoryType)
    assert memory.type(store).limits == w.Limits(1, 3)


@pytest.mark.core
def test_growing(w: ModuleType, store: Any, memory: Any) -> None:
    assert memory.grow(store, 1) == 1
    assert memory.grow(store, 0) == 2
    assert memory.size(store) == 2
    assert memory.data_len(store) == 2 * PAGE
    with pytest.raises(w.WasmtimeError, match="grow"):
        memory.grow(store, 2)
    assert memory.grow(store, 1) == 2


@pytest.mark.core
def test_growing_by_what_is_no_size(w: ModuleType, store: Any, memory: Any) -> None:
    with pytest.raises(w.WasmtimeError, match="cannot grow by negative amount"):
        memory.grow(store, -1)
    for bad in ("", None, [1]):
        with pytest.raises(TypeError):
            memory.grow(store, bad)


@pytest.mark.core
def test_memory_takes_a_store_and_a_type(w: ModuleType, store: Any) -> None:
    ty = w.MemoryType(w.Limits(1, 2))
    for bad in (1, None, store.engine):
        with pytest.raises(AttributeError):
            w.Memory(bad, ty)
    for bad in (1, None, w.Limits(1, 2)):
        with pytest.raises(AttributeError):
            w.Memory(store, bad)


@pytest.mark.core
def test_page_size_of_the_type(w: ModuleType, store: Any, memory: Any) -> None:
    assert (memory.page_size(store), memory.page_size_log2(store)) == (PAGE, 16)


@pytest.mark.core
def test_page_size_of_a_byte(w: ModuleType) -> None:
    store = store_with(w, wasm_custom_page_sizes=True)
    memory = w.Memory(store, w.MemoryType(w.Limits(3, None), page_size_log2=0))
    assert (memory.page_size(store), memory.page_size_log2(store)) == (1, 0)
    assert (memory.size(store), memory.data_len(store)) == (3, 3)
    assert memory.grow(store, 5) == 3
    assert memory.data_len(store) == 8


# ---- reading -------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(store: Any, memory: Any) -> Any:
    """0, 1, 2 ... 199 at 2048, and at the end."""
    memory.write(store, bytearray(range(200)), 2048)
    memory.write(store, bytes(range(200)), PAGE - 200)
    return memory


@pytest.mark.core
@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (2048, 2051, b"\0\1\2"),
        (0, 0, b""),
        (2048, 2048, b""),
        (2048, 2047, b""),
        (-2, None, b"\xc6\xc7"),
        (-3, -1, b"\xc5\xc6"),
        (PAGE - 2, PAGE + 100, b"\xc6\xc7"),
        (PAGE + 1, None, b""),
        (PAGE * 9, PAGE * 10, b""),
    ],
)
def test_reading_is_like_a_slice(
    w: ModuleType, store: Any, filled: Any, start: int, stop: int | None, expected: bytes
) -> None:
    read = filled.read(store, start, stop)
    assert read == expected
    assert isinstance(read, bytearray)


def test_reading_all(w: ModuleType, store: Any, filled: Any) -> None:
    assert len(filled.read(store)) == PAGE
    assert filled.read(store, None, 5) == bytes(5)
    assert filled.read(store, start=2049, stop=2051) == b"\1\2"


@pytest.mark.core
def test_what_is_read_is_a_copy(w: ModuleType, store: Any, filled: Any) -> None:
    read = filled.read(store, 2048, 2052)
    read[0] = 99
    assert filled.read(store, 2048, 2049) == b"\0"


@pytest.mark.parametrize("bad", ["0", 1.5, b"1"])
def test_reading_at_what_is_no_address(w: ModuleType, store: Any, filled: Any, bad: object) -> None:
    with pytest.raises(TypeError):
        filled.read(store, bad)
    with pytest.raises(TypeError):
        filled.read(store, 0, bad)


# ---- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_writing_tells_how_much(w: ModuleType, store: Any, memory: Any) -> None:
    assert memory.write(store, bytearray(b"hello"), 7) == 5
    assert memory.write(store, b"", 7) == 0
    assert memory.read(store, 6, 13) == b"\0hello\0"


@pytest.mark.core
def test_writing_from_the_end(w: ModuleType, store: Any, memory: Any) -> None:
    assert memory.write(store, b"tail", -4) == 4
    assert memory.read(store, -5) == b"\0tail"


def test_writing_without_a_start(w: ModuleType, store: Any, memory: Any) -> None:
    assert memory.write(store, b"head") == 4
    assert memory.read(store, 0, 5) == b"head\0"


@pytest.mark.core
@pytest.mark.parametrize("start", [PAGE, PAGE - 1, PAGE - 199, PAGE + 5, 1 << 40])
def test_writing_past_the_end(w: ModuleType, store: Any, memory: Any, start: int) -> None:
    with pytest.raises(IndexError, match="out of range"):
        memory.write(store, bytes([1]) * 200, start)
    assert memory.read(store) == bytes(PAGE)


@pytest.mark.parametrize("data", [b"\1\2", bytearray(b"\1\2"), memoryview(b"\1\2"), [1, 2], (1, 2), range(1, 3)])
def test_writing_whatever_makes_bytes(w: ModuleType, store: Any, memory: Any, data: Any) -> None:
    assert memory.write(store, data, 10) == 2
    assert memory.read(store, 9, 13) == b"\0\1\2\0"


@pytest.mark.parametrize(
    ("bad", "error"), [("text", TypeError), (None, TypeError), ([256], ValueError), (1.5, TypeError)]
)
def test_writing_what_makes_none(w: ModuleType, store: Any, memory: Any, bad: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        memory.write(store, bad, 0)


# ---- pointers ------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_pointer_reads_and_writes(w: ModuleType, store: Any, memory: Any) -> None:
    pointer = memory.data_ptr(store)
    assert pointer[0] == 0
    pointer[3] = 77
    assert memory.read(store, 2, 5) == b"\0\x4d\0"
    memory.write(store, b"abc", 100)
    assert pointer[100:103] == [97, 98, 99]


def test_pointer_is_one_of_ctypes(w: ModuleType, store: Any, memory: Any) -> None:
    memory.write(store, b"pointer", 16)
    pointer = memory.data_ptr(store)
    address = ctypes.addressof(pointer.contents)
    assert ctypes.string_at(address + 16, 7) == b"pointer"
    assert ctypes.cast(pointer, ctypes.c_void_p).value == address
    ctypes.memmove(address + 32, b"moved", 5)
    assert memory.read(store, 32, 37) == b"moved"
    with pytest.raises(TypeError):
        pointer[0] = "x"


def test_pointer_as_an_array(w: ModuleType, store: Any, memory: Any) -> None:
    """What programs do to see a part of the memory: a ctypes array at an address."""
    memory.write(store, b"\1\2\3\4", 8)
    array = (ctypes.c_ubyte * 4).from_address(ctypes.addressof(memory.data_ptr(store).contents) + 8)
    assert bytes(array) == b"\1\2\3\4"
    array[0] = 9
    assert memory.read(store, 8, 9) == b"\x09"


def test_buffer_shares_the_bytes(w: ModuleType, store: Any, memory: Any) -> None:
    buffer = memory.get_buffer_ptr(store)
    assert len(buffer) == PAGE
    buffer[5] = 55
    assert memory.read(store, 5, 6) == b"\x37"
    memory.write(store, b"x", 6)
    assert memoryview(buffer).cast("B")[6] == ord("x")


def test_buffer_of_a_part(w: ModuleType, store: Any, memory: Any) -> None:
    memory.write(store, b"0123456789", 100)
    part = memory.get_buffer_ptr(store, 4, 102)
    assert bytes(part) == b"2345"
    assert bytes(memory.get_buffer_ptr(store, size=2, offset=100)) == b"01"


def test_buffer_under_numpy(w: ModuleType, store: Any, memory: Any) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(memory.get_buffer_ptr(store), dtype=numpy.uint8)
    array[0:4] = [1, 2, 3, 4]
    assert memory.read(store, 0, 4) == b"\1\2\3\4"


def test_guest_and_host_see_the_same(w: ModuleType, store: Any) -> None:
    out = exports(
        w,
        store,
        """
        (module
          (memory (export "memory") 1)
          (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
          (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))""",
    )
    memory = out["memory"]
    out["store"](store, 8, 0x04030201)
    assert memory.read(store, 8, 12) == b"\1\2\3\4"
    memory.write(store, b"\xff\xff\xff\xff", 20)
    assert out["load"](store, 20) == -1
    assert out["grow"](store, 1) == 1
    assert memory.size(store) == 2
    memory.write(store, b"\x05", 2 * PAGE - 4)
    assert out["load"](store, 2 * PAGE - 4) == 5


@pytest.mark.core
def test_memory_as_an_import(w: ModuleType, store: Any) -> None:
    memory = w.Memory(store, w.MemoryType(w.Limits(1, None)))
    text = '(module (import "" "" (memory 1)) (func (export "f") (i32.store8 (i32.const 3) (i32.const 7))))'
    exports(w, store, text, [memory])["f"](store)
    assert memory.read(store, 3, 4) == b"\7"


def test_import_that_is_too_small(w: ModuleType, store: Any) -> None:
    memory = w.Memory(store, w.MemoryType(w.Limits(1, None)))
    with pytest.raises(w.WasmtimeError):
        instantiate(w, store, '(module (import "" "" (memory 2)))', [memory])


def test_memory64(w: ModuleType, store: Any) -> None:
    out = exports(
        w,
        store,
        """
        (module
          (memory (export "memory") i64 1)
          (func (export "f") (param i64) (result i32) (i32.load8_u (local.get 0))))""",
    )
    out["memory"].write(store, b"\x2a", 9)
    assert out["f"](store, 9) == 42
    assert out["memory"].type(store).is_64


# ---- shared memories -----------------------------------------------------------------------------------------------


def shared_memory(w: ModuleType, engine: Any, least: int = 1, most: int = 3) -> Any:
    return w.SharedMemory(engine, w.MemoryType(w.Limits(least, most), shared=True))


@pytest.fixture
def threads_engine(w: ModuleType) -> Any:
    return engine_with(w, wasm_threads=True, shared_memory=True)


@pytest.mark.core
def test_shared_memory_needs_no_store(w: ModuleType, threads_engine: Any) -> None:
    memory = shared_memory(w, threads_engine)
    assert memory.data_len() == PAGE
    assert memory.data_ptr()[0] == 0
    assert isinstance(memory.type(), w.MemoryType)
    assert memory.type().is_shared
    assert not memory.type().is_64


@pytest.mark.core
def test_shared_memory_grows(w: ModuleType, threads_engine: Any) -> None:
    memory = shared_memory(w, threads_engine, 1, 2)
    assert memory.grow(1) == 1
    assert memory.grow(0) == 2
    assert memory.data_len() == 2 * PAGE
    with pytest.raises(w.WasmtimeError):
        memory.grow(1)
    with pytest.raises(w.WasmtimeError, match="cannot grow by negative amount"):
        memory.grow(-1)
    with pytest.raises(TypeError):
        memory.grow("")


@pytest.mark.core
def test_shared_memory_takes_an_engine_and_a_type(w: ModuleType, threads_engine: Any) -> None:
    for bad in (1, None):
        with pytest.raises(AttributeError):
            w.SharedMemory(bad, w.MemoryType(w.Limits(1, 2), shared=True))
        with pytest.raises(AttributeError):
            w.SharedMemory(threads_engine, bad)


@pytest.mark.core
def test_shared_memory_needs_a_shared_type(w: ModuleType, threads_engine: Any) -> None:
    with pytest.raises(w.WasmtimeError):
        w.SharedMemory(threads_engine, w.MemoryType(w.Limits(1, 2)))


@pytest.mark.core
@pytest.mark.parametrize(("least", "most"), [(1 << 32, None), (1, None), (1, 1 << 32)])
def test_shared_type_needs_a_maximum(w: ModuleType, least: int, most: int | None) -> None:
    with pytest.raises(w.WasmtimeError):
        w.MemoryType(w.Limits(least, most), shared=True)


@pytest.mark.core
def test_shared_type_of_64_bits(w: ModuleType) -> None:
    ty = w.MemoryType(w.Limits(1 << 32, 1 << 32), is_64=True, shared=True)
    assert (ty.is_64, ty.is_shared, ty.limits) == (True, True, w.Limits(1 << 32, 1 << 32))


def test_shared_memory_as_an_export(w: ModuleType, threads_engine: Any) -> None:
    store = w.Store(threads_engine)
    found = exports(w, store, '(module (memory (export "m") 1 1 shared) (data (i32.const 1) "x"))')["m"]
    assert isinstance(found, w.SharedMemory)
    assert found.data_ptr()[1] == ord("x")
