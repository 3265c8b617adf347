"""What classes of the face have in common: Managed, which can be closed, SetOnly attributes, checks, ways to errors."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any, Self


class Managed:
    """Base of the classes with a ``close`` that ends their use; a ``with`` block closes at its end."""

    _closed = False

    def close(self) -> None:
        """End the use of this object, which raises ValueError from then on. A second time does nothing."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("already closed")


class SetOnly:
    """Base of attributes of a Managed that can be set and not read; who derives from it defines ``__set__``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, item: Managed | None, owner: type) -> Any:
        if item is None:
            return self
        raise AttributeError(f"{owner.__name__}.{self._name} can only be set, not read")


class WrongType(TypeError, AttributeError):
    """An argument is of another class. wasmtime-py raises a TypeError for some, an AttributeError for others."""

    def __init__(self, words: str, value: object) -> None:
        super().__init__(f"expected {words}, found {type(value).__name__}")


def check_type(value: object, expected: type | tuple[type, ...], words: str) -> None:
    """Raise WrongType, as wasmtime-py words it, where a value is of another class."""
    if not isinstance(value, expected):
        raise WrongType(words, value)


def wasmtime_error(message: str) -> Exception:
    """A WasmtimeError. Its module is imported with the first one: a start that goes well does without."""
    made: Exception = __import__("wasmartifact.wasmtime._errors", fromlist=("",)).WasmtimeError(message)
    return made


def translated(problem: Exception) -> Exception:
    """What wasmtime-py raises where the package raises this; exceptions of others stay what they are."""
    found: Exception = __import__("wasmartifact.wasmtime._errors", fromlist=("",)).translated(problem)
    return found


def is_own(problem: Exception) -> bool:
    """Whether an exception is one of the package's, for an ``except`` that need not import them."""
    from wasmartifact.errors import WasmArtifactError

    return isinstance(problem, WasmArtifactError)
