"""Read LLVM's relocatable objects (ELF64, x86-64 and aarch64) into a compact form that travels between processes.

What does not depend on final addresses is settled here, in the worker that made the object: text sections are joined,
and relocations within one section (jumps and calls inside the object) are applied. The rest stays grouped by kind.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from wasmartifact.dataclass import dataclass, field
from wasmartifact.elf import relocation
from wasmartifact.elf.structs import (
    ELF_HEADER,
    ELF_IDENT,
    ET_REL,
    RELA,
    SECTION_HEADER,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_MERGE,
    SHF_STRINGS,
    SHF_TLS,
    SHF_WRITE,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_GROUP,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_REL,
    SHT_RELA,
    SHT_SYMTAB,
    SHT_X86_64_UNWIND,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    STT_SECTION,
    SYMBOL,
)
from wasmartifact.errors import ToolchainError
from wasmartifact.record import NamedTuple
from wasmartifact.schema import MACHINES

TEXT: Final = 0  # index of the text in CodeObject.sections
UNDEFINED: Final = -1
#: The table of type digests: code refers to it, the layout defines it.
TYPE_DIGESTS_SYMBOL: Final = "wa_type_digests"
#: What the gaps between pieces of text hold: int3, brk #0.
TRAP_FILL: Final = {"x86_64": b"\xcc", "aarch64": b"\x00\x00\x20\xd4"}
UNWIND_NAME: Final = ".eh_frame"
LINE_PROGRAM_NAME: Final = ".debug_line"
#: Alignment of sections in an artifact, hence the largest that those of objects may ask for.
ALIGN_MAX_BYTES: Final = 64
#: A mergeable section whose entries are larger, or not a power of two, is kept whole.
MERGE_SIZES: Final = (4, 8, 16, 32, 64)


@dataclass(slots=True)
class Section:
    """A section that is mapped; ``entry_size_bytes`` > 0: constants of that size, equal ones may be stored once."""

    name: str
    data: bytes
    align_bytes: int
    entry_size_bytes: int = 0


@dataclass(slots=True)
class Relocations:
    """Relocations of one kind in one section: parallel arrays of place, index into the symbols, and addend."""

    section: int
    kind: int
    offsets: array[int] = field(default_factory=lambda: array("I"))
    symbols: array[int] = field(default_factory=lambda: array("I"))
    addends: array[int] = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class CodeObject:
    """One relocatable object, ready for `layout`.

    Attributes
    ----------
    machine : str
        Key of ``schema.MACHINES``.
    sections : list[Section]
        The text first (index ``TEXT``), then what is read-only data.
    functions : list[tuple[str, int, int]]
        Global functions: symbol, offset in the text, size in bytes.
    objects : list[tuple[str, int, int]]
        Other global definitions: symbol, section, offset in it.
    symbol_names, symbol_sections, symbol_offsets
        What relocations refer to: a section and an offset in it, or ``UNDEFINED`` and a name to be found elsewhere.
    relocations : list[Relocations]
        Those that need final addresses.
    """

    machine: str
    sections: list[Section]
    functions: list[tuple[str, int, int]]
    objects: list[tuple[str, int, int]]
    symbol_names: list[str]
    symbol_sections: array[int]
    symbol_offsets: array[int]
    relocations: list[Relocations]


class _Header(NamedTuple):
    """A section header with its name."""

    name: str
    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


class _Symbol(NamedTuple):
    """A symbol table entry with its name; ``section`` is a section header index."""

    name: str
    binding: int
    type: int
    section: int
    value: int
    size: int


class _Home(NamedTuple):
    """Where a section header's contents went: index in CodeObject.sections, offset in it."""

    section: int
    offset: int


class _ElfFile:
    """Headers, names and symbols of one relocatable object."""

    def __init__(self, data: bytes) -> None:
        ident, type_, number, _, _, _, table, _, _, _, _, entry_size, count, names = ELF_HEADER.unpack_from(data)
        machines = {number: name for name, number in MACHINES.items()}
        if ident[:7] != ELF_IDENT[:7] or type_ != ET_REL or number not in machines or entry_size != SECTION_HEADER.size:
            raise ToolchainError(
                f"the code generator gave no relocatable ELF64 object for {' or '.join(MACHINES)}: identification "
                f"{ident[:7].hex()}, type {type_}, machine {number}, section header size {entry_size}"
            )
        self.data = data
        self.machine = machines[number]
        raw = [SECTION_HEADER.unpack_from(data, table + index * entry_size) for index in range(count)]
        strings = self._string_table(raw[names][4], raw[names][5])
        self.headers = [
            _Header(strings(entry[0]), entry[1], entry[2], entry[4], entry[5], entry[6], entry[7], entry[8], entry[9])
            for entry in raw
        ]
        for header in self.headers:
            if header.flags & SHF_ALLOC and (header.align > ALIGN_MAX_BYTES or header.align & (header.align - 1)):
                raise ToolchainError(
                    f"section {header.name} of the object is aligned to {header.align} bytes, expected a power of two "
                    f"up to {ALIGN_MAX_BYTES}"
                )
        self.symbols = self._read_symbols()
        self.tables: dict[int, list[_Header]] = {}  # of relocations, by the section that they are for
        self.groups: dict[int, frozenset[int]] = {}  # the members of a section group, for each of them
        for header in self.headers:
            if header.type in (SHT_REL, SHT_RELA):
                self.tables.setdefault(header.info, []).append(header)
            elif header.type == SHT_GROUP:
                members = array("I", self.contents(header))[1:]  # behind a word of flags
                self.groups.update(dict.fromkeys(members, frozenset(members)))
        self.shared = [index for index in range(len(self.headers)) if index not in self.groups]
        self.symbols_by_section: dict[int, list[_Symbol]] = {}
        for symbol in self.symbols:
            self.symbols_by_section.setdefault(symbol.section, []).append(symbol)

    def contents(self, header: _Header) -> bytes:
        """Bytes of a section; ToolchainError where they lie outside the file."""
        if header.type == SHT_NOBITS or header.offset + header.size > len(self.data):
            raise ToolchainError(f"section {header.name} of the object lies outside of its {len(self.data)} bytes")
        return self.data[header.offset : header.offset + header.size]

    def _string_table(self, offset: int, size: int) -> Callable[[int], str]:
        table = self.data[offset : offset + size]
        return lambda start: table[start : table.index(b"\0", start)].decode()

    def _read_symbols(self) -> list[_Symbol]:
        symbols = []
        for header in self.headers:
            if header.type == SHT_SYMTAB:
                strings = self._string_table(self.headers[header.link].offset, self.headers[header.link].size)
                for name, info, _, section, value, size in SYMBOL.iter_unpack(self.contents(header)):
                    symbols.append(_Symbol(strings(name), info >> 4, info & 15, section, value, size))
        return symbols

    def relocations(self, section: int) -> Iterator[tuple[int, int, int, int]]:
        """(offset, type number, symbol index, addend) of all relocations of a section."""
        for header in self.tables.get(section, ()):
            if header.type == SHT_REL:
                raise ToolchainError(f"section {header.name} of the object has no addends, expected RELA")
            yield from RELA.iter_unpack(self.contents(header))

    def symbol_label(self, index: int) -> str:
        """Name of a symbol for messages; a section symbol has its section's."""
        symbol = self.symbols[index]
        if symbol.name or not SHN_UNDEF < symbol.section < SHN_LORESERVE:
            return symbol.name
        return self.headers[symbol.section].name


def read_object(data: bytes) -> CodeObject:
    """Read a relocatable object.

    Parameters
    ----------
    data : bytes
        An ELF64 little-endian ET_REL file as LLVM writes it.

    Returns
    -------
    CodeObject
        Its code, constants, symbols and open relocations.

    Raises
    ------
    ToolchainError
        The object holds a kind of section, symbol or relocation that `layout` can't place, or is damaged.
    """
    try:
        return _Reader(_ElfFile(data)).read()
    except (struct.error, IndexError, ValueError, KeyError, OverflowError) as error:
        raise ToolchainError(f"the code generator gave a damaged object: {error}") from error


def read_functions(data: bytes) -> tuple[list[tuple[int, CodeObject]], bytes | None]:
    """Read an object whose functions have section groups of their own, each into an object of its own.

    It gets what its group holds, and those entries of merged sections that it refers to: what another function needs
    changes nothing of it.

    Returns
    -------
    list[tuple[int, CodeObject]]
        In the order of the text, with the offset in the joined text.
    bytes | None
        The object's line program, as `section_bytes` gives it: addresses are offsets in the joined text.

    Raises
    ------
    ToolchainError
        As `read_object`; or code lies outside of the groups.
    """
    try:
        elf = _ElfFile(data)
        homes = _place_text(elf)
        loose = [index for index in homes if index not in elf.groups and elf.headers[index].size]
        if loose:
            raise ToolchainError(f"the object has code in {len(loose)} sections that belong to no function")
        functions = [
            (home.offset, _Reader(elf, elf.groups[index]).read())
            for index, home in homes.items()
            if index in elf.groups
        ]
        return functions, _relocated_section(elf, LINE_PROGRAM_NAME)
    except (struct.error, IndexError, ValueError, KeyError, OverflowError) as error:
        raise ToolchainError(f"the code generator gave a damaged object: {error}") from error


def section_bytes(data: bytes, name: str) -> bytes | None:
    """A section of an object that is not mapped (such as ``.debug_line``), relocated; None where there is none.

    An address in the text becomes its text offset within this object; a reference to another section becomes an offset
    in it.

    Raises
    ------
    ToolchainError
        A relocation is not a plain address, or the object is damaged.
    """
    try:
        return _relocated_section(_ElfFile(data), name)
    except (struct.error, IndexError, ValueError, KeyError, OverflowError) as error:
        raise ToolchainError(f"the code generator gave a damaged object: {error}") from error


def _relocated_section(elf: _ElfFile, name: str) -> bytes | None:
    index = next((index for index, header in enumerate(elf.headers) if header.name == name), None)
    if index is None:
        return None
    homes = _place_text(elf)
    image = bytearray(elf.contents(elf.headers[index]))
    widths = relocation.ABSOLUTE_KINDS[elf.machine]
    for offset, number, symbol_index, addend in elf.relocations(index):
        symbol = elf.symbols[symbol_index]
        width = widths.get(number)
        if width is None or symbol.section == SHN_UNDEF or offset + width > len(image):
            raise ToolchainError(
                f"section {name} at {offset:#x}: relocation type {number} against {elf.symbol_label(symbol_index)!r}, "
                "expected the address of something in the object"
            )
        base = homes[symbol.section].offset if symbol.section in homes else 0
        image[offset : offset + width] = (base + symbol.value + addend).to_bytes(width, "little")
    return bytes(image)


def _place_text(elf: _ElfFile, members: Iterable[int] | None = None) -> dict[int, _Home]:
    """Where each text section, or each of some, starts in the joined text."""
    homes = {}
    size = 0
    for index in range(len(elf.headers)) if members is None else sorted(members):
        header = elf.headers[index]
        if header.flags & SHF_ALLOC and header.flags & SHF_EXECINSTR:
            if header.type != SHT_PROGBITS or header.flags & SHF_WRITE:
                raise ToolchainError(f"text {header.name} of the object is writable or of type {header.type:#x}")
            size += -size % max(header.align, 1)
            homes[index] = _Home(TEXT, size)
            size += header.size
    return homes


class _Reader:
    """Builds one CodeObject, of all sections or of some; the steps of `read` in order."""

    def __init__(self, elf: _ElfFile, members: frozenset[int] | None = None) -> None:
        self.elf = elf
        self.members = members
        self.entries: dict[tuple[int, int], int] = {}  # (section of all, entry) -> entry here, where members share it
        self.homes = _place_text(elf, members)
        self.images: list[bytearray] = [bytearray()]
        self.result = CodeObject(elf.machine, [], [], [], [], array("i"), array("Q"), [])
        self.known: dict[tuple[int, int] | str, int] = {}  # (section, offset) or name -> index of the symbol
        self.groups: dict[tuple[int, int], Relocations] = {}

    def read(self) -> CodeObject:
        self._read_text()
        self._read_constants()
        self._read_definitions()
        for index in self.homes:
            self._read_relocations(index)
        for section, image in zip(self.result.sections, self.images, strict=True):
            section.data = bytes(image)
        self.result.relocations = [group for group in self.groups.values() if group.offsets]
        return self.result

    def _read_text(self) -> None:
        image = self.images[TEXT]
        fill = TRAP_FILL[self.elf.machine]
        align = 16
        for index, home in self.homes.items():
            header = self.elf.headers[index]
            gap = home.offset - len(image)
            image += (fill * gap)[:gap]
            image += self.elf.contents(header)
            align = max(align, header.align)
        self.result.sections.append(Section(".text", b"", align))

    def _read_constants(self) -> None:
        whole, wanted = self._sections_with_inexact_references(), self._sections_referred_to()
        for index in self._indices(with_shared=True):
            header = self.elf.headers[index]
            if not header.flags & SHF_ALLOC or header.flags & SHF_EXECINSTR or not header.size:
                continue
            is_unwind = header.name == UNWIND_NAME and header.type in (SHT_PROGBITS, SHT_X86_64_UNWIND)
            is_constant = header.type == SHT_PROGBITS and header.name.startswith(".rodata")
            if header.flags & (SHF_WRITE | SHF_TLS) or not (is_constant or is_unwind):
                raise ToolchainError(
                    f"section {header.name} of the object (type {header.type:#x}, flags {header.flags:#x}) can't be "
                    f"laid out, expected code, .rodata* or {UNWIND_NAME}; make the code generator emit no other",
                    section=header.name,
                )
            mergeable = header.flags & SHF_MERGE and not header.flags & SHF_STRINGS and index not in whole
            fits = header.entry_size in MERGE_SIZES and not header.size % header.entry_size
            entry_size = header.entry_size if mergeable and fits and header.align <= header.entry_size else 0
            is_shared = self.members is not None and index not in self.members
            if is_shared and index not in wanted:
                continue
            self.homes[index] = _Home(len(self.images), 0)
            self.images.append(bytearray() if is_shared and entry_size else bytearray(self.elf.contents(header)))
            name = header.name if index not in self.elf.groups else ".rodata"  # not the function's as well
            # The section's own alignment is the largest that any function's entries ask for.
            align = entry_size if is_shared and entry_size else max(header.align, 1)
            self.result.sections.append(Section(name, b"", align, entry_size))

    def _indices(self, *, with_shared: bool = False) -> Sequence[int]:
        """Section header indices of what is read, in order; behind them those that members may refer to, by name.

        Their own order tells what came first in the whole object.
        """
        if self.members is None:
            return range(len(self.elf.headers))
        shared = sorted(self.elf.shared, key=lambda index: self.elf.headers[index].name) if with_shared else ()
        return (*sorted(self.members), *shared)

    def _sections_referred_to(self) -> set[int]:
        """Sections that members refer to."""
        symbols = self.elf.symbols
        return {
            symbols[symbol].section for index in self.members or () for _, _, symbol, _ in self.elf.relocations(index)
        }

    def _sections_with_inexact_references(self) -> set[int]:
        """Sections that a relocation refers to by section symbol without telling which entry it means."""
        kinds = relocation.KINDS[self.elf.machine]
        symbols = self.elf.symbols
        found = set()
        for index in self._indices():
            header = self.elf.headers[index]
            if header.flags & SHF_ALLOC:
                for _, number, symbol, _ in self.elf.relocations(index):
                    if symbols[symbol].type == STT_SECTION and number in kinds and not kinds[number].is_exact:
                        found.add(symbols[symbol].section)
            # An entry may be changed by a relocation of its own: bytes that are equal now differ later.
            if header.type == SHT_RELA:
                found.add(header.info)
        return found

    def _read_definitions(self) -> None:
        by_section = self.elf.symbols_by_section
        own = (symbol for index in self._indices() for symbol in by_section.get(index, ()))
        for symbol in self.elf.symbols if self.members is None else own:
            if symbol.binding == STB_LOCAL or symbol.section == SHN_UNDEF:
                continue
            if not self._is_global(symbol) or symbol.section not in self.homes or symbol.type > STT_FUNC:
                raise ToolchainError(
                    f"symbol {symbol.name!r} of the object (binding {symbol.binding}, type {symbol.type}, section "
                    f"{symbol.section}) can't be laid out, expected a global function or constant",
                    symbol=symbol.name,
                )
            section, offset = self.homes[symbol.section]
            if symbol.type == STT_FUNC:
                if section != TEXT or symbol.value + symbol.size > self.elf.headers[symbol.section].size:
                    raise ToolchainError(f"function {symbol.name!r} of the object lies outside of the text")
                self.result.functions.append((symbol.name, offset + symbol.value, symbol.size))
            else:
                self.result.objects.append((symbol.name, section, offset + symbol.value))

    def _is_global(self, symbol: _Symbol) -> bool:
        """Whether it is known by name; functions with groups of their own are weak, so that LLVM leaves them alone."""
        return symbol.binding == STB_GLOBAL or (symbol.binding == STB_WEAK and symbol.section in self.elf.groups)

    def _read_relocations(self, index: int) -> None:
        """Apply the relocations of a section that stay within it; note the others."""
        elf, image = self.elf, self.images[self.homes[index].section]
        kinds = relocation.KINDS[elf.machine]
        section, start = self.homes[index]
        header = elf.headers[index]
        inner: dict[int, tuple[list[int], list[int]]] = {}
        for offset, number, symbol_index, addend in elf.relocations(index):
            kind = kinds.get(number) or relocation.find_kind(elf.machine, number, elf.symbol_label(symbol_index))
            if offset + kind.size_bytes > header.size:
                raise ToolchainError(f"relocation {kind.name} at {offset:#x} lies outside of section {header.name}")
            symbol = elf.symbols[symbol_index]
            home = self.homes.get(symbol.section)
            if home is not None and home.section == section and kind.is_movable:
                offsets, targets = inner.setdefault(number, ([], []))
                offsets.append(start + offset)
                targets.append(home.offset + symbol.value + addend)
            else:
                self._note(kind, number, section, start + offset, symbol, home, addend)
        for number, (offsets, targets) in inner.items():
            kinds[number].apply(image, 0, 0, offsets, targets, lambda _: f"a branch in section {header.name}")

    def _note(
        self,
        kind: relocation.Kind,
        number: int,
        section: int,
        offset: int,
        symbol: _Symbol,
        home: _Home | None,
        addend: int,
    ) -> None:
        """Add an open relocation to its group."""
        if home is not None:
            target = home.offset + symbol.value
            if kind.is_exact:  # entries of a merged section move apart: say which one is meant
                target, addend = target + addend, 0
            key: tuple[int, int] | str = (home.section, self._own_place(symbol.section, home.section, target))
        elif self._is_global(symbol) and (symbol.section == SHN_UNDEF or self.members is not None):
            key = symbol.name
        else:
            raise ToolchainError(
                f"relocation {kind.name} in section {self.result.sections[section].name} refers to {symbol.name!r} in "
                f"section {symbol.section}, which is not mapped",
                relocation=kind.name,
                symbol=symbol.name,
            )
        group = self.groups.get((section, number))
        if group is None:
            group = self.groups[section, number] = Relocations(section, number)
        group.offsets.append(offset)
        group.symbols.append(self._symbol(key))
        group.addends.append(addend)

    def _own_place(self, shared: int, section: int, offset: int) -> int:
        """Offset of what lies at an offset of a merged section, in the part of it that this object has."""
        size = self.result.sections[section].entry_size_bytes
        if self.members is None or shared in self.members or not size:
            return offset
        entry, rest = divmod(offset, size)
        image = self.images[section]
        if (shared, entry) not in self.entries:
            self.entries[shared, entry] = len(image) // size
            image += self.elf.contents(self.elf.headers[shared])[entry * size : (entry + 1) * size]
        return self.entries[shared, entry] * size + rest

    def _symbol(self, key: tuple[int, int] | str) -> int:
        index = self.known.get(key)
        if index is None:
            index = self.known[key] = len(self.result.symbol_names)
            name, section, offset = (key, UNDEFINED, 0) if isinstance(key, str) else ("", *key)
            self.result.symbol_names.append(name)
            self.result.symbol_sections.append(section)
            self.result.symbol_offsets.append(offset)
        return index
