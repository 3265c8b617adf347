"""Functions that do nothing but call another one through a table that is filled once: callers call that one instead.

Toolchains break a circle of imports so: a shim module's functions call through its table, and a fixup module, which is
instantiated last, fills the table by an active segment. Nearly all published components have this in front of each
function that the host gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wasmartifact.component.link import CoreRef, Program
from wasmartifact.schema import HEAP_ABSTRACT, KIND_FUNC, KIND_TABLE
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import ACTIVE, ConstExpr, FuncType
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

#: Modules with more code than this are no shims, and are not searched.
MAX_CODE_BYTES: Final = 1 << 16
_LOCAL_GET, _CONST, _CALL_INDIRECT, _END, _REF_FUNC = (
    OPCODE_BY_NAME[name].code for name in ("local.get", "i32.const", "call_indirect", "end", "ref.func")
)
_WRITERS: Final = frozenset(
    OPCODE_BY_NAME[name].code
    for name in ("table.set", "table.grow", "table.fill", "table.copy", "table.init", "table.get")
)


def direct_functions(program: Program) -> dict[CoreRef, CoreRef]:
    """What to call in the place of each shim."""
    tables = _tables(program)
    found: dict[CoreRef, CoreRef] = {}
    for number, core in enumerate(program.cores):
        module = core.module
        if not module.tables or not any((number, index) in tables for index in range(len(module.table_types))):
            continue
        for place, code in enumerate(module.codes):
            index = module.imported_functions + place
            called = _called(module.data, code.start, code.end, len(module.func_type(index).params))
            if called is None:
                continue
            slot, type_, table = called
            target = tables.get((number, table), {}).get(slot)
            same = module.types[type_] == module.func_type(index) and _is_plain(module.func_type(index))
            if target is not None and same and _type_of(program, target) in (None, module.func_type(index)):
                found[number, index] = target
    return {shim: _end_of(found, target) for shim, target in found.items()}


def _end_of(found: dict[CoreRef, CoreRef], ref: CoreRef) -> CoreRef:
    for _ in range(len(found)):
        if ref not in found:
            break
        ref = found[ref]
    return ref


def _called(data: bytes, start: int, end: int, params: int) -> tuple[int, int, int] | None:
    """(slot, type, table) of a function that passes its parameters on by call_indirect of a constant; else None."""
    if end - start > 16 + 4 * params:
        return None
    runs, place = decode_locals(data, start, end)
    instructions = [(opcode, immediate) for _, opcode, immediate in decode_instructions(data, place, end)]
    if runs or len(instructions) != params + 3 or instructions[-1][0] != _END:
        return None
    if instructions[:params] != [(_LOCAL_GET, index) for index in range(params)]:
        return None
    (const, slot), (call, pair) = instructions[params], instructions[params + 1]
    if const != _CONST or call != _CALL_INDIRECT:
        return None
    return slot, *pair


def _is_plain(type_: FuncType) -> bool:
    """Whether a function type refers to no other one, whose index means something else in other modules."""
    return all(valtype >> 8 & HEAP_ABSTRACT or valtype <= 0xFF for valtype in (*type_.params, *type_.results))


def _type_of(program: Program, ref: CoreRef) -> FuncType | None:
    """Type of a core function; None for a canonical one, whose type validation has compared."""
    number, index = ref
    return None if number < 0 else program.cores[number].module.func_type(index)


def _tables(program: Program) -> dict[CoreRef, dict[int, CoreRef]]:
    """Contents of tables that nothing but active segments with constant offsets writes to, before any code runs."""
    contents: dict[CoreRef, dict[int, CoreRef]] = {}
    spoiled: set[CoreRef] = set()
    started = False
    for number, core in enumerate(program.cores):
        module = core.module
        refs = [ref for row, ref in zip(module.imports, core.imports, strict=True) if row.kind == KIND_TABLE]
        refs += [(number, len(refs) + index) for index in range(len(module.tables))]
        functions = [ref for row, ref in zip(module.imports, core.imports, strict=True) if row.kind == KIND_FUNC]
        for index, table in enumerate(module.tables, len(refs) - len(module.tables)):
            contents[refs[index]] = {}
            if table.init is not None:
                spoiled.add(refs[index])
        if refs and _writes(program, number):
            spoiled.update(refs)
        for element in module.elements:
            if element.mode != ACTIVE or element.offset is None:
                continue
            table_ref, offset = refs[element.table], element.offset.instructions
            if started or len(offset) != 1 or offset[0][1] != _CONST:
                spoiled.add(table_ref)
                continue
            items: Sequence[int | ConstExpr] = element.items
            for slot, item in enumerate(items, offset[0][2]):
                function = _function(item)
                if function is None:
                    spoiled.add(table_ref)
                    break
                ref = functions[function] if function < len(functions) else (number, function)
                contents.setdefault(table_ref, {})[slot] = ref
        started = started or module.start is not None
    return {ref: slots for ref, slots in contents.items() if ref not in spoiled and slots}


def _function(expr: int | ConstExpr) -> int | None:
    if isinstance(expr, int):
        return expr
    if len(expr.instructions) == 1 and expr.instructions[0][1] == _REF_FUNC:
        index: int = expr.instructions[0][2]
        return index
    return None


def _writes(program: Program, number: int) -> bool:
    """Whether the code of a core instance may write to a table, or is too long to look."""
    module = program.cores[number].module
    if sum(code.end - code.start for code in module.codes) > MAX_CODE_BYTES:
        return True
    for code in module.codes:
        _, place = decode_locals(module.data, code.start, code.end)
        if any(opcode in _WRITERS for _, opcode, _ in decode_instructions(module.data, place, code.end)):
            return True
    return False
