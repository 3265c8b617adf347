"""The functions of a WASI program by name, made when they are asked for: a program imports a few of them."""

from __future__ import annotations

from wasmartifact import _types as types

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
    from typing import Any


class Functions(dict[str, "types.Func"]):
    """One import module of WASI for one program: a dictionary that finds what was not asked for before.

    Parameters
    ----------
    host : WasiHost
        The program.
    is_unstable : bool
        Which module: ``wasi_unstable``, or ``wasi_snapshot_preview1``.
    """

    __slots__ = ("_is_unstable", "_make", "host")

    def __init__(self, host: types.WasiHost, is_unstable: bool) -> None:
        self.host = host
        self._is_unstable = is_unstable
        self._make: Callable[[str], types.Func | None] | None = (
            host._unstable_function if is_unstable else host._function
        )

    def __missing__(self, name: str) -> types.Func:
        """Make the function. Raises KeyError where WASI has none of this name, or it was removed."""
        found = None if self._make is None else self._make(name)
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found

    def _fill(self) -> None:
        """Have all of them, before something looks at the whole, or takes one away."""
        if self._make is not None:
            given = dict(super().items())
            super().clear()
            for name in types.wasi_names(self._is_unstable):
                self[name] = given.pop(name) if name in given else self[name]
            super().update(given)
            self._make = None

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return super().__iter__()

    def __len__(self) -> int:
        self._fill()
        return super().__len__()

    def __contains__(self, name: object) -> bool:
        self._fill()
        return super().__contains__(name)

    def __eq__(self, other: object) -> bool:
        self._fill()
        return super().__eq__(other)

    __hash__ = None

    def __delitem__(self, name: str) -> None:
        self._fill()
        super().__delitem__(name)

    def __or__(self, other: Any) -> Any:
        self._fill()
        return dict(super().items()) | other

    def __ror__(self, other: Any) -> Any:
        self._fill()
        return other | dict(super().items())

    def __repr__(self) -> str:
        self._fill()
        return super().__repr__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """The names."""
        self._fill()
        return super().keys()

    def values(self) -> ValuesView[types.Func]:  # type: ignore[override]
        """The functions."""
        self._fill()
        return super().values()

    def items(self) -> ItemsView[str, types.Func]:  # type: ignore[override]
        """Pairs of name and function."""
        self._fill()
        return super().items()

    def get(self, name: str, default: Any = None) -> Any:
        """The function of this name, or the default."""
        try:
            return self[name]
        except KeyError:
            return default

    def copy(self) -> dict[str, types.Func]:
        """All of them, as a plain dictionary."""
        self._fill()
        return dict(super().items())

    def pop(self, *arguments: Any) -> Any:
        """Take one away."""
        self._fill()
        return super().pop(*arguments)

    def popitem(self) -> tuple[str, types.Func]:
        """Take the last one away."""
        self._fill()
        return super().popitem()

    def clear(self) -> None:
        """Take all away."""
        self._fill()
        super().clear()

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The function of this name; the default, which is stored, where there is none."""
        self._fill()
        return super().setdefault(name, default)
