"""What the code of a function depends on, as a key, and such code without its place in the module.

A function's code depends on its body, on the types that it names and on the signatures of what it calls, on options,
and on what the module has of memories, tables, globals, tags and imports. All of that is digested into its key; not
where the function stands, nor which indices the functions have that it calls: these are symbols of its object, and wasm
offsets of its address map are above its start. So code serves all functions of its key, wherever they stand.
"""

from __future__ import annotations

import re
from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL
from array import array
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from wasmartifact.codegen.compiled import AddressMap, CompiledGroup, GroupFacts
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.dataclass import replace
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Instruction, Module

_KEY_BYTES: Final = 16
#: Names a function that is called, in code without a place; ``f`` and an index otherwise.
_PLACELESS: Final = "#"
_OPCODES: Final = opcodes.OPCODE_BY_NAME
#: Instructions that call a function by a symbol. Each is one byte and an index. (``ref.func`` hands on the index.)
_FUNCTION_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call", "return_call"))
#: Instructions that name a type, by where it stands in the immediate.
_TYPE_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call_ref", "return_call_ref"))
_TYPE_PAIR_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call_indirect", "return_call_indirect"))
_BLOCK_OPCODES: Final = frozenset(
    code for code, op in opcodes.OPCODES.items() if op.immediate in (opcodes.BLOCK, opcodes.TRY_TABLE)
)
#: Features whose instructions may name any type in any way: functions with them depend on all types.
_TYPED_FEATURES: Final = frozenset({"gc"})
_TYPED_OPCODES: Final = frozenset(code for code, op in opcodes.OPCODES.items() if op.feature in _TYPED_FEATURES)
#: What may be a call, or several, and the index of what it calls. Immediates look like calls, too: enough to tell what
#: can't be equal.
_CALLS: Final = re.compile(rb"[\x10\x12]+[\x80-\xff]*[\x00-\x7f]")


class PortableCode:
    """Keys of the functions of a module, and their code with and without its place.

    Parameters
    ----------
    module : Module
        A valid module.
    context : ModuleContext
        What its functions compile with.
    common : bytes
        Goes into all keys.
    """

    def __init__(self, module: Module, context: ModuleContext, common: bytes = b"") -> None:
        self._module = module
        self._context = context
        self._common = common
        self._types = blake2b(repr((context.signatures, context.canonical, context.types)).encode()).digest()
        self._known: dict[int, tuple[bytes, list[int]]] = {}

    def key(self, position: int) -> bytes:
        """Key of a function, given by its position among the defined ones."""
        return self._look(position)[0]

    def equal_functions(self, there: Container[int] = ()) -> dict[int, int]:
        """Functions that get the code of an earlier one, by position, but for those that are there."""
        alike: dict[tuple[int, bytes], list[int]] = {}
        module = self._module
        for position, code in enumerate(module.codes):
            if position not in there:
                type_index = self._context.function_types[self._index(position)]
                body = _CALLS.sub(b"", module.data[code.start : code.end])
                alike.setdefault((type_index, body), []).append(position)
        firsts: dict[bytes, int] = {}
        return {
            position: first
            for positions in alike.values()
            if len(positions) > 1
            for position in positions
            if (first := firsts.setdefault(self.key(position), position)) != position
        }

    def with_copies(self, parts: Mapping[int, CompiledGroup], equal: Mapping[int, int]) -> list[CompiledGroup]:
        """Code of all functions in order: that of the given ones, by position, and copies for those that equal one."""
        copies = {
            position: self.attached(position, self.detached(first, parts[first]))
            for position, first in equal.items()
            if position not in parts  # one pass may have compiled it: it does that to all that are alike
        }
        return [part for _, part in sorted({**parts, **copies}.items())]

    def detached(self, position: int, part: CompiledGroup) -> CompiledGroup:
        """A function's code without its place."""
        names = {f"f{callee}": f"{_PLACELESS}{number}" for number, callee in enumerate(self._look(position)[1])}
        names[f"f{self._index(position)}"] = _PLACELESS
        return _moved(part, names, 1 - self._module.codes[position].start, 0)

    def attached(self, position: int, part: CompiledGroup) -> CompiledGroup:
        """Code without a place as that of a function."""
        own = self._index(position)
        names = {f"{_PLACELESS}{number}": f"f{callee}" for number, callee in enumerate(self._look(position)[1])}
        names[_PLACELESS] = f"f{own}"
        return _moved(part, names, self._module.codes[position].start - 1, own)

    def _index(self, position: int) -> int:
        return self._module.imported_functions + position

    def _look(self, position: int) -> tuple[bytes, list[int]]:
        """Key of a function, and what it calls in the order of appearance."""
        if position not in self._known:
            self._known[position] = _key(self._common, self._types, self._module, self._context, position)
        return self._known[position]


def _moved(part: CompiledGroup, names: Mapping[str, str], distance: int, index: int) -> CompiledGroup:
    """A function's code with other names of functions, wasm offsets this much further on, and its own index."""
    code, rows, facts = part.object, part.address_map, part.facts
    return CompiledGroup(
        replace(
            code,
            functions=[(names[name], offset, size) for name, offset, size in code.functions],
            symbol_names=[names.get(name, name) for name in code.symbol_names],
        ),
        AddressMap(
            rows.text_offsets,
            array("I", [offset and offset + distance for offset in rows.wasm_offsets]),  # 0: none is known
            rows.traps,
        ),
        GroupFacts(facts.features, facts.indirect_types, facts.outward_types, [index] if facts.short_functions else []),
        part.is_by_llvm,
    )


# Keys ---------------------------------------------------------------------------------------------------------------


def _key(
    common: bytes, all_types: bytes, module: Module, context: ModuleContext, position: int
) -> tuple[bytes, list[int]]:
    """Key of a function, and what it calls in the order of appearance."""
    code, data = module.codes[position], module.data
    _, body = decode_locals(data, code.start, code.end)
    instructions = decode_instructions(data, body, code.end)
    digest = blake2b(common, digest_size=_KEY_BYTES)
    numbers: dict[int, int] = {}
    at = code.start
    for which, (offset, opcode, callee) in enumerate(instructions):
        if opcode in _FUNCTION_OPCODES:
            behind = instructions[which + 1][0]
            digest.update(data[at : offset + 1])
            number = numbers.setdefault(callee, len(numbers))
            # Its size, too: it decides about the wasm offsets behind it.
            digest.update(b"%d %d;" % (number, behind - offset))
            at = behind
    digest.update(data[at : code.end])
    used, is_typed = _used_types(instructions)
    own = module.imported_functions + position
    types = [(index, context.canonical[index], context.signatures[index]) for index in sorted(used)]
    calls = [_callee(context, callee, own) for callee in numbers]
    copies = context.inlined[own].copies if own in context.inlined else 0
    digest.update(repr((context.function_signature(own), types, calls, copies)).encode())
    if is_typed:
        digest.update(all_types)
    return digest.digest(), list(numbers)


def _used_types(instructions: Sequence[Instruction]) -> tuple[set[int], bool]:
    """Types that instructions name, and whether there are some that may depend on any type."""
    used: set[int] = set()
    is_typed = False
    for _, opcode, immediate in instructions:
        if opcode in _TYPE_PAIR_OPCODES:
            used.add(immediate[0])
        elif opcode in _TYPE_OPCODES:
            used.add(immediate)
        elif opcode in _BLOCK_OPCODES:
            block: Any = immediate[0] if opcode == _TRY_TABLE else immediate
            if block[0] == "type":
                used.add(block[1])
        elif opcode in _TYPED_OPCODES:
            is_typed = True
    return used, is_typed


_TRY_TABLE: Final = _OPCODES["try_table"].code


def _callee(context: ModuleContext, callee: int, own: int) -> tuple[object, ...]:
    """All that code can depend on of a function that it calls: its type, and its place where it is imported."""
    place = callee if callee < context.imported_functions else "own" if callee == own else "defined"
    # A tail call to what is imported looks whose function it is, by its type.
    canonical = context.canonical[context.function_types[callee]] if context.convention is not None else None
    return place, canonical, context.function_signature(callee)
