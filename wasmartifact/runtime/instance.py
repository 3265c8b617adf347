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

_KIND_FUNC: Final = 0
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
    if store is None:
        store = types.implicit_store()
    elif not isinstance(store, types.Store):
        raise TypeError(f"store must be a Store, found {type(store).__name__}")
    rows = artifact.import_rows
    externs = _resolve(artifact, rows, {} if imports is None else imports)
    result = types.link(store, artifact, artifact.address, externs)
    if isinstance(result, tuple):
        _raise_link_error(artifact, rows, externs, result)
    instance = _make_instance(result, store, artifact)
    types.run_init(store, result)
    return instance


def _resolve(
    artifact: Artifact, rows: tuple[ImportRow, ...], imports: Mapping[str, Mapping[str, Any] | Instance]
) -> list[Any]:
    """One Func or Entity for each import, in order."""
    func_class, host_func = types.Func, types.host_func
    externs: list[Any] = []
    last_module: str | None = None
    namespace: Any = None
    for row in rows:
        module, name, kind, type_, label = row
        try:
            if module != last_module:  # imports of one module come in a row
                namespace, last_module = _namespace(imports[module]), module
            value = namespace[name]
        except KeyError:
            _raise_unknown(artifact, len(externs))
        if type(value) is not func_class and not isinstance(value, types.Entity):
            if kind == _KIND_FUNC and callable(value):
                value = host_func(value, type_, label)
            elif kind == _KIND_GLOBAL:
                value = _global(row, value)
            else:
                _raise_kind(row, type(value).__name__)
        externs.append(value)
    return externs


def _namespace(value: Any) -> Any:
    return value.exports if isinstance(value, Instance) else value


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


def _raise_unknown(artifact: Artifact, row: int) -> NoReturn:
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
    artifact: Artifact, rows: tuple[ImportRow, ...], externs: list[Any], facts: tuple[int, int, int, int, int, str]
) -> NoReturn:
    """The error of wa_instantiate, with the names of the import that it is about."""
    from wasmartifact.constants import KINDS, NATIVE_ERRORS
    from wasmartifact.runtime.native_errors import make_native_error

    code, system_errno, where, found, expected, text = facts
    error = NATIVE_ERRORS[code][0]
    names: dict[str, Any] = {"path": artifact.path}
    if error in {"import_kind", "import_type"}:
        module, name, kind, _, label = rows[where]
        names = {"import_name": label, "module": module, "name": name}
        if error == "import_type":
            names["expected_kind"] = KINDS[kind]
            given = getattr(externs[where], "type", None)
            wanted = artifact.metadata.imports[where].type
            text += "" if given is None else f"; expected {wanted}, found {given!r}"
    raise make_native_error(code, system_errno, where, found, expected, text, **names)
