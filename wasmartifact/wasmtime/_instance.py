"""Instance, its exports, and InstancePre, which makes many."""

from __future__ import annotations

from _collections_abc import Mapping  # what collections.abc shows, without the import of collections

from wasmartifact import _types as native
from wasmartifact.wasmtime import _memory  # noqa: F401  # so that wrap knows it
from wasmartifact.wasmtime._closing import Managed, check_type, is_own, translated, wasmtime_error
from wasmartifact.wasmtime._extern import unwrap, wrap
from wasmartifact.wasmtime._func import check_open, native_store
from wasmartifact.wasmtime._module import Module
from wasmartifact.wasmtime._store import Store

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TypeAlias

    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasmtime._entities import Global, Table, Tag
    from wasmartifact.wasmtime._func import Func, Storelike
    from wasmartifact.wasmtime._memory import Memory, SharedMemory

    AsExtern: TypeAlias = Func | Table | Memory | SharedMemory | Global | Tag


class Instance:
    """A module with memories, tables and globals of its own.

    Parameters
    ----------
    store : Store
    module : Module
    imports : sequence of Func, Table, Memory, SharedMemory, Global and Tag
        One for each import of the module, in order.

    Raises
    ------
    WasmtimeError
        The imports are not those that the module needs, or the store's limits don't allow it.
    Trap
        Its start function trapped, or a segment does not fit.
    """

    def __init__(self, store: Storelike, module: Module, imports: Sequence[AsExtern]) -> None:
        check_type(module, Module, "a Module")
        module._check_open()
        given = [unwrap(item) for item in imports]
        wanted = module._artifact._native.imports
        if len(given) != len(wanted):
            raise wasmtime_error(f"expected {len(wanted)} imports, found {len(given)}")
        in_order = _InOrder(given)
        self._bind(instantiate(store, link(module, {row[0]: in_order for row in wanted})))

    def _bind(self, instance: native.Instance) -> None:
        self._native = instance
        self._exports: InstanceExports | None = None

    @classmethod
    def _of(cls, instance: native.Instance) -> Instance:
        made = cls.__new__(cls)
        made._bind(instance)
        return made

    def exports(self, store: Storelike) -> InstanceExports:
        """What it exports, by name."""
        check_open(store)
        if self._exports is None:
            self._exports = InstanceExports(self._native)
        return self._exports


class _InOrder:
    """Imports by their place: each look-up gives the next one, as they come in the module's order.

    Two imports of one name are two places, and may get different objects.
    """

    def __init__(self, given: Sequence[Any]) -> None:
        self._rest = iter(given)

    def __getitem__(self, name: str) -> Any:
        return next(self._rest)


class InstanceExports(Mapping[str, "AsExtern"]):
    """What an instance exports, by name; ``by_index`` has it in order. Each object is made when it is asked for."""

    __slots__ = ("_made", "_native")

    def __init__(self, instance: native.Instance) -> None:
        self._native = instance.exports
        self._made: dict[str, AsExtern] = {}

    @property
    def by_index(self) -> Sequence[AsExtern]:
        """The exports in the module's order."""
        return tuple(self[name] for name in self._native)

    def __getitem__(self, idx: str) -> AsExtern:
        found = self._made.get(idx)
        if found is None:
            found = self._made[idx] = wrap(self._native[idx])
        return found

    def __len__(self) -> int:
        return len(self._native)

    def __iter__(self) -> Iterator[str]:
        return iter(self._native)


class InstancePre(Managed):
    """A module with its imports resolved; `Linker.instantiate_pre` makes it."""

    def __init__(self, module: Module, linked: native.Linked) -> None:
        self._module = module
        self._linked = linked

    def instantiate(self, store: Storelike) -> Instance:
        """Make an instance; raises what `Linker.instantiate` does."""
        self._check_open()
        return Instance._of(instantiate(store, self._linked))

    @property
    def module(self) -> Module:
        """What it makes instances of."""
        self._check_open()
        return self._module


def link(module: Module, names: Mapping[str, Any]) -> native.Linked:
    """A module of the package with its imports resolved, with the errors of wasmtime-py."""
    try:
        return module._artifact.link(names)
    except Exception as problem:
        if not is_own(problem):
            raise
        raise translated(problem) from None


def instantiate(store: Storelike, linked: native.Linked) -> native.Instance:
    """An instance of the package, with the errors of wasmtime-py."""
    check_open(store)
    count_entities(store, linked.artifact)
    try:
        return linked.instantiate(store=native_store(store))
    except Exception as problem:
        if not is_own(problem):
            raise
        raise translated(problem) from None


def count_entities(store: Storelike, artifact: Artifact) -> None:
    """Take the tables and memories that an artifact defines from what the store's limits allow."""
    if not isinstance(store, Store) or not ("tables" in store._limits or "memories" in store._limits):
        return
    rows = artifact.metadata
    for what, defined, kind in (("tables", rows.tables, "table"), ("memories", rows.memories, "memory")):
        store._count(what, len(defined) - sum(row.kind == kind for row in rows.imports))
