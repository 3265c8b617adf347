"""Tables that nothing changes: calls through them find code in a constant, and need no table and no records.

Most tables are such: a linker fills them with the functions whose addresses a program takes. Code that calls through
one refers to the constant (`schema.FIXED_TABLE`) by a symbol, so that it does not depend on what is in the table.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.compiled import AddressMap, CompiledGroup, GroupFacts
from wasmartifact.codegen.convention import fixed_table_symbol
from wasmartifact.codegen.onepass import written_tables
from wasmartifact.elf.object import UNDEFINED, CodeObject, Relocations, Section
from wasmartifact.elf.relocation import DISTANCE_KINDS
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import ACTIVE, Module

_TABLE: Final = schema.FIXED_TABLE.packer()
_SLOT: Final = schema.FIXED_SLOT.packer()
_CODE_OFFSET: Final = schema.FIXED_SLOT.offsets()["code"]
#: A table may be so many times longer than what is known of it, and a little: its constant has all of its slots.
_MAX_GROWTH: Final = 2
_GROWTH_FLOOR: Final = 64


def fixed_tables(module: Module, initial: InitialState) -> dict[int, array[int]]:
    """The tables that are constants.

    They are the module's own, nobody else sees them, no code writes to them, and from the start their slots are null or
    functions of the module.

    Parameters
    ----------
    module : Module
        A valid module.
    initial : InitialState
        Its images.

    Returns
    -------
    dict[int, array[int]]
        By table, for each of its slots 1 + the function index, or 0 for null.
    """
    if module.subtypes:  # a call takes functions of subtypes, too
        return {}
    seen = {entry.index for entry in module.exports if entry.kind == schema.KIND_TABLE}
    seen |= {
        element.table
        for index, element in enumerate(module.elements)
        if element.mode == ACTIVE and index not in initial.elements_in_image
    }
    seen |= {module.imported_tables + index for kind, index in initial.actions if kind == "table"}
    found = {}
    for image in initial.table_images:
        size = module.table_types[image.table_index].limits.min
        functions = array("I", [slot + 1 >> 1 for slot in image.slots])
        own = all(number == 0 or number > module.imported_functions for number in functions)
        if own and image.table_index not in seen and size <= _MAX_GROWTH * len(functions) + _GROWTH_FLOOR:
            functions.extend(bytes(size - len(functions)))
            found[image.table_index] = functions
    written = written_tables(module) if found else set()
    return {table: functions for table, functions in found.items() if table not in written}


def fixed_table_constants(
    tables: Mapping[int, Sequence[int]],
    groups: Iterable[CompiledGroup],
    machine: str,
    function_types: Sequence[int],
    type_canonical: Sequence[int],
) -> list[CompiledGroup]:
    """Define the constants that compiled groups refer to.

    Parameters
    ----------
    tables : Mapping[int, Sequence[int]]
        As `fixed_tables` gives them.
    groups : Iterable[CompiledGroup]
        All code of the module.
    machine : str
        Key of ``schema.MACHINES``.
    function_types, type_canonical : Sequence[int]
        Type of each function; the first type that equals each type.
    """
    used = {name for group in groups for name in group.object.symbol_names} if tables else set()
    constants = []
    for table, functions in tables.items():
        if fixed_table_symbol(table) not in used:
            continue
        types = (number and type_canonical[function_types[number - 1]] + 1 for number in functions)
        rows = b"".join(_SLOT.pack(0, type_) for type_ in types)
        data = _TABLE.pack(len(functions)) + rows
        made = _constant(machine, fixed_table_symbol(table), data, functions)
        constants.append(CompiledGroup(made, AddressMap(array("I"), array("I"), b""), GroupFacts(), is_by_llvm=False))
    return constants


def _constant(machine: str, symbol: str, data: bytes, functions: Sequence[int]) -> CodeObject:
    """An object with the constant, whose slots get the distances of the code."""
    callees = [number - 1 for number in functions if number]
    names: dict[int, int] = {}
    places = [
        schema.FIXED_TABLE.size_bytes + slot * schema.FIXED_SLOT.size_bytes + _CODE_OFFSET
        for slot, number in enumerate(functions)
        if number
    ]
    distances = Relocations(
        1,
        DISTANCE_KINDS[machine],
        array("I", places),
        array("I", [names.setdefault(callee, len(names)) for callee in callees]),
        array("q", places),  # from the constant's start, not from the slot
    )
    return CodeObject(
        machine,
        [Section(".text", b"", 1), Section(".rodata", data, 8)],
        [],
        [(symbol, 1, 0)],
        [f"f{callee}" for callee in names],
        array("i", [UNDEFINED] * len(names)),
        array("Q", bytes(8 * len(names))),
        [distances],
    )
