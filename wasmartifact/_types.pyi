"""The C types of the runtime, and the functions that its Python half builds on.

Func, Memory, Instance, Linked, Exports and Store are public; everything else belongs to `wasmartifact.runtime`. The
docstrings here are those of the C types, too: tools/generate.py writes native/python/docs.h from them.
"""

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any, Final, Protocol, Self, TypeAlias, final, overload

from typing_extensions import Buffer, disjoint_base

from wasmartifact.externtypes import FuncType, MemoryType
from wasmartifact.limits import Limits
from wasmartifact.runtime.artifact import Artifact

WASI_INPUT: Final[int]
WASI_OUTPUT: Final[int]
ANCHOR_SYMBOL: Final[str]

#: code, errno, where, found, expected and text of a wa_error.
_Fault: TypeAlias = tuple[int, int, int, int, int, str]
#: module, name, kind, type (Signature of a function, (valtype, is mutable) of a global, else None), "module.name"
_ImportSpec: TypeAlias = tuple[str, str, int, Any, str]
#: Slots of each table; cells of the defined globals; slots of each element segment, none where it was dropped; a byte
#: per data segment, 1 where it was dropped; size in pages and stretches that are not zero of each memory; descriptors
#: that the WASI program has open, with their paths, and (None, "") for rights that it gave up; of a component, what
#: take_state tells.
_State: TypeAlias = tuple[
    list[bytes],
    bytes,
    list[bytes],
    bytes,
    list[tuple[int, list[tuple[int, bytes]]]],
    list[tuple[int | None, str]],
    tuple[bytes, bytes, list[tuple[int, Any]]] | str | None,
]
#: What can be given for the imports of an artifact.
_Imports: TypeAlias = Mapping[str, Mapping[str, Any] | Instance] | None

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
    def bind(self, dl_handle: int, anchor: int, /) -> _Fault | None:
        """Join the metadata with the mapped code. Takes dl_handle over, unless a fault is returned."""

    @property
    def is_component(self) -> bool:
        """Whether its module is a flattened component."""

    @property
    def cpu_level(self) -> int:
        """The CPU level whose functions instances have: 0 for the first, and until it is bound."""

    def discard(self) -> None:
        """Unmap at once what could not be bound: nobody else may know the object, and it has no buffers."""

    def fileno(self) -> int:
        """The descriptor of the file, which stays the object's."""

    @property
    def imports(self) -> tuple[_ImportSpec, ...]:
        """What an instance needs, in order; read once."""

@final
class Signature:
    """The Python side of a function type, which all functions of the type share. Users see its FuncType."""

@final
class Func:
    """A function: of a WebAssembly instance, or a Python callable with a type that WebAssembly can call.

    ``func(*args)`` returns None, a value, or a tuple of several. Values convert exactly: i32 takes ``-2**31`` to
    ``2**32-1`` and i64 ``-2**63`` to ``2**64-1``, results are signed; whatever has ``__index__`` counts as an int
    (bool, NumPy's integers; floats don't); f32 and f64 take floats, ints and what has ``__float__``; v128 is 16 bytes;
    a funcref is a Func or None, an externref any object, None being null.

    Parameters
    ----------
    callable : callable
        What WebAssembly calls; it returns None, a value, or a tuple where there are several results.
    params, results : sequence of str
        Value types by name, such as ``["i32"]``.
    caller : bool
        Whether the callable gets the calling Instance (None: Python) as its first argument.

    Attributes
    ----------
    type : FuncType
    name : str
        Of the export, the name section or the callable: what messages call it.

    Raises
    ------
    TypeError, OverflowError
        Of a call: a value does not fit its type; the message names function and type.
    Trap
        Of a call: the WebAssembly code trapped. Exceptions of host functions come through unchanged.
    ValueError
        No such value type.

    Examples
    --------
    >>> double = wasmartifact.Func(lambda x: 2 * x, ["i32"], ["i32"])
    >>> double(21)
    42
    """

    def __new__(
        cls,
        callable: Callable[..., Any],
        params: Sequence[str] = (),
        results: Sequence[str] = (),
        *,
        caller: bool = False,
    ) -> Self: ...
    def __call__(self, *args: Any) -> Any: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    async def call_async(self, *args: Any) -> Any:
        """Call on a thread of the package, for asyncio: ``await func.call_async(...)``.

        Cancelled, it ends the guest, waits until that has left, and raises CancelledError; other calls in the same
        store go on. Host functions that the guest calls may be coroutine functions: they run in the event loop.

        Parameters
        ----------
        *args : object
            As for a plain call.

        Returns
        -------
        object
            As of a plain call.

        Raises
        ------
        RuntimeError
            No event loop runs.
        """

    def call_bits(self, slots: Sequence[int], /) -> list[int]:
        """Call with raw values: every bit of a NaN survives.

        Parameters
        ----------
        slots : sequence of int
            64-bit slots: v128 takes two, the low one first; i32 and f32 use the low half.

        Returns
        -------
        list[int]
            The results in the same form.

        Raises
        ------
        TypeError
            The function takes or gives references, or is none of WebAssembly, or takes another number of slots.
        Trap
            The WebAssembly code trapped.
        """

    @property
    def type(self) -> FuncType:
        """Names of the parameter and result types."""

    @property
    def name(self) -> str:
        """Name of the export or function, for messages."""

@final
class Store:
    """What instances that share anything have in common; one thread at a time runs inside.

    Nobody needs to make one: instances get a store of their own, and sharing makes stores one. Two stores that were
    made by hand are never joined: that keeps instances apart on purpose.

    Parameters
    ----------
    limits : Limits, optional
        How much the guests of the store may take; None: as much as the host has.

    Attributes
    ----------
    limits : Limits | None

    Raises
    ------
    TypeError
        ``limits`` is no Limits.

    Examples
    --------
    >>> store = wasmartifact.Store(limits=wasmartifact.Limits(memory_bytes=2**20))
    >>> artifact = wasmartifact.load("module.wasm.so")
    >>> artifact.instantiate({"env": {"log": print}}, store=store).store is store
    True
    """

    def __new__(cls, *, limits: Limits | None = None) -> Self: ...
    @property
    def limits(self) -> Limits | None:
        """What the guests of the store may take, or None.

        Other limits can be set, also while guests run, where the store was made with some; ``Limits()`` has none yet,
        and counts. What is there already stays, also where it is more than the new limits allow.

        Raises
        ------
        ValueError
            The store was made without limits.
        """
    @limits.setter
    def limits(self, limits: Limits) -> None: ...
    @property
    def fuel(self) -> int | None:
        """Units of fuel that are left, 0 to 2**63 - 1; None, at first, where the store counts none.

        What is set stands for what was left before. It takes modules packed with ``fuel=True``: in a store that
        counts fuel, code without it is refused. Where the next block of code costs more than what is left, the call
        ends by OutOfFuel and the rest is gone. A call that ends by any other trap, or from outside, takes up to 65,535
        units more than it used. To set it waits for a call of another thread to end. Two
        stores that become one have the fuel of both.

        Raises
        ------
        ValueError
            The number is out of range, or the store has code that counts no fuel.

        Examples
        --------
        >>> store = wasmartifact.Store()
        >>> store.fuel = 1_000_000
        >>> instance = wasmartifact.load("metered.wasm.so").instantiate(store=store)
        >>> instance.exports.run()
        >>> used = 1_000_000 - store.fuel
        """
    @fuel.setter
    def fuel(self, units: int | None) -> None: ...
    def deadline(self, seconds: float, /) -> AbstractContextManager[object]:
        """Let what runs in this store take no longer: ``with store.deadline(seconds):``.

        When the time is over, the innermost call in the store ends with DeadlineExceeded, whichever thread it runs on,
        and so does every call that is made after that, until the ``with`` block is left. Of several deadlines the
        nearest counts. Python code is not cut short: host functions end by themselves, and then the guest does.

        Parameters
        ----------
        seconds : float
            From the start of the block; 0 and less are over at once, ``math.inf`` never.

        Returns
        -------
        context manager
            Can be used again when its block is left, from which the time counts anew.

        Raises
        ------
        ValueError
            ``seconds`` is NaN.

        Examples
        --------
        >>> instance = wasmartifact.load("module.wasm.so").instantiate({"env": {"log": print}})
        >>> with instance.store.deadline(0.5):
        ...     instance.exports.add(2, 3)
        5
        """

    def interrupt(self) -> None:
        """End the innermost call in this store with Interrupted; where none runs, the next one. From any thread.

        A second interrupt before the first one ended a call changes nothing.
        """

@disjoint_base
class Entity:
    """Base of what has a native object: memories, tables, globals, tags, instances.

    Parameters
    ----------
    kind, address : int
        What it is, and where; one count of it is taken over.
    store : Store | None
        What it belongs to.
    """

    def __new__(cls, kind: int, address: int, store: Store | None, /) -> Self: ...
    @property
    def store(self) -> Store:
        """The Store that this belongs to."""

@final
class Memory(Entity):
    """A linear memory; its bytes are a writable buffer: memoryview(memory), numpy.frombuffer(memory).

    memory[a:b] copies to bytes, memory[a:b] = data writes, memory[a] is one byte. Addresses are unsigned: whatever lies
    outside is an IndexError, nothing counts from the end. The bytes never move; a buffer keeps the size that the memory
    had when it was made, and keeps the memory alive.

    Parameters
    ----------
    min_pages, max_pages : int
        Size at the start and at most, in pages; ``max_pages`` None: no maximum.
    shared, memory64 : bool
        As in the type of the import that it is meant for. Instances that import one shared memory run at the same time,
        in stores of their own; it needs ``max_pages``.
    page_size_bytes : int
        Size of a page: 65536, or 1 for an import of that page size.

    Attributes
    ----------
    size_bytes : int
    type : MemoryType
    store : Store

    Raises
    ------
    ValueError
        Sizes that make no memory.
    IncompatibleHost
        The address space has no room.

    Examples
    --------
    >>> memory = wasmartifact.Memory(1, 2)
    >>> memory[0:5] = b"hello"
    >>> memory[0:5], memory[4], len(memory)
    (b'hello', 111, 65536)
    >>> memory.grow(1), memory.size_bytes
    (1, 131072)
    """

    def __new__(
        cls,
        min_pages: int,
        max_pages: int | None = None,
        *,
        shared: bool = False,
        memory64: bool = False,
        page_size_bytes: int = 65536,
    ) -> Self: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, address: int, /) -> int: ...
    @overload
    def __getitem__(self, addresses: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, address: int, byte: int, /) -> None: ...
    @overload
    def __setitem__(self, addresses: slice, data: Buffer, /) -> None: ...
    def read_cstring(self, address: int, /) -> bytes:
        """The bytes from an address to the next zero byte: a string of C.

        Parameters
        ----------
        address : int
            Where it starts, in bytes.

        Returns
        -------
        bytes
            A copy, without the zero byte.

        Raises
        ------
        IndexError
            The address lies outside of the memory, or no zero byte follows.
        """

    def grow(self, pages: int, /) -> int:
        """Make the memory larger.

        Parameters
        ----------
        pages : int
            By how many pages of 64 KiB, or of the page size in its type.

        Returns
        -------
        int
            Size before, in pages.

        Raises
        ------
        ValueError
            The maximum, `Limits` of the store or the address space don't allow it; the memory stays as it was.
        """

    @property
    def size_bytes(self) -> int:
        """Current size in bytes."""

    @property
    def type(self) -> MemoryType:
        """Current minimum, maximum, sharedness, index type, page size."""

@final
class Instance(Entity):
    """A module with memories, tables and globals of its own; `Artifact.instantiate` makes it.

    Attributes
    ----------
    artifact : Artifact
        What it is an instance of.
    exports : Exports
        What it exports, by name.
    store : Store
        What it has in common with those that it shares something with.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    @property
    def artifact(self) -> Artifact:
        """What it is an instance of."""

    @property
    def exports(self) -> Exports:
        """What it exports, by name."""

@final
class Linked:
    """An artifact with its imports resolved: what all its instances have in common; `Artifact.link` makes it.

    Where imports are plain callables, the instances share their Funcs, and still have stores of their own. A Memory,
    Table or mutable Global among the imports belongs to all of them, and makes their stores one.

    Attributes
    ----------
    artifact : Artifact
        What its instances are instances of.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    @property
    def artifact(self) -> Artifact:
        """What its instances are instances of."""

    def instantiate(self, *, store: Store | None = None) -> Instance:
        """Make an instance, as `Artifact.instantiate` does with the same imports, and with the same errors.

        Parameters
        ----------
        store : Store, optional
            Where the instance shall live; by default in one of its own.

        Returns
        -------
        Instance
            Its ``exports`` are what can be called and used.
        """

@final
class Exports(Mapping[str, Any]):
    """What an instance exports: a mapping from names to Func, Memory, Table, Global and Tag.

    exports["name"] and exports.name are the same object each time; a method of the mapping wins over an export of its
    name. An Exports can stand for a module among the imports of another instance.

    Raises
    ------
    KeyError, AttributeError
        Of a look-up: the module has no such export.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def __getattribute__(self, name: str, /) -> Any: ...
    def __dir__(self) -> list[str]: ...
    def get(self, name: str, default: Any = None, /) -> Any:
        """The export of this name, or the default.

        Parameters
        ----------
        name : str
            As in the module.
        default : object
            What to return where nothing has this name.

        Returns
        -------
        Func | Memory | Table | Global | Tag | object
            The export, or the default.
        """

    def keys(self) -> KeysView[str]:
        """The names, in the module's order."""

    def values(self) -> ValuesView[Any]:
        """The objects; each is made when it comes."""

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and object."""

@final
class Struct(Sequence[Any]):
    """A struct of a module with garbage collection. It lives as long as Python or the guest refers to it.

    Functions give it out and take it again; Python makes none. Two are equal if they are the same struct. Numbers of
    31 bits (``i31ref``) are plain ints.

    Examples
    --------
    >>> import wasmartifact as wa
    >>> artifact = wa.compile(
    ...     b'''(module
    ...       (type $point (struct (field (mut i32)) (field i8)))
    ...       (func (export "make") (result (ref $point)) (struct.new $point (i32.const 3) (i32.const 255))))'''
    ... )
    >>> point = artifact.instantiate().exports.make()
    >>> point[0] += 1
    >>> list(point)
    [4, 255]
    """

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...  # type: ignore[override]
    def __setitem__(self, index: int, value: Any, /) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Array(Sequence[Any]):
    """An array of a module with garbage collection. It lives as long as Python or the guest refers to it.

    Functions give it out and take it again; Python makes none. Two are equal if they are the same array. Arrays of
    numbers are buffers: ``memoryview(array)`` and ``numpy.frombuffer(array)`` show the elements themselves. Elements of
    8 and 16 bits come without sign.

    Examples
    --------
    >>> import wasmartifact as wa
    >>> artifact = wa.compile(
    ...     b'''(module
    ...       (type $bytes (array (mut i8)))
    ...       (func (export "make") (result (ref $bytes)) (array.new $bytes (i32.const 65) (i32.const 3))))'''
    ... )
    >>> text = artifact.instantiate().exports.make()
    >>> text[0] = 66
    >>> bytes(text)
    b'BAA'
    """

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...  # type: ignore[override]
    def __setitem__(self, index: int, value: Any, /) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@disjoint_base
class WasiHost:
    """State of a WASI program: arguments, environment, descriptors. `wasmartifact.Wasi` is its public face.

    Parameters
    ----------
    args, environ : bytes
        Zero-terminated strings one after the other.
    """

    def __new__(cls, args: bytes, environ: bytes, /) -> Self: ...
    def _add_fd(self, fd: int, direction: int, /) -> int:
        """The next descriptor: its number; the host's one is taken over unless this raises OSError."""

    def _add_stream(self, callable: Callable[[Any], Any] | None, direction: int, /) -> None:
        """The next descriptor: what reads or writes for the program; None for nothing."""

    def _add_directory(self, fd: int, guest_path: bytes, is_read_only: bool, /) -> None:
        """The next descriptor: a directory, taken over unless this raises OSError."""

    def _limit_descriptors(self, limit: int, /) -> None:
        """No more descriptors than this are open at a time from now on."""

    def _avoid_openat2(self) -> None:
        """Resolve paths as on kernels that lack openat2."""

    def _function(self, name: object, /) -> Func | None:
        """A function of the newer module, made anew; None where it has none of this name."""

    def _unstable_function(self, name: object, /) -> Func | None:
        """The same of the older module."""

    def _call(self, number: int, memory: bytearray, /, *args: int) -> int:
        """Call a function of WASI by its number, with this in the place of a guest's memory: an errno.

        Only while a guest calls Python on this thread. A Ctrl-C, a deadline or an interrupt of that call ends a wait,
        as the exception that it is.
        """

    def _close(self, number: int, /) -> bool:
        """Close a descriptor; whether it was open."""

# Functions of the runtime's Python half.

def instantiate(artifact: Artifact, native: NativeArtifact, imports: _Imports, store: Store | None, /) -> Instance:
    """The flow of `Artifact.instantiate`, which documents it; native is its native half."""

def link(artifact: Artifact, native: NativeArtifact, imports: _Imports, /) -> Linked:
    """The flow of `Artifact.link`, likewise."""

def take_state(
    instance: Instance, page_bytes: int, gap_bytes: int, component: _NativeComponentInstance | None, /
) -> _State | None:
    """Copy what an instance holds; None while a call runs in its store.

    component: the instance of a component whose module's instance it is. What it holds beside is the last part: its
    handles as rows of the format, and (resource, object) for those of the embedder; or a word: why there are none.

    References are slots of the format; what no artifact can hold is one of the even numbers that ``WA_SNAPSHOT_*`` of
    wasmartifact.h names. Stretches are whole pages, the last one up to the memory's end, with less than gap_bytes of
    zeros within.
    """

class _NativeComponent(Protocol):
    def type(self, row: int, /) -> tuple[int, list[tuple[str, int]]]: ...
    def type_name(self, row: int, /) -> str: ...
    def externs(self) -> list[tuple[str, int, int, int, int]]: ...
    def extern(self, row: int, /) -> tuple[str, int, int, int, int]: ...
    def imports(self) -> list[tuple[str | None, list[int]]]: ...
    def import_name(self, index: int, /) -> tuple[str | None, str]: ...
    def exports(self, parent: int, /) -> list[tuple[int, str]]: ...
    def notes(self, kind: int) -> list[tuple[int, str]]: ...
    def host_objects(self) -> list[tuple[int, str]]: ...
    def face(self, row: int, /) -> tuple[Any, ...]: ...

class _NativeComponentInstance(Protocol):
    @property
    def core(self) -> Instance: ...
    @property
    def classes(self) -> dict[int, type]: ...
    def function(self, canon: int, name: str, /) -> Callable[..., Any]: ...

def component_open(component: Artifact, native: NativeArtifact, /) -> _NativeComponent:
    """What the columns of a component say, checked.

    Raises
    ------
    CorruptArtifact
        They name what is not there.
    """

def component_instantiate(
    component: _NativeComponent,
    native: NativeArtifact,
    callables: dict[int, Any],
    find: Callable[[int], Callable[..., Any]] | None,
    store: Store | None,
    objects: tuple[Any, ...],
    /,
) -> _NativeComponentInstance:
    """An instance of a component: callables for host functions among the imports of its module, by index.

    find: gives that of an import that has none here, when it is called first.

    objects: what stands for the host objects of a snapshot, in their order.
    """

def resource_base() -> type:
    """The class that the classes of resources are made of."""

class _Ticket(Protocol):
    """One call that can be ended apart from others in the same store."""

    def run(self, func: Func, arguments: tuple[Any, ...], /) -> Any: ...
    def cancel(self) -> None: ...

def new_ticket() -> _Ticket:
    """A ticket for one call: ``ticket.run(func, arguments)`` on one thread, ``ticket.cancel()`` on any, at any time."""

def set_interrupt_signal(number: int, /) -> None:
    """Choose the signal that is sent to a thread whose guest shall end: SIGURG, unless this is called.

    Programs ignore that signal by default. Where yours uses it, or blocks it, take another one, before the first
    deadline and interrupt. A handler that is there for it still gets the signals that are not ours.

    Parameters
    ----------
    number : int
        Of a signal that can be caught, such as ``signal.SIGRTMIN + 1``.

    Raises
    ------
    ValueError
        The number is of no such signal, or of SIGINT, or of one that faults raise.

    Examples
    --------
    >>> import signal
    >>> wasmartifact.set_interrupt_signal(signal.SIGRTMIN + 1)
    >>> wasmartifact.set_interrupt_signal(signal.SIGURG)
    """

def table_get(table: Entity, index: int, /) -> Any:
    """The element; IndexError outside of the table."""

def table_set(table: Entity, index: int, value: object, /) -> None:
    """Store an element; IndexError outside of the table, TypeError for another type."""

def table_grow(table: Entity, delta: int, init: object, /) -> int:
    """Size before, or -1 where the table can't grow."""

def table_type(table: Entity, /) -> tuple[str, int, int, int]:
    """Element type, size, maximum (2**64-1: none), flags."""

def global_get(global_: Entity, /) -> Any:
    """The value now."""

def global_set(global_: Entity, value: object, /) -> None:
    """Also sets immutable globals."""

def global_type(global_: Entity, /) -> tuple[str, bool]:
    """Value type, whether it is mutable."""

def wasi_names(is_unstable: bool, /) -> tuple[str, ...]:
    """The names of WASI's functions in the newer or the older module."""

def wasi_functions(is_unstable: bool, /) -> dict[str, Func]:
    """Functions of WASI that work for the program that the store has which calls them, see set_program."""

def set_program(store: Store, host: WasiHost, /) -> None:
    """Make a store's guests a WASI program, for those who link the functions of wasi_functions."""

def compile_source(source: str | bytes, name: str, /) -> CodeType:
    """Python source to code, as ``compile(source, name, "exec", dont_inherit=True)``, without making classes of ast."""

def tag_params(tag: Entity, /) -> tuple[str, ...]:
    """Types of the values that an exception of this tag carries."""
