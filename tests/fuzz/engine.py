"""What the two engines have in common: the outcome of an action, and the actions of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.fuzz.plan import Call, HostObject
from tests.fuzz.values import Value

#: A call of a host function: its label and its arguments.
Event = tuple[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Returned:
    """The action succeeded with these results."""

    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Trapped:
    """WebAssembly trapped; ``kind`` as in TRAP_KINDS, "host" where a host function raised."""

    kind: str


@dataclass(frozen=True)
class Unlinkable:
    """An import has the wrong type."""


@dataclass(frozen=True)
class Broken:
    """The engine raised something that it never should."""

    message: str


Outcome = Returned | Trapped | Unlinkable | Broken

STACK_EXHAUSTED = "stack"
UNREACHABLE = "unreachable"


class Engine(Protocol):
    """One engine with one module; ``trace`` gathers the calls of host functions."""

    trace: list[Event]

    def instantiate(self, imports: Sequence[HostObject]) -> Outcome:
        """Make the imports and a fresh instance."""

    def set_fuel(self, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""

    def call(self, call: Call) -> Outcome:
        """Call an export."""

    def globals(self, names: Sequence[tuple[str, str]]) -> list[Value]:
        """Values of exported globals, given by name and type."""

    def imported_globals(self) -> list[Value]:
        """Values of the globals that were given."""

    def memories(self, names: Sequence[str]) -> list[Window]:
        """Exported memories, and then those that were given."""

    def tables(self, names: Sequence[str]) -> list[list[Value]]:
        """Exported tables, and then those that were given; size first, then the elements."""


class Window(Protocol):
    """A memory to compare."""

    size_bytes: int

    def read(self, start: int, end: int) -> bytes:
        """A copy of a range."""
