"""The one-pass compiler (`native/onepass`): level 0 for what it compiles, in this process, without LLVM."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from wasmartifact.codegen.compiled import INIT_SYMBOL, AddressMap, CompiledGroup, FunctionGroup, GroupFacts
from wasmartifact.codegen.context import GlobalFacts, ModuleContext, TypeFacts
from wasmartifact.codegen.convention import fixed_table_symbol, outward_symbol
from wasmartifact.codegen.irmodule import TAKE_FUEL
from wasmartifact.codegen.support import TrampolineTypes
from wasmartifact.elf.object import TEXT, TYPE_DIGESTS_SYMBOL, UNDEFINED, CodeObject, Relocations, Section
from wasmartifact.elf.relocation import (
    R_AARCH64_ADD_ABS_LO12_NC,
    R_AARCH64_ADR_PREL_PG_HI21,
    R_AARCH64_CALL26,
    R_X86_64_PC32,
    R_X86_64_PLT32,
)
from wasmartifact.schema import Buffer
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.opcodes import OPCODES, PREFIX_GC
from wasmartifact.wasm.types import DIGEST_SIZE_BYTES

#: By machine: what completes a call, and an address. Of each relocation its kind, its place behind the first one's, and
#: what is added: on x86-64 distances count from the end of their four bytes.
_CALL_KINDS: Final = {"x86_64": ((R_X86_64_PLT32, 0, -4),), "aarch64": ((R_AARCH64_CALL26, 0, 0),)}
_ADDRESS_KINDS: Final = {
    "x86_64": ((R_X86_64_PC32, 0, -4),),
    "aarch64": ((R_AARCH64_ADR_PREL_PG_HI21, 0, 0), (R_AARCH64_ADD_ABS_LO12_NC, 4, 0)),
}
#: A body of this size has no shape that takes long.
_SMALL_BODY_BYTES: Final = 1024
_ALIGN_BYTES: Final = 16


@cache
def library(machine: str = "") -> Any:
    """The extension module that compiles for a machine. What does not depend on that, each has: "" is this host's."""
    # Imported by what packs, and no more than it needs.
    machine = machine or os.uname().machine
    if machine == "aarch64":
        import wasmartifact._onepass_aarch64 as aarch64

        return aarch64
    import wasmartifact._onepass as x86_64

    return x86_64


def xxh64(data: Buffer, seed: int) -> int:
    """The XXH64 of some bytes, in a hundredth of the time of ``metadata/xxh64.py``."""
    made = library()
    view = made.ffi.from_buffer("uint8_t[]", data)
    found: int = made.lib.wa_onepass_xxh64(view, len(view), seed)
    return found


def large_functions(group: FunctionGroup) -> list[range]:
    """Positions of functions of a shape that takes LLVM more than linear time."""
    # Only a large body has such a shape, and few modules have one: most need not even load what looks closer.
    if not any(end - start > _SMALL_BODY_BYTES for start, end in zip(group.starts, group.ends, strict=True)):
        return []
    made = library()
    ffi, lib = made.ffi, made.lib
    flags = bytearray(len(group.starts))
    data, starts, ends = (
        ffi.from_buffer(type_, buffer)
        for type_, buffer in (("uint8_t[]", group.data), ("uint32_t[]", group.starts), ("uint32_t[]", group.ends))
    )
    lib.wa_onepass_find_large(data, starts, ends, len(flags), ffi.from_buffer("uint8_t[]", flags))
    return [range(position, position + 1) for position, flag in enumerate(flags) if flag]


def body_group(index: int, body: bytes) -> FunctionGroup:
    """A group of one function, whose wasm offsets count from the start of its code entry."""
    zero = array("I", [0])
    return FunctionGroup(array("I", [index]), body, zero, array("I", [len(body)]), zero)


def written_tables(module: Module) -> set[int]:
    """Tables that functions of a module may change."""
    made = library()
    ffi, lib = made.ffi, made.lib
    flags = bytearray(len(module.table_types))
    starts, ends = (
        array("I", places) for places in zip(*((code.start, code.end) for code in module.codes), strict=True)
    )
    lib.wa_onepass_find_written_tables(
        ffi.from_buffer("uint8_t[]", module.data),
        ffi.from_buffer("uint32_t[]", starts),
        ffi.from_buffer("uint32_t[]", ends),
        len(starts),
        ffi.from_buffer("uint8_t[]", flags),
        len(flags),
    )
    return {table for table, flag in enumerate(flags) if flag}


class OnePass:
    """Compiles functions of one module, its trampolines and its init function."""

    def __init__(self, context: ModuleContext) -> None:
        self._machine = context.options.target.machine
        made = library(self._machine)
        self._ffi, self._lib = made.ffi, made.lib
        self._kept: list[Any] = []  # the arrays that the struct points to
        letters, places = bytearray(), array("I")
        for params, results in [*((s.params, s.results) for s in context.signatures), ("", "")]:
            places.append(len(letters))
            letters += params.encode()
            places.append(len(letters))
            letters += results.encode()
        places.append(len(letters))
        layout, features = context.layout, context.options.target.cpu_features
        self._module = made.ffi.new(
            "wa_onepass_module *",
            {
                "letters": self._borrow("uint8_t[]", bytes(letters)),
                "type_places": self._borrow("uint32_t[]", places),
                "canonical": self._borrow("uint32_t[]", context.canonical),
                # One more: the init function, whose type is the empty one at the end.
                "function_types": self._borrow(
                    "uint32_t[]", context.function_types + array("I", [len(context.signatures)])
                ),
                "tag_types": self._borrow("uint32_t[]", context.tag_types),
                "memories": self._new(
                    "wa_onepass_memory[]",
                    [(m.index == "l", m.checked, m.shared, m.page_log2) for m in context.memories],
                ),
                "tables": self._borrow("uint8_t[]", bytes(letter == "l" for letter in context.tables)),
                "fixed_tables": self._borrow("uint8_t[]", bytes(context.fixed_tables)),
                "globals": self._new("wa_onepass_global[]", list(map(_global, context.globals))),
                "subtypes": self._new("wa_onepass_subtype[]", _subtypes(context.types)),
                "fields": self._new(
                    "wa_onepass_field[]",
                    [
                        (f.offset, ord(f.letter), f.bits // 8, f.has_objects)
                        for type_ in context.types
                        for f in type_.fields
                    ],
                ),
                "type_count": len(context.signatures),
                "subtype_count": len(context.types),
                "function_count": len(context.function_types),
                "imported_functions": context.imported_functions,
                "memory_count": len(context.memories),
                "table_count": len(context.tables),
                "global_count": len(context.globals),
                "tag_count": len(context.tag_types),
                "memories_offset": layout.memories_offset,
                "tables_offset": layout.tables_offset,
                "tags_offset": layout.tags_offset,
                "imported_functions_offset": layout.imported_functions_offset,
                "has_tail_calls": context.convention is not None,
                "has_fuel": context.options.fuel,
                "checks_exceptions": context.checks_exceptions,
                "has_lzcnt": "lzcnt" in features,
                "has_bmi1": "bmi" in features,
                "has_fma": "fma" in features,
                "has_lse": "lse" in features,
            },
        )

    def functions(
        self, group: FunctionGroup, wanted: list[range] | None = None
    ) -> Iterator[tuple[range, CompiledGroup | None]]:
        """Compile the functions of a group: ranges of positions in it with their code, None where it is left to LLVM.

        Parameters
        ----------
        group : FunctionGroup
            Any number of functions that follow each other.
        wanted : list[range] | None
            Positions that are compiled here, ascending; None: all.

        Raises
        ------
        MemoryError
            There is no memory for the code.
        """
        done = 0
        for span in [range(len(group.starts))] if wanted is None else wanted:
            if done < span.start:
                yield range(done, span.start), None
            position = span.start
            while position < span.stop:
                compiled = self._compile(group, position, span.stop)
                end = position + (0 if compiled is None else len(compiled.object.functions))
                if compiled is None:
                    end = next((p for p in range(position + 1, span.stop) if not self._is_left(group, p)), span.stop)
                yield range(position, end), compiled
                position = end
            done = span.stop
        if done < len(group.starts):
            yield range(done, len(group.starts)), None

    def init(self, body: bytes) -> CompiledGroup | None:
        """Compile the init function, given as a code entry; None where it is left to LLVM. It pays no fuel."""
        index = self._module.function_count
        group = body_group(index, body)
        return self._compile(group, 0, 1, [INIT_SYMBOL])

    def trampolines(self, types: TrampolineTypes) -> CompiledGroup:
        """Make the trampolines, and with fuel the function that takes it."""
        names = [*types.entry_symbols().values(), *types.host_symbols().values(), *types.inward_symbols().values()]
        names += [outward_symbol(index) for index in types.outward]
        names += [TAKE_FUEL] if self._module.has_fuel else []
        code = self._ffi.new("wa_onepass_code *")
        arrays = [array("I", indices) for indices in (types.entry, types.host, types.inward, types.outward)]
        given = [item for numbers in arrays for item in (self._ffi.from_buffer("uint32_t[]", numbers), len(numbers))]
        self._check(self._lib.wa_onepass_trampolines(self._module, *given, code))
        try:
            return self._group(code, names)
        finally:
            self._lib.wa_onepass_release(code)

    def _new(self, type_: str, values: list[Any]) -> Any:
        made = self._ffi.new(type_, values)
        self._kept.append(made)
        return made

    def _borrow(self, type_: str, data: Any) -> Any:
        view = self._ffi.from_buffer(type_, data)
        self._kept.append(view)
        return view

    def _check(self, status: int) -> None:
        if status:
            raise MemoryError("no memory for the code of the module")

    def _run(self, group: FunctionGroup, position: int, count: int) -> Any:
        """The code of functions from a position on; release it."""
        ffi = self._ffi
        code = ffi.new("wa_onepass_code *")
        data = ffi.from_buffer("uint8_t[]", group.data)
        starts, ends = (ffi.from_buffer("uint32_t[]", places) + position for places in (group.starts, group.ends))
        self._check(
            self._lib.wa_onepass_compile(
                self._module, data, group.bases[position], group.indices[position], starts, ends, count, code
            )
        )
        return code

    def _is_left(self, group: FunctionGroup, position: int) -> bool:
        """Whether a function is one that LLVM has to compile."""
        code = self._run(group, position, 1)
        count: int = code.function_count
        self._lib.wa_onepass_release(code)
        return count == 0

    def _compile(
        self, group: FunctionGroup, position: int, stop: int, names: list[str] | None = None
    ) -> CompiledGroup | None:
        """Compile as many functions as come before one that is left; None where that is the first."""
        code = self._run(group, position, stop - position)
        try:
            if not code.function_count:
                return None
            first = group.indices[position]
            return self._group(code, names or [f"f{first + i}" for i in range(code.function_count)], first)
        finally:
            self._lib.wa_onepass_release(code)

    def _numbers(self, data: Any, count: int) -> array[int]:
        return array("I", self._ffi.buffer(data, 4 * count)[:] if count else b"")

    def _bytes(self, data: Any, count: int) -> bytes:
        return bytes(self._ffi.buffer(data, count)) if count else b""

    def _group(self, code: Any, names: list[str], first: int = 0) -> CompiledGroup:
        count = code.function_count
        offsets, sizes = (self._numbers(data, count) for data in (code.function_offsets, code.function_sizes))
        made = CodeObject(
            self._machine,
            [Section(".text", self._bytes(code.text, code.text_size_bytes), _ALIGN_BYTES)],
            list(zip(names, offsets, sizes, strict=True)),
            [],
            [],
            array("i"),
            array("Q"),
            [],
        )
        self._add_relocations(made, code)
        rows = AddressMap(
            self._numbers(code.row_text_offsets, code.row_count),
            self._numbers(code.row_wasm_offsets, code.row_count),
            self._bytes(code.row_traps, code.row_count),
        )
        flags, is_short = self._bytes(code.function_flags, count), self._lib.WA_ONEPASS_SHORT
        facts = GroupFacts(
            features=self._features(code),
            indirect_types=set(self._numbers(code.indirect_types, code.indirect_count)),
            outward_types=set(self._numbers(code.outward_types, code.outward_count)),
            short_functions=[first + i for i, flag in enumerate(flags) if flag & is_short],
        )
        return CompiledGroup(made, rows, facts, is_by_llvm=False)

    def _add_relocations(self, made: CodeObject, code: Any) -> None:
        """Calls of functions that others compile; addresses of type digests, outward trampolines and fixed tables."""
        if not (code.call_count or code.digest_count or code.outward_count or code.fixed_count):
            return
        known: dict[str, int] = {}

        def add(kinds: Iterable[tuple[int, int, int]], places: Any, names: list[str], distances: list[int]) -> None:
            symbols = array("I", [known.setdefault(name, len(known)) for name in names])
            starts = self._numbers(places, len(names))
            for kind, behind, added in kinds if names else ():
                offsets = array("I", [start + behind for start in starts]) if behind else starts
                addends = array("q", [distance + added for distance in distances])
                made.relocations.append(Relocations(TEXT, kind, offsets, symbols, addends))

        addresses = _ADDRESS_KINDS[self._machine]
        take_fuel = self._lib.WA_ONEPASS_TAKE_FUEL % (1 << 32)
        callees = self._numbers(code.call_functions, code.call_count)
        names = [TAKE_FUEL if index == take_fuel else f"f{index}" for index in callees]
        add(_CALL_KINDS[self._machine], code.call_offsets, names, [0] * len(names))
        types = self._numbers(code.digest_types, code.digest_count)
        distances = [DIGEST_SIZE_BYTES * type_ for type_ in types]
        add(addresses, code.digest_offsets, [TYPE_DIGESTS_SYMBOL] * len(types), distances)
        names = [outward_symbol(type_) for type_ in self._numbers(code.outward_types, code.outward_count)]
        add(addresses, code.outward_offsets, names, [0] * len(names))
        names = [fixed_table_symbol(table) for table in self._numbers(code.fixed_tables, code.fixed_count)]
        add(addresses, code.fixed_offsets, names, [0] * len(names))
        made.symbol_names += known
        made.symbol_sections.extend([UNDEFINED] * len(known))
        made.symbol_offsets.extend([0] * len(known))

    def _features(self, code: Any) -> set[str]:
        prefixes, sub_opcodes = self._lib.WA_ONEPASS_PREFIXES, self._lib.WA_ONEPASS_SUBCODES
        used = self._bytes(code.used_opcodes, prefixes * sub_opcodes if code.used_opcodes else 0)
        features = {"multi-value"} if code.has_typed_blocks else set()
        place = used.find(1)
        while place >= 0:  # of thousands of flags few are set
            prefix, sub = divmod(place, sub_opcodes)
            opcode = sub if prefix == 0 else (PREFIX_GC + prefix - 1) << 16 | sub
            if opcode in OPCODES and (feature := OPCODES[opcode].feature) is not None:
                features.add(feature)
            place = used.find(1, place + 1)
        return features


def _subtypes(types: Iterable[TypeFacts]) -> list[tuple[int, int, int, int, bool]]:
    """Types as wa_onepass_subtype."""
    rows, field = [], 0
    for facts in types:
        rows.append((facts.depth, field, len(facts.fields), facts.kind, facts.final))
        field += len(facts.fields)
    return rows


def _global(facts: GlobalFacts) -> tuple[int, int, int, int, bool, bool]:
    """A wa_onepass_global."""
    value = facts.constant or b""
    bits, high = (int.from_bytes(half, "little") for half in (value[:8], value[8:]))
    return bits, high, facts.offset, ord(facts.letter), facts.imported, facts.constant is not None
