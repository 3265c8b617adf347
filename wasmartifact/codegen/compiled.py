"""What a worker gets, a group of functions, and what it gives back for it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from wasmartifact.elf.object import CodeObject


@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """Consecutive defined functions: ``data`` holds their code entries and starts at wasm offset ``base``.

    ``starts`` and ``ends`` are offsets in ``data``, one per function from ``first`` on.
    """

    first: int
    data: bytes
    base: int
    starts: array[int]
    ends: array[int]


@dataclass(slots=True)
class GroupFacts:
    """What is learnt of a group while it is emitted."""

    features: set[str] = field(default_factory=set)
    indirect_types: set[int] = field(default_factory=set)  # canonical types of indirect calls
    outward_types: set[int] = field(default_factory=set)  # those of tail calls that need an outward trampoline
    short_functions: list[int] = field(default_factory=list)


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
    """One object: code, address map, and what was learnt of its functions."""

    object: CodeObject
    address_map: AddressMap
    facts: GroupFacts
