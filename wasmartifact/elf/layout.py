"""Lay out code and constants of all objects, fix every address, resolve symbols and apply relocations.

Beyond this point code offsets are fixed.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from wasmartifact.dataclass import dataclass, field
from wasmartifact.elf import relocation
from wasmartifact.elf.file_head import HeadPlan, plan_head
from wasmartifact.elf.object import (
    ALIGN_MAX_BYTES,
    TEXT,
    TRAP_FILL,
    TYPE_DIGESTS_SYMBOL,
    UNDEFINED,
    UNWIND_NAME,
    CodeObject,
    Relocations,
    Section,
)
from wasmartifact.errors import ToolchainError
from wasmartifact.schema import ANCHOR, ANCHOR_SYMBOL, TIED_ARRAYS_OFFSET, Buffer, align_up

#: Code offsets are u32 in the metadata.
TEXT_MAX_BYTES: Final = 0xFFFFFFFF


@dataclass(slots=True)
class Layout:
    """Everything that is mapped, at its final address.

    Attributes
    ----------
    head : HeadPlan
        The parts before ``.rodata``.
    rodata, unwind, text : bytearray
        Contents; ``rodata`` starts with the anchor, whose build id `assemble` fills in, and the contract, which
        `write_contract` does.
    *_vaddr : int
        Virtual addresses; the file offset is ``vaddr - head.code_vaddr_bias``.
    functions : dict[str, tuple[int, int]]
        Global function symbol to (text offset, size in bytes), ascending by text offset.
    object_text_offsets : list[int]
        Where the text of each object starts.
    image_offsets : list[int]
        Where each image starts in the file.
    contract_size_bytes : int
        Size of anchor and contract.
    levels_offset : int
        What the anchor says of the contract's CPU levels.
    images : bytearray
        Images behind the text: those of a snapshot, whose code keeps its place, that ``rodata`` has no room for.
    """

    head: HeadPlan
    rodata: bytearray
    unwind: bytearray
    text: bytearray
    rodata_vaddr: int
    unwind_vaddr: int
    text_vaddr: int
    anchor_vaddr: int
    type_digests_vaddr: int
    functions: dict[str, tuple[int, int]] = field(repr=False)
    object_text_offsets: list[int] = field(repr=False)
    image_offsets: list[int]
    contract_size_bytes: int
    levels_offset: int = 0
    images: bytearray = field(default_factory=bytearray)

    def write_contract(self, contract: bytes, levels_offset: int = 0) -> None:
        """Fill in what follows the anchor: the type digests among it, and what depends on where code lies.

        ``levels_offset`` is for the anchor.

        Raises
        ------
        ToolchainError
            It has another size than was planned: a defect of the packer.
        """
        planned = self.contract_size_bytes - ANCHOR.size_bytes
        if len(contract) != planned:
            raise ToolchainError(f"the contract has {len(contract)} bytes, planned were {planned}")
        self.rodata[ANCHOR.size_bytes : self.contract_size_bytes] = contract
        self.levels_offset = levels_offset

    @property
    def machine(self) -> str:
        """Key of ``schema.MACHINES``."""
        return self.head.machine

    @property
    def text_size(self) -> int:
        """Size of the text in bytes."""
        return len(self.text)

    @property
    def images_vaddr(self) -> int:
        """Where images behind the text start: on a page of their own."""
        return align_up(self.text_vaddr + len(self.text), self.page_size_bytes)

    @property
    def head_size_bytes(self) -> int:
        """Bytes before ``.rodata``: the chunk that ``load_checksum`` covers."""
        return self.head.size_bytes

    @property
    def page_size_bytes(self) -> int:
        """Alignment of segments and of the metadata section."""
        return self.head.page_size_bytes


@dataclass(slots=True)
class _Region:
    """One output section while it grows; ``starts[object index, section index]`` is where that input went."""

    image: bytearray
    fill: bytes
    starts: dict[tuple[int, int], int] = field(default_factory=dict)

    def reserve(self, align_bytes: int) -> int:
        """Pad to an alignment; the offset there."""
        missing = -len(self.image) % align_bytes
        self.image += (self.fill * missing)[:missing]
        return len(self.image)


def layout(
    objects: Sequence[CodeObject],
    *,
    machine: str,
    contract_size_bytes: int,
    images: Sequence[Buffer] = (),
    segments: int = 1,
) -> Layout:
    """Lay out objects, in the given order.

    Parameters
    ----------
    objects : Sequence[CodeObject]
        What `read_object` gave.
    machine : str
        Key of ``schema.MACHINES``.
    contract_size_bytes : int
        Room at the start of ``.rodata``: the anchor and what follows it. The first array of the contract, the type
        digests, is TYPE_DIGESTS_SYMBOL.
    images : Sequence[Buffer]
        What instances map from here: each gets pages of its own.
    segments : int
        1, or 2 for C libraries that write into the dynamic section.

    Raises
    ------
    ToolchainError
        An object is for another machine, a symbol is missing or defined twice, or a relocation does not reach.
    """
    for item in objects:
        if item.machine != machine:
            raise ToolchainError(f"an object holds code for {item.machine}, expected {machine}")
    head = plan_head(machine, segments)
    text = _Region(bytearray(), TRAP_FILL[machine])
    unwind = _Region(bytearray(), b"\0")
    rodata = _Region(bytearray(contract_size_bytes), b"\0")
    pools = _merge_constants(objects, rodata)
    for index, item in enumerate(objects):
        for number, section in enumerate(item.sections):
            region = text if number == TEXT else unwind if section.name == UNWIND_NAME else rodata
            if not section.entry_size_bytes:
                region.starts[index, number] = region.reserve(section.align_bytes)
                region.image += section.data
    if len(text.image) > TEXT_MAX_BYTES:
        raise ToolchainError(
            f"the code has {len(text.image)} bytes, expected at most {TEXT_MAX_BYTES}; split the module"
        )
    image_offsets = [_place_image(image, rodata, head) for image in images]

    rodata_vaddr = head.size_bytes + head.code_vaddr_bias
    unwind_vaddr = align_up(rodata_vaddr + len(rodata.image), ALIGN_MAX_BYTES)
    text_vaddr = align_up(unwind_vaddr + len(unwind.image), ALIGN_MAX_BYTES)
    result = Layout(
        head, rodata.image, unwind.image, text.image, rodata_vaddr, unwind_vaddr, text_vaddr,
        anchor_vaddr=rodata_vaddr, type_digests_vaddr=rodata_vaddr + TIED_ARRAYS_OFFSET,
        functions=_place_functions(objects, text),
        object_text_offsets=[text.starts[index, TEXT] for index in range(len(objects))],
        image_offsets=image_offsets,
        contract_size_bytes=contract_size_bytes,
    )  # fmt: skip
    _Resolver(result, objects, pools, rodata, unwind, text).run()
    return result


def _place_image(image: Buffer, rodata: _Region, head: HeadPlan) -> int:
    """Put an image on pages of its own, which end with zeros; its offset in the file."""
    page = head.page_size_bytes
    rodata.image += bytes(-(head.size_bytes + len(rodata.image)) % page)
    offset = head.size_bytes + len(rodata.image)
    rodata.image += image
    rodata.image += bytes(-len(image) % page)
    return offset


def _merge_constants(objects: Sequence[CodeObject], rodata: _Region) -> dict[tuple[int, int], array[int]]:
    """Store equal constants once, the largest size first.

    Returns the offset in ``rodata`` of every entry of every mergeable section, by (object index, section index).
    """
    by_size: dict[int, list[tuple[int, int, Section]]] = {}
    for index, item in enumerate(objects):
        for number, section in enumerate(item.sections):
            if section.entry_size_bytes:
                by_size.setdefault(section.entry_size_bytes, []).append((index, number, section))
    pools = {}
    for size in sorted(by_size, reverse=True):
        start = rodata.reserve(size)
        pool: dict[bytes, int] = {}
        for index, number, section in by_size[size]:
            data = section.data
            entries = [data[at : at + size] for at in range(0, len(data), size)]
            pools[index, number] = array("Q", [pool.setdefault(entry, start + len(pool) * size) for entry in entries])
        rodata.image += b"".join(pool)
    return pools


def _place_functions(objects: Sequence[CodeObject], text: _Region) -> dict[str, tuple[int, int]]:
    """Text offset and size of every global function, ascending by offset."""
    placed = []
    for index, item in enumerate(objects):
        start = text.starts[index, TEXT]
        placed += [(start + offset, size, name) for name, offset, size in item.functions]
    placed.sort()
    functions = {name: (offset, size) for offset, size, name in placed}
    if len(functions) != len(placed):
        _refuse_duplicates([name for _, _, name in placed])
    return functions


def _refuse_duplicates(names: Sequence[str]) -> None:
    """Raise where a symbol is defined twice."""
    seen: set[str] = set()
    twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise ToolchainError(f"{len(twice)} symbols are defined more than once: {_shorten(twice)}", symbols=twice)


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


class _Resolver:
    """Gives every symbol its address and applies what `read_object` left open."""

    def __init__(
        self,
        result: Layout,
        objects: Sequence[CodeObject],
        pools: dict[tuple[int, int], array[int]],
        rodata: _Region,
        unwind: _Region,
        text: _Region,
    ) -> None:
        self.result = result
        self.objects = objects
        self.pools = pools
        self.regions = ((text, result.text_vaddr), (unwind, result.unwind_vaddr), (rodata, result.rodata_vaddr))
        self.globals = self._find_globals()

    def run(self) -> None:
        self._refuse_undefined()
        for index, item in enumerate(self.objects):
            if item.relocations:
                addresses = self._addresses(index, item)
                for group in item.relocations:
                    self._apply(index, item, group, addresses)

    def _find_globals(self) -> dict[str, int]:
        """Address of every global symbol."""
        result = self.result
        names = [ANCHOR_SYMBOL, TYPE_DIGESTS_SYMBOL, *result.functions]
        found = {ANCHOR_SYMBOL: result.anchor_vaddr, TYPE_DIGESTS_SYMBOL: result.type_digests_vaddr}
        for name, (offset, _) in result.functions.items():
            found[name] = result.text_vaddr + offset
        for index, item in enumerate(self.objects):
            for name, section, offset in item.objects:
                names.append(name)
                found[name] = self._address(index, section, offset)
        if len(found) != len(names):
            _refuse_duplicates(names)
        return found

    def _refuse_undefined(self) -> None:
        used = {name for item in self.objects for name in item.symbol_names if name}
        missing = sorted(used - self.globals.keys())
        if missing:
            raise ToolchainError(
                f"{len(missing)} symbols are used but defined by no object: {_shorten(missing)}; make the code "
                "generator define them or call the runtime through the instance",
                symbols=missing,
            )

    def _place(self, index: int, section: int) -> tuple[_Region, int]:
        """Output section and address of its first byte, for an input section that is not merged."""
        for region, vaddr in self.regions:
            if (index, section) in region.starts:
                return region, vaddr
        raise ToolchainError(f"section {section} of object {index} was not laid out")

    def _address(self, index: int, section: int, offset: int) -> int:
        """Address of an offset in an input section."""
        entries = self.pools.get((index, section))
        if entries is None:
            region, vaddr = self._place(index, section)
            return vaddr + region.starts[index, section] + offset
        entry, rest = divmod(offset, self.objects[index].sections[section].entry_size_bytes)
        if entry >= len(entries):
            raise ToolchainError(f"object {index} refers to offset {offset:#x} of section {section}, behind its end")
        return self.result.rodata_vaddr + entries[entry] + rest

    def _addresses(self, index: int, item: CodeObject) -> list[int]:
        """Address of each symbol that the relocations of an object refer to."""
        symbols = zip(item.symbol_names, item.symbol_sections, item.symbol_offsets, strict=True)
        return [
            self.globals[name] if section == UNDEFINED else self._address(index, section, offset)
            for name, section, offset in symbols
        ]

    def _apply(self, index: int, item: CodeObject, group: Relocations, addresses: list[int]) -> None:
        kind = relocation.KINDS[item.machine][group.kind]
        region, vaddr = self._place(index, group.section)
        start = region.starts[index, group.section]
        targets = [addresses[symbol] + addend for symbol, addend in zip(group.symbols, group.addends, strict=True)]

        def describe(position: int) -> str:
            symbol = item.symbol_names[group.symbols[position]] or f"a local symbol of object {index}"
            place = f"{group.offsets[position]:#x} in section {item.sections[group.section].name} of object {index}"
            return f"relocation {kind.name} at {place} to {symbol}"

        kind.apply(region.image, start, vaddr + start, group.offsets, targets, describe)
