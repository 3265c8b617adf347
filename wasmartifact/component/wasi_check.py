"""How the functions that a component imports of WASI 0.2 differ from those that there are.

A Wasi gives values by the types that WASI has, so that a component with other ones can't be served by it. The names of
parameters don't count, as nothing sees them; nor does what interface a resource is said to be of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from wasmartifact.component.wasi_types import FUNCTIONS, TYPES
from wasmartifact.schema import COMPONENT_KINDS, COMPONENT_SORTS

if TYPE_CHECKING:
    from wasmartifact.component.link import Program

_FUNC: Final = COMPONENT_SORTS.index("func")
#: Kinds that are no nouns by themselves.
_NOUNS: Final = {
    **{kind: f"a {kind}" for kind in ("list", "record", "tuple", "variant", "result")},
    **{kind: f"an {kind}" for kind in ("enum", "option")},
    "own": "an owned resource",
    "borrow": "a borrowed resource",
}
#: What parts of a kind are called, where they have no names of their own; others by their numbers.
_LABELS: Final = {"list": ("element",), "option": ("value",), "result": ("ok", "err")}


def wasi_differences(program: Program, resources: list[str]) -> Iterator[tuple[int, str]]:
    """Rows of imported functions whose types are not WASI's, and how they differ; resources by their names."""
    comparison = _Comparison(program, resources)
    for number, row in enumerate(program.externs):
        if row.is_export or row.sort != _FUNC or row.parent is None or row.index is None:
            continue
        name, _, version = program.externs[row.parent].name.partition("@")
        if not name.startswith("wasi:") or not version.startswith("0.2."):
            continue
        expected = FUNCTIONS.get(name.removeprefix("wasi:"), {}).get(row.name)
        if expected is not None:
            words = comparison.function(row.index, expected)
            if words is not None:
                yield number, words


class _Comparison:
    """Compares types by what they consist of; each pair once, as types may share parts many times over."""

    def __init__(self, program: Program, resources: list[str]) -> None:
        self.program = program
        self.resources = resources
        self.equal: set[tuple[int, int]] = set()

    def function(self, row: int, expected: tuple[int, ...]) -> str | None:
        """How the type of a function differs, None where it does not."""
        items = self.program.types[row].items
        if len(items) != len(expected):
            return f"it has {len(items) - 1} parameters, expected {len(expected) - 1}"
        for number, ((name, part), wanted) in enumerate(zip(items, expected, strict=True), 1):
            place = "its result" if number == len(items) else f"its parameter {name!r}"
            words = self.part(part, wanted, (place,))
            if words is not None:
                return words
        return None

    def part(self, part: int, wanted: int, path: tuple[str, ...]) -> str | None:
        """The same of a type, by row + 1 and by place + 1; 0 is none. ``path`` leads to it."""
        if part == wanted == 0 or (part, wanted) in self.equal:
            return None
        kind, names, parts = TYPES[wanted - 1] if wanted else ("nothing", (), ())
        if self.kind(part) != kind:
            return f"{_place(path)} is {_noun(self.kind(part))}, expected {_noun(kind)}"
        items = self.program.types[part - 1].items
        if kind in ("own", "borrow"):
            resource = self.resources[items[0][1] - 1]
            return None if (resource,) == names else f"{_place(path)} is of {resource!r}, expected {names[0]!r}"
        if len(items) != len(parts):
            return f"{_place(path)}, {_noun(kind)}, has {len(items)} parts, expected {len(parts)}"
        labels = names or _LABELS.get(kind) or tuple(map(str, range(len(parts))))
        for (name, inner), label, wanted_inner in zip(items, labels, parts, strict=True):
            if names and name != label:
                return f"{_place(path)}, {_noun(kind)}, has {name!r} in the place of {label!r}"
            words = self.part(inner, wanted_inner, (*path, label))
            if words is not None:
                return words
        self.equal.add((part, wanted))
        return None

    def kind(self, part: int) -> str:
        return COMPONENT_KINDS[self.program.types[part - 1].kind] if part else "nothing"


def _place(path: tuple[str, ...]) -> str:
    """Where a type stands: "its result (err, 0)"."""
    return path[0] + (f" ({', '.join(path[1:])})" if len(path) > 1 else "")


def _noun(kind: str) -> str:
    return _NOUNS.get(kind, kind)
