"""Decoding of the component binary format (Binary.md of the component model), after a validator had its word.

What is asynchronous, and what no published toolchain makes, is refused by the name of its feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wasmartifact.component import model
from wasmartifact.component.model import CORE_SORTS, PRIMITIVES, SORTS, Definition, ExternDesc, ValType
from wasmartifact.dataclass import dataclass
from wasmartifact.errors import UnsupportedModule
from wasmartifact.wasm.decode import COMPONENT_MAGIC, decode_func_type, decode_import_type
from wasmartifact.wasm.model import FuncType as CoreFuncType
from wasmartifact.wasm.reader import Reader, malformed

#: Ids of sections.
CORE_TYPES, ALIASES, IMPORTS = 3, 6, 10
#: Components within components, and types within types: as deep as validators go, too.
MAX_DEPTH: Final = 100
#: Longer lists of fixed length are refused.
MAX_FIXED_LENGTH: Final = 1 << 16

_ENCODINGS: Final = {0: "utf8", 1: "utf16", 2: "latin1+utf16"}
_RESOURCE_CANONS: Final = {0x02: "resource.new", 0x03: "resource.drop", 0x04: "resource.rep"}
_INSTANTIATE_SORT: Final = 0x12


def decode_component(data: bytes) -> model.Component:
    """Decode a component.

    Raises
    ------
    MalformedModule
        It breaks the binary format; ``wasm_offset`` tells where.
    UnsupportedModule
        It needs what this version lacks; ``feature`` names it.
    """
    if data[:8] != COMPONENT_MAGIC:
        raise malformed(0, f"magic header not detected: found {data[:8]!r}, expected {COMPONENT_MAGIC!r}")
    return _Decoder(data).component(0, len(data), 0)


@dataclass(frozen=True, slots=True)
class Section:
    """A section with its bytes ``data[start:end]``; of core types, aliases and imports, what it defines, with the bytes
    of each.
    """

    id: int
    start: int
    end: int
    items: list[tuple[Any, bytes]]


def outer_sections(data: bytes) -> Iterator[Section]:
    """The sections of the outermost component."""
    decoder = _Decoder(data)
    for offset, section_id, body in decoder.sections(0, len(data)):
        items = []
        for _ in range(body.count() if section_id in (CORE_TYPES, ALIASES, IMPORTS) else 0):
            start = body.pos
            items.append((_SECTIONS[section_id](decoder, body, 0), data[start : body.pos]))
        yield Section(section_id, offset, body.end, items)


def unsupported(offset: int, what: str, feature: str) -> UnsupportedModule:
    """The error for a part that is valid and not compiled."""
    return UnsupportedModule(
        f"component: byte {offset:#x}: {what} (feature {feature}) is not supported; build the component without it",
        feature=feature,
        wasm_offset=offset,
    )


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def component(self, start: int, end: int, depth: int) -> model.Component:
        """A component with its preamble."""
        if depth > MAX_DEPTH:
            raise malformed(start, f"components are nested more than {MAX_DEPTH} deep")
        definitions: list[Definition] = []
        for offset, section_id, body in self.sections(start, end):
            if section_id == 1:
                definitions.append(model.CoreModule(offset, body.pos, body.end))
                continue
            if section_id == 4:
                definitions.append(self.component(body.pos, body.end, depth + 1))
                continue
            if section_id == 0:
                continue
            if section_id not in _SECTIONS:
                if section_id in (9, 12):
                    raise unsupported(offset, "a start function or value", "component-values")
                raise malformed(offset, f"malformed section id {section_id}")
            decode = _SECTIONS[section_id]
            definitions.extend([decode(self, body, depth) for _ in range(body.count())])
            if body.pos != body.end:
                raise malformed(body.pos, f"section {section_id} ends here, expected {body.end:#x}")
        return model.Component(start, tuple(definitions))

    def sections(self, start: int, end: int) -> Iterator[tuple[int, int, Reader]]:
        """Offset, id and contents of each section of a component."""
        if self.data[start : start + 8] != COMPONENT_MAGIC:
            raise malformed(start, "a nested component without its preamble")
        reader = Reader(self.data, start + 8, end)
        while reader.pos < end:
            offset, section_id, size_bytes = reader.pos, reader.byte(), reader.u32()
            yield offset, section_id, Reader(self.data, reader.take(size_bytes), reader.pos)

    # Instances and aliases ----------------------------------------------------------------------------------------

    def core_sort(self, reader: Reader) -> str:
        offset = reader.pos
        code = reader.byte()
        if code not in CORE_SORTS:
            raise malformed(offset, f"malformed core sort {code:#04x}")
        return CORE_SORTS[code]

    def sort(self, reader: Reader) -> str:
        offset = reader.pos
        code = reader.byte()
        if code == 0:
            return self.core_sort(reader)
        if code not in SORTS:
            raise malformed(offset, f"malformed sort {code:#04x}")
        if code == 2:
            raise unsupported(offset, "a value", "component-values")
        return SORTS[code]

    def core_instance(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            module = reader.u32()
            arguments = []
            for _ in range(reader.count()):
                name = reader.name()
                if reader.byte() != _INSTANTIATE_SORT:
                    raise malformed(reader.pos - 1, "an argument of a core module that is no instance")
                arguments.append((name, reader.u32()))
            return model.CoreInstantiate(offset, module, tuple(arguments))
        if form != 1:
            raise malformed(offset, f"malformed core instance {form:#04x}")
        items = [(reader.name(), self.core_sort(reader), reader.u32()) for _ in range(reader.count())]
        return model.InlineInstance(offset, True, tuple(items))

    def instance(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            component = reader.u32()
            items = [(reader.name(), self.sort(reader), reader.u32()) for _ in range(reader.count())]
            return model.Instantiate(offset, component, tuple(items))
        if form != 1:
            raise malformed(offset, f"malformed instance {form:#04x}")
        items = [(self.extern_name(reader)[0], self.sort(reader), reader.u32()) for _ in range(reader.count())]
        return model.InlineInstance(offset, False, tuple(items))

    def alias(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        sort = self.sort(reader)
        form = reader.byte()
        if form in (0, 1):
            instance = reader.u32()
            return model.Alias(offset, sort, instance, name=reader.name())
        if form != 2:
            raise malformed(offset, f"malformed alias {form:#04x}")
        outer = reader.u32()
        return model.Alias(offset, sort, reader.u32(), depth=outer)

    # Types --------------------------------------------------------------------------------------------------------

    def core_type(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        if reader.byte() == 0x50:
            declarations = [self.module_declaration(reader) for _ in range(reader.count())]
            return model.Type(offset, model.ModuleType(tuple(declarations)), is_core=True)
        reader.pos = offset
        return model.Type(offset, self.core_func_type(reader), is_core=True)

    def core_func_type(self, reader: Reader) -> CoreFuncType:
        offset = reader.pos
        if reader.byte() != 0x60:
            raise unsupported(offset, "a core type that is no function type", "gc")
        return decode_func_type(reader)

    def module_declaration(self, reader: Reader) -> model.ModuleDeclaration:
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            return ("import", reader.name(), reader.name(), *decode_import_type(reader))
        if form == 1:
            return self.core_func_type(reader)
        if form == 2:
            reader.take(2)  # a core type of an outer scope, as there is nothing else
            return ("alias", reader.u32(), reader.u32())
        if form == 3:
            return ("export", reader.name(), *decode_import_type(reader))
        raise malformed(offset, f"malformed declaration of a module type {form:#04x}")

    def valtype(self, reader: Reader) -> ValType:
        offset = reader.pos
        byte = reader.byte()
        if byte in PRIMITIVES:
            return PRIMITIVES[byte]
        if byte == 0x64:
            raise unsupported(offset, "an error-context", "error-context")
        reader.pos = offset
        index = reader.s33()
        if index < 0:
            raise malformed(offset, f"malformed value type {byte:#04x}")
        return index

    def optional(self, reader: Reader) -> ValType | None:
        offset = reader.pos
        flag = reader.byte()
        if flag > 1:
            raise malformed(offset, f"malformed option {flag:#04x}")
        return self.valtype(reader) if flag else None

    def type(self, reader: Reader, depth: int) -> Definition:
        return model.Type(reader.pos, self.type_definition(reader, depth))

    def type_definition(self, reader: Reader, depth: int) -> model.TypeDef:
        offset = reader.pos
        form = reader.byte()
        if form in PRIMITIVES:
            return model.DefinedType(PRIMITIVES[form])
        if form in (0x40, 0x43):
            return self.func_type(reader, is_async=form == 0x43)
        if form in (0x41, 0x42):
            return self.scope_type(reader, form == 0x41, depth)
        if form == 0x3F:
            reader.byte()
            return model.ResourceType(reader.u32() if reader.byte() else None)
        if form in _FOREIGN_TYPES:
            raise unsupported(offset, *_FOREIGN_TYPES[form])
        if form not in _TYPES:
            raise malformed(offset, f"malformed type {form:#04x}")
        definition: model.TypeDef = _TYPES[form](self, reader)
        return definition

    def func_type(self, reader: Reader, *, is_async: bool) -> model.FuncType:
        params = tuple([(reader.name(), self.valtype(reader)) for _ in range(reader.count())])
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            return model.FuncType(params, self.valtype(reader), is_async)
        if form != 1 or reader.byte():
            raise malformed(offset, "malformed results of a function type")
        return model.FuncType(params, None, is_async)

    def record(self, reader: Reader) -> model.DefinedType:
        fields = [(reader.name(), self.valtype(reader)) for _ in range(reader.count())]
        return model.DefinedType("record", tuple([name for name, _ in fields]), tuple([type_ for _, type_ in fields]))

    def variant(self, reader: Reader) -> model.DefinedType:
        names, parts = [], []
        for _ in range(reader.count()):
            names.append(reader.name())
            parts.append(self.optional(reader))
            if reader.byte():
                raise malformed(reader.pos - 1, "a case that refines another one")
        return model.DefinedType("variant", tuple(names), tuple(parts))

    def fixed_list(self, reader: Reader) -> model.DefinedType:
        """A list of fixed length, which is passed as a tuple is."""
        offset, part, length = reader.pos, self.valtype(reader), reader.u32()
        if length > MAX_FIXED_LENGTH:
            raise unsupported(offset, f"a list of fixed length {length}", "fixed-length-lists")
        return model.DefinedType("tuple", parts=(part,) * length)

    def labels(self, reader: Reader, kind: str) -> model.DefinedType:
        return model.DefinedType(kind, tuple([reader.name() for _ in range(reader.count())]))

    def scope_type(self, reader: Reader, is_component: bool, depth: int) -> model.ScopeType:
        if depth > MAX_DEPTH:
            raise malformed(reader.pos, f"types are nested more than {MAX_DEPTH} deep")
        declarations = [self.declaration(reader, is_component, depth + 1) for _ in range(reader.count())]
        return model.ScopeType(is_component, tuple(declarations))

    def declaration(self, reader: Reader, is_component: bool, depth: int) -> Definition:
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            return self.core_type(reader, depth)
        if form == 1:
            return self.type(reader, depth)
        if form == 2:
            return self.alias(reader, depth)
        if form == 3 and is_component:
            return self.import_(reader, depth)
        if form == 4:
            name, attributes = self.extern_name(reader)
            return model.ExportDecl(offset, name, self.extern_desc(reader), attributes)
        raise malformed(offset, f"malformed declaration {form:#04x}")

    # Functions, imports, exports ----------------------------------------------------------------------------------

    def canon(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        form = reader.byte()
        if form in (0, 1):
            if reader.byte():
                raise malformed(reader.pos - 1, "malformed canonical function")
            function = reader.u32()
            options = self.options(reader)
            if form == 1:
                return model.Canon(offset, "lower", function=function, options=options)
            return model.Canon(offset, "lift", function=function, type=reader.u32(), options=options)
        if form in _RESOURCE_CANONS:
            return model.Canon(offset, _RESOURCE_CANONS[form], type=reader.u32())
        raise unsupported(offset, f"the canonical function {form:#04x}", "component-async")

    def options(self, reader: Reader) -> model.CanonOptions:
        encoding, places = "utf8", {}
        for _ in range(reader.count()):
            offset = reader.pos
            option = reader.byte()
            if option in _ENCODINGS:
                encoding = _ENCODINGS[option]
            elif option in (3, 4, 5):
                places[option] = reader.u32()
            elif option in (6, 7):
                raise unsupported(offset, "a function that is called asynchronously", "component-async")
            else:
                raise unsupported(offset, f"the canonical option {option:#04x}", "component-gc")
        return model.CanonOptions(encoding, places.get(3), places.get(4), places.get(5))

    def extern_name(self, reader: Reader) -> tuple[str, model.Attributes]:
        offset = reader.pos
        form = reader.byte()
        if form > 2:
            raise malformed(offset, f"malformed name of an import or export {form:#04x}")
        name = reader.name()
        if form < 2:
            return name, ()
        return name, tuple([(reader.byte(), reader.name()) for _ in range(reader.count())])

    def extern_desc(self, reader: Reader) -> ExternDesc:
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            reader.byte()
            return ExternDesc("core module", reader.u32())
        if form == 2:
            raise unsupported(offset, "a value", "component-values")
        if form == 3:
            if reader.byte():
                return ExternDesc("type", bound="sub")
            return ExternDesc("type", reader.u32())
        if form not in SORTS:
            raise malformed(offset, f"malformed type of an import or export {form:#04x}")
        return ExternDesc(SORTS[form], reader.u32())

    def import_(self, reader: Reader, depth: int) -> Definition:
        offset, (name, attributes) = reader.pos, self.extern_name(reader)
        return model.Import(offset, name, self.extern_desc(reader), attributes)

    def export(self, reader: Reader, depth: int) -> Definition:
        offset = reader.pos
        name, attributes = self.extern_name(reader)
        sort, index = self.sort(reader), reader.u32()
        return model.Export(offset, name, sort, index, self.extern_desc(reader) if reader.byte() else None, attributes)


_SECTIONS: Final = {
    2: _Decoder.core_instance,
    CORE_TYPES: _Decoder.core_type,
    5: _Decoder.instance,
    ALIASES: _Decoder.alias,
    7: _Decoder.type,
    8: _Decoder.canon,
    IMPORTS: _Decoder.import_,
    11: _Decoder.export,
}
_TYPES: Final[dict[int, Any]] = {
    0x72: _Decoder.record,
    0x71: _Decoder.variant,
    0x70: lambda self, reader: model.DefinedType("list", parts=(self.valtype(reader),)),
    0x6F: lambda self, reader: model.DefinedType(
        "tuple", parts=tuple([self.valtype(reader) for _ in range(reader.count())])
    ),
    0x6E: lambda self, reader: self.labels(reader, "flags"),
    0x6D: lambda self, reader: self.labels(reader, "enum"),
    0x6B: lambda self, reader: model.DefinedType("option", parts=(self.valtype(reader),)),
    0x6A: lambda self, reader: model.DefinedType("result", parts=(self.optional(reader), self.optional(reader))),
    0x67: _Decoder.fixed_list,
    0x63: lambda self, reader: model.DefinedType("map", parts=(self.valtype(reader), self.valtype(reader))),
    0x69: lambda self, reader: model.DefinedType("own", parts=(reader.u32(),)),
    0x68: lambda self, reader: model.DefinedType("borrow", parts=(reader.u32(),)),
}
#: Types that are refused, with their features.
_FOREIGN_TYPES: Final = {
    0x66: ("a stream", "streams"),
    0x65: ("a future", "futures"),
    0x64: ("an error-context", "error-context"),
    0x3E: ("a resource with an asynchronous destructor", "component-async"),
}
