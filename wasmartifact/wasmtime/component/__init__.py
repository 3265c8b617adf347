"""wasmtime-py's ``wasmtime.component``: components, their linker, their types and their values.

It is imported when a program asks for it: ``import wasmtime.component``, or ``from wasmtime import component``. Names
are imported when they are first used.
"""

from __future__ import annotations

from wasmartifact.wasmtime import lazily

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

    from wasmartifact.wasmtime.component._component import Component as Component
    from wasmartifact.wasmtime.component._component import ExportIndex as ExportIndex
    from wasmartifact.wasmtime.component._func import Func as Func
    from wasmartifact.wasmtime.component._instance import Instance as Instance
    from wasmartifact.wasmtime.component._linker import Linker as Linker
    from wasmartifact.wasmtime.component._linker import LinkerInstance as LinkerInstance
    from wasmartifact.wasmtime.component._resources import ResourceAny as ResourceAny
    from wasmartifact.wasmtime.component._resources import ResourceHost as ResourceHost
    from wasmartifact.wasmtime.component._resources import ResourceType as ResourceType
    from wasmartifact.wasmtime.component._types import F32 as F32
    from wasmartifact.wasmtime.component._types import F64 as F64
    from wasmartifact.wasmtime.component._types import S8 as S8
    from wasmartifact.wasmtime.component._types import S16 as S16
    from wasmartifact.wasmtime.component._types import S32 as S32
    from wasmartifact.wasmtime.component._types import S64 as S64
    from wasmartifact.wasmtime.component._types import U8 as U8
    from wasmartifact.wasmtime.component._types import U16 as U16
    from wasmartifact.wasmtime.component._types import U32 as U32
    from wasmartifact.wasmtime.component._types import U64 as U64
    from wasmartifact.wasmtime.component._types import Bool as Bool
    from wasmartifact.wasmtime.component._types import BorrowType as BorrowType
    from wasmartifact.wasmtime.component._types import Char as Char
    from wasmartifact.wasmtime.component._types import EnumType as EnumType
    from wasmartifact.wasmtime.component._types import ErrorContext as ErrorContext
    from wasmartifact.wasmtime.component._types import FlagsType as FlagsType
    from wasmartifact.wasmtime.component._types import FutureType as FutureType
    from wasmartifact.wasmtime.component._types import ListType as ListType
    from wasmartifact.wasmtime.component._types import OptionType as OptionType
    from wasmartifact.wasmtime.component._types import OwnType as OwnType
    from wasmartifact.wasmtime.component._types import Record as Record
    from wasmartifact.wasmtime.component._types import RecordType as RecordType
    from wasmartifact.wasmtime.component._types import ResultType as ResultType
    from wasmartifact.wasmtime.component._types import StreamType as StreamType
    from wasmartifact.wasmtime.component._types import String as String
    from wasmartifact.wasmtime.component._types import TupleType as TupleType
    from wasmartifact.wasmtime.component._types import ValType as ValType
    from wasmartifact.wasmtime.component._types import Variant as Variant
    from wasmartifact.wasmtime.component._types import VariantType as VariantType
    from wasmartifact.wasmtime.component._world import ComponentInstanceType as ComponentInstanceType
    from wasmartifact.wasmtime.component._world import ComponentItem as ComponentItem
    from wasmartifact.wasmtime.component._world import ComponentType as ComponentType
    from wasmartifact.wasmtime.component._world import FuncType as FuncType
    from wasmartifact.wasmtime.component._world import ModuleType as ModuleType

#: Module of this package -> the names that it gives.
_MODULES: Final = {
    "_component": ("Component", "ExportIndex"),
    "_func": ("Func",),
    "_instance": ("Instance",),
    "_linker": ("Linker", "LinkerInstance"),
    "_resources": ("ResourceAny", "ResourceHost", "ResourceType"),
    "_types": (
        "Bool", "BorrowType", "Char", "EnumType", "ErrorContext", "F32", "F64", "FlagsType", "FutureType", "ListType",
        "OptionType", "OwnType", "Record", "RecordType", "ResultType", "S16", "S32", "S64", "S8", "StreamType",
        "String", "TupleType", "U16", "U32", "U64", "U8", "ValType", "Variant", "VariantType",
    ),
    "_world": ("ComponentInstanceType", "ComponentItem", "ComponentType", "FuncType", "ModuleType"),
}  # fmt: skip

__all__ = sorted(name for names in _MODULES.values() for name in names)  # noqa: PLE0605


if not TYPE_CHECKING:  # a type checker knows all names from above, and must refuse others
    __getattr__ = lazily(globals(), _MODULES, "wasmtime.component")


def __dir__() -> list[str]:
    return list(__all__)
