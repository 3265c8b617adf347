"""The C types of the runtime, and the functions that the Python half of the runtime builds on.

Func, FuncType, Memory, Exports and Store are public; everything else belongs to `wasmartifact.runtime`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Self, TypeAlias, final, overload

from typing_extensions import Buffer

from wasmartifact.metadata.rows import MemoryType
from wasmartifact.runtime.artifact import Artifact
from wasmartifact.runtime.instance import ImportRow

KIND_INSTANCE: Final[int]
WASI_INPUT: Final[int]
WASI_OUTPUT: Final[int]
ANCHOR_SYMBOL: Final[str]

#: code, errno, where, found, expected and text of a wa_error.
Fault: TypeAlias = tuple[int, int, int, int, int, str]

@final
class NativeArtifact:
    """The native half of an artifact: checked and mapped when it is made, later bound to the code.

    A buffer over it shows the metadata section, read-only, and keeps it mapped.

    Parameters
    ----------
    fd : int
        The file, which the object takes over unless an exception is raised.
    path : str | None
        For messages.
    """

    def __new__(cls, fd: int, path: str | None, /) -> Self: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def bind(self, dl_handle: int, anchor: int, /) -> Fault | None:
        """Join the metadata with the mapped code. Takes dl_handle over, unless a fault is returned."""
    def discard(self) -> None:
        """Unmap at once what could not be bound: nobody else may know the object, and it has no buffers."""
    @property
    def address(self) -> int:
        """Address of the wa_artifact."""

@final
class FuncType:
    """Type of a function.

    Attributes
    ----------
    params, results : tuple[str, ...]
        Names of the value types, such as "i32".
    """

    def __new__(cls, params: Sequence[str], results: Sequence[str]) -> Self: ...
    @property
    def params(self) -> tuple[str, ...]: ...
    @property
    def results(self) -> tuple[str, ...]: ...

@final
class Func:
    """A function: of a WebAssembly instance, or a Python callable with a type that WebAssembly can call.

    Calls convert exactly. i32 takes -2**31 .. 2**32-1 and i64 -2**63 .. 2**64-1, results are signed; whatever has
    __index__ counts as an int (bool, NumPy's integers; floats don't); f32 and f64 take floats, ints and what has
    __float__; v128 is 16 bytes; a funcref is a Func or None, an externref any object, None being null.

    Parameters
    ----------
    callable : callable
        What WebAssembly calls; it returns None, a value, or a tuple where there are several results.
    params, results : sequence of str
        Value types.
    caller : bool
        Whether the callable gets the calling Instance (None: Python) as its first argument.

    Raises
    ------
    TypeError, OverflowError
        Of a call: a value does not fit its type; the message names function and type.
    Trap
        Of a call: the WebAssembly code trapped. Exceptions of host functions come through unchanged.
    """

    def __new__(
        cls,
        callable: Callable[..., Any],
        params: Sequence[str] = ...,
        results: Sequence[str] = ...,
        *,
        caller: bool = ...,
    ) -> Self: ...
    def __call__(self, *args: Any) -> Any: ...
    def __hash__(self) -> int: ...
    @property
    def type(self) -> FuncType: ...
    @property
    def name(self) -> str: ...

@final
class Store:
    """What instances that share anything have in common; one thread at a time runs inside.

    Nobody needs to make one: instances get a store of their own, and sharing makes stores one. Two stores that were
    made by hand are never joined: that keeps instances apart on purpose.

    Parameters
    ----------
    limits : None
        Reserved; anything but None is a ValueError.
    """

    def __new__(cls, *, limits: None = None) -> Self: ...

class Entity:
    """Base of what has a native object: memories, tables, globals, tags, instances."""

    def __new__(cls, kind: int, address: int, store: Store | None, /) -> Self: ...
    @property
    def store(self) -> Store:
        """The Store that this belongs to."""

    @property
    def _address(self) -> int: ...

@final
class Memory(Entity):
    """A linear memory; its bytes are a writable buffer: memoryview(memory), numpy.frombuffer(memory).

    Addresses are unsigned: whatever lies outside is an IndexError, nothing counts from the end. The bytes never move; a
    buffer keeps the size that the memory had when it was made, and keeps the memory alive.

    Parameters
    ----------
    min_pages, max_pages : int
        Size at the start and at most, in pages of 64 KiB.
    shared, memory64 : bool
        As in the type of the import that it is meant for.

    Raises
    ------
    ValueError
        Sizes that make no memory.
    IncompatibleHost
        The address space has no room.
    """

    def __new__(
        cls, min_pages: int, max_pages: int | None = None, *, shared: bool = False, memory64: bool = False
    ) -> Self: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, address: int) -> int: ...
    @overload
    def __getitem__(self, addresses: slice) -> bytes:
        """A copy of the bytes."""

    @overload
    def __setitem__(self, address: int, byte: int) -> None: ...
    @overload
    def __setitem__(self, addresses: slice, data: Buffer) -> None:
        """Write as many bytes as the slice has."""

    def read_cstring(self, address: int) -> bytes:
        """The bytes from an address to the next zero byte, which is left out: a string of C.

        Raises
        ------
        IndexError
            The address lies outside of the memory, or no zero byte follows.
        """

    def grow(self, pages: int) -> int:
        """Make the memory larger.

        Returns
        -------
        int
            Size before, in pages.

        Raises
        ------
        ValueError
            The maximum or the address space does not allow it; the memory stays as it was.
        """

    @property
    def size_bytes(self) -> int: ...
    @property
    def type(self) -> MemoryType: ...

@final
class Exports(Mapping[str, Any]):
    """What an instance exports: a mapping from names to Func, Memory, Table, Global and Tag.

    exports["name"] and exports.name are the same object each time; a method of the mapping wins over an export of its
    name.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: object) -> bool: ...
    def __getitem__(self, name: str) -> Any: ...
    def __getattr__(self, name: str) -> Any: ...

class Imports:
    """Base of Linked: the objects that the imports of an artifact stand for; immutable.

    `rows` are those of `import_rows`. What is neither a Func nor an Entity nor a callable for a function goes through
    `runtime.instance.make_import`; what is missing is an UnlinkableModule.
    """

    def __new__(cls, artifact: Artifact, address: int, rows: tuple[Any, ...], imports: Any, /) -> Self: ...
    @property
    def artifact(self) -> Artifact: ...
    @property
    def objects(self) -> tuple[Func | Entity, ...]:
        """One for each import, in order."""

class WasiHost:
    """State of a WASI program; ``args`` and ``environ`` are zero-terminated strings one after the other."""

    def __new__(cls, args: bytes, environ: bytes, /) -> Self: ...
    def _add_fd(self, fd: int, direction: int, /) -> None:
        """The next descriptor; the host's one is taken over unless this raises OSError."""

    def _add_stream(self, callable: Callable[[Any], Any] | None, direction: int, /) -> None: ...
    def _add_directory(self, fd: int, guest_path: bytes, is_read_only: bool, /) -> None:
        """Likewise."""

    def _avoid_openat2(self) -> None:
        """Resolve paths as on kernels that lack openat2."""

    def _functions(self, is_unstable: bool, /) -> dict[str, Func]: ...

# Functions of the runtime's Python half; native objects are given by their addresses.

def exports_of(instance: int, store: Store, /) -> Exports: ...
def implicit_store() -> Store: ...
def kept(store: Store, address: int, /) -> Any:
    """The Python object that the store keeps under this address, or None."""

def artifact_of(instance: int, /) -> int: ...
def import_rows(artifact: int, /) -> tuple[ImportRow, ...]: ...
def link(store: Store, imports: Imports, /) -> int | tuple[int, int, int, int, int, str]:
    """Link an instance: its address, or the fields of the ``wa_error``."""

def run_init(store: Store, instance: int, /) -> None:
    """Run the init code of a linked instance. Raises Trap, and whatever host functions raise."""

def table_get(table: Entity, index: int, /) -> Any: ...
def table_set(table: Entity, index: int, value: object, /) -> None: ...
def table_grow(table: Entity, delta: int, init: object, /) -> int:
    """Size before, or -1 where the table can't grow."""

def table_type(table: Entity, /) -> tuple[str, int, int, int]:
    """Element type, size, maximum (2**64-1: none), flags."""

def global_get(global_: Entity, /) -> Any: ...
def global_set(global_: Entity, value: object, /) -> None:
    """Also sets immutable globals."""

def global_type(global_: Entity, /) -> tuple[str, bool]: ...
def tag_params(tag: Entity, /) -> tuple[str, ...]: ...
