"""A finished file as a layout again, so that its code can be assembled with other metadata.

Code keeps its bytes and its place: it refers to constants by their distance. Table images may have grown, so that they
no longer fit where they were; then they go behind the text.
"""

from __future__ import annotations

from collections.abc import Mapping

from wasmartifact.elf.file_head import plan_head
from wasmartifact.elf.layout import Layout
from wasmartifact.elf.object import ALIGN_MAX_BYTES, UNWIND_NAME
from wasmartifact.elf.read import SectionPlace, corrupt_elf, read_sections
from wasmartifact.elf.structs import SHT_SYMTAB, SYMBOL
from wasmartifact.schema import HEADER_READ_ONLY_DYNAMIC, Buffer, align_up


def read_layout(data: memoryview, numbers: Mapping[str, int]) -> tuple[Layout, dict[str, str]]:
    """Read the mapped part of a file that `verify` found whole.

    Parameters
    ----------
    data : memoryview
        The whole file.
    numbers : Mapping[str, int]
        Its metadata header.

    Returns
    -------
    tuple[Layout, dict[str, str]]
        The layout, without images behind the text and without the size of the contract, and the names of its functions
        as `assemble` takes them; none of a stripped file.

    Raises
    ------
    CorruptArtifact
        The section headers, which `strip` rewrites, say something else than the metadata.
    """
    machine, sections = read_sections(data)
    places = {section.name.decode("utf-8", "replace"): section for section in sections}
    head = plan_head(machine, 1 if numbers["flags"] & HEADER_READ_ONLY_DYNAMIC else 2)
    bias = head.code_vaddr_bias
    rodata, text = _section(places, ".rodata"), _section(places, ".text")
    unwind = places.get(UNWIND_NAME) or SectionPlace(b"", 0, align_up(rodata.offset + rodata.size, ALIGN_MAX_BYTES), 0)
    for what, found, expected in (
        ("place of .rodata", rodata.offset, head.size_bytes),
        ("place of .text", text.offset + bias, numbers["text_vaddr"]),
        ("size of .text", text.size, numbers["text_size_bytes"]),
        ("head size", numbers["head_size_bytes"], head.size_bytes),
    ):
        if found != expected:
            raise corrupt_elf(what, found, expected)
    if not rodata.offset + rodata.size <= unwind.offset <= unwind.offset + unwind.size <= text.offset:
        raise corrupt_elf(f"place of {UNWIND_NAME}", unwind.offset, "between .rodata and .text")
    functions, names = _read_symbols(data, sections, numbers)
    layout = Layout(
        head, _contents(data, rodata), _contents(data, unwind), _contents(data, text),
        rodata.offset + bias, unwind.offset + bias, text.offset + bias,
        anchor_vaddr=numbers["anchor_vaddr"],
        type_digests_vaddr=numbers["type_digests_vaddr"],
        functions=functions,
        object_text_offsets=[],
        image_offsets=[],
        contract_size_bytes=0,
    )  # fmt: skip
    return layout, names


def _section(places: Mapping[str, SectionPlace], name: str) -> SectionPlace:
    if name not in places:
        raise corrupt_elf("sections", f"no {name}", f"one that is called {name}")
    return places[name]


def _contents(data: memoryview, section: SectionPlace) -> bytearray:
    return bytearray(data[section.offset : section.offset + section.size])


def _read_symbols(
    data: memoryview, sections: list[SectionPlace], numbers: Mapping[str, int]
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Text offset and size of each function, and its name; names may be equal, so numbers tell functions apart."""
    table = next((section for section in sections if section.type == SHT_SYMTAB), None)
    strings = next((section for section in sections if section.name == b".strtab"), None)
    functions: dict[str, tuple[int, int]] = {}
    names: dict[str, str] = {}
    if table is None or strings is None:
        return functions, names
    text_names = bytes(data[strings.offset : strings.offset + strings.size])
    symbols = data[table.offset : table.offset + table.size // SYMBOL.size * SYMBOL.size]
    for number, (start, _, _, section, vaddr, size) in enumerate(SYMBOL.iter_unpack(symbols)):
        if section:
            functions[str(number)] = vaddr - numbers["text_vaddr"], size
            names[str(number)] = text_names[start : text_names.find(b"\0", start)].decode("utf-8", "replace")
    return functions, names


def place_images(layout: Layout, rooms: Mapping[int, tuple[int, int]], images: Mapping[int, Buffer]) -> dict[int, int]:
    """Put table images where those of the file were, or behind the text where there is no room for them.

    Parameters
    ----------
    layout : Layout
        What `read_layout` gave.
    rooms : Mapping[int, tuple[int, int]]
        By table: file offset and size in bytes of the image that there was. Its bytes become zero.
    images : Mapping[int, Buffer]
        By table: the new image.

    Returns
    -------
    dict[int, int]
        By table: where its image starts in the file.
    """
    head, page = layout.head, layout.page_size_bytes
    rodata_end = head.size_bytes + len(layout.rodata)
    free = {}
    for table, (offset, size_bytes) in rooms.items():
        room = align_up(size_bytes, page)
        if offset + room <= rodata_end:
            free[table] = offset, room
            layout.rodata[offset - head.size_bytes : offset - head.size_bytes + room] = bytes(room)
    places = {}
    for table, image in sorted(images.items()):
        data = bytes(image)
        offset, room = free.get(table, (0, 0))
        if len(data) <= room:
            layout.rodata[offset - head.size_bytes : offset - head.size_bytes + len(data)] = data
        else:
            offset = layout.images_vaddr - head.code_vaddr_bias + len(layout.images)
            layout.images += data + bytes(-len(data) % page)
        places[table] = offset
    return places
