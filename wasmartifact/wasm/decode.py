"""Binary module -> model (spec section 5.5): strict about all that the format fixes, lenient about the name section."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from wasmartifact.errors import InvalidModule, MalformedModule, UnsupportedModule
from wasmartifact.schema import (
    KIND_FUNC,
    KIND_GLOBAL,
    KIND_MEMORY,
    KIND_TABLE,
    KIND_TAG,
    KINDS,
    LIMITS_64,
    LIMITS_HAS_MAX,
    LIMITS_SHARED,
    VALTYPE_FUNCREF,
    VALTYPE_I8,
    VALTYPE_I16,
)
from wasmartifact.wasm.instructions import decode_expression, decode_instructions, decode_locals
from wasmartifact.wasm.model import (
    ACTIVE,
    DECLARATIVE,
    PASSIVE,
    ArrayType,
    Code,
    CompositeType,
    ConstExpr,
    CustomSection,
    Data,
    Element,
    Export,
    Field,
    FuncType,
    Global,
    GlobalType,
    Import,
    Limits,
    MemoryType,
    Module,
    StructType,
    SubType,
    Table,
    TableType,
)
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME, OPCODES
from wasmartifact.wasm.reader import Reader, foreign, malformed

__all__ = ["decode_bodies", "decode_instructions", "decode_locals", "decode_module"]

_MAGIC: Final = b"\0asm"
_VERSION: Final = b"\1\0\0\0"
_COMPONENT_VERSION: Final = b"\x0d\0\1\0"
#: What a component begins with.
COMPONENT_MAGIC: Final = _MAGIC + _COMPONENT_VERSION

_CUSTOM = 0
#: Section ids in the order that the format wants; custom sections may stand anywhere.
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
_SECTION_NAMES: Final = {
    0: "custom", 1: "type", 2: "import", 3: "function", 4: "table", 5: "memory", 6: "global", 7: "export", 8: "start",
    9: "element", 10: "code", 11: "data", 12: "data count", 13: "tag",
}  # fmt: skip

_STRINGS = 14
_FUNC_FORM: Final = 0x60
_REC_FORM, _SUB_FINAL_FORM, _SUB_FORM, _ARRAY_FORM, _STRUCT_FORM = 0x4E, 0x4F, 0x50, 0x5E, 0x5F
_LIMITS_PAGE_SIZE: Final = 8
_NEED_DATA_COUNT: Final = {
    OPCODE_BY_NAME[name].code for name in ("memory.init", "data.drop", "array.new_data", "array.init_data")
}


def decode_module(data: bytes) -> Module:
    """Decode everything of a module but the function bodies.

    Parameters
    ----------
    data : bytes
        The whole binary module.

    Returns
    -------
    Module
        The model. Indices in it may be out of range and types may be wrong until the module was validated.

    Raises
    ------
    MalformedModule
        The bytes break the binary format outside of function bodies; ``wasm_offset`` says where.
    UnsupportedModule
        The module is a component (``feature`` is ``"component-model"``), or shows another feature that can't be
        decoded.
    InvalidModule
        A type has a supertype that does not stand before it.
    """
    decoder = _Decoder(data)
    decoder.sections()
    return decoder.module


def decode_func_type(reader: Reader) -> FuncType:
    """A function type, behind the byte that says so."""
    return _Decoder(reader.data).func_type(reader)


def decode_import_type(reader: Reader) -> tuple[int, object]:
    """Kind and type of an import or a declared export; of a function or a tag the index of its type."""
    return _Decoder(reader.data).import_type(reader)


def section_ranges(data: bytes) -> list[tuple[str, int, int]]:
    """Name, start and end of the contents of every section of a decoded module; a custom section has its own name."""
    reader = Reader(data, len(_MAGIC + _VERSION), len(data))
    ranges = []
    while reader.pos < reader.end:
        section_id = reader.byte()
        start = reader.take(reader.u32())
        name = _SECTION_NAMES[section_id]
        if section_id == _CUSTOM:
            name = f"{name} {Reader(data, start, reader.pos).name()}"
        ranges.append((name, start, reader.pos))
    return ranges


def decode_bodies(module: Module) -> set[str]:
    """Decode every function body and forget it: the check that ``decode_module`` leaves to code generation.

    Returns
    -------
    set[str]
        The features of ``schema.WASM_FEATURES`` that the instructions use.

    Raises
    ------
    MalformedModule
        A body breaks the binary format, or uses a data segment without a data count section.
    """
    used: set[int] = set()
    for code in module.codes:
        _, first = decode_locals(module.data, code.start, code.end)
        instructions = decode_instructions(module.data, first, code.end)
        used.update([opcode for _, opcode, _ in instructions])
        if not module.has_data_count and not used.isdisjoint(_NEED_DATA_COUNT):
            wasm_offset = next(offset for offset, opcode, _ in instructions if opcode in _NEED_DATA_COUNT)
            raise malformed(wasm_offset, "data count section required")
    return {feature for opcode in used if (feature := OPCODES[opcode].feature) is not None}


def _holds_strings(reader: Reader) -> bool:
    """Whether a section of string literals follows, as the proposal stringref has it; its id alone says too little."""
    try:
        size_bytes = reader.u32()
        body = Reader(reader.data, reader.take(size_bytes), reader.pos)
        is_plain = not body.byte()
        for _ in range(body.count()):
            body.take(body.u32())
    except MalformedModule:
        return False
    return is_plain and body.pos == body.end


#: In place of a kind, after an empty name: where groups of one module begin (proposal "compact import section").
_GROUP_OF_ONE_TYPE: Final = 0x7E
_GROUP: Final = 0x7F


class _Decoder:
    """Decodes section after section into ``module``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.module = Module(data)
        self.defined_functions = 0
        self.data_count: int | None = None

    def sections(self) -> None:
        """Decode all sections, then compare the counts that two sections must agree on."""
        data = self.data
        if data[:4] != _MAGIC:
            raise malformed(0, f"magic header not detected: found {data[:4]!r}, expected {_MAGIC!r}")
        if data[4:8] != _VERSION:
            if data[4:8] == _COMPONENT_VERSION:
                raise UnsupportedModule(
                    "a component (feature component-model), expected a core module; extract it with "
                    "wasm-tools component unbundle, or build for a target without components",
                    feature="component-model",
                    wasm_offset=4,
                )
            kind = "a component of another version: " if data[6:8] == _COMPONENT_VERSION[2:] else ""
            raise malformed(4, f"unknown binary version: {kind}found {data[4:8]!r}, expected {_VERSION!r}")
        reader = Reader(data, 8, len(data))
        position = 0
        while reader.pos < reader.end:
            start = reader.pos
            section_id = reader.byte()
            if section_id not in _SECTION_NAMES:
                feature = "stringref" if section_id == _STRINGS and _holds_strings(reader) else None
                raise foreign(start, feature, f"malformed section id {section_id}")
            size_bytes = reader.u32()
            body = Reader(data, reader.take(size_bytes), reader.pos)
            if section_id != _CUSTOM:
                if section_id not in _ORDER[position:]:
                    raise malformed(
                        start,
                        f"unexpected content after last section: {_SECTION_NAMES[section_id]} section out of order",
                    )
                position = _ORDER.index(section_id) + 1
            _SECTIONS[section_id](self, body)
            if body.pos != body.end:
                raise malformed(
                    body.pos,
                    f"section size mismatch: {_SECTION_NAMES[section_id]} section ends here, expected {body.end:#x}",
                )
        self._check_counts()
        names, ends = self.module.function_names, self.module.function_name_ends
        existing = sorted(index for index in names if index < len(self.module.function_types))
        self.module.function_names = {index: names[index] for index in existing}
        self.module.function_name_ends = {index: ends[index] for index in existing}

    def _check_counts(self) -> None:
        module = self.module
        if len(module.codes) != self.defined_functions:
            raise malformed(
                len(self.data),
                "function and code section have inconsistent lengths: "
                f"{self.defined_functions} functions, {len(module.codes)} bodies",
            )
        if self.data_count is not None and self.data_count != len(module.datas):
            raise malformed(
                len(self.data),
                "data count and data section have inconsistent lengths: "
                f"{self.data_count} announced, {len(module.datas)} found",
            )

    # Types ------------------------------------------------------------------------------------------------------------

    def types(self, reader: Reader) -> None:
        """Type section."""
        module = self.module
        for _ in range(reader.count()):
            start, form = reader.pos, reader.byte()
            if form == _FUNC_FORM and not module.subtypes:
                module.types.append(self.func_type(reader))
                continue
            if not module.subtypes:  # those so far are groups of their own
                module.subtypes += [SubType(None, True, index) for index in range(len(module.types))]
            group = len(module.types)
            if form != _REC_FORM:
                reader.pos = start
            for _ in range(reader.count() if form == _REC_FORM else 1):
                self.sub_type(reader, group)

    def sub_type(self, reader: Reader, group: int) -> None:
        """A type definition of a recursive group that starts with this type."""
        start, form = reader.pos, reader.byte()
        supertype, final = None, form != _SUB_FORM
        if form in (_SUB_FORM, _SUB_FINAL_FORM):
            at, count = reader.pos, reader.count()
            if count > 1:
                raise malformed(at, f"{count} supertypes of a type, expected at most one")
            supertype = reader.u32() if count else None
            if supertype is not None and supertype >= len(self.module.types):
                raise self.invalid_supertype(at, supertype)
            start, form = reader.pos, reader.byte()
        composite: CompositeType
        if form == _FUNC_FORM:
            composite = self.func_type(reader)
        elif form == _STRUCT_FORM:
            composite = StructType(tuple([self.field(reader) for _ in range(reader.count())]))
        elif form == _ARRAY_FORM:
            composite = ArrayType(self.field(reader))
        else:
            raise malformed(start, f"malformed type: found form {form:#04x}, expected {_FUNC_FORM:#04x}")
        self.module.types.append(composite)
        self.module.subtypes.append(SubType(supertype, final, group))

    def invalid_supertype(self, at: int, supertype: int) -> InvalidModule:
        """A type can only be a subtype of one that stands before it, which what follows goes by."""
        return InvalidModule(
            f"invalid WebAssembly module: byte {at:#x}: unknown type: type {len(self.module.types)} has the supertype "
            f"{supertype}, expected an earlier one",
            wasm_offset=at,
        )

    def func_type(self, reader: Reader) -> FuncType:
        """Function type."""
        params = tuple([reader.valtype() for _ in range(reader.count())])
        return FuncType(params, tuple([reader.valtype() for _ in range(reader.count())]))

    def field(self, reader: Reader) -> Field:
        """Field of a struct, or element of an array."""
        start, storage = reader.pos, reader.byte()
        if storage not in (VALTYPE_I8, VALTYPE_I16):
            reader.pos = start
            storage = reader.valtype()
        start, mutability = reader.pos, reader.byte()
        if mutability > 1:
            raise malformed(start, f"malformed mutability {mutability:#04x}")
        return Field(storage, bool(mutability))

    def limits(self, reader: Reader, allowed: int) -> tuple[Limits, int]:
        """Limits and their flags; ``allowed`` are the flags that the owner may have."""
        start = reader.pos
        flags = reader.byte()
        if flags & ~allowed:
            raise malformed(start, f"malformed limits flags {flags:#04x}")
        minimum = reader.u64()
        maximum = reader.u64() if flags & LIMITS_HAS_MAX else None
        return Limits(minimum, maximum, bool(flags & LIMITS_64), bool(flags & LIMITS_SHARED)), flags

    def table_type(self, reader: Reader) -> TableType:
        """Table type."""
        element = reader.reftype()
        return TableType(element, self.limits(reader, LIMITS_HAS_MAX | LIMITS_64)[0])

    def memory_type(self, reader: Reader) -> MemoryType:
        """Memory type."""
        limits, flags = self.limits(reader, LIMITS_HAS_MAX | LIMITS_SHARED | LIMITS_64 | _LIMITS_PAGE_SIZE)
        if not flags & _LIMITS_PAGE_SIZE:
            return MemoryType(limits)
        start = reader.pos
        page_log2 = reader.u32()
        if page_log2 > 64:
            raise malformed(start, f"invalid custom page size: 2**{page_log2} bytes")
        return MemoryType(limits, page_log2)

    def global_type(self, reader: Reader) -> GlobalType:
        """Global type."""
        valtype = reader.valtype()
        start = reader.pos
        mutability = reader.byte()
        if mutability > 1:
            raise malformed(start, f"malformed mutability {mutability:#04x}")
        return GlobalType(valtype, bool(mutability))

    def tag_type(self, reader: Reader) -> int:
        """Tag type: its type index."""
        start = reader.pos
        if attribute := reader.byte():
            raise malformed(start, f"malformed tag attribute {attribute:#04x}, expected 0")
        return reader.u32()

    # Sections ---------------------------------------------------------------------------------------------------------

    def imports(self, reader: Reader) -> None:
        """Import section."""
        for _ in range(reader.count()):
            module_name, name = reader.name(), reader.name()
            if not name and reader.pos < reader.end and reader.data[reader.pos] in (_GROUP_OF_ONE_TYPE, _GROUP):
                self.import_group(reader, module_name)
            else:
                self.add_import(module_name, name, *self.import_type(reader))

    def import_group(self, reader: Reader, module_name: str) -> None:
        """Imports of one module, see the proposal of compact import sections."""
        self.module.has_compact_imports = True
        shared_type = self.import_type(reader) if reader.byte() == _GROUP_OF_ONE_TYPE else None
        for _ in range(reader.count()):
            name = reader.name()
            self.add_import(module_name, name, *(shared_type or self.import_type(reader)))

    def import_type(self, reader: Reader) -> tuple[int, object]:
        """Kind and type of an import."""
        kind = self.kind(reader, "import")
        decode_type: Callable[[Reader], object] = {
            KIND_FUNC: Reader.u32,
            KIND_TABLE: self.table_type,
            KIND_MEMORY: self.memory_type,
            KIND_GLOBAL: self.global_type,
            KIND_TAG: self.tag_type,
        }[kind]
        return kind, decode_type(reader)

    def add_import(self, module_name: str, name: str, kind: int, import_type: object) -> None:
        """One more import, whose type goes to its index space."""
        module = self.module
        index_space: list[object] = {  # type: ignore[assignment]
            KIND_FUNC: module.function_types,
            KIND_TABLE: module.table_types,
            KIND_MEMORY: module.memory_types,
            KIND_GLOBAL: module.global_types,
            KIND_TAG: module.tag_types,
        }[kind]
        module.imports.append(Import(module_name, name, kind, len(index_space)))
        index_space.append(import_type)

    def kind(self, reader: Reader, what: str) -> int:
        """Kind byte of an import or export."""
        start = reader.pos
        kind = reader.byte()
        if kind >= len(KINDS):
            raise malformed(start, f"malformed {what} kind {kind:#04x}")
        return kind

    def functions(self, reader: Reader) -> None:
        """Function section."""
        self.defined_functions = reader.count()
        u32 = reader.u32
        self.module.function_types.extend([u32() for _ in range(self.defined_functions)])

    def tables(self, reader: Reader) -> None:
        """Table section."""
        for _ in range(reader.count()):
            start, init_follows = reader.pos, False
            if reader.byte() == 0x40:
                init_follows = True
                start = reader.pos
                if reserved := reader.byte():
                    raise malformed(start, f"malformed table: found {reserved:#04x} behind 0x40, expected 0")
            else:
                reader.pos = start
            table_type = self.table_type(reader)
            self.module.tables.append(Table(table_type, self.const_expr(reader) if init_follows else None))
            self.module.table_types.append(table_type)

    def memories(self, reader: Reader) -> None:
        """Memory section."""
        self.module.memory_types.extend([self.memory_type(reader) for _ in range(reader.count())])

    def tags(self, reader: Reader) -> None:
        """Tag section."""
        self.module.tag_types.extend([self.tag_type(reader) for _ in range(reader.count())])

    def globals(self, reader: Reader) -> None:
        """Global section."""
        for _ in range(reader.count()):
            global_type = self.global_type(reader)
            self.module.globals.append(Global(global_type, self.const_expr(reader)))
            self.module.global_types.append(global_type)

    def const_expr(self, reader: Reader) -> ConstExpr:
        """Constant expression; whether it is constant is for validation to say."""
        start = reader.pos
        instructions, reader.pos = decode_expression(self.data, start, reader.end)
        return ConstExpr(start, reader.pos, tuple(instructions[:-1]))

    def exports(self, reader: Reader) -> None:
        """Export section."""
        append = self.module.exports.append
        for _ in range(reader.count()):
            name = reader.name()
            append(Export(name, self.kind(reader, "export"), reader.u32()))

    def start(self, reader: Reader) -> None:
        """Start section."""
        self.module.start = reader.u32()

    def elements(self, reader: Reader) -> None:
        """Element section."""
        self.module.elements.extend([self.element(reader) for _ in range(reader.count())])

    def element(self, reader: Reader) -> Element:
        """Element segment. Flags: 1 not active; 2 with table index, or declarative; 4 expressions, not indices."""
        start = reader.pos
        flags = reader.u32()
        if flags > 7:
            raise malformed(start, f"malformed elements segment kind {flags:#x}, expected at most 7")
        mode = ACTIVE if not flags & 1 else DECLARATIVE if flags & 2 else PASSIVE
        table, offset = 0, None
        if mode == ACTIVE:
            table = reader.u32() if flags & 2 else 0
            offset = self.const_expr(reader)
        has_type = flags & 3 != 0
        if flags & 4:
            valtype = reader.reftype() if has_type else VALTYPE_FUNCREF
            items = tuple([self.const_expr(reader) for _ in range(reader.count())])
            return Element(mode, valtype, table, offset, items)
        start = reader.pos
        if has_type and (kind := reader.byte()):
            raise malformed(start, f"malformed element kind {kind:#04x}, expected 0")
        u32 = reader.u32
        return Element(mode, VALTYPE_FUNCREF, table, offset, tuple([u32() for _ in range(reader.count())]))

    def count_data(self, reader: Reader) -> None:
        """Data count section."""
        self.data_count = reader.u32()
        self.module.has_data_count = True

    def codes(self, reader: Reader) -> None:
        """Code section: only the byte ranges of its entries."""
        self.module.code_section_start = reader.pos
        append = self.module.codes.append
        for _ in range(reader.count()):
            size_bytes = reader.u32()
            append(Code(reader.take(size_bytes), reader.pos))

    def datas(self, reader: Reader) -> None:
        """Data section."""
        for _ in range(reader.count()):
            start = reader.pos
            flags = reader.u32()
            if flags > 2:
                raise malformed(start, f"malformed data segment kind {flags:#x}, expected at most 2")
            memory = reader.u32() if flags == 2 else 0
            offset = None if flags == 1 else self.const_expr(reader)
            size_bytes = reader.u32()
            mode = PASSIVE if flags == 1 else ACTIVE
            self.module.datas.append(Data(mode, memory, offset, reader.take(size_bytes), reader.pos))

    def custom(self, reader: Reader) -> None:
        """Custom section; of the name section, what can be read."""
        name = reader.name()
        start = reader.take(reader.end - reader.pos)
        self.module.custom_sections.append(CustomSection(name, start, reader.end))
        if name == "name":
            # The spec lets an engine ignore a bad one (section 7.4.1): names read so far stay.
            with suppress(MalformedModule):
                self.names(Reader(self.data, start, reader.end))

    def names(self, reader: Reader) -> None:
        """Name section: subsections 0 (module) and 1 (functions)."""
        while reader.pos < reader.end:
            subsection_id = reader.byte()
            size_bytes = reader.u32()
            body = Reader(self.data, reader.take(size_bytes), reader.pos)
            if subsection_id == 0:
                self.module.name = body.name()
            elif subsection_id == 1:
                for _ in range(body.count()):
                    index = body.u32()
                    self.module.function_names[index] = body.name()
                    self.module.function_name_ends[index] = body.pos


_SECTIONS: Final[dict[int, Callable[[_Decoder, Reader], None]]] = {
    _CUSTOM: _Decoder.custom,
    1: _Decoder.types,
    2: _Decoder.imports,
    3: _Decoder.functions,
    4: _Decoder.tables,
    5: _Decoder.memories,
    6: _Decoder.globals,
    7: _Decoder.exports,
    8: _Decoder.start,
    9: _Decoder.elements,
    10: _Decoder.codes,
    11: _Decoder.datas,
    12: _Decoder.count_data,
    13: _Decoder.tags,
}
