"""Types of core modules that components import or export, and the text that an artifact keeps of one."""

from __future__ import annotations

from wasmartifact.externtypes import FuncType, GlobalType, MemoryType, TableType, TagType, value_types
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any, Final

    from wasmartifact.externtypes import ExternType

_KINDS: Final = {"func": FuncType, "table": TableType, "memory": MemoryType, "global": GlobalType, "tag": TagType}
_NAMES: Final = {type_: kind for kind, type_ in _KINDS.items()}
#: What the fields of each kind are; None in the place of a number is none.
_FIELDS: Final = {
    "table": (str, int, "size", bool, bool),
    "memory": (int, "size", bool, bool, int),
    "global": (str, bool),
}


class ModuleImport(NamedTuple):
    """What a core module imports: ``module`` and ``name`` say what, ``type`` is an `ExternType`."""

    module: str
    name: str
    type: ExternType


class ModuleExport(NamedTuple):
    """What a core module exports."""

    name: str
    type: ExternType


class ModuleType(NamedTuple):
    """The type of a core module."""

    imports: tuple[ModuleImport, ...]
    exports: tuple[ModuleExport, ...]


def module_text(type_: ModuleType) -> str:
    """A type as the note of a component has it."""
    import json

    return json.dumps(
        [
            [[row.module, row.name, _NAMES[type(row.type)], *row.type] for row in type_.imports],
            [[row.name, _NAMES[type(row.type)], *row.type] for row in type_.exports],
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    )


def module_type(text: str) -> ModuleType:
    """The type of such a text. Raises ValueError where it is none."""
    import json  # few components have such a type

    try:
        imports, exports = json.loads(text)
        return ModuleType(
            tuple([ModuleImport(_text(module), _text(name), _extern(*rest)) for module, name, *rest in imports]),
            tuple([ModuleExport(_text(name), _extern(*rest)) for name, *rest in exports]),
        )
    except (TypeError, KeyError, RecursionError) as problem:
        raise ValueError(f"no type of a core module: {problem}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is wanted, found {value!r}")
    return value


def _extern(kind: str, *fields: Any) -> ExternType:
    if kind == "func":
        params, results = fields
        return FuncType(params, results)
    if kind == "tag":
        (params,) = fields
        return TagType(value_types(params))
    wanted = _FIELDS[kind]
    if len(fields) != len(wanted):
        raise ValueError(f"a {kind} has {len(wanted)} fields, found {len(fields)}")
    for value, field in zip(fields, wanted, strict=True):
        number = int if field == "size" else field
        if not (type(value) is number or (value is None and field == "size")) or (number is int and (value or 0) < 0):
            raise ValueError(f"malformed {kind}: {value!r}")
    if kind != "memory":
        value_types([fields[0]])
    made: ExternType = _KINDS[kind](*fields)
    return made
