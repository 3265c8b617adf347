"""Instance, and how one comes about: imports are resolved to objects, the native side links them, init code runs."""

from __future__ import annotations

from wasmartifact.runtime.native import types

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, NoReturn, Self

    from wasmartifact.runtime.artifact import Artifact

    #: module, name, kind, type (FuncType of a function, (valtype, is mutable) of a global, else None), "module.name"
    ImportRow = tuple[str, str, int, Any, str]

_KIND_GLOBAL: Final = 3


class Instance(types.Entity):
    """A module with memories, tables and globals of its own; `Artifact.instantiate` makes it.

    Attributes
    ----------
    artifact : Artifact
        What it is an instance of.
    exports : Exports
        What it exports, by name.
    store : Store
        What it has in common with those that it shares something with.
    """

    __slots__ = ("artifact", "exports")
    artifact: Artifact
    exports: types.Exports

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refused."""
        raise TypeError("an Instance comes from artifact.instantiate(imports)")

    def __repr__(self) -> str:
        return f"<Instance of {self.artifact!r}>"


def _make_instance(address: int, store: types.Store, artifact: Artifact) -> Instance:
    instance = types.Entity.__new__(Instance, types.KIND_INSTANCE, address, store)
    instance.artifact = artifact
    instance.exports = types.exports_of(address, store)
    return instance


def wrap_instance(address: int, store: types.Store) -> Instance:
    """A new Instance for a native one whose Python object is gone: what `caller` needs."""
    return _make_instance(address, store, types.kept(store, types.artifact_of(address)))


def instantiate(
    artifact: Artifact, imports: Mapping[str, Mapping[str, Any] | Instance] | None, store: types.Store | None
) -> Instance:
    """The flow of `Artifact.instantiate`, which documents it."""
    rows = artifact.import_rows
    return _start(types.Imports(artifact, artifact.address, rows, {} if imports is None else imports), store)


def _start(imports: types.Imports, store: types.Store | None) -> Instance:
    """A new instance of resolved imports; its init code has run."""
    if store is None:
        store = types.implicit_store()
    elif not isinstance(store, types.Store):
        raise TypeError(f"store must be a Store, found {type(store).__name__}")
    result = types.link(store, imports)
    if isinstance(result, tuple):
        _raise_link_error(imports.artifact, imports.objects, result)
    instance = _make_instance(result, store, imports.artifact)
    types.run_init(store, result)
    return instance


class Linked(types.Imports):
    """An artifact with its imports resolved: what all its instances have in common; `Artifact.link` makes it.

    Where imports are plain callables, the instances share their Funcs, and still have stores of their own. A Memory,
    Table or mutable Global among the imports belongs to all of them, and makes their stores one.

    Attributes
    ----------
    artifact : Artifact
        What its instances are instances of.
    """

    __slots__ = ()

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refused."""
        raise TypeError("a Linked comes from artifact.link(imports)")

    def __repr__(self) -> str:
        return f"<Linked {self.artifact!r}>"

    def instantiate(self, *, store: types.Store | None = None) -> Instance:
        """Make an instance, as `Artifact.instantiate` does with the same imports, and with the same errors.

        Parameters
        ----------
        store : Store, optional
            Where the instance shall live; by default in one of its own.
        """
        return _start(self, store)


def link(artifact: Artifact, imports: Mapping[str, Mapping[str, Any] | Instance] | None) -> Linked:
    """The flow of `Artifact.link`, which documents it."""
    given = {} if imports is None else imports
    return types.Imports.__new__(Linked, artifact, artifact.address, artifact.import_rows, given)


def make_import(row: ImportRow, value: object) -> object:
    """What an import of this row becomes that is given neither as an object of the runtime nor as a callable."""
    if row[2] == _KIND_GLOBAL:
        return _global(row, value)
    _raise_kind(row, type(value).__name__)


def _global(row: ImportRow, value: object) -> object:
    """An immutable global made of a plain value."""
    from wasmartifact.errors import UnlinkableModule
    from wasmartifact.runtime.entities import Global

    module, name, _, type_, label = row
    valtype, is_mutable = type_
    if is_mutable:
        raise UnlinkableModule(
            f"incompatible import type: {label} is a mutable global of type {valtype}, which only a wa.Global can be, "
            f"found {type(value).__name__}",
            module=module,
            name=name,
        )
    try:
        return Global(valtype, value)
    except (TypeError, OverflowError) as problem:
        raise UnlinkableModule(f"incompatible import type: {label}: {problem}", module=module, name=name) from None


def raise_unknown(artifact: Artifact, row: int) -> NoReturn:
    """The error of an import that was not given."""
    from wasmartifact.errors import UnlinkableModule

    wanted = artifact.metadata.imports[row]
    raise UnlinkableModule(
        f"unknown import: {wanted.module}.{wanted.name}, a {wanted.kind} of type {wanted.type}; give it as "
        f"imports[{wanted.module!r}][{wanted.name!r}]",
        module=wanted.module,
        name=wanted.name,
        kind=wanted.kind,
    )


def _raise_kind(row: ImportRow, found: str) -> NoReturn:
    from wasmartifact.constants import KINDS
    from wasmartifact.errors import UnlinkableModule

    module, name, kind, _, label = row
    raise UnlinkableModule(
        f"incompatible import type: {label} is a {KINDS[kind]}, found an object of type {found}",
        module=module,
        name=name,
        kind=KINDS[kind],
    )


def _raise_link_error(
    artifact: Artifact, externs: tuple[Any, ...], facts: tuple[int, int, int, int, int, str]
) -> NoReturn:
    """The error of wa_instantiate, with the names of the import that it is about."""
    from wasmartifact.constants import KINDS, NATIVE_ERRORS
    from wasmartifact.runtime.native_errors import make_native_error

    code, system_errno, where, found, expected, text = facts
    error = NATIVE_ERRORS[code][0]
    names: dict[str, Any] = {"path": artifact.path}
    if error in {"import_kind", "import_type"}:
        module, name, kind, _, label = artifact.import_rows[where]
        names = {"import_name": label, "module": module, "name": name}
        if error == "import_type":
            names["expected_kind"] = KINDS[kind]
            given = getattr(externs[where], "type", None)
            wanted = artifact.metadata.imports[where].type
            text += "" if given is None else f"; expected {wanted}, found {given!r}"
    raise make_native_error(code, system_errno, where, found, expected, text, **names)
