"""Small sound components, and what is done with instances of them: ``forge`` makes lying artifacts of them, too.

They have handles in tables of their own, resources, calls from one component to another, streams and directories of
WASI, and values of many types.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from tests.component.keeper import PAIR, keeper
from tests.fuzz import components
from wasmartifact.wit.types import (
    Alias,
    Borrow,
    Enum,
    Flags,
    Function,
    Interface,
    List,
    Option,
    Own,
    Primitive,
    Record,
    Result,
    Tuple,
    Type,
    Variant,
    World,
)

#: Functions that change nothing, of which a component may have some: what it holds shows in them.
WITNESSES: Final = ("ended", "started")
_TYPES: Final = 6
_NUMBERS: Final = (0, 1, 2, 3, 5, 7, 100, 300, 70_000)
_TEXTS: Final = ("", "gc.wat", "some text", "\u2603 and more", "../x", "a" * 300)
_FOLDER: Final = Path(__file__).parents[1] / "data" / "frozen"


def texts() -> dict[str, bytes]:
    """Components by name."""
    source = random.Random("components")
    types = [components.random_type(source, 3) for _ in range(_TYPES)]
    return {"pair": PAIR.encode(), "keeper": keeper().encode(), "values": components.component(types)}


def component_imports() -> dict[str, Any]:
    """What any of them imports, made anew: a Wasi with a directory to read, and functions that give what they get."""
    preopens: dict[str | bytes, Any] = {"/one": wa.ReadOnly(_FOLDER), "/two": wa.ReadOnly(_FOLDER)}
    wasi = wa.Wasi(stdin=lambda size: b"input"[:size], preopens=preopens)
    return wasi.imports() | {f"g{number}": _same for number in range(_TYPES)}


def _same(value: Any) -> Any:
    return value


def exercise_component(
    made: Any, world: World, rng: random.Random, outcome: Callable[[Callable[[], Any]], str], calls: int
) -> Iterator[str]:
    """Call all that the honest one exports; yields what came of each call. ``rng`` chooses the arguments."""
    pool: list[Any] = []
    for place, name, function in _functions(world.exports, ()):
        for _ in range(calls):
            arguments = [_value(param.type, rng, pool) for param in function.params]
            yield f"{name}: {outcome(partial(_call, made, place, name, arguments, pool))}"
    yield outcome(partial(list, made))


def state_of(made: Any, world: World, outcome: Callable[[Callable[[], Any]], str]) -> list[str]:
    """What an instance holds, as far as it tells."""
    found = (one for one in _functions(world.exports, ()) if one[1] in WITNESSES)
    return [outcome(partial(_call, made, place, name, [], [])) for place, name, _ in found]


def _functions(interface: Interface, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, Function]]:
    for name, function in interface.functions.items():
        yield place, name, function
    for name, inner in interface.interfaces.items():
        yield from _functions(inner, (*place, name))


def _call(made: Any, place: tuple[str, ...], name: str, arguments: list[Any], pool: list[Any]) -> Any:
    for part in place:
        made = made[part]
    result = made[name](*arguments)
    pool.append(result)
    return result


def _value(type_: Type, rng: random.Random, pool: list[Any]) -> Any:
    """A value of a type, in a form that Python gives; or what a call gave, where a resource is wanted."""
    match type_:
        case Alias():
            return _value(type_.type, rng, pool)
        case Primitive():
            return _scalar(type_.name, rng)
        case List():
            return [_value(type_.element, rng, pool) for _ in range(rng.choice((0, 1, 3)))]
        case Option():
            return wa.Some(_value(type_.some, rng, pool)) if rng.random() < 0.5 else None
        case Result():
            kind, part = rng.choice(((wa.Ok, type_.ok), (wa.Err, type_.err)))
            return kind(None if part is None else _value(part, rng, pool))
        case Tuple():
            return tuple(_value(part, rng, pool) for part in type_.items)
        case Record():
            return {field.name: _value(field.type, rng, pool) for field in type_.fields}
        case Variant():
            case = rng.choice(type_.cases)
            return case.name if case.type is None else (case.name, _value(case.type, rng, pool))
        case Enum():
            return rng.choice(type_.cases)
        case Flags():
            return rng.sample(type_.flags, rng.randrange(len(type_.flags) + 1))
        case Own() | Borrow():
            return rng.choice([None, *pool])
    return None


def _scalar(name: str, rng: random.Random) -> Any:
    if name in {"string", "char"}:
        return rng.choice(_TEXTS) if name == "string" else rng.choice("x\u2603")
    if name == "bool":
        return rng.random() < 0.5
    return rng.choice(_NUMBERS) if name[0] in "us" else rng.choice((0.0, -1.5, 1e300))
