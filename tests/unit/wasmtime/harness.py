"""What the tests of this folder share: modules from text, and their instances."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any


def instantiate(w: ModuleType, store: Any, text: str, imports: Sequence[Any] = ()) -> Any:
    """An instance of a module given as text."""
    return w.Instance(store, w.Module(store.engine, text), list(imports))


def exports(w: ModuleType, store: Any, text: str, imports: Sequence[Any] = ()) -> Any:
    """What that instance exports."""
    return instantiate(w, store, text, imports).exports(store)


def func_type(w: ModuleType, params: str = "", results: str = "") -> Any:
    """The type of a function, its value types by name: ``func_type(w, "i32 i64", "f32")``."""
    return w.FuncType(*([getattr(w.ValType, name)() for name in names.split()] for names in (params, results)))


def store_with(w: ModuleType, **options: object) -> Any:
    """A store of an engine that was configured."""
    return w.Store(engine_with(w, **options))


def engine_with(w: ModuleType, **options: object) -> Any:
    config = w.Config()
    for name, value in options.items():
        setattr(config, name, value)
    return w.Engine(config)
