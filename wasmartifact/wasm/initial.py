"""What an instance starts with: constant data and elements become images, the rest becomes actions for init code.

The images are mapped copy-on-write, so that instantiation does not grow with them. An action stays where the value is
computed, the target is imported, or an earlier segment of the same target already had to be an action (order matters
where segments overlap), or where the segment does not fit (init code must raise the trap, with the partial effects of
the segments before it).
"""

from __future__ import annotations

import operator
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from wasmartifact.dataclass import dataclass
from wasmartifact.schema import VALTYPE_REF, VALTYPE_REF_NULL
from wasmartifact.wasm.model import ACTIVE, DECLARATIVE, ConstExpr, Data, Element, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """Consecutive bytes of a defined memory's image; offset and size are multiples of the page size of the machine."""

    memory_index: int
    memory_offset: int
    data: bytes | bytearray


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
        ``("element_values", segment)``: store the computed items of a segment with ``element_set``; for segments that
        are in no image. ``("element", segment)``: table.init of the whole active segment, then drop.
        ``("data", segment)``: memory.init of the whole active segment, then drop. Segments in an image and declarative
        ones start dropped.
    """

    memory_runs: tuple[MemoryRun, ...]
    table_images: tuple[TableImage, ...]
    global_image: bytes
    elements_in_image: frozenset[int]
    datas_in_image: frozenset[int]
    actions: tuple[tuple[str, int], ...]


def plan_initial_state(module: Module, page_size_bytes: int) -> InitialState:
    """Split a module's initialisers into images and actions.

    Parameters
    ----------
    module : Module
        A validated module.
    page_size_bytes : int
        Page size of the target machine: the granularity of memory runs.

    Returns
    -------
    InitialState
        See there. Runs ascend by memory and offset; they lie within the memory's minimum size, neither start nor end
        with a page of zeros, and are at least ``MERGE_GAP_BYTES`` apart.
    """
    constants = _constant_globals(module)
    plan = _Plan(module, constants, page_size_bytes)
    plan.segments()
    global_actions = [
        ("global", index)
        for index, item in enumerate(module.globals)
        if (value := constants.get(module.imported_globals + index)) is None
        or (value and _is_reference(item.type.valtype))
    ]
    return InitialState(
        memory_runs=tuple(plan.memory_runs()),
        table_images=tuple(plan.table_images()),
        global_image=_global_image(module, constants),
        elements_in_image=frozenset(plan.elements_in_image),
        datas_in_image=frozenset(plan.datas_in_image),
        actions=(*global_actions, *plan.table_actions, *plan.element_values(), *plan.segment_actions()),
    )


# --------------------------------------------------------------------------------------------------------------------
# Constant expressions

#: A folded constant: the bits of a number, 16 bytes of a vector, or a table slot (0 null, func_index << 1 | 1).
Constant = int | bytes

_CONSTANT_OPCODES: Final = {OPCODE_BY_NAME[name].code for name in ("f32.const", "f64.const", "v128.const")}
_INT_BITS: Final = {OPCODE_BY_NAME["i32.const"].code: 32, OPCODE_BY_NAME["i64.const"].code: 64}
_I32_CONST, _REF_FUNC, _REF_NULL, _GLOBAL_GET = (
    OPCODE_BY_NAME[name].code for name in ("i32.const", "ref.func", "ref.null", "global.get")
)
#: Operators of the items that a segment's slots hold from the start.
CONSTANT_ITEMS: Final = frozenset((_REF_FUNC, _REF_NULL))
_ARITHMETIC: Final[dict[int, tuple[int, Callable[[int, int], int]]]] = {
    OPCODE_BY_NAME[f"i{bits}.{name}"].code: (bits, function)
    for bits in (32, 64)
    for name, function in (("add", operator.add), ("sub", operator.sub), ("mul", operator.mul))
}


def evaluate(expression: ConstExpr, constants: Mapping[int, Constant]) -> Constant | None:
    """Value of a constant expression, given the values of the globals that have one; None where it must be computed."""
    if len(expression.instructions) == 1:
        _, opcode, immediate = expression.instructions[0]  # nearly all of them, and some modules have 100,000
        if opcode == _I32_CONST:
            assert isinstance(immediate, int)
            return immediate & 0xFFFF_FFFF
    stack: list[Constant] = []
    for _, opcode, immediate in expression.instructions:
        if opcode in _INT_BITS:
            stack.append(immediate & (1 << _INT_BITS[opcode]) - 1)
        elif opcode in _CONSTANT_OPCODES:
            stack.append(immediate)
        elif opcode == _REF_FUNC:
            stack.append(immediate << 1 | 1)
        elif opcode == _REF_NULL:
            stack.append(0)
        elif opcode == _GLOBAL_GET and immediate in constants:
            stack.append(constants[immediate])
        elif opcode in _ARITHMETIC:
            bits, function = _ARITHMETIC[opcode]
            right, left = stack.pop(), stack.pop()
            assert isinstance(left, int) and isinstance(right, int)
            stack.append(function(left, right) & (1 << bits) - 1)
        else:
            return None
    return stack[-1]


def _constant_globals(module: Module) -> dict[int, Constant]:
    """Initial values of the defined globals that need no computing, by index in the index space."""
    constants: dict[int, Constant] = {}
    for index, item in enumerate(module.globals, module.imported_globals):
        value = evaluate(item.init, constants)
        if value is not None:
            constants[index] = value
    return constants


def _is_reference(valtype: int) -> bool:
    return valtype & 0xFF in (VALTYPE_REF, VALTYPE_REF_NULL)


def _global_image(module: Module, constants: Mapping[int, Constant]) -> bytes:
    """Cells of 16 bytes. A reference is null or stored by an action, so its cell is zero."""
    cells = []
    for index, item in enumerate(module.globals, module.imported_globals):
        value = constants.get(index, 0)
        if isinstance(value, bytes):
            cells.append(value)
        else:
            cells.append(bytes(16) if _is_reference(item.type.valtype) else value.to_bytes(16, "little"))
    return b"".join(cells)


# --------------------------------------------------------------------------------------------------------------------
# Segments

#: Runs closer than this are one: the zeros between them cost less in the file than one more mmap at instantiation. It
#: is also the largest page size, so that all machines get the same runs.
MERGE_GAP_BYTES: Final = 65536
#: An image with more runs, or with so many more bytes than its segments (and than a floor), is not worth it: a hostile
#: module could ask for gigabytes, or for more mappings than the kernel gives. Its segments become actions.
MAX_RUNS: Final = 1024
MAX_GROWTH: Final = 16
GROWTH_FLOOR_BYTES: Final = 1 << 20


class _Plan:
    """Decides segment by segment, in the order of instantiation, and then builds the images.

    Images take effect before all actions. That is right unless somebody can see the instance after its instantiation
    trapped, which takes an own function in an imported table: from then on, a segment behind one that may trap is an
    action too.
    """

    def __init__(self, module: Module, constants: Mapping[int, Constant], page_size_bytes: int) -> None:
        self.module = module
        self.constants = constants
        self.page_size_bytes = page_size_bytes
        self.elements_in_image: list[int] = []
        self.datas_in_image: list[int] = []
        self.table_actions: list[tuple[str, int]] = []
        #: Where each data segment goes; None where it is passive, or its offset must be computed.
        self.data_starts = [self._offset(data.offset) for data in module.datas]
        # Targets whose later segments must be actions, because an earlier one is.
        self.closed_tables = set(range(module.imported_tables))
        self.closed_memories = set(range(module.imported_memories))
        self.is_visible = False  # an imported table may hold a function of this instance
        self.may_have_trapped = False  # since then

    def segments(self) -> None:
        """Decide for every table, element segment and data segment."""
        module = self.module
        for index, table in enumerate(module.tables):
            if table.init is not None and evaluate(table.init, self.constants) != 0:
                self.table_actions.append(("table", index))
                self.closed_tables.add(module.imported_tables + index)
        for index, element in enumerate(module.elements):
            if element.mode == ACTIVE:
                self._place_element(index, element)
        for index, data in enumerate(module.datas):
            if data.mode == ACTIVE:
                self._place_data(index, data)
        self._drop_sparse_images()

    def segment_actions(self) -> list[tuple[str, int]]:
        """Active segments that are in no image, in order."""
        elements, datas = set(self.elements_in_image), set(self.datas_in_image)
        return [
            *(
                ("element", index)
                for index, element in enumerate(self.module.elements)
                if element.mode == ACTIVE and index not in elements
            ),
            *(
                ("data", index)
                for index, data in enumerate(self.module.datas)
                if data.mode == ACTIVE and index not in datas
            ),
        ]

    def element_values(self) -> list[tuple[str, int]]:
        """Actions for segments with items that are neither null nor a function; these slots stand as 0 in the metadata.

        Segments in an image start dropped: what their items are has been found out, and nobody asks again.
        """
        plain, in_image = (_REF_FUNC, _REF_NULL), set(self.elements_in_image)
        return [
            ("element_values", index)
            for index, element in enumerate(self.module.elements)
            if element.mode != DECLARATIVE
            and index not in in_image
            and any(isinstance(item, ConstExpr) and item.instructions[0][1] not in plain for item in element.items)
        ]

    def _place_element(self, index: int, element: Element) -> None:
        end = self._end(element.offset, len(element.items))
        fits = end is not None and end <= self.module.table_types[element.table].limits.min
        in_image = fits and element.table not in self.closed_tables and not self.may_have_trapped
        if in_image and all(self._slot(item) is not None for item in element.items):
            self.elements_in_image.append(index)
            return
        self.closed_tables.add(element.table)
        self.may_have_trapped |= self.is_visible and not fits
        self.is_visible |= element.table < self.module.imported_tables

    def _place_data(self, index: int, data: Data) -> None:
        memory_type = self.module.memory_types[data.memory]
        size_bytes = memory_type.limits.min << memory_type.page_log2
        start = self.data_starts[index]
        end = None if start is None else start + data.end - data.start
        fits = end is not None and end <= size_bytes
        # A memory with small pages may end within a page of the machine, which can't be mapped then.
        if (
            end is not None
            and end <= size_bytes & -self.page_size_bytes
            and data.memory not in self.closed_memories
            and not self.may_have_trapped
        ):
            self.datas_in_image.append(index)
            return
        self.closed_memories.add(data.memory)
        self.may_have_trapped |= self.is_visible and not fits

    def _offset(self, offset: ConstExpr | None) -> int | None:
        value = None if offset is None else evaluate(offset, self.constants)
        return value if isinstance(value, int) else None

    def _end(self, offset: ConstExpr | None, size: int) -> int | None:
        start = self._offset(offset)
        return None if start is None else start + size

    def _slot(self, item: int | ConstExpr) -> int | None:
        if isinstance(item, int):
            return item << 1 | 1
        value = evaluate(item, self.constants)
        return value if isinstance(value, int) else None

    def _drop_sparse_images(self) -> None:
        """Turn the segments of images that are not worth it into actions; they fit, so nothing else changes."""
        spans = self._memory_spans()
        sparse = {memory for memory, found in spans.items() if not self._is_worth_it(memory, found)}
        self.datas_in_image = [index for index in self.datas_in_image if self.module.datas[index].memory not in sparse]
        sizes, ends = self._table_sizes()
        sparse = {
            table for table, end in ends.items() if 8 * end > max(MAX_GROWTH * 8 * sizes[table], GROWTH_FLOOR_BYTES)
        }
        self.elements_in_image = [
            index for index in self.elements_in_image if self.module.elements[index].table not in sparse
        ]

    # Tables -----------------------------------------------------------------------------------------------------------

    def _table_sizes(self) -> tuple[dict[int, int], dict[int, int]]:
        """Number of items in the image, and of slots up to its end, by table."""
        sizes: dict[int, int] = {}
        ends: dict[int, int] = {}
        for index in self.elements_in_image:
            element = self.module.elements[index]
            sizes[element.table] = sizes.get(element.table, 0) + len(element.items)
            end = self._end(element.offset, len(element.items))
            assert end is not None
            ends[element.table] = max(ends.get(element.table, 0), end)
        return sizes, ends

    def table_images(self) -> Iterator[TableImage]:
        """Images of the tables that have a slot that is not null."""
        _, ends = self._table_sizes()
        images = {table: array("Q", bytes(8 * end)) for table, end in ends.items()}
        for index in self.elements_in_image:
            element = self.module.elements[index]
            start = self._offset(element.offset)
            assert start is not None
            slots = [slot for item in element.items if (slot := self._slot(item)) is not None]
            images[element.table][start : start + len(slots)] = array("Q", slots)
        for table in sorted(images):
            if image := table_image(table, images[table]):
                yield image

    # Memories ---------------------------------------------------------------------------------------------------------

    def _memory_spans(self) -> dict[int, list[tuple[int, int]]]:
        """By memory: page-aligned spans [start, end) that cover its segments, ascending, apart by MERGE_GAP_BYTES."""
        covers: dict[int, list[tuple[int, int]]] = {}
        mask = -self.page_size_bytes
        for index in self.datas_in_image:
            data, start = self.module.datas[index], self.data_starts[index]
            assert start is not None
            end = start + data.end - data.start
            if end > start:
                covers.setdefault(data.memory, []).append((start & mask, -(-end & mask)))
        return {memory: merge_spans(sorted(spans)) for memory, spans in covers.items()}

    def _is_worth_it(self, memory: int, spans: list[tuple[int, int]]) -> bool:
        datas = (self.module.datas[index] for index in self.datas_in_image)
        data_size_bytes = sum(data.end - data.start for data in datas if data.memory == memory)
        image_size_bytes = sum(end - start for start, end in spans)
        return len(spans) <= MAX_RUNS and image_size_bytes <= max(MAX_GROWTH * data_size_bytes, GROWTH_FLOOR_BYTES)

    def memory_runs(self) -> Iterator[MemoryRun]:
        """Runs of all memory images."""
        for memory, spans in sorted(self._memory_spans().items()):
            buffers = [bytearray(end - start) for start, end in spans]
            starts = [start for start, _ in spans]
            for index in self.datas_in_image:
                data, start = self.module.datas[index], self.data_starts[index]
                if data.memory != memory or start is None or data.start == data.end:
                    continue
                span = bisect_right(starts, start) - 1
                at = start - starts[span]
                buffers[span][at : at + data.end - data.start] = self.module.data[data.start : data.end]
            for start, buffer in zip(starts, buffers, strict=True):
                for run_start, run_end in self._used_spans(buffer):
                    yield MemoryRun(memory, start + run_start, bytes(memoryview(buffer)[run_start:run_end]))

    def _used_spans(self, buffer: bytearray) -> list[tuple[int, int]]:
        """Spans of the buffer without the pages of zeros at their ends and without long stretches of them within."""
        size = self.page_size_bytes
        zeros = bytes(size)
        return merge_spans((at, at + size) for at in range(0, len(buffer), size) if not buffer.startswith(zeros, at))


def table_image(table_index: int, slots: array[int]) -> TableImage | None:
    """The image of a table with these slots, None where all are null."""
    used = len(slots.tobytes().rstrip(b"\0")) + 7 >> 3
    return TableImage(table_index, slots[:used]) if used else None


def image_runs(memory_index: int, stretches: Sequence[tuple[int, bytes]], page_size_bytes: int) -> Iterator[MemoryRun]:
    """Runs of a memory that holds these stretches (offset, contents) and zeros; at most MAX_RUNS.

    Parameters
    ----------
    memory_index : int
        Index of a defined memory.
    stretches : Sequence[tuple[int, bytes]]
        Ascending, at page boundaries; whole pages, but for one that ends with the memory.
    page_size_bytes : int
        Page size of the target machine.
    """
    gap = MERGE_GAP_BYTES
    spans = [(start, start + len(data)) for start, data in stretches]
    while len(spans) > MAX_RUNS:  # every run is a mapping of each instance
        gap *= 2
        spans = merge_spans(spans, gap)
    starts = [start for start, _ in spans]
    buffers = [bytearray(-(-(end - start) // page_size_bytes) * page_size_bytes) for start, end in spans]
    for start, data in stretches:
        number = bisect_right(starts, start) - 1
        at = start - starts[number]
        buffers[number][at : at + len(data)] = data
    for start, buffer in zip(starts, buffers, strict=True):
        yield MemoryRun(memory_index, start, buffer)


def merge_spans(spans: Iterable[tuple[int, int]], gap_bytes: int = MERGE_GAP_BYTES) -> list[tuple[int, int]]:
    """Join ascending spans [start, end) that overlap or lie less than a gap apart."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start - merged[-1][1] < gap_bytes:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
