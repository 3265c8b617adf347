"""What a worker gives back for a group of functions."""

from __future__ import annotations

from dataclasses import dataclass

from wasmartifact.codegen.group import GroupFacts
from wasmartifact.codegen.lineprogram import AddressMap
from wasmartifact.elf.object import CodeObject


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """One object: code, address map, and what was learnt of its functions."""

    object: CodeObject
    address_map: AddressMap
    facts: GroupFacts
