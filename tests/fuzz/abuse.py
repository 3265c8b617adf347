"""Uses a lying artifact in every way, and looks whether anything else in the process has suffered.

The promise: with code as it was packed, whatever the metadata says, nothing ends but in an exception that the
documentation knows, and no memory changes that is not the artifact's. Witnesses are honest instances of the same module
and of others, which must behave and hold what they did, and patterns in the heap beside what the runtime allocates.
"""

from __future__ import annotations

import gc
import math
import mmap
import os
import random
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from tests.fuzz.damaged import FILE_ERRORS, Finding, describe_file
from tests.fuzz.forge import Artifact
from tests.fuzz.honest import LINKED, Host
from tests.fuzz.honest_components import component_imports, exercise_component, state_of
from wasmartifact.cli.summary import describe

#: What a use may end in.
USE_ERRORS: Final = (
    wa.WasmArtifactError, TypeError, ValueError, OverflowError, LookupError, AttributeError, RecursionError,
    MemoryError, NotImplementedError,
)  # fmt: skip
#: A lie must not make the process grow by more.
GROWTH_BYTES: Final = 1 << 29
#: Of so many lies the metadata is read from end to end; so many are mixed with honest instances, linked twice, followed
#: by a run of an honest twin. Each takes longer than the use itself, and a fault shows in more than one lie.
LOOK_SHARE: Final = 0.1
MIX_SHARE: Final = 0.4
LINK_SHARE: Final = 0.2
TWIN_SHARE: Final = 0.4
#: After so many lies it is checked that all artifacts were let go.
LEAK_CHECK: Final = 50

_INTEGERS: Final = (0, 1, 2, 3, 5, -1, 65528, 1 << 20, 0x7FFFFFF0, -0x80000000)
_ODD: Final[Mapping[str, tuple[Any, ...]]] = {
    "i32": _INTEGERS,
    "i64": (*_INTEGERS, 0x4141414141414140, -(1 << 63)),
    "f32": (0.0, math.inf, -1.5),
    "f64": (0.0, math.nan, 1e300),
    "v128": (bytes(16), bytes(range(16))),
}
_CANARY_BYTES: Final = (24, 56, 104, 200, 328, 500, 1000, 1900, 3300, 6600)
_PATTERN: Final = 0x5A
_PAGES_BYTES: Final = 1 << 16


class Courtroom:
    """Sound artifacts and what they do when nobody lies; one for a process.

    Parameters
    ----------
    artifacts : mapping
        All sound artifacts by name.
    directory : Path
        Where lying ones are written.
    """

    def __init__(self, artifacts: Mapping[str, Artifact], directory: Path) -> None:
        self.directory = directory
        self.honest = {name: wa.load(artifact.data) for name, artifact in artifacts.items()}
        self.worlds = {name: one.types for name, one in self.honest.items() if isinstance(one, wa.Component)}
        self.needs = {name: [row.name for row in one.metadata.imports] for name, one in self.honest.items()}
        self.expected = {name: self._behaviour(name) for name in artifacts}
        self.lies = 0
        gc.freeze()

    def try_lie(self, artifact: Artifact, data: bytes, rng: random.Random) -> str:
        """What became of a lying artifact. Raises Finding where the promise is broken."""
        peak = _peak_bytes()
        outcome = self._abuse_among_victims(artifact.name, data, rng)
        if rng.random() < TWIN_SHARE and self._behaviour(artifact.name) != self.expected[artifact.name]:
            raise Finding(f"an honest {artifact.name} behaves otherwise than before: {self._difference(artifact.name)}")
        if _peak_bytes() - peak > GROWTH_BYTES:
            raise Finding(f"the process grew by {(_peak_bytes() - peak) >> 20} MiB")
        self.lies += 1
        if self.lies % LEAK_CHECK == 0:
            self._check_leaks()
        return outcome

    def _abuse_among_victims(self, name: str, data: bytes, rng: random.Random) -> str:
        """Use the liar, and look whether honest instances and the heap are what they were."""
        canaries = _Canaries()
        victims = {victim: self._instantiate(victim)[0] for victim in dict.fromkeys((name, "exporter"))}
        before = {victim: self._state(victim, instance) for victim, instance in victims.items()}
        outcome = self._abuse(name, data, victims["exporter"], rng)
        gc.collect()
        canaries.check()
        for victim, instance in victims.items():
            # An importer that lies may write to what it shares with the exporter.
            if self._state(victim, instance) != before[victim] and not (victim == "exporter" and name in LINKED):
                raise Finding(f"an honest instance of {victim} holds something else than before")
        return outcome

    # ---- honest ones

    def _instantiate(self, name: str, **given: Any) -> tuple[wa.Instance, Host]:
        """A fresh honest instance with fresh imports, or those that are given."""
        host = self._host(name)
        host.namespace |= given
        imports = self._imports(name, host)
        if name in LINKED:
            imports["other"] = self._instantiate(LINKED[name])[0].exports
        return self.honest[name].instantiate(imports), host

    def _host(self, name: str) -> Host:
        return Host(() if name in self.worlds else self.needs[name])

    def _imports(self, name: str, host: Host) -> dict[str, Any]:
        return component_imports() if name in self.worlds else host.imports

    def _exercise(self, name: str, instance: Any, host: Host, rng: random.Random, calls: int = 2) -> Iterator[str]:
        """Use all that an instance exports, honest or not."""
        if name in self.worlds:
            return exercise_component(instance, self.worlds[name], rng, _outcome, calls)
        return exercise(instance.exports, host, rng, calls=calls)

    def _state(self, name: str, instance: Any) -> list[Any]:
        if name in self.worlds:
            return state_of(instance, self.worlds[name], _outcome)
        return _state(instance.exports)

    def _behaviour(self, name: str) -> list[str]:
        instance, host = self._instantiate(name)
        return list(self._exercise(name, instance, host, random.Random(name), calls=1))

    def _difference(self, name: str) -> str:
        pairs = zip(self._behaviour(name), self.expected[name], strict=False)
        return next((f"{found}, not {wanted}" for found, wanted in pairs if found != wanted), "more or fewer outcomes")

    # ---- the liar

    def _abuse(self, name: str, data: bytes, exporter: wa.Instance, rng: random.Random) -> str:
        path = self.directory / "lying.so"
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        if rng.random() < LOOK_SHARE:
            for look in (partial(describe_file, path), partial(wa.verify, path)):
                with suppress(*FILE_ERRORS):
                    look()
        try:
            liar = wa.load(path)
        except FILE_ERRORS as error:
            return f"load: {type(error).__name__}"
        if rng.random() < LOOK_SHARE:
            with suppress(*FILE_ERRORS):
                describe(liar.metadata)
        host = self._host(name)
        imports = self._imports(name, host)
        if name in LINKED:
            imports["other"] = (exporter if rng.random() < 0.5 else self._instantiate(LINKED[name])[0]).exports
        try:
            instance = liar.instantiate(imports)
        except USE_ERRORS as error:
            return f"instantiate: {type(error).__name__}"
        pages = _Pages()
        for _ in self._exercise(name, instance, host, rng):
            pass
        if rng.random() < LOOK_SHARE:  # it ends in an error, or gives a file that may lie as well
            with suppress(*FILE_ERRORS, *USE_ERRORS):
                wa.snapshot(instance, self.directory / "lying_on.so")
        if name in self.worlds:
            pages.check()
            return "used"
        if rng.random() < MIX_SHARE:
            self._mix(instance.exports, name, rng)
        if rng.random() < LINK_SHARE:
            self._link(liar, name, rng)
        pages.check()
        return "used"

    def _mix(self, exports: wa.Exports, name: str, rng: random.Random) -> None:
        """What a liar exports goes to honest instances: its functions into a table, all of it as imports."""
        given = dict(_items(exports))
        victim, host = self._instantiate("tables")
        for func in given.values():
            if isinstance(func, wa.Func):
                _outcome(partial(victim.exports.funcs.__setitem__, 5, func))
                _outcome(partial(victim.exports.indirect, 5))
                _outcome(partial(victim.exports.nullary, 5))
                _outcome(partial(victim.exports.set, 6, func))
                _outcome(partial(victim.exports.indirect, 6))
        importers = [
            other for other, one in self.honest.items() if len(one.metadata.imports) and other not in self.worlds
        ]
        chosen = rng.choice(importers)
        with suppress(*USE_ERRORS):
            if chosen in LINKED and name == LINKED[chosen]:
                instance = self.honest[chosen].instantiate({"other": exports})
            else:
                own = Host(self.needs[chosen]).namespace
                lent = {
                    key: rng.choice(alike)
                    for key, value in own.items()
                    if (alike := [one for one in given.values() if type(one) is type(value)]) and rng.random() < 0.7
                }
                instance, host = self._instantiate(chosen, **lent)
            for _ in exercise(instance.exports, host, rng, calls=1):
                pass

    def _link(self, liar: wa.Artifact, name: str, rng: random.Random) -> None:
        """Linked once for two instances, which know nothing of each other."""
        host = Host(self.needs[name])
        with suppress(*USE_ERRORS):
            imports = host.imports
            if name in LINKED:
                imports["other"] = self._instantiate("exporter")[0].exports
            linked = liar.link(imports)
            for instance in (linked.instantiate(), linked.instantiate()):
                for _ in exercise(instance.exports, host, rng, calls=1):
                    pass

    def _check_leaks(self) -> None:
        for _ in range(3):  # what a finaliser lets go of may be part of a cycle, too
            gc.collect()
        mapped = Path("/proc/self/maps").read_text().count("lying.so")
        opened = sum("lying.so" in _target(entry) for entry in os.listdir("/proc/self/fd"))
        if mapped or opened:
            raise Finding(f"not let go: {mapped} mappings, {opened} descriptors")


def exercise(exports: wa.Exports, host: Host, rng: random.Random, *, calls: int = 2) -> Iterator[str]:
    """Use all exports; yields what came of each use. ``rng`` chooses the arguments."""
    names = [name for name, _ in _items(exports)]
    depth = 0

    def reenter() -> None:
        """A host function calls the guest again, though not for ever."""
        nonlocal depth
        if names and depth < 2:
            depth += 1
            try:
                value = exports[names[depth % len(names)]]
                if isinstance(value, wa.Func):
                    value(*_arguments(value.type.params, 0))
            finally:
                depth -= 1

    for name in names:
        found: list[Any] = []
        yield f"{name}: {_outcome(partial(_look_up, exports, name, found))}"
        with suppress(*USE_ERRORS):  # a type that can't be told
            for use in _uses(found[0], host, rng, calls) if found else ():
                host.reenter = reenter if rng.random() < 0.2 else None
                yield f"{name}: {_outcome(use)}"
    host.reenter = host.thrown = None


def _items(exports: wa.Exports) -> Iterator[tuple[str, Any]]:
    """All that can be had of the exports."""
    try:
        names = list(exports)
    except USE_ERRORS:
        return
    for name in names:
        with suppress(*USE_ERRORS):
            yield name, exports[name]


def _look_up(exports: wa.Exports, name: str, found: list[Any]) -> None:
    found.append(exports[name])


def _uses(value: Any, host: Host, rng: random.Random, calls: int) -> Iterator[Callable[[], Any]]:
    """Ways to use an export."""
    yield lambda: str(value.type)
    if isinstance(value, wa.Func):
        params = value.type.params
        for _ in range(calls):
            yield partial(value, *_arguments(params, rng.randrange(1 << 16)))
        slots = sum(2 if param == "v128" else 1 for param in params)
        if all(param in _ODD for param in params):
            yield lambda: value.call_bits([rng.randrange(3)] * slots)
    elif isinstance(value, wa.Global):
        yield lambda: value.value
        kind = value.type.type
        for new in _choices(kind):
            yield partial(setattr, value, "value", new)
            yield lambda: value.value
    elif isinstance(value, wa.Table):
        yield from _table_uses(value)
    elif isinstance(value, wa.Memory):
        yield from _memory_uses(value)
    elif isinstance(value, wa.Tag):

        def throw() -> Any:
            host.thrown = wa.WasmException(value, _arguments(value.params, 1))
            return host.thrown.values

        yield throw


def _table_uses(table: wa.Table) -> Iterator[Callable[[], Any]]:
    yield lambda: len(table)
    for index in (0, 1, 2, 3, 4, 5, 11, 4000, -1):
        yield partial(table.__getitem__, index)
    for new in _choices(str(table.type.element)):
        yield partial(table.__setitem__, 0, new)
    yield lambda: table[0]
    yield lambda: table.grow(1)
    yield lambda: table[len(table) - 1]


def _memory_uses(memory: wa.Memory) -> Iterator[Callable[[], Any]]:
    yield lambda: memory.size_bytes
    yield lambda: memory[0:16]
    yield lambda: memory[memory.size_bytes - 16 : memory.size_bytes]
    yield lambda: memory.__setitem__(slice(8, 12), b"host")
    yield lambda: memory.__setitem__(memory.size_bytes - 1, 7)
    yield lambda: memory.read_cstring(16)
    yield lambda: memory.grow(1)
    yield lambda: bytes(memoryview(memory)[-8:])


def _choices(kind: str) -> tuple[Any, ...]:
    """Values to write; for references also some that may not fit."""
    return _ODD.get(kind) or (_THING, _HOST_FUNC, None)


class _Thing:
    """An external reference."""


_THING: Final = _Thing()
_HOST_FUNC: Final = wa.Func(lambda: 7, params=[], results=["i64"])


def _arguments(params: tuple[str, ...], number: int) -> list[Any]:
    """Odd ones of each type; the number says which."""
    pools = (_ODD.get(param) or ((None, _THING) if param == "externref" else (None, _HOST_FUNC)) for param in params)
    return [pool[(number >> index % 8) % len(pool)] for index, pool in enumerate(pools)]


def _outcome(action: Callable[[], Any]) -> str:
    """What came of a use, in words that are the same whenever it is."""
    try:
        return _words(action())
    except wa.Trap as trap:
        return f"Trap {trap.code} {[(frame.func_name, frame.wasm_offset) for frame in trap.frames][:8]}"
    except wa.WasmException as raised:
        return f"WasmException {_words(raised.values)}"
    except USE_ERRORS as error:
        return type(error).__name__


def _words(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_words, value))})"
    if isinstance(value, wa.Func):
        return f"Func {value.type}"
    if isinstance(value, int | float | bytes | str | None):
        return repr(value)
    return type(value).__name__


# ---- witnesses


def _state(exports: wa.Exports) -> list[Any]:
    """All values of all exported globals, tables and memories."""
    found: list[Any] = []
    for value in exports.values():
        if isinstance(value, wa.Global):
            found.append(_words(value.value))
        elif isinstance(value, wa.Table):
            found.append([_words(value[index]) for index in range(min(len(value), 32))])
        elif isinstance(value, wa.Memory):
            found.append(hash(value[0 : value.size_bytes]))
    return found


class _Canaries:
    """Patterns in the heap; between them are holes, where the runtime's own allocations go."""

    def __init__(self) -> None:
        made = [bytearray([_PATTERN]) * size_bytes for size_bytes in _CANARY_BYTES for _ in range(6)]
        self.kept = made[::2]

    def check(self) -> None:
        """Raises Finding where one has changed."""
        for kept in self.kept:
            if kept.count(_PATTERN) != len(kept):
                raise Finding(f"a host buffer of {len(kept)} bytes was written to")


class _Pages:
    """Pages with a pattern, mapped after an instance was made: beside what it has mapped."""

    def __init__(self) -> None:
        self.mapping = mmap.mmap(-1, _PAGES_BYTES)
        self.mapping[:] = bytes([_PATTERN]) * _PAGES_BYTES

    def check(self) -> None:
        """Raises Finding where one has changed; else unmaps them."""
        if bytes(self.mapping).count(_PATTERN) != _PAGES_BYTES:
            raise Finding("pages of the host were written to")
        self.mapping.close()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _target(entry: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{entry}")
    except FileNotFoundError:  # the descriptor that listed the directory
        return ""
