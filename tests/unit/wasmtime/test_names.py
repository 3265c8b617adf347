"""The face has the names of wasmtime-py: classes, methods, properties, parameters and their defaults."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

import pytest

from .conftest import FACE, real

#: What wasmtime-py shows for want of a better place: pointers of its C library, and what takes them.
INNER = {"ptr", "convert_to_c", "convert_from_c"}


def public(owner: Any) -> dict[str, Any]:
    """The public attributes of a class of wasmtime-py, inherited ones among them, but not Python's own."""
    names = {name for base in owner.__mro__ if base.__module__.startswith("wasmtime") for name in vars(base)}
    return {
        name: inspect.getattr_static(owner, name) for name in names if not name.startswith("_") and name not in INNER
    }


def takes_the_same(theirs: Any, ours: Any) -> bool:
    """Name, kind and default of each parameter; ours may have more that nobody needs to give."""
    wanted, found = (
        [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]
        for function in (theirs, ours)
    )
    more = [default for _, _, default in found[len(wanted) :]]
    return found[: len(wanted)] == wanted and inspect.Parameter.empty not in more


@pytest.fixture(scope="module", params=["", ".component"])
def both(request: pytest.FixtureRequest) -> tuple[ModuleType, ModuleType]:
    """A module of wasmtime-py, and ours."""
    theirs = importlib.import_module(real().__name__ + request.param)
    return theirs, importlib.import_module(FACE + request.param)


@pytest.fixture(scope="module")
def names(both: tuple[ModuleType, ModuleType]) -> list[str]:
    return [*both[0].__all__, *(["Managed"] if both[0] is real() else [])]


def test_every_name_is_there(both: tuple[ModuleType, ModuleType], names: list[str]) -> None:
    theirs, face = both
    assert [name for name in names if not hasattr(face, name)] == []
    assert set(face.__all__) - set(theirs.__all__) <= {"DirPerms", "FilePerms"}, "older versions had these"
    assert set(theirs.__all__) <= set(face.__all__) <= set(dir(face))


def test_every_attribute_is_there(both: tuple[ModuleType, ModuleType], names: list[str]) -> None:
    """Instance attributes apart: those are set when an object is made."""
    theirs, face = both
    missing = [
        f"{name}.{attribute}"
        for name in names
        if inspect.isclass(getattr(theirs, name))
        for attribute in public(getattr(theirs, name))
        if not hasattr(getattr(face, name), attribute)
    ]
    assert missing == []


def test_every_parameter_has_its_name_and_default(both: tuple[ModuleType, ModuleType], names: list[str]) -> None:
    theirs, face = both
    different = []
    for name in names:
        owner = getattr(theirs, name)
        if not inspect.isclass(owner):
            pairs: dict[str, tuple[Any, Any]] = {}
            if inspect.isfunction(owner):
                pairs[name] = (owner, getattr(face, name))
        else:
            ours = getattr(face, name)
            pairs = {
                f"{name}.{attribute}": (getattr(owner, attribute), getattr(ours, attribute))
                for attribute, value in public(owner).items()
                if inspect.isfunction(value) or isinstance(value, classmethod)
            }
            if "__init__" in vars(owner) and name not in {"Caller", "StoreContext", "Val"}:
                pairs[name] = (owner, ours)
        different += [
            f"{place}: {inspect.signature(ours)}, there {inspect.signature(wanted)}"
            for place, (wanted, ours) in pairs.items()
            if not takes_the_same(wanted, ours)
        ]
    assert different == []


def test_classes_are_related_as_there(both: tuple[ModuleType, ModuleType], names: list[str]) -> None:
    """`except wasmtime.WasmtimeError` catches the same."""
    theirs, face = both
    classes = [name for name in names if inspect.isclass(getattr(theirs, name))]
    pairs = [(a, b) for a in classes for b in classes if a != b]
    different = [
        (a, b)
        for a, b in pairs
        if issubclass(getattr(theirs, a), getattr(theirs, b)) != issubclass(getattr(face, a), getattr(face, b))
    ]
    assert different == []


def test_errors_are_exceptions() -> None:
    face = importlib.import_module(FACE)
    for name in ("WasmtimeError", "Trap", "ExitTrap"):
        assert issubclass(getattr(face, name), Exception)


def test_trap_codes_have_their_numbers() -> None:
    face = importlib.import_module(FACE)
    assert {code.name: code.value for code in real().TrapCode} == {code.name: code.value for code in face.TrapCode}
