"""Memory and SharedMemory, as wasmtime-py has them."""

from __future__ import annotations

from wasmartifact import _types as native
from wasmartifact.wasmtime._closing import Managed, check_type, is_own, wasmtime_error
from wasmartifact.wasmtime._engine import Engine
from wasmartifact.wasmtime._extern import Extern, stands_for
from wasmartifact.wasmtime._func import check_limit, check_open

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable
    from typing import Any

    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime._types import MemoryType


def _make(ty: MemoryType) -> native.Memory:
    minimum, maximum, shared, memory64, page_size_bytes = ty._type
    try:
        return native.Memory(minimum, maximum, shared=shared, memory64=memory64, page_size_bytes=page_size_bytes)
    except Exception as problem:
        if not isinstance(problem, ValueError) and not is_own(problem):
            raise
        raise wasmtime_error(str(problem)) from None


def _grow(memory: native.Memory, delta: int) -> int:
    if delta < 0:
        raise wasmtime_error("cannot grow by negative amount")
    try:
        return memory.grow(delta)
    except (ValueError, OverflowError):
        raise wasmtime_error(f"failed to grow memory by `{delta}`") from None


def _bounds(memory: native.Memory, start: int | None, stop: int | None) -> tuple[int, int]:
    """Start and end of a slice of a memory's bytes, both within it."""
    first, last, _ = slice(start, stop).indices(memory.size_bytes)
    return first, max(first, last)


def _pointer(memory: native.Memory) -> ctypes._Pointer[ctypes.c_ubyte]:
    """A pointer to the first byte, which keeps the memory alive."""
    import ctypes

    bytes_ = (ctypes.c_ubyte * memory.size_bytes).from_buffer(memory)
    return ctypes.cast(bytes_, ctypes.POINTER(ctypes.c_ubyte))


@stands_for(native.Memory)
class Memory(Extern):
    """A linear memory. Its bytes never move: a pointer to them stays good when it grows.

    Parameters
    ----------
    store : Store
    ty : MemoryType
    """

    __slots__ = ()
    _native: native.Memory

    def __init__(self, store: Storelike, ty: MemoryType) -> None:
        from wasmartifact.wasmtime._types import MemoryType

        check_open(store)
        check_type(ty, MemoryType, "a MemoryType")
        check_limit(store, "memory_bytes", ty._type.min_pages * ty._type.page_size_bytes, "memory")
        self._native = _make(ty)

    @classmethod
    def _of(cls, item: native.Memory) -> Any:
        if item.type.shared:
            return SharedMemory._of(item)
        return super()._of(item)

    def type(self, store: Storelike) -> MemoryType:
        """Its type, with its size now for the minimum."""
        from wasmartifact.wasmtime._types import MemoryType

        check_open(store)
        return MemoryType._of(self._native.type)

    def grow(self, store: Storelike, delta: int) -> int:
        """Add pages: its size before, in pages; WasmtimeError where it can't grow."""
        check_open(store)
        check_type(delta, int, "an int")
        type_ = self._native.type
        check_limit(store, "memory_bytes", (type_.min_pages + delta) * type_.page_size_bytes, "memory")
        return _grow(self._native, delta)

    def size(self, store: Storelike) -> int:
        """Its size, in pages."""
        check_open(store)
        return self._native.type.min_pages

    def data_ptr(self, store: Storelike) -> ctypes._Pointer[ctypes.c_ubyte]:
        """A pointer to its bytes, `data_len` of them."""
        check_open(store)
        return _pointer(self._native)

    def get_buffer_ptr(
        self, store: Storelike, size: int | None = None, offset: int = 0
    ) -> ctypes.Array[ctypes.c_ubyte]:
        """An array over its bytes, writable, for ``numpy.frombuffer`` and the like.

        Raises
        ------
        ValueError
            It would reach beyond the memory (wasmtime-py does not look).
        """
        check_open(store)
        import ctypes

        length = self._native.size_bytes if size is None else size
        return (ctypes.c_ubyte * length).from_buffer(self._native, offset)

    def read(self, store: Storelike, start: int | None = 0, stop: int | None = None) -> bytearray:
        """A copy of its bytes from start to stop, which count as in slices: what lies outside is left out."""
        if store._ended:
            check_open(store)
        memory = self._native
        if start is None or stop is None or not 0 <= start <= stop:
            start, stop = _bounds(memory, start, stop)
        try:
            return bytearray(memory[start:stop])
        except IndexError:  # beyond the end: slices leave that out
            start, stop = _bounds(memory, start, stop)
            return bytearray(memory[start:stop])

    def write(self, store: Storelike, value: bytes | bytearray | Iterable[int], start: int | None = None) -> int:
        """Write bytes from start on, which counts as in slices; how many were written.

        Raises
        ------
        IndexError
            They reach beyond the memory; nothing is written.
        """
        check_open(store)
        memory = self._native
        size_bytes = memory.size_bytes
        start = slice(start, None).indices(size_bytes)[0]
        if start >= size_bytes:
            raise IndexError("index out of range")
        if not isinstance(value, (bytes, bytearray)):
            value = bytearray(value)
        if start + len(value) > size_bytes:
            raise IndexError("index out of range")
        memory[start : start + len(value)] = value
        return len(value)

    def data_len(self, store: Storelike) -> int:
        """Its size, in bytes."""
        check_open(store)
        return self._native.size_bytes

    def page_size(self, store: Storelike) -> int:
        """Size of a page, in bytes."""
        check_open(store)
        return self._native.type.page_size_bytes

    def page_size_log2(self, store: Storelike) -> int:
        """The same, as a power of two."""
        return self.page_size(store).bit_length() - 1


@stands_for(None)
class SharedMemory(Extern, Managed):
    """A memory that threads share; it belongs to no store.

    Parameters
    ----------
    engine : Engine
    ty : MemoryType
        Of a shared memory.
    """

    _native: native.Memory

    def __init__(self, engine: Engine, ty: MemoryType) -> None:
        from wasmartifact.wasmtime._types import MemoryType

        check_type(engine, Engine, "an Engine")
        check_type(ty, MemoryType, "a MemoryType")
        if not ty._type.shared:
            raise wasmtime_error("shared memory must have the `shared` flag enabled on its memory type")
        if not engine._settings.shared_memory:
            raise wasmtime_error("shared memories are not enabled: set Config.shared_memory")
        self._native = _make(ty)

    def type(self) -> MemoryType:
        """Its type, with its size now for the minimum."""
        from wasmartifact.wasmtime._types import MemoryType

        self._check_open()
        return MemoryType._of(self._native.type)

    def grow(self, delta: int) -> int:
        """Add pages: its size before, in pages; WasmtimeError where it can't grow."""
        self._check_open()
        check_type(delta, int, "an int")
        return _grow(self._native, delta)

    def size(self) -> int:
        """Its size, in pages."""
        self._check_open()
        return self._native.type.min_pages

    def data_ptr(self) -> ctypes._Pointer[ctypes.c_ubyte]:
        """A pointer to its bytes, `data_len` of them."""
        self._check_open()
        return _pointer(self._native)

    def data_len(self) -> int:
        """Its size, in bytes."""
        self._check_open()
        return self._native.size_bytes
