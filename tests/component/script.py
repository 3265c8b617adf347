"""Runs one converted script of the component model's test suite over the public API, command by command."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import wasmartifact as wa
from tests.spec.script import EXPECTED, FAILED, PASSED, Failure, Outcome
from tests.spec.values import Json

#: What is asynchronous or not to be had before it runs, and refused by its name.
UNSUPPORTED: frozenset[str] = frozenset({
    "component-async", "streams", "futures", "error-context", "component-gc", "component-imports", "fixed-length-lists",
    "component-reexports", "gc", "component-values",
})  # fmt: skip
#: The suite does not tell what breaks the binary format from what breaks another rule.
ERRORS = (wa.MalformedModule, wa.InvalidModule)


@dataclass
class Script:
    """State of a running script: definitions and instances by name, and the last instance."""

    directory: Path
    artifacts: Path
    opt_level: int = 0
    definitions: dict[str | None, Any] = field(default_factory=dict)
    instances: dict[str | None, Any] = field(default_factory=dict)

    def run(self, script: Path) -> Iterator[Outcome]:
        """Outcomes of all commands."""
        for command in json.loads(script.read_text())["commands"]:
            kind, line = command["type"], command["line"]
            try:
                getattr(self, f"do_{kind}")(command)
            except wa.UnsupportedModule as problem:
                feature: str = getattr(problem, "feature", "")
                yield Outcome(line, kind, EXPECTED if feature in UNSUPPORTED else FAILED, feature)
                self._forget(command, problem)
            except Exception as problem:
                yield Outcome(line, kind, FAILED, f"{type(problem).__name__}: {problem}")
                self._forget(command, problem)
            else:
                yield Outcome(line, kind, PASSED)

    def _forget(self, command: Json, problem: Exception) -> None:
        """What needs a component that is not there has its problem."""
        if command["type"] == "module_definition":
            self.definitions[command.get("name")] = problem
        elif command["type"] in ("module", "module_instance"):
            self.instances[command.get("name") or command.get("instance")] = self.instances[None] = problem

    def pack(self, command: Json) -> wa.Artifact:
        """Pack and load what a command names."""
        source = self.directory / command["filename"]
        contents = source.read_bytes()
        key = hashlib.sha256(contents).hexdigest()[:32]
        output = self.artifacts / f"{key}{source.suffix}.so"
        if not output.exists():
            wa.pack(source, output, opt_level=self.opt_level, jobs=1)
        return wa.load(output)

    def do_module(self, command: Json) -> None:
        """A component that is defined and instantiated."""
        artifact = self.pack(command)
        self.instances[command.get("name")] = self.instances[None] = artifact.instantiate()

    def do_module_definition(self, command: Json) -> None:
        """A component that is defined."""
        self.definitions[command.get("name")] = self.definitions[None] = self.pack(command)

    def do_module_instance(self, command: Json) -> None:
        """A component that was defined is instantiated."""
        artifact = self.definitions[command.get("module")]
        if isinstance(artifact, Exception):
            raise artifact
        self.instances[command.get("instance")] = self.instances[None] = artifact.instantiate()

    def do_assert_invalid(self, command: Json) -> None:
        """A component that does not validate, or is malformed."""
        try:
            wa.pack(self.directory / command["filename"], self.artifacts / "never.so", opt_level=0, jobs=1)
        except ERRORS:
            return
        except wa.UnsupportedModule as problem:
            raise Failure(f"refused as unsupported ({problem}), expected: {command['text']}") from problem
        raise Failure(f"packed, expected: {command['text']}")

    do_assert_malformed = do_assert_invalid

    def invoke(self, action: Json) -> Any:
        """The result of a call; the bad one of a result is an Err."""
        instance = self.instances[action.get("module")]
        if isinstance(instance, Exception):
            raise instance
        arguments = [from_json(value) for value in action["args"]]
        try:
            return instance[action["field"]](*arguments)
        except wa.Err as problem:
            return problem

    def do_assert_return(self, command: Json) -> None:
        """A call that gives a value."""
        found = self.invoke(command["action"])
        expected = command["expected"]
        if len(expected) == 1 and not matches(expected[0], found, outermost=True):
            raise Failure(f"found {found!r}, expected {expected[0]}")
        if not expected and found is not None:
            raise Failure(f"found {found!r}, expected nothing")

    def do_assert_trap(self, command: Json) -> None:
        """A call that traps, or a component whose start does."""
        try:
            found = self.invoke(command["action"]) if "action" in command else self.pack(command).instantiate()
        except wa.Trap as trap:
            if not agrees(str(trap), command["text"]):
                raise Failure(f"trapped with {trap}, expected {command['text']}") from trap
            return
        raise Failure(f"returned {found!r}, expected a trap: {command['text']}")

    do_assert_uninstantiable = do_assert_trap


def agrees(found: str, expected: str) -> bool:
    """Whether messages mean the same: details of the expected one aside, such as which handle it was."""
    expected = expected.removeprefix("wasm trap: ")
    if expected.startswith("unknown handle index"):
        expected = "unknown handle index"
    if expected.startswith("handle index"):
        expected = "used with the wrong type"
    return expected in found or (expected.startswith("wasm `unreachable`") and "unreachable" in found)


def from_json(value: Json) -> Any:
    """The Python value of a script's value."""
    kind: str = value["type"]
    payload: Any = value.get("value")
    if kind in ("f32", "f64"):
        code = {"f32": "I", "f64": "Q"}[kind]
        return struct.unpack(code.translate({73: "f", 81: "d"}), struct.pack(code, int(payload)))[0]
    if kind in ("bool", "char", "string", "enum", "flags"):
        return payload
    if kind == "list":
        return [from_json(item) for item in payload]
    if kind == "tuple":
        return tuple(from_json(item) for item in payload)
    if kind == "record":
        return {name: from_json(item) for name, item in payload}
    if kind == "variant":
        return payload["case"], from_json(payload["payload"]) if payload.get("payload") else None
    if kind == "option":
        return None if payload is None else from_json(payload)
    if kind == "result":
        ((case, item),) = payload.items()
        return {"Ok": wa.Ok, "Err": wa.Err}[case](None if item is None else from_json(item))
    return int(payload)


def matches(expected: Json, found: Any, *, outermost: bool = False) -> bool:
    """Whether a Python value is the one that a script expects."""
    kind: str = expected["type"]
    payload: Any = expected.get("value")
    if kind == "list":
        items = list(found)
        return len(items) == len(payload) and all(map(matches, payload, items))
    if kind == "tuple":
        return isinstance(found, tuple) and len(found) == len(payload) and all(map(matches, payload, found))
    if kind == "record":
        return len(found) == len(payload) and all(
            matches(item, getattr(found, name.replace("-", "_"))) for name, item in payload
        )
    if kind == "variant":
        item = payload.get("payload")
        return found.case == payload["case"] and (found.value is None if item is None else matches(item, found.value))
    if kind == "enum":
        return isinstance(found, Enum) and found == payload
    if kind == "flags":
        return {flag.name.lower().replace("_", "-") for flag in found} == set(payload)
    if kind == "option":
        return found is None if payload is None else matches(payload, found)
    if kind == "result":
        ((case, item),) = payload.items()
        if isinstance(found, (wa.Ok, wa.Err)):
            if case != type(found).__name__:
                return False
            found = found.value
        elif not outermost or case != "Ok":
            return False
        return found is None if item is None else matches(item, found)
    wanted = from_json(expected)
    return type(found) is type(wanted) and bool(found == wanted)
