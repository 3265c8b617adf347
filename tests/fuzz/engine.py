"""What the two engines have in common: the outcome of an action, and the actions of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.fuzz.plan import Call, Given
from tests.fuzz.values import Exn, Value

#: A call of a host function: its label and its arguments; behind it, "throws" and what it threw.
Event = tuple[str, tuple[Value, ...]]
THROWS = "throws"
#: What is told of an exnref in a global or a table that is not null.
SOME_EXCEPTION = "exception"
#: So many exceptions within one are looked at; as they can share others, there may be any number.
MAX_NESTED = 1000
#: Name of a tag that is not exported.
UNKNOWN_TAG = "?"


@dataclass(frozen=True)
class Returned:
    """The action succeeded with these results."""

    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Trapped:
    """WebAssembly trapped; ``kind`` as in TRAP_KINDS, "host" where a host function raised."""

    kind: str


@dataclass(frozen=True)
class Thrown:
    """An exception that nobody caught."""

    exception: Exn


@dataclass(frozen=True)
class Unlinkable:
    """An import has the wrong type."""


@dataclass(frozen=True)
class Broken:
    """The engine raised something that it never should."""

    message: str


Outcome = Returned | Trapped | Thrown | Unlinkable | Broken

#: Of the guest; or of Python, where exceptions are values of exceptions without end. And so with memory for objects.
STACK_EXHAUSTED = "stack"
UNREACHABLE = "unreachable"


class Window(Protocol):
    """A memory to compare."""

    size_bytes: int

    def read(self, start: int, end: int) -> bytes:
        """A copy of a range."""


#: An export: module (0, or 1 in the second of a pair) and name.
Key = tuple[int, str]


class Engine(Protocol):
    """One engine with one module or a pair; ``trace`` gathers the calls of host functions."""

    trace: list[Event]

    def instantiate(self, module: int, imports: Sequence[Given]) -> Outcome:
        """Make the imports of a module, and an instance of it."""

    def set_fuel(self, module: int, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""

    def call(self, call: Call) -> Outcome:
        """Call an export."""

    def globals(self, keys: Sequence[tuple[Key, str]]) -> list[Value]:
        """Values of exported globals, given by key and type, and then those of host globals."""

    def memories(self, keys: Sequence[Key]) -> Sequence[Window]:
        """Exported memories, and then those of the host."""

    def tables(self, keys: Sequence[Key]) -> list[list[Value]]:
        """Exported tables, and then those of the host; size first, then the elements."""
