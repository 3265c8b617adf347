"""What an instance starts with: constant data and elements become images, the rest becomes actions for init code.

The images are mapped copy-on-write, so that instantiation does not grow with them. An action stays where the value is
computed, the target is imported, or an earlier segment of the same target already had to be an action (order matters
where segments overlap), or where the segment does not fit (init code must raise the trap, with the partial effects of
the segments before it).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from wasmartifact.wasm.model import Module


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """Consecutive bytes of a defined memory's image; offset and size are multiples of the page size of the machine."""

    memory_index: int
    memory_offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TableImage:
    """First slots of a defined table as u64: 0 null, func_index << 1 | 1."""

    table_index: int
    slots: array[int]


@dataclass(frozen=True, slots=True)
class InitialState:
    """Images, and what init code does at instantiation, in the order of the spec (section 4.5.4).

    Attributes
    ----------
    global_image : bytes
        16 bytes per defined global; zero where an action computes the value.
    actions : tuple[tuple[str, int], ...]
        ``("global", defined_index)``: store the initialiser. ``("table", defined_index)``: fill with the initialiser.
        ``("element_values", segment)``: store the computed items of a segment with ``element_set``.
        ``("element", segment)``: table.init of the whole active segment, then drop. ``("data", segment)``: memory.init
        of the whole active segment, then drop. Segments in an image and declarative ones start dropped.
    """

    memory_runs: tuple[MemoryRun, ...]
    table_images: tuple[TableImage, ...]
    global_image: bytes
    elements_in_image: frozenset[int]
    datas_in_image: frozenset[int]
    actions: tuple[tuple[str, int], ...]


def plan_initial_state(module: Module, page_size_bytes: int) -> InitialState:
    """Split a module's initialisers into images and actions."""
    raise NotImplementedError
