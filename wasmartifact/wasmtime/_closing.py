"""Managed: what can be closed, and says so when it is used afterwards."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Self


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


class WrongType(TypeError, AttributeError):
    """An argument is of another class. wasmtime-py raises a TypeError for some, an AttributeError for others."""

    def __init__(self, words: str, value: object) -> None:
        super().__init__(f"expected {words}, found {type(value).__name__}")


def check_type(value: object, expected: type, words: str) -> None:
    """Raise WrongType, as wasmtime-py words it, where a value is of another class."""
    if not isinstance(value, expected):
        raise WrongType(words, value)
