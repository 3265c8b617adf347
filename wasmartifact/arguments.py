"""Arguments of a wrong type: errors that say which one it is, what was found, what was expected."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from typing import Any


def wrong_type(name: str, found: object, expected: str) -> TypeError:
    """The error for an argument that is of no type that it may have."""
    return TypeError(f"{name} must be {expected}, found {_shown(found)}")


def _shown(found: object) -> str:
    """What tells a reader what he gave: short values themselves, else their type."""
    kind, text = type(found).__name__, repr(found)
    return "None" if found is None else f"{kind} {text}" if len(text) <= 40 and " at 0x" not in text else kind


def check_flags(**flags: object) -> None:
    """Raise TypeError where one is neither true nor false: "no" would be true."""
    for name, value in flags.items():
        if not isinstance(value, int) or value not in (0, 1):
            raise wrong_type(name, value, "True or False")


def check_callables(**callables: object) -> None:
    """Raise TypeError where one is neither None nor callable."""
    for name, value in callables.items():
        if value is not None and not callable(value):
            raise wrong_type(name, value, "a callable or None")


def check_executor(executor: object) -> None:
    """Raise TypeError where this is no executor, by its method, nor None."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise wrong_type("executor", executor, "a concurrent.futures.Executor or None")


def check_incremental(incremental: object) -> None:
    """Raise TypeError where this is neither a flag, nor a folder, nor None."""
    if incremental is not None and not isinstance(incremental, bool | str | bytes | os.PathLike):
        raise wrong_type("incremental", incremental, "True, False, the path of a folder, or None")


def cpu_names(cpu: Any) -> str | tuple[Any, ...]:
    """The name of a CPU as it is, several as a tuple; TypeError for what is neither."""
    if isinstance(cpu, str):
        return cpu
    if isinstance(cpu, bytes | bytearray) or not hasattr(type(cpu), "__iter__"):
        raise wrong_type("cpu", cpu, "the name of a CPU, or several names")
    return tuple(cpu)


def words_of(name: str, words: Any) -> tuple[Any, ...]:
    """An iterable of texts as a tuple; TypeError for what is none, and for one text."""
    if isinstance(words, str | bytes) or not hasattr(type(words), "__iter__"):
        raise wrong_type(name, words, "an iterable of strings")
    return tuple(words)
