"""What code generation hands on: a group of functions to a worker, what comes back for it, and the compiled module."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from wasmartifact.codegen.options import TargetSpec
from wasmartifact.codegen.recursion import Inlining
from wasmartifact.dataclass import dataclass, field
from wasmartifact.elf.object import CodeObject

#: Symbol of the function that instantiation runs.
INIT_SYMBOL: Final = "init"


@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """Defined functions, ascending: ``data`` holds their code entries.

    Of each there is the index, where its code entry starts and ends in ``data``, and what to add to that for a wasm
    offset.
    """

    indices: array[int]
    data: bytes
    starts: array[int]
    ends: array[int]
    bases: array[int]


@dataclass(slots=True)
class GroupFacts:
    """What is learnt of a group while it is emitted."""

    features: set[str] = field(default_factory=set)
    indirect_types: set[int] = field(default_factory=set)  # canonical types of indirect calls
    outward_types: set[int] = field(default_factory=set)  # those of tail calls that need an outward trampoline
    short_functions: list[int] = field(default_factory=list)


def joined(facts: Iterable[GroupFacts]) -> GroupFacts:
    """What was learnt of several functions together."""
    result = GroupFacts()
    for some in facts:
        result.features |= some.features
        result.indirect_types |= some.indirect_types
        result.outward_types |= some.outward_types
        result.short_functions += some.short_functions
    return result


@dataclass(frozen=True, slots=True)
class AddressMap:
    """Rows sorted by text offset: from there to the next row, code stands for this wasm offset and can raise this trap.

    A wasm offset of 0 means that none is known; a trap code of 0 that none is raised.
    """

    text_offsets: array[int]
    wasm_offsets: array[int]
    traps: bytes


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """One object: code, address map, and what was learnt of its functions: one of them, or a whole group."""

    object: CodeObject
    address_map: AddressMap
    facts: GroupFacts
    is_by_llvm: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """Code of a function, at a symbol of its own, for the CPU levels whose bits are set in ``levels``."""

    func_index: int
    symbol: str
    levels: int


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """What code generation gives to layout and metadata.

    Attributes
    ----------
    objects : list[CodeObject]
        In the order in which their text must be laid out. Function ``i`` of the index space is the symbol ``f<i>``.
    address_maps : list[AddressMap]
        One for each object; text offsets count from the start of the object's text.
    features : set[str]
        Features of ``schema.WASM_FEATURES`` that function bodies use.
    short_functions : set[int]
        Functions without loops and calls, as indices of the function index space.
    entry_symbols, host_symbols, inward_symbols : dict[int, str]
        Trampolines by canonical type index; the last one is None for a module without tail calls.
    init_symbol : str | None
        The function that instantiation runs, None where there is nothing to run.
    memory_guards : list[int]
        Per memory of the index space: 1 where code checks every access, as column memory_guard.
    checks_exceptions : bool
        Functions look for a pending exception after calls.
    has_llvm_code : bool
        LLVM made some of it.
    levels : Sequence[TargetSpec]
        The CPU levels that there is code for, ascending; one where no function differs.
    variants : Sequence[Variant]
        Functions that levels above the first have in place of the first one's.
    inlined : Mapping[int, Inlining]
        Functions that hold copies of their body. Wasm offsets in the rows of copy k are those of the body plus k times
        its size.
    """

    objects: list[CodeObject]
    address_maps: list[AddressMap]
    features: set[str]
    short_functions: set[int]
    entry_symbols: dict[int, str]
    host_symbols: dict[int, str]
    inward_symbols: dict[int, str] | None
    init_symbol: str | None
    memory_guards: list[int]
    checks_exceptions: bool
    has_llvm_code: bool
    levels: Sequence[TargetSpec] = ()
    variants: Sequence[Variant] = ()
    inlined: Mapping[int, Inlining] = field(default_factory=dict)
