"""The runtime's public classes in one place."""

from wasmartifact.runtime.artifact import Artifact
from wasmartifact.runtime.entities import Global, Table, Tag
from wasmartifact.runtime.instance import Instance, Linked
from wasmartifact.runtime.native import types

Exports = types.Exports
Func = types.Func
FuncType = types.FuncType
Memory = types.Memory
Store = types.Store

__all__ = ["Artifact", "Exports", "Func", "FuncType", "Global", "Instance", "Linked", "Memory", "Store", "Table", "Tag"]
