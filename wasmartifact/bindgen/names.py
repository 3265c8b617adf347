"""Names of WIT as names of Python, in which no two clash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


class Names:
    """The names of a scope.

    Parameters
    ----------
    taken : iterable of str
        Names that are not to be had.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, name: str) -> str:
        """A name that nothing else has: this one, with underscores behind it where it is taken."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def take_first(self, candidates: Iterable[str]) -> str:
        """The first name that is free; the last one with underscores where none is."""
        *others, last = candidates
        return self.take(next((name for name in others if name not in self._taken), last))


def interface_names(interfaces: Iterable[str], names: Names) -> Mapping[str, str]:
    """A name for each interface, in kebab case: its own where only one has it, else the package's before it."""
    parts = {name: _split(name) for name in interfaces}
    shorts = [short for short, _, _ in parts.values()]
    wholes = [(package, short) for short, package, _ in parts.values()]
    found: dict[str, str] = {}
    for name, (short, package, version) in parts.items():
        whole = "-".join(filter(None, (re.sub(r"[^A-Za-z0-9]+", "-", package), short)))
        longest = "-".join(filter(None, (whole, re.sub(r"[^A-Za-z0-9]+", "-", version))))
        candidates = [longest]
        if wholes.count((package, short)) == 1:
            candidates.insert(0, whole)
        if shorts.count(short) == 1:
            candidates.insert(0, short)
        found[name] = names.take_first(candidates)
    return found


def _split(name: str) -> tuple[str, str, str]:
    """Own name, package and version of an interface."""
    package, slash, rest = name.rpartition("/")
    short, _, version = rest.partition("@")
    return re.sub(r"[^A-Za-z0-9]+", "-", short).strip("-"), package if slash else "", version
