"""The types of WASI 0.2's functions with a number for each type, from ``tools/wasi_functions.py``."""

from __future__ import annotations

from tools.wasi_functions import FUNCTIONS, Type

#: Kind, names and places of the parts of a type.
Shape = tuple[str, tuple[str, ...], tuple[int, ...]]


def tables() -> tuple[list[Shape], dict[str, dict[str, tuple[int, ...]]]]:
    """What types there are, and the types of functions by interface, without version, and name."""
    shapes = _Shapes()
    functions = {
        interface: {name: tuple(map(shapes.place, signature)) for name, signature in found.items()}
        for interface, found in FUNCTIONS.items()
    }
    return shapes.rows, functions


class _Shapes:
    """Types by what they consist of, each once; places count from 1, 0 stands for none."""

    def __init__(self) -> None:
        self.rows: list[Shape] = []
        self.places: dict[Type, int] = {}

    def place(self, type_: Type | None) -> int:
        """Place of a type, which comes after those of its parts."""
        if type_ is None:
            return 0
        if type_ not in self.places:
            self.rows.append((type_.kind, type_.names, tuple(map(self.place, type_.parts))))
            self.places[type_] = len(self.rows)
        return self.places[type_]
