"""wasmtime-py's ``wasmtime.component``: components, their linker, their types and their values.

It is imported when a program asks for it: ``import wasmtime.component``, or ``from wasmtime import component``.
"""

from __future__ import annotations

from wasmartifact.wasmtime.component._component import Component, ExportIndex
from wasmartifact.wasmtime.component._func import Func
from wasmartifact.wasmtime.component._instance import Instance
from wasmartifact.wasmtime.component._linker import Linker, LinkerInstance
from wasmartifact.wasmtime.component._resources import ResourceAny, ResourceHost, ResourceType
from wasmartifact.wasmtime.component._types import (
    F32,
    F64,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    BorrowType,
    Char,
    EnumType,
    ErrorContext,
    FlagsType,
    FutureType,
    ListType,
    OptionType,
    OwnType,
    Record,
    RecordType,
    ResultType,
    StreamType,
    String,
    TupleType,
    ValType,
    Variant,
    VariantType,
)
from wasmartifact.wasmtime.component._world import (
    ComponentInstanceType,
    ComponentItem,
    ComponentType,
    FuncType,
    ModuleType,
)

__all__ = [
    "F32",
    "F64",
    "S8",
    "S16",
    "S32",
    "S64",
    "U8",
    "U16",
    "U32",
    "U64",
    "Bool",
    "BorrowType",
    "Char",
    "Component",
    "ComponentInstanceType",
    "ComponentItem",
    "ComponentType",
    "EnumType",
    "ErrorContext",
    "ExportIndex",
    "FlagsType",
    "Func",
    "FuncType",
    "FutureType",
    "Instance",
    "Linker",
    "LinkerInstance",
    "ListType",
    "ModuleType",
    "OptionType",
    "OwnType",
    "Record",
    "RecordType",
    "ResourceAny",
    "ResourceHost",
    "ResourceType",
    "ResultType",
    "StreamType",
    "String",
    "TupleType",
    "ValType",
    "Variant",
    "VariantType",
]
