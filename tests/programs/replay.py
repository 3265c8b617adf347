"""Plays the host of a recorded run: a guest must say to it what it said under node, and is answered what it was there.

`javascript/record.mjs` makes the recordings. An event is a list: "c", the number of an import, arguments: the guest
calls; "r", result, or "t", value: that call returns or throws; "e", the name of an export, arguments: the host calls;
"R" and "T" end that. Between a call and its end stand the calls that were made meanwhile. Objects and functions are
{"o": number}, by the order in which they were met, whoever made them; 0 is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import wasmartifact as wa
from wasmartifact import jsstring

UNDEFINED: Final = {"o": 0}


class Foreign:
    """An object of the host: the guest can only hand it about."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"<object {self.number} of the host>"


def is_number(found: Any, expected: float) -> bool:
    """Whether it is this very one: NaN is, and zero by its sign."""
    is_same = found == expected and math.copysign(1, found) == math.copysign(1, expected)
    return is_same or (math.isnan(expected) and math.isnan(found))


class Replay:
    """A run of a module against a recording.

    Parameters
    ----------
    artifact : Artifact
        The module.
    events : Iterator
        The recording.
    given : Mapping
        By module and name: imports that are no functions, and functions that do in Python what they do to the guest's
        memory; they get the instance first, and give what the recording has.
    constants : str | None
        The module of its string constants.
    """

    def __init__(
        self,
        artifact: wa.Artifact,
        events: Iterator[list[Any]],
        given: Mapping[tuple[str, str], Any],
        constants: str | None,
    ) -> None:
        self.count = 0  # of the events so far
        self._events = events
        self._tag = wa.Tag(["externref"])
        self._objects: dict[int, Any] = {0: Foreign(0)}
        self._problems: dict[int, wa.WasmException] = {}
        self._given = given
        imports: dict[str, Any] = dict(jsstring.imports(constants))
        for index, row in enumerate(artifact.metadata.imports):
            if row.module not in (jsstring.MODULE, constants):
                value: Any = self._tag if row.kind == "tag" else given.get((row.module, row.name))
                if isinstance(row.type, wa.FuncType):
                    value = self._function(index, row.name, row.type.results, value)
                imports.setdefault(row.module, {}).setdefault(row.name, value)  # some names have several types
        self._imports = imports
        self._artifact = artifact

    def run(self) -> wa.Instance:
        """Instantiate, and make all the calls of the recording."""
        self.instance = self._artifact.instantiate(self._imports)
        for event in self._next_events():
            self._call_guest(event)
        return self.instance

    def _next(self) -> list[Any]:
        event = next(self._events)
        self.count += 1
        return event

    def _next_events(self) -> Iterator[list[Any]]:
        while True:
            try:
                yield self._next()
            except StopIteration:
                return

    def _function(
        self, index: int, name: str, results: tuple[str, ...], own: Callable[..., Any] | None
    ) -> Callable[..., Any]:
        """What the guest finds at an import."""

        def call(*arguments: Any) -> Any:
            kind, number, recorded = self._next()
            assert (kind, number) == ("c", index), f"event {self.count}: {name}, recorded: {kind} {number} {recorded}"
            self._expect(name, recorded, arguments)
            found = None if own is None else own(self.instance, *arguments)
            while (event := self._next())[0] == "e":
                self._call_guest(event)
            if event[0] == "t":
                self._throw(event[1])
            if own is not None:
                self._expect(name, [event[1]], [self._result(found, event[1])])
                return found
            value: Any = self._taken(event[1]) if results else None
            return float(value) if results[:1] in (("f64",), ("f32",)) else value

        return call

    def _call_guest(self, event: list[Any]) -> None:
        kind, name, arguments = event
        assert kind == "e", f"event {self.count}: {event} outside of a call"
        problem: wa.WasmException | None = None
        found: Any = None
        try:
            found = self.instance.exports[name](*map(self._taken, arguments))
        except wa.WasmException as thrown:
            problem = thrown
        kind, recorded = self._next()
        words = f"event {self.count} of {name}: {problem or found}, recorded: {kind} {recorded}"
        assert kind == ("R" if problem is None else "T"), words
        if problem is None:
            self._expect(name, [recorded], [self._result(found, recorded)])
        elif problem.tag == self._tag:
            self._expect(name, [recorded], problem.values)
        else:
            self._problems[recorded["o"]] = problem

    def _throw(self, recorded: Any) -> None:
        if isinstance(recorded, dict) and recorded.get("o") in self._problems:
            raise self._problems[recorded["o"]]
        raise wa.WasmException(self._tag, [self._taken(recorded)])

    # ---- values

    def _result(self, found: Any, recorded: Any) -> Any:
        """What a function without results returns: undefined, under node."""
        return self._objects[0] if found is None and recorded == UNDEFINED else found

    def _taken(self, recorded: Any) -> Any:
        """The value that the host gives."""
        if isinstance(recorded, dict):
            if "n" in recorded:
                return float(recorded["n"])
            if "b" in recorded:
                return int(recorded["b"])
            return self._objects.setdefault(recorded["o"], Foreign(recorded["o"]))
        return recorded

    def _expect(self, name: str, recorded: list[Any], found: Any) -> None:
        """Compare what the guest gives, and learn its objects."""
        assert len(recorded) == len(found), f"event {self.count} of {name}: {found}, recorded: {recorded}"
        for one, value in zip(recorded, found, strict=True):
            if isinstance(one, dict) and "o" in one:
                is_same = self._objects.setdefault(one["o"], value) == value
            else:
                expected = self._taken(one)
                is_same = is_number(value, expected) if isinstance(expected, float) else expected == value
            assert is_same, f"event {self.count} of {name}: {found}, recorded: {recorded}"
