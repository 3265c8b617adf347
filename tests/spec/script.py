"""Runs one converted script of the spec suite over the public API, command by command, one store for the script."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wasmartifact as wa
from tests.spec import spectest
from tests.spec.values import SLOTS, Json, matches, python_to_slots, to_python, to_slots

#: The error class that each assertion about a module asks for.
MODULE_ERRORS: dict[str, type[wa.WasmArtifactError]] = {
    "assert_malformed": wa.MalformedModule,
    "assert_invalid": wa.InvalidModule,
    "assert_unlinkable": wa.UnlinkableModule,
    "assert_uninstantiable": wa.Trap,
}
PASSED, FAILED, EXPECTED = "passed", "failed", "expected"


@dataclass(frozen=True)
class Outcome:
    """Result of one command; ``detail`` says why it failed, or names the feature that an expected failure needs."""

    line: int
    command: str
    result: str
    detail: str = ""


class Failure(Exception):
    """The command did not do what the script says."""


@dataclass(frozen=True)
class Missing:
    """Stands for an artifact or an instance that does not exist because of an earlier failure."""

    error: Failure

    def use(self) -> None:
        """Raise what made it missing."""
        raise self.error


@dataclass
class Packer:
    """Packs modules into a directory, each content once for the run."""

    directory: Path
    opt_level: int = 0
    cpu: str = "baseline"

    def pack(self, source: Path) -> wa.Artifact:
        """Load the artifact of a .wasm or .wat file, packing it first if need be."""
        text = source.suffix == ".wat"
        key = hashlib.sha256(source.read_bytes()).hexdigest()[:32] + ("t" if text else "b")
        output = self.directory / f"{key}.so"
        if not output.exists():
            wa.pack(source, output, opt_level=self.opt_level, cpu=self.cpu.split(","), jobs=1)
        return wa.load(output)


@dataclass
class Script:
    """State of a running script: definitions and instances by name, the last instance, the registered modules."""

    directory: Path
    packer: Packer
    store: wa.Store = field(default_factory=wa.Store)
    definitions: dict[str | None, Any] = field(default_factory=dict)
    instances: dict[str | None, Any] = field(default_factory=dict)
    registered: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table64 = self.packer.pack(Path(__file__).with_name("table64.wat")).instantiate(store=self.store)
        self.registered["spectest"] = {**spectest.namespace(), **table64.exports}

    def run(self, commands: list[Json]) -> Iterator[Outcome]:
        """Run the commands in order. A defect of ours shows as a failed command, never as an exception."""
        for command in commands:
            line, kind = command["line"], command["type"]
            try:
                getattr(self, f"_{kind}")(command)
                yield Outcome(line, kind, PASSED)
            except Exception as error:
                yield Outcome(line, kind, FAILED, f"{type(error).__name__}: {error}")

    # ---- modules

    def _load(self, command: Json) -> wa.Artifact:
        return self.packer.pack(self.directory / command["filename"])

    def _instantiate(self, artifact: wa.Artifact) -> wa.Instance:
        for entry in artifact.metadata.imports:
            namespace = self.registered.get(entry.module)
            if isinstance(namespace, Missing):
                namespace.use()
        return artifact.instantiate(self.registered, store=self.store)

    def _module(self, command: Json) -> None:
        self._define(self.instances, command.get("name"), lambda: self._instantiate(self._load(command)))

    def _module_definition(self, command: Json) -> None:
        self._define(self.definitions, command.get("name"), lambda: self._load(command))

    def _module_instance(self, command: Json) -> None:
        def make() -> wa.Instance:
            return self._instantiate(self._present(self.definitions, command.get("module")))

        self._define(self.instances, command.get("instance"), make)

    def _define(self, where: dict[str | None, Any], name: str | None, make: Callable[[], Any]) -> None:
        """Store what ``make`` returns as the last one and under its name; on failure, remember why it is missing."""
        error = None
        try:
            made = make()
        except Exception as caught:
            error = caught
            made = Missing(Failure(f"the module is missing: {error}"))
        where[None] = made
        if name is not None:
            where[name] = made
        if error is not None:
            raise error

    def _present(self, where: dict[str | None, Any], name: str | None) -> Any:
        found = where.get(name)
        if isinstance(found, Missing):
            found.use()
        if found is None:
            raise Failure(f"no module {name}")
        return found

    def _register(self, command: Json) -> None:
        try:
            self.registered[command["as"]] = self._present(self.instances, command.get("name")).exports
        except Failure as error:
            self.registered[command["as"]] = Missing(error)
            raise

    def _assert_malformed(self, command: Json) -> None:
        self._expect_module_error(command, instantiate=False)

    def _assert_invalid(self, command: Json) -> None:
        self._expect_module_error(command, instantiate=False)

    def _assert_unlinkable(self, command: Json) -> None:
        self._expect_module_error(command, instantiate=True)

    def _assert_uninstantiable(self, command: Json) -> None:
        self._expect_module_error(command, instantiate=True)

    def _expect_module_error(self, command: Json, *, instantiate: bool) -> None:
        wanted = MODULE_ERRORS[command["type"]]
        try:
            artifact = self._load(command)
            if instantiate:
                self._instantiate(artifact)
        except wanted as error:
            # Wording of the reference interpreter binds for traps only; for modules the class and the place matter.
            if isinstance(error, wa.Trap):
                _check_message(error, command["text"])
            return
        raise Failure(f"no {wanted.__name__}: {command['text']}")

    # ---- actions

    def _act(self, action: Json) -> tuple[list[str], list[Any]]:
        """Perform an action: result types, and results as slots (numbers, vectors) or objects (references)."""
        exports = self._present(self.instances, action.get("module")).exports
        export = exports[action["field"]]
        if action["type"] == "get":
            kind = str(export.type.type)
            return [kind], [python_to_slots(kind, export.value) if kind in SLOTS else export.value]
        params, results = ([str(entry) for entry in part] for part in (export.type.params, export.type.results))
        if all(kind in SLOTS for kind in (*params, *results)):
            slots = export.call_bits([slot for value in action["args"] for slot in to_slots(value)])
            return results, list(_split(results, slots))
        returned = export(*map(to_python, action["args"]))
        values = [] if not results else [returned] if len(results) == 1 else list(returned)
        return results, [
            python_to_slots(kind, value) if kind in SLOTS else value
            for kind, value in zip(results, values, strict=True)
        ]

    def _action(self, command: Json) -> None:
        self._act(command["action"])

    def _assert_return(self, command: Json) -> None:
        kinds, actual = self._act(command["action"])
        expected = command["expected"]
        if len(expected) != len(actual) or not all(map(matches, expected, kinds, actual)):
            raise Failure(f"{command['action']['field']} returned {actual}, expected {expected}")

    def _assert_trap(self, command: Json) -> None:
        try:
            _, actual = self._act(command["action"])
        except wa.Trap as error:
            _check_message(error, command["text"])
            return
        raise Failure(f"{command['action']['field']} returned {actual}, expected the trap {command['text']!r}")

    _assert_exhaustion = _assert_trap

    def _assert_exception(self, command: Json) -> None:
        try:
            _, actual = self._act(command["action"])
        except wa.WasmException:
            return
        raise Failure(f"{command['action']['field']} returned {actual}, expected an exception")


def _split(kinds: list[str], slots: list[int]) -> Iterator[list[int]]:
    start = 0
    for kind in kinds:
        yield slots[start : start + SLOTS[kind]]
        start += SLOTS[kind]


def _check_message(error: wa.Trap, text: str) -> None:
    # Scripts give a prefix, or our message with more (`uninitialized element 2`).
    if not error.message.startswith(text) and not text.startswith(error.message):
        raise Failure(f"trap {error.message!r}, expected {text!r}")


def run_script(converted: Path, packer: Packer) -> list[Outcome]:
    """Run a script that ``wasm-tools json-from-wast`` converted; its modules lie beside the JSON file."""
    commands = json.loads(converted.read_text())["commands"]
    return list(Script(converted.parent, packer).run(commands))
