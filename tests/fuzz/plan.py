"""What a test does with a module: the imports that it gives, and the calls that it makes.

Everything follows from the seed and the name of the import or export at hand, so that a module which was made smaller
is still treated alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from tests.fuzz.sections import FUEL_NAME, GLOBAL_PREFIX
from tests.fuzz.shape import LINK_MODULE, GlobalType, Import, MemoryType, Shape, TableType, TagType
from tests.fuzz.values import (
    EXTERN_POOL,
    NUMBERS,
    REFERENCES,
    ExportedFunc,
    HostFunc,
    Signature,
    Value,
    interesting,
    quieted,
)

#: Calls of every exported function at most, and of all of them together where these are few enough.
CALLS_PER_FUNCTION: Final = 4
MAX_CALLS: Final = 100
#: Fuel for a call: loop iterations and wasm-to-wasm calls.
FUEL: Final = (8, 100, 1000)
#: One in so many modules gets an import of another type than it asks for.
WRONG_IMPORT: Final = 40


@dataclass(frozen=True)
class HostMemory:
    """A memory that starts with these bytes."""

    type: MemoryType
    contents: bytes


@dataclass(frozen=True)
class HostTable:
    """A table that starts with these elements."""

    type: TableType
    elements: tuple[Value, ...]


@dataclass(frozen=True)
class HostGlobal:
    """A global."""

    type: GlobalType
    value: Value


@dataclass(frozen=True)
class HostTag:
    """A tag; equal labels and types are one tag."""

    label: str
    type: TagType


@dataclass(frozen=True)
class Linked:
    """What the first module of a pair exports under this name."""

    name: str


HostObject = HostFunc | HostMemory | HostTable | HostGlobal | HostTag
Given = HostObject | Linked


@dataclass(frozen=True)
class Call:
    """A call of an export. ``raw`` passes numbers as bit patterns; else they go as Python numbers."""

    module: int
    name: str
    signature: Signature
    arguments: tuple[Value, ...]
    raw: bool
    fuel: int


@dataclass(frozen=True)
class Plan:
    """The whole test of a module or a pair: imports of each, then calls."""

    imports: tuple[tuple[Given, ...], ...]
    calls: tuple[Call, ...]


def make_plan(seed: str, shapes: Sequence[Shape]) -> Plan:
    """The plan for modules of these shapes."""
    rng = random.Random(f"{seed}/link")
    imports = []
    for shape in shapes:
        signatures = sorted({type_ for type_ in shape.functions().values() if type_.crosses}, key=str)
        given = [_given(f"{seed}/{item.module}/{item.name}", item, signatures) for item in shape.imports]
        position = rng.randrange(len(given)) if given and rng.randrange(WRONG_IMPORT) == 0 else None
        if position is not None:
            given[position] = _wrong(given[position], rng)
        imports.append(tuple(given))
    return Plan(tuple(imports), tuple(_calls(seed, shapes)))


def compared_globals(shape: Shape) -> list[tuple[str, str]]:
    """Names and types of the exported globals, each global of smith's once."""
    comparable = (*NUMBERS, *REFERENCES)
    return [
        (name, type_.content)
        for name, type_ in shape.exports.items()
        if isinstance(type_, GlobalType)
        and type_.content in comparable
        and (name.startswith(GLOBAL_PREFIX) or FUEL_NAME not in shape.exports)
    ]


# --------------------------------------------------------------------------------------------------------------------
# Imports


def _given(key: str, item: Import, signatures: Sequence[Signature]) -> Given:
    if item.module == LINK_MODULE:
        return Linked(item.name)
    rng = random.Random(key)
    type_ = item.type
    if isinstance(type_, Signature):
        return HostFunc(f"{item.module}/{item.name}", type_)
    if isinstance(type_, MemoryType):
        return HostMemory(type_, rng.randbytes(min(type_.min, 1) * 4096))
    if isinstance(type_, TableType):
        elements = tuple(_value(type_.element, rng, signatures) for _ in range(min(type_.min, 20)))
        return HostTable(type_, elements)
    if isinstance(type_, TagType):
        return HostTag(f"tag {rng.randrange(2)}", type_)
    return HostGlobal(type_, _value(type_.content, rng, signatures))


def _value(kind: str, rng: random.Random, signatures: Sequence[Signature]) -> Value:
    if kind in NUMBERS:
        return quieted(kind, interesting(kind, rng))
    if rng.random() < 0.4:
        return None
    if kind == "externref":
        return rng.randrange(EXTERN_POOL)
    return HostFunc(f"host {rng.randrange(3)}", rng.choice(signatures)) if signatures else None


def _wrong(given: Given, rng: random.Random) -> Given:
    """Something that may be of another type than the module asks for."""
    choice = rng.randrange(4)
    if choice == 0 or isinstance(given, Linked):
        return HostGlobal(GlobalType("i64", True), 0)
    if isinstance(given, HostFunc):
        params = given.signature.params
        return replace(given, signature=replace(given.signature, params=params[1:] if params else ("i32",)))
    if isinstance(given, HostGlobal):
        type_ = given.type
        if choice == 1:
            return replace(given, type=replace(type_, mutable=not type_.mutable))
        return HostGlobal(replace(type_, content="f32" if type_.content == "i32" else "i32"), 0)
    if isinstance(given, HostTable) and choice == 1:
        element = "externref" if given.type.element == "funcref" else "funcref"
        return HostTable(replace(given.type, element=element), ())
    if isinstance(given, HostTable):
        return replace(given, type=_wrong_limits(given.type, choice), elements=())
    if isinstance(given, HostTag):
        return replace(given, type=TagType((*given.type.params, "i32")))
    if choice == 1 and rng.random() < 0.5:
        return replace(given, type=replace(given.type, is_64=not given.type.is_64))
    return replace(given, type=_wrong_limits(given.type, choice), contents=b"")


_Limited = TypeVar("_Limited", TableType, MemoryType)


def _wrong_limits(type_: _Limited, choice: int) -> _Limited:
    """Too small, or with a maximum that is too large or missing; all fits where no maximum is asked for."""
    if choice == 2 and type_.min > 0:
        return replace(type_, min=type_.min - 1)
    return replace(type_, max=None if type_.max is None or choice == 1 else type_.max + 1)


# --------------------------------------------------------------------------------------------------------------------
# Calls


def _calls(seed: str, shapes: Sequence[Shape]) -> Iterator[Call]:
    functions = [
        (index, name, type_)
        for index, shape in enumerate(shapes)
        for name, type_ in shape.functions().items()
        if type_.crosses
    ]
    names = [ExportedFunc(index, name) for index, name, _ in functions]
    for round_ in range(min(CALLS_PER_FUNCTION, MAX_CALLS // max(len(functions), 1))):
        for module, name, signature in functions:
            rng = random.Random(f"{seed}/{module}/{name}/{round_}")
            raw = signature.is_numeric and rng.random() < 0.7
            arguments = tuple(_argument(kind, rng, names, raw) for kind in signature.params)
            yield Call(module, name, signature, arguments, raw, rng.choice(FUEL))


def _argument(kind: str, rng: random.Random, functions: Sequence[ExportedFunc], raw: bool) -> Value:
    if kind in NUMBERS:
        value = interesting(kind, rng)
        return value if raw else quieted(kind, value)
    if rng.random() < 0.3:
        return None
    return rng.randrange(EXTERN_POOL) if kind == "externref" else rng.choice(functions)
