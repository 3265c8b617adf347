"""Limits: how much the guests of a store, a WASI program, or a pack may take from the host."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn


class Bounds:
    """A value of named numbers, each a bound or None; it never changes, and equals others with the same bounds."""

    __slots__: tuple[str, ...] = ()
    #: What may be given for a bound that is no int.
    _NUMBERS: ClassVar[dict[str, tuple[type[float], ...]]] = {}

    def __init__(self, **bounds: float | None) -> None:
        for name, bound in bounds.items():
            object.__setattr__(self, name, self._checked(name, bound))

    def _checked(self, name: str, bound: Any) -> Any:
        if bound is None:
            return None
        numbers = self._NUMBERS.get(name, (int,))
        if isinstance(bound, bool) or not isinstance(bound, numbers):
            expected = " or ".join(number.__name__ for number in numbers)
            raise TypeError(f"{name} must be {expected} or None, found {type(bound).__name__}")
        if not bound >= 0:  # NaN, too
            raise ValueError(f"{name} is {bound!r}; expected a number from 0, or None for no limit")
        return bound

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} never changes; make another one with another {name}")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values().values()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._values())

    def __repr__(self) -> str:
        given = (f"{name}={bound!r}" for name, bound in self._values().items() if bound is not None)
        return f"{type(self).__name__}({', '.join(given)})"


def _rebuild(cls: type[Bounds], bounds: dict[str, Any]) -> Bounds:
    return cls(**bounds)


class Limits(Bounds):
    """How much guests may take: ``wa.Store(limits=...)`` for memory and the like, ``wa.Wasi(limits=...)`` for files.

    A value, which may serve any number of stores; each counts for itself. None is no limit. Reaching one is no trap:
    ``memory.grow`` and ``table.grow`` answer -1, as they do where the host has no more, and a new instance that would
    need more is refused with `LimitExceeded`. What counts lives as long as its store, as instances do.

    Parameters
    ----------
    memory_bytes : int, optional
        Sizes of all memories of the store together, and of the exceptions that guests keep. A throw for which there is
        no room is a trap, ``out_of_memory``.
    table_elements : int, optional
        Sizes of all tables of the store together.
    instances : int, optional
        Number of instances in the store.
    descriptors : int, optional
        Number of descriptors that a WASI program has open, streams and preopened directories among them. Opening
        another one is EMFILE to the program.
    stack_bytes : int, optional
        How much of a thread's stack the guests may use, from the outermost call into the store; host functions that
        they call count where they call back. More is a trap, ``stack_exhausted``, which comes at the end of the
        thread's stack in any case.
    value_bytes : int, optional
        What the values of one call of a component may take as Python objects: strings and lists by their bytes, 64
        more for each object, 8 for each reference that one holds. More is a trap, ``values_too_large``. Without this
        limit it is four times the guest's memory, and at least 128 MiB: parts of a value may stand for the same bytes
        of the guest any number of times.
    handles : int, optional
        Number of handles that each component instance has at a time, in components that are instantiated while this
        is the limit. More is a trap, ``too_many_handles``. Without this limit it is 100,000.

    Raises
    ------
    TypeError
        A limit is no int.
    ValueError
        A limit is negative.

    Notes
    -----
    A memory or table counts in the store whose instance defines it; one that the host made, from when an instance
    imports it, with its size then. Sharing with a store without limits makes both one, whose limits hold for all that
    is there; where that is too much already, instantiating is refused. A shared memory counts in the first store with
    limits that gets it. Address space does not count: a 32-bit memory reserves 8 GiB of it, whatever its size.

    Examples
    --------
    >>> limits = wa.Limits(memory_bytes=64 * 2**20, table_elements=10_000, instances=1, stack_bytes=2**20)
    >>> store = wa.Store(limits=limits)
    >>> instance = wa.compile("hello.wat").instantiate(wa.Wasi(limits=wa.Limits(descriptors=8)).imports(), store=store)
    >>> instance.exports["memory"].grow(1024)
    Traceback (most recent call last):
    ...
    ValueError: ...
    """

    __slots__ = (
        "descriptors", "handles", "instances", "memory_bytes", "stack_bytes", "table_elements", "value_bytes"
    )  # fmt: skip

    memory_bytes: int | None
    table_elements: int | None
    instances: int | None
    descriptors: int | None
    stack_bytes: int | None
    value_bytes: int | None
    handles: int | None

    def __init__(
        self,
        *,
        memory_bytes: int | None = None,
        table_elements: int | None = None,
        instances: int | None = None,
        descriptors: int | None = None,
        stack_bytes: int | None = None,
        value_bytes: int | None = None,
        handles: int | None = None,
    ) -> None:
        super().__init__(
            memory_bytes=memory_bytes,
            table_elements=table_elements,
            instances=instances,
            descriptors=descriptors,
            stack_bytes=stack_bytes,
            value_bytes=value_bytes,
            handles=handles,
        )


class PackLimits(Bounds):
    """How much packing may take: ``wa.pack(limits=...)``. With limits, all of a pack runs in processes of its own.

    Parameters
    ----------
    memory_bytes : int, optional
        Memory of all processes that pack, together, without the libraries that they have mapped; and the artifact. It
        is looked at fifty times a second. Python, the validators and LLVM take some 40 MB before any work.
    seconds : float, optional
        Time by the clock, from the call to the finished artifact.

    Raises
    ------
    TypeError
        A limit is no number.
    ValueError
        A limit is negative.

    Examples
    --------
    >>> limits = wa.PackLimits(memory_bytes=2 * 10**9, seconds=60)
    >>> wa.pack("module.wat", "module.wasm.so", opt_level=0, limits=limits).functions
    1
    >>> wa.pack("module.wat", "module.wasm.so", limits=wa.PackLimits(seconds=0.01))
    Traceback (most recent call last):
    ...
    wasmartifact.errors.LimitExceeded: packing module.wat takes longer than its limits allow, 0.01 s (seconds); ...
    """

    __slots__ = ("memory_bytes", "seconds")
    _NUMBERS = {"seconds": (int, float)}  # noqa: RUF012

    memory_bytes: int | None
    seconds: float | None

    def __init__(self, *, memory_bytes: int | None = None, seconds: float | None = None) -> None:
        super().__init__(memory_bytes=memory_bytes, seconds=seconds)
