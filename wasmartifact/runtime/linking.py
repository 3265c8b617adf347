"""What linking needs Python for: plain values that become objects, and the words for imports that don't fit."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from wasmartifact import _types as types
    from wasmartifact.errors import UnlinkableModule, WasmArtifactError
    from wasmartifact.externtypes import ExternType
    from wasmartifact.metadata.rows import ImportRow
    from wasmartifact.runtime.artifact import Artifact

#: Where Wasi.imports() has its functions.
_WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")


def _mismatch(wanted: ImportRow, found: ExternType | str | None, words: str) -> UnlinkableModule:
    """The exception for an import that was given something else than it asks for."""
    from wasmartifact.errors import UnlinkableModule

    return UnlinkableModule(
        words,
        module=wanted.module,
        name=wanted.name,
        kind=wanted.kind,
        expected=wanted.type,
        found=found,
    )


def _name(wanted: ImportRow) -> str:
    return f"{wanted.module}.{wanted.name}"


def make_import(artifact: Artifact, index: int, value: object) -> object:
    """What an import becomes that is given neither as an object of the runtime nor, for a function, as a callable.

    Raises
    ------
    UnlinkableModule
        Only an immutable global can be given as a plain value.
    """
    from wasmartifact.externtypes import GlobalType
    from wasmartifact.runtime.entities import Global

    wanted = artifact.metadata.imports[index]
    found = type(value).__name__
    words = f"incompatible import type: {_name(wanted)}"
    if not isinstance(wanted.type, GlobalType):
        raise _mismatch(wanted, found, f"{words} is a {wanted.kind}, found an object of type {found}")
    if wanted.type.mutable:
        words += f" is a mutable global of type {wanted.type.type}, which only a wa.Global can be, found {found}"
        raise _mismatch(wanted, found, words)
    try:
        return Global(wanted.type.type, value)
    except (TypeError, OverflowError) as problem:
        raise _mismatch(wanted, found, f"{words}: {problem}") from None


def unknown_import(artifact: Artifact, index: int, imports: Mapping[str, Any]) -> UnlinkableModule:
    """The exception for an import that was not given."""
    from wasmartifact.errors import UnlinkableModule

    wanted = artifact.metadata.imports[index]
    hint = _hint(wanted.module, wanted.name, imports)
    return UnlinkableModule(
        f"unknown import: {_name(wanted)}, a {wanted.kind} of type {wanted.type}; give it as "
        f"imports[{wanted.module!r}][{wanted.name!r}]{hint}",
        module=wanted.module,
        name=wanted.name,
        kind=wanted.kind,
        expected=wanted.type,
        found=None,
    )


def _hint(module: str, name: str, imports: Mapping[str, Any]) -> str:
    """What may have been meant, by what was given; or nothing."""
    modules = _names(imports)
    if module in modules:
        return _near(name, _names(imports[module]), f"imports[{module!r}]")
    if module in _WASI_MODULES:
        return "; wa.Wasi().imports() has the functions of WASI: imports = {**wa.Wasi().imports(), ...}"
    if name in modules:
        return f"; imports[{name!r}] was given: each module's names have a mapping of their own"
    return _near(module, modules, "imports")


def _near(wanted: str, given: list[str], where: str) -> str:
    """The names that one may be a misspelling of."""
    from difflib import get_close_matches

    found = get_close_matches(wanted, given, n=1)
    return f"; {where} has {found[0]!r}, which is not the same" if found else ""


def _names(mapping: object) -> list[str]:
    """The names in a mapping, or in an instance's exports; a mapping that lists none has none."""
    try:
        return [name for name in getattr(mapping, "exports", mapping) if isinstance(name, str)]  # type: ignore[attr-defined]
    except TypeError:
        return []


def wrong_imports(artifact: Artifact, module: str | None, given: object) -> TypeError:
    """The exception for imports, or the names of one module, that are no mapping."""
    kind = type(given).__name__
    if module is None:
        hint = "; imports() makes a mapping of it" if hasattr(given, "imports") else ""
        if hasattr(given, "exports"):
            hint = "; an instance can stand for one module: imports={module: instance}"
        wanted = sorted({row[0] for row in artifact._native.imports})
        names = f", here for {', '.join(wanted)}" if wanted else ""
        words = f"imports must be a mapping of modules to mappings of names{names}"
    else:
        hint = ""
        words = f"imports[{module!r}] must be a mapping of names to values, an Instance or its exports"
    return TypeError(f"{words}; found {kind}{hint}")


def link_error(
    artifact: Artifact, externs: tuple[types.Func | types.Entity, ...] | None, facts: types._Fault
) -> WasmArtifactError:
    """The exception for what the native side says of linking, with the names of the import that it is about.

    What a component's imports are, canonical functions, has no objects.
    """
    from wasmartifact.constants import KINDS
    from wasmartifact.messages import NATIVE_ERRORS
    from wasmartifact.runtime.native_errors import make_native_error

    code, _, index, found_kind, _, text = facts
    error = NATIVE_ERRORS[code][0]
    if error not in {"import_kind", "import_type"}:
        return make_native_error(*facts, path=artifact.path)
    wanted = artifact.metadata.imports[index]
    found: ExternType | None = getattr(externs[index], "type", None) if externs is not None else None
    words = NATIVE_ERRORS[code][2].format(
        import_name=_name(wanted), expected_kind=wanted.kind, found_kind=KINDS[found_kind], text=text
    )
    return _mismatch(
        wanted, found, words if error == "import_kind" else f"{words}; expected {wanted.type}, found {found}"
    )
