"""What crosses between modules: which class of wasmtime-py's stands for each of the package's."""

from __future__ import annotations

from wasmartifact.wasmtime._closing import WrongType

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, TypeVar

    Class = TypeVar("Class", bound=type)

#: Class of the package -> what makes the face of such an object.
_MAKERS: dict[type, Callable[[Any], Any]] = {}
_FACES: list[type] = []


class Extern:
    """Base of what stands for an object of the package, ``_native``."""

    __slots__ = ("__weakref__", "_native")
    _native: Any

    @classmethod
    def _of(cls, native: Any) -> Self:
        made = cls.__new__(cls)
        made._native = native
        return made


def stands_for(native: type | None) -> Callable[[Class], Class]:
    """Decorate a face, whose ``_of`` makes it of a native object, which is its ``_native``; None: others make it."""

    def register(face: Class) -> Class:
        if native is not None:
            _MAKERS[native] = face._of  # type: ignore[attr-defined]
        _FACES.append(face)
        return face

    return register


def wrap(item: Any) -> Any:
    """An object of the package as wasmtime-py has it."""
    make = _MAKERS.get(type(item))
    if make is None:  # of the classes that few programs need: they register themselves when they are imported
        __import__("wasmartifact.wasmtime._entities")
        make = _MAKERS[type(item)]
    return make(item)


def unwrap(item: Any) -> Any:
    """The package's object behind one of wasmtime-py's kind; TypeError for anything else."""
    if not isinstance(item, tuple(_FACES)):
        names = ", ".join(face.__name__ for face in _FACES)
        raise WrongType(f"one of {names}", item)
    return item._native  # type: ignore[attr-defined]
