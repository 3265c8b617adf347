"""The types of all core modules of a component in one type section: groups that are equal stand there once.

Types are equal if they stand at the same place of equal recursive groups (spec section 3.1.4). A group is looked for by
its encoding, in which its own types have numbers that no other type has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasmartifact.component.rewrite import Maps
from wasmartifact.wasm.encode import unsigned, vector
from wasmartifact.wasm.model import CompositeType, Field, FuncType, Module, StructType, SubType

_FUNC_FORM, _STRUCT_FORM, _ARRAY_FORM = b"\x60", b"\x5f", b"\x5e"
_REC_FORM, _SUB_FORM, _SUB_FINAL_FORM = b"\x4e", b"\x50", b"\x4f"
_NOWHERE: Final = 1 << 31
_PLAIN: Final = SubType(None, True, 0)


class TypeSection:
    """The section's ``entries``, each a recursive group, and where each group begins."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self._count = 0
        self._places: dict[bytes, int] = {}

    def add_module(self, module: Module, maps: Maps) -> None:
        """Give each type of a core module its index in the section, in ``maps.types``, which is empty."""
        start = 0
        while start < len(module.types):
            end = start + 1
            while module.subtypes and end < len(module.types) and module.subtypes[end].group == start:
                end += 1
            self._add_group(module, start, end, maps)
            start = end

    def plain_function(self, type_: FuncType) -> int:
        """Index of a function type that refers to no other type."""
        return self._place(_composite(type_, lambda valtype: bytes((valtype & 0xFF,))))

    def _add_group(self, module: Module, start: int, end: int, maps: Maps) -> None:
        maps.types += range(_NOWHERE, _NOWHERE + end - start)
        key = _group(module, start, end, maps)
        first = self._places.get(key, self._count)
        maps.types[start:] = range(first, first + end - start)
        if first == self._count:
            self._places[key] = first
            self.entries.append(_group(module, start, end, maps))
            self._count += end - start

    def _place(self, encoded: bytes) -> int:
        place = self._places.setdefault(encoded, self._count)
        if place == self._count:
            self.entries.append(encoded)
            self._count += 1
        return place


def _group(module: Module, start: int, end: int, maps: Maps) -> bytes:
    types = [
        _definition(module.types[index], module.subtypes[index] if module.subtypes else _PLAIN, maps)
        for index in range(start, end)
    ]
    return types[0] if len(types) == 1 else _REC_FORM + vector(types)


def _definition(composite: CompositeType, subtype: SubType, maps: Maps) -> bytes:
    encoded = _composite(composite, maps.valtype)
    if subtype.final and subtype.supertype is None:
        return encoded
    above = [] if subtype.supertype is None else [unsigned(maps.types[subtype.supertype])]
    return (_SUB_FINAL_FORM if subtype.final else _SUB_FORM) + vector(above) + encoded


def _composite(composite: CompositeType, valtype: Callable[[int], bytes]) -> bytes:
    if isinstance(composite, FuncType):
        return _FUNC_FORM + b"".join(vector(list(map(valtype, side))) for side in (composite.params, composite.results))

    def field(item: Field) -> bytes:
        return valtype(item.storage) + bytes((item.mutable,))

    if isinstance(composite, StructType):
        return _STRUCT_FORM + vector([field(item) for item in composite.fields])
    return _ARRAY_FORM + field(composite.element)
