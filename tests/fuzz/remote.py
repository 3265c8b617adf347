"""Our side of a comparison in a process for another machine: the emulated Python of ``tests/aarch64``.

The reference stays where it is, and packing, too, as the emulator takes many times as long for either. This is also
the far end: ``python -m tests.fuzz.remote``, in the emulated Python, has a ``Subject`` and does what it is asked to.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from tests.fuzz.engine import Event, Key, Outcome
from tests.fuzz.plan import Call, Given
from tests.fuzz.shape import Import
from tests.fuzz.subject import Subject, Window
from tests.fuzz.values import Value
from tools import aarch64

#: How much of the processor's time an answer may take.
TIMEOUT_SECONDS: Final = 60


class RemoteDied(Exception):
    """The process crashed or hung; the message says how, with the end of what it wrote to standard error."""


class Remote:
    """The near end: starts the process, again after it died, and asks. ``tests.aarch64`` has made what it needs."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as this is)

    def ask(self, name: str, *arguments: Any) -> Any:
        """What the far end's method with this name returns. Raises RemoteDied."""
        process = self.process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((name, arguments), process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (BrokenPipeError, EOFError):
            raise RemoteDied(self._ending()) from None

    def _start(self) -> subprocess.Popen[bytes]:
        self.errors.truncate(0)
        command: list[str | Path] = [aarch64.FOLDER / "bin" / "python", "-m", "tests.fuzz.remote"]
        self.process = subprocess.Popen(
            command, cwd=aarch64.TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        return self.process

    def _ending(self) -> str:
        assert self.process is not None
        code, self.process = self.process.wait(), None
        self.errors.seek(0)
        return f"the emulator ended with {code}\n{self.errors.read()[-4000:].decode(errors='replace')}".strip()


@lru_cache(maxsize=1)
def remote() -> Remote:
    """The one process of this process."""
    return Remote()


@dataclass
class RemoteWindow:
    """A memory of the far end, by its place among those that were asked for last."""

    index: int
    size_bytes: int

    def read(self, start: int, end: int) -> bytes:
        """A copy of a range."""
        contents: bytes = remote().ask("read", self.index, start, end)
        return contents


class RemoteStore:
    """The store of the far end."""

    @property
    def fuel(self) -> int | None:
        """What is left."""
        units: int | None = remote().ask("fuel")
        return units

    @fuel.setter
    def fuel(self, units: int) -> None:
        remote().ask("refuel", units)


def load_there(files: Sequence[Path], imports: Sequence[Sequence[Import]]) -> None:
    """Load artifacts in the far end, for subjects to come."""
    remote().ask("load", [str(file) for file in files], imports)


class RemoteSubject:
    """Instances in the far end, in the place of those before; see ``engine.Engine``."""

    def __init__(self) -> None:
        self.trace: list[Event] = []
        self.store = RemoteStore()
        remote().ask("start")

    def _ask(self, name: str, *arguments: Any) -> Any:
        result, events = remote().ask("ask_subject", name, arguments)
        self.trace += events
        return result

    def instantiate(self, module: int, imports: Sequence[Given]) -> Outcome:
        """Make the imports of a module, and an instance of it."""
        outcome: Outcome = self._ask("instantiate", module, imports)
        return outcome

    def set_fuel(self, module: int, fuel: int) -> None:
        """Set the global that keeps generated code from running for ever."""
        self._ask("set_fuel", module, fuel)

    def call(self, call: Call) -> Outcome:
        """Call an export."""
        outcome: Outcome = self._ask("call", call)
        return outcome

    def globals(self, keys: Sequence[tuple[Key, str]]) -> list[Value]:
        """Values of exported globals, given by key and type, and then those of host globals."""
        values: list[Value] = self._ask("globals", keys)
        return values

    def memories(self, keys: Sequence[Key]) -> list[RemoteWindow]:
        """Exported memories, and then those of the host."""
        return [RemoteWindow(*entry) for entry in enumerate(remote().ask("memories", keys))]

    def tables(self, keys: Sequence[Key]) -> list[list[Value]]:
        """Exported tables, and then those of the host; size first, then the elements."""
        elements: list[list[Value]] = self._ask("tables", keys)
        return elements


# --------------------------------------------------------------------------------------------------------------------
# The far end


class Far:
    """What the near end asks for, by the names of methods."""

    make_subject: Callable[[], Subject]
    subject: Subject
    windows: list[Window]

    def load(self, files: Sequence[str], imports: Sequence[Sequence[Import]]) -> None:
        """Load artifacts, for subjects to come."""
        self.make_subject = partial(Subject, [wa.load(file) for file in files], imports)

    def start(self) -> None:
        """Make a store for instances."""
        self.subject, self.windows = self.make_subject(), []

    def ask_subject(self, name: str, arguments: Sequence[Any]) -> tuple[Any, list[Event]]:
        """What a method of the subject returns, and calls of host functions meanwhile."""
        result = getattr(self.subject, name)(*arguments)
        events = list(self.subject.trace)
        self.subject.trace.clear()
        return result, events

    def memories(self, keys: Sequence[Key]) -> list[int]:
        """Sizes of memories in bytes."""
        self.windows = self.subject.memories(keys)
        return [window.size_bytes for window in self.windows]

    def read(self, index: int, start: int, end: int) -> bytes:
        """A range of one of them."""
        return self.windows[index].read(start, end)

    def fuel(self) -> int | None:
        """Fuel of the store."""
        return self.subject.store.fuel

    def refuel(self, units: int) -> None:
        """Set it."""
        self.subject.store.fuel = units


def main() -> None:
    """Answer requests until standard input ends; whatever prints does so to standard error."""
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # which ends the process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    far = Far()
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, TIMEOUT_SECONDS)
        answer = getattr(far, name)(*arguments)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
