"""ResourceType, ResourceAny and ResourceHost: resources of components and of the host, as wasmtime-py has them."""

from __future__ import annotations

from wasmartifact.errors import WasmArtifactError
from wasmartifact.wasmtime._closing import Managed
from wasmartifact.wasmtime._errors import WasmtimeError, component_error
from wasmartifact.wasmtime._func import check_open
from wasmartifact.wasmtime._store import StoreContext
from wasmartifact.wasmtime.component._made import Made

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    from wasmartifact.wasmtime._func import Storelike

    #: What is called with the rep of a resource of the host that a guest dropped for good.
    Destructor: TypeAlias = Callable[[StoreContext, int], object]

#: Reps and numbers of types have 32 bits.
_MASK: Final = 2**32 - 1
#: The key of types of the host begins with it.
_HOST: Final = "host"


class ResourceType(Made, Managed):
    """A type of resources; `host` makes one of the host's."""

    _key: tuple[object, ...]

    @classmethod
    def _of(cls, *key: object) -> ResourceType:
        """The type with a key: two types with equal ones are the same."""
        made = cls.__new__(cls)
        made._key = key
        return made

    @classmethod
    def host(cls, val: int) -> ResourceType:
        """A type of the host's, by a number that the program chooses."""
        return cls._of(_HOST, val & _MASK)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceType) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class HostObject:
    """A resource of the host as the package's components have it: any object, whose ``close`` tells of its end."""

    __slots__ = ("destroy", "number", "rep")

    def __init__(self, rep: int, number: int, destroy: Callable[[int], None] | None) -> None:
        """``destroy``: what runs the destructor that the linker has for the type, if any."""
        self.rep = rep
        self.number = number
        self.destroy = destroy

    def close(self) -> None:
        """A guest, or the program, dropped it for good."""
        if self.destroy is not None:
            self.destroy(self.rep)


class ResourceAny(Made, Managed):
    """A resource, of a guest or of the host.

    Given to a function as an owned one it can't be used any more. One of a guest that nobody drops ends with its last
    reference.
    """

    _type: ResourceType
    _resource: Any
    _owned: bool
    _is_gone: bool

    @classmethod
    def _of(cls, type_: ResourceType, resource: Any, owned: bool) -> ResourceAny:
        made = cls.__new__(cls)
        made._type = type_
        made._resource = resource
        made._owned = owned
        made._is_gone = False
        return made

    def _check_open(self) -> None:
        if self._closed or (not self._is_gone and getattr(self._resource, "closed", False) is True):
            raise ValueError("already closed")

    def _take(self) -> Any:
        """The object of the package behind it; WasmtimeError where it was dropped."""
        self._check_open()
        if self._is_gone:
            raise WasmtimeError("unknown handle: the resource was dropped, or made a ResourceHost")
        return self._resource

    @property
    def type(self) -> ResourceType:
        """Its type."""
        self._check_open()
        return self._type

    @property
    def owned(self) -> bool:
        """Whether it is owned, or borrowed for a call."""
        self._check_open()
        return self._owned

    def drop(self, store: Storelike) -> None:
        """End it: its destructor runs, if it is owned and has one.

        Raises
        ------
        WasmtimeError
            It was dropped before, or its destructor trapped.
        """
        check_open(store)
        resource = self._take()
        self._is_gone = True
        close = getattr(resource, "close", None) if self._owned else None
        if close is not None:
            try:
                close()
            except WasmArtifactError as problem:
                raise component_error(problem) from None

    def to_host(self, store: Storelike) -> ResourceHost:
        """What it is as a resource of the host, which takes its place; WasmtimeError where it is a guest's."""
        check_open(store)
        resource = self._take()
        if not isinstance(resource, HostObject):
            raise WasmtimeError("resource type is not a host-defined resource")
        self._is_gone = True
        return ResourceHost._of(resource.rep, resource.number, self._owned)


class ResourceHost(Made, Managed):
    """A resource of the host: a number that means something to the program, with the number of its type."""

    _rep: int
    _type: int
    _owned: bool

    @classmethod
    def _of(cls, rep: int, ty: int, owned: bool) -> ResourceHost:
        made = cls.__new__(cls)
        made._rep = rep & _MASK
        made._type = ty & _MASK
        made._owned = owned
        return made

    @classmethod
    def own(cls, rep: int, ty: int) -> ResourceHost:
        """One that is given away for good."""
        return cls._of(rep, ty, owned=True)

    @classmethod
    def borrow(cls, rep: int, ty: int) -> ResourceHost:
        """One that is lent for a call."""
        return cls._of(rep, ty, owned=False)

    @property
    def rep(self) -> int:
        """The number that it is for the program."""
        self._check_open()
        return self._rep

    @property
    def type(self) -> int:
        """The number of its type."""
        self._check_open()
        return self._type

    @property
    def owned(self) -> bool:
        """Whether it is given for good, or lent."""
        self._check_open()
        return self._owned

    def to_any(self, store: Storelike) -> ResourceAny:
        """The same as a ResourceAny, whose drop calls nothing."""
        check_open(store)
        self._check_open()
        return ResourceAny._of(ResourceType.host(self._type), HostObject(self._rep, self._type, None), self._owned)
