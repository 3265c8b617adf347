"""Flattening: the core instances of a linked component become one core module, which is packed as any other.

Imports between core instances become indices. What the embedder gives, and what the canonical ABI does, is imported;
what the canonical ABI calls is exported, under its index. Where a start function could see in which order segments are
applied, they are applied by code, in that order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wasmartifact.component.abi import Flattener
from wasmartifact.component.link import CANON, CanonRow, CoreRef, Program
from wasmartifact.component.rewrite import Maps, Rewriter
from wasmartifact.component.shims import direct_functions
from wasmartifact.component.typesection import TypeSection
from wasmartifact.dataclass import dataclass, field, replace
from wasmartifact.errors import UnsupportedModule
from wasmartifact.schema import (
    CANON_ADAPTER,
    CANON_HOST,
    CANON_LIFT,
    COMPONENT_SORTS,
    KIND_FUNC,
    KIND_GLOBAL,
    KIND_MEMORY,
    KIND_TABLE,
    KIND_TAG,
    LIMITS_64,
    LIMITS_HAS_MAX,
    LIMITS_SHARED,
)
from wasmartifact.wasm.encode import constant, operator, text, unsigned, vector
from wasmartifact.wasm.model import ACTIVE, DECLARATIVE, PASSIVE, ConstExpr, Data, Element, FuncType, Limits, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

_GLOBAL_GET: Final = OPCODE_BY_NAME["global.get"].code
_END: Final = operator("end")
_MAKERS: Final = frozenset(
    OPCODE_BY_NAME[name].code
    for name in ("struct.new", "struct.new_default", "array.new", "array.new_default", "array.new_fixed")
)
_PAGE_SIZE_FLAG: Final = 8


@dataclass(slots=True)
class Flat:
    """The flattened module, and the program with indices of it: canons that it imports come first, in that order."""

    data: bytes
    program: Program
    functions: dict[CoreRef, int]
    memories: dict[CoreRef, int]


def flatten(program: Program) -> Flat:
    """Make one core module of a linked component."""
    return _Flatten(program).run()


@dataclass(slots=True)
class _Space:
    """An index space: where each core instance's own part begins."""

    kind: int
    first: int = 0
    bases: list[int] = field(default_factory=list)
    imported: list[int] = field(default_factory=list)
    size: int = 0

    def place(self, ref: CoreRef) -> int:
        number, index = ref
        return self.bases[number] + index - self.imported[number]


class _Flatten:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.cores = program.cores
        self.abi = Flattener(program)
        self.direct = direct_functions(program)
        self.types = TypeSection()
        self.referenced: set[int] = set()
        self.wrappers: list[tuple[int, bytes]] = []
        self.needed = _needed_canons(program)
        self.canons = self._imported_canons()
        self.canon_places = {row: place for place, row in enumerate(self.canons)}
        self.spaces = self._spaces()
        self.maps = [self._maps(number) for number in range(len(self.cores))]
        self.rewriters = [
            Rewriter(core.module.data, maps, self.referenced) for core, maps in zip(self.cores, self.maps, strict=True)
        ]

    # Index spaces -------------------------------------------------------------------------------------------------

    def _imported_canons(self) -> list[int]:
        """Rows of the canonical functions that are imported, in order."""
        refs = [self.direct.get(ref, ref) for core in self.cores for ref in core.imports]
        refs += list(self.direct.values())
        refs += [ref for row in self.needed for ref in _functions_of(self.program.canons[row])]
        refs += [resource.destructor for resource in self.program.resources if resource.destructor is not None]
        return sorted({row for number, row in refs if number == CANON})

    def _spaces(self) -> dict[int, _Space]:
        spaces = {kind: _Space(kind) for kind in (KIND_FUNC, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL, KIND_TAG)}
        spaces[KIND_FUNC].size = len(self.canons)
        for core in self.cores:
            module = core.module
            totals = {
                KIND_FUNC: len(module.function_types),
                KIND_TABLE: len(module.table_types),
                KIND_MEMORY: len(module.memory_types),
                KIND_GLOBAL: len(module.global_types),
                KIND_TAG: len(module.tag_types),
            }
            for kind, space in spaces.items():
                imported = sum(row.kind == kind for row in module.imports)
                space.bases.append(space.size)
                space.imported.append(imported)
                space.size += totals[kind] - imported
        return spaces

    def function(self, ref: CoreRef) -> int:
        """Index of a function in the flattened module."""
        ref = self.direct.get(ref, ref)
        if ref[0] == CANON:
            return self.canon_places[ref[1]]
        return self.spaces[KIND_FUNC].place(ref)

    def place(self, kind: int, ref: CoreRef) -> int:
        """Index of an item in the flattened module."""
        return self.function(ref) if kind == KIND_FUNC else self.spaces[kind].place(ref)

    def _maps(self, number: int) -> Maps:
        core = self.cores[number]
        module = core.module
        lists: dict[int, list[int]] = {}
        for kind, space in self.spaces.items():
            imported = [ref for row, ref in zip(module.imports, core.imports, strict=True) if row.kind == kind]
            end = self.spaces[kind].bases[number + 1] if number + 1 < len(self.cores) else space.size
            own = range(space.bases[number], end)
            lists[kind] = [self.place(kind, ref) for ref in imported] + list(own)
            if kind == KIND_FUNC and self.direct:
                first = len(imported)
                for (owner, index), _ in self.direct.items():
                    if owner == number:
                        lists[kind][index] = self.function((owner, index))
                assert first <= len(lists[kind])
        elements = sum(len(other.module.elements) for other in self.cores[:number])
        datas = sum(len(other.module.datas) for other in self.cores[:number])
        maps = Maps(
            [], lists[KIND_FUNC], lists[KIND_TABLE], lists[KIND_MEMORY], lists[KIND_GLOBAL], lists[KIND_TAG],
            list(range(elements, elements + len(module.elements))), list(range(datas, datas + len(module.datas))),
        )  # fmt: skip
        self.types.add_module(module, maps)
        return maps

    # Sections -----------------------------------------------------------------------------------------------------

    def run(self) -> Flat:
        """Write the module, section by section."""
        canon_types = [self.types.plain_function(self.abi.core_type(self.program.canons[row])) for row in self.canons]
        functions = [
            maps.types[type_]
            for core, maps in zip(self.cores, self.maps, strict=True)
            for type_ in core.module.function_types[core.module.imported_functions :]
        ]
        bodies = [
            rewriter.body(code.start, code.end)
            for core, rewriter in zip(self.cores, self.rewriters, strict=True)
            for code in core.module.codes
        ]
        function_places = self._exported()
        functions += [type_ for type_, _ in self.wrappers]
        bodies += [body for _, body in self.wrappers]
        converted = self._converted()
        elements, datas = self._elements(converted), self._datas(converted)
        start = self._start(converted)
        if start is not None and start[1] is not None:
            functions.append(self.types.plain_function(FuncType((), ())))
            bodies.append(start[1])
        imports = [
            text(module) + text(name) + b"\0" + unsigned(type_)
            for (module, name), type_ in zip(self._import_names(), canon_types, strict=True)
        ]
        exports = [text(str(index)) + b"\0" + unsigned(index) for index in sorted(set(function_places.values()))]
        sections = (
            (1, vector(self.types.entries)),
            (2, vector(imports)),
            (3, vector([unsigned(type_) for type_ in functions])),
            (4, vector(self._tables())),
            (5, vector(self._memories())),
            (13, vector(self._tags())),
            (6, vector(self._globals())),
            (7, vector(exports)),
            (8, b"" if start is None else unsigned(start[0])),
            (9, vector(elements)),
            (12, unsigned(len(datas)) if datas else b""),
            (10, vector([unsigned(len(body)) + body for body in bodies])),
            (11, vector(datas)),
            (0, text("name") + self._names()),
        )
        written = [bytes((id_,)) + unsigned(len(body)) + body for id_, body in sections if body not in (b"", b"\0")]
        data = b"\0asm\1\0\0\0" + b"".join(written)
        return Flat(data, self._described(), function_places, self._memory_places())

    def _exported(self) -> dict[CoreRef, int]:
        """Indices of what the canonical ABI calls. A canonical function among it gets a function that calls it."""
        refs = {ref for row in self.needed for ref in _functions_of(self.program.canons[row])}
        refs |= {resource.destructor for resource in self.program.resources if resource.destructor is not None}
        places = {}
        for ref in sorted(refs):
            index = self.function(ref)
            if index < len(self.canons):
                index = self._wrap(index)
            places[ref] = index
        return places

    def _wrap(self, index: int) -> int:
        """A function that does nothing but to call an imported one."""
        type_ = self.abi.core_type(self.program.canons[self.canons[index]])
        parameters = b"".join(operator("local.get", place) for place in range(len(type_.params)))
        self.wrappers.append((self.types.plain_function(type_), b"\0" + parameters + operator("call", index) + _END))
        return self.spaces[KIND_FUNC].size + len(self.wrappers) - 1

    def _memory_places(self) -> dict[CoreRef, int]:
        refs = {self.program.canons[row].memory for row in (*self.needed, *self.canons)}
        return {ref: self.spaces[KIND_MEMORY].place(ref) for ref in refs if ref is not None}

    def _described(self) -> Program:
        """The program with the imported canons first, and with lifted functions that something uses behind them."""
        order = [*self.canons, *(row for row in self.needed if self.program.canons[row].kind == CANON_LIFT)]
        places = {row: place for place, row in enumerate(order)}
        lifted = COMPONENT_SORTS.index("func")
        canons = []
        for row in order:
            canon = self.program.canons[row]
            is_adapter = canon.kind == CANON_ADAPTER
            canons.append(
                replace(canon, target=places[canon.target] if is_adapter and canon.target is not None else canon.target)
            )
        externs = [
            replace(row, index=places[row.index])
            if row.is_export and row.sort == lifted and row.index is not None
            else row
            for row in self.program.externs
        ]
        return replace(self.program, canons=canons, externs=externs)

    def _import_names(self) -> list[tuple[str, str]]:
        """Module and name of each import, for readers: all are told apart by their places."""
        names, externs = [], self.program.externs
        for row in self.canons:
            canon = self.program.canons[row]
            if canon.kind == CANON_HOST and canon.target is not None:
                extern = externs[canon.target]
                names.append(("" if extern.parent is None else externs[extern.parent].name, extern.name))
            else:
                names.append(("component", _CANON_NAMES[canon.kind]))
        return names

    def _tables(self) -> list[bytes]:
        tables = []
        for number, core in enumerate(self.cores):
            for table in core.module.tables:
                plain = self.maps[number].valtype(table.type.element) + _limits(table.type.limits)
                tables.append(
                    plain
                    if table.init is None
                    else b"\x40\0" + plain + self.constant(number, table.init, in_table=True) + _END
                )
        return tables

    def _memories(self) -> list[bytes]:
        memories = []
        for core in self.cores:
            for memory in core.module.memory_types[core.module.imported_memories :]:
                plain = memory.page_log2 == 16
                memories.append(
                    _limits(memory.limits, 0 if plain else _PAGE_SIZE_FLAG)
                    + (b"" if plain else unsigned(memory.page_log2))
                )
        return memories

    def _tags(self) -> list[bytes]:
        tags = []
        for number, core in enumerate(self.cores):
            imported = self.spaces[KIND_TAG].imported[number]
            tags += [b"\0" + unsigned(self.maps[number].types[type_]) for type_ in core.module.tag_types[imported:]]
        return tags

    def _globals(self) -> list[bytes]:
        return [
            self.maps[number].valtype(item.type.valtype)
            + bytes((item.type.mutable,))
            + self.constant(number, item.init)
            + _END
            for number, core in enumerate(self.cores)
            for item in core.module.globals
        ]

    def constant(self, number: int, expr: ConstExpr, *, in_table: bool = False) -> bytes:
        """A constant expression of a core instance, with the expressions of globals in the place of their reading."""
        ends = [place for place, _, _ in expr.instructions[1:]] + [expr.end - 1]
        pieces = []
        for (place, opcode, immediate), end in zip(expr.instructions, ends, strict=True):
            if opcode == _GLOBAL_GET:
                pieces.append(self.global_value(number, immediate, in_table=in_table))
            else:
                pieces += self.rewriters[number].expression(place, end)
        return b"".join(pieces)

    def global_value(self, number: int, index: int, *, in_table: bool) -> bytes:
        """The expression of an immutable global; all of them are defined in the component.

        One that makes an object is read, as there is to be one only. Tables, which come before globals, can't do so.
        """
        imported = self.spaces[KIND_GLOBAL].imported[number]
        while index < imported:
            core = self.cores[number]
            refs = [ref for row, ref in zip(core.module.imports, core.imports, strict=True) if row.kind == KIND_GLOBAL]
            number, index = refs[index]
            imported = self.spaces[KIND_GLOBAL].imported[number]
        value = self.cores[number].module.globals[index - imported].init
        if not any(opcode in _MAKERS for _, opcode, _ in value.instructions):
            return self.constant(number, value, in_table=in_table)
        if in_table:
            raise UnsupportedModule(
                "the elements of a table in a core module of a component begin as an object of another core module's "
                "global, which is not supported; set them in a start function",
                feature="component-gc",
            )
        return operator("global.get", self.maps[number].globals[index])

    # Segments and start functions ---------------------------------------------------------------------------------

    def _converted(self) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        """Element and data segments, by core instance and index, that are applied by code.

        That is so where a start function ran before, and the target is of another instance, which may look at it.
        """
        elements, datas = set(), set()
        first = next(
            (number for number, core in enumerate(self.cores) if core.module.start is not None), len(self.cores)
        )
        for number in range(first + 1, len(self.cores)):
            module = self.cores[number].module
            for index, element in enumerate(module.elements):
                if element.mode == ACTIVE and element.table < self.spaces[KIND_TABLE].imported[number]:
                    elements.add((number, index))
            for index, data in enumerate(module.datas):
                if data.mode == ACTIVE and data.memory < self.spaces[KIND_MEMORY].imported[number]:
                    datas.add((number, index))
        return elements, datas

    def _elements(self, converted: tuple[set[tuple[int, int]], set[tuple[int, int]]]) -> list[bytes]:
        segments = [
            self._element(number, element, PASSIVE if (number, index) in converted[0] else element.mode)
            for number, core in enumerate(self.cores)
            for index, element in enumerate(core.module.elements)
        ]
        if self.referenced:
            indices = [unsigned(index) for index in sorted(self.referenced)]
            segments.append(b"\x03\0" + vector(indices))
        return segments

    def _element(self, number: int, element: Element, mode: int) -> bytes:
        maps = self.maps[number]
        items = [
            self.constant(number, item) + _END
            if isinstance(item, ConstExpr)
            else operator("ref.func", maps.functions[item]) + _END
            for item in element.items
        ]
        head = {PASSIVE: b"\x05", DECLARATIVE: b"\x07", ACTIVE: b"\x06"}[mode]
        if mode == ACTIVE:
            assert element.offset is not None
            head += unsigned(maps.tables[element.table]) + self.constant(number, element.offset) + _END
        return head + maps.valtype(element.type) + vector(items)

    def _datas(self, converted: tuple[set[tuple[int, int]], set[tuple[int, int]]]) -> list[bytes]:
        return [
            self._data(number, data, PASSIVE if (number, index) in converted[1] else data.mode)
            for number, core in enumerate(self.cores)
            for index, data in enumerate(core.module.datas)
        ]

    def _data(self, number: int, data: Data, mode: int) -> bytes:
        contents = self.cores[number].module.data[data.start : data.end]
        head = b"\x01"
        if mode == ACTIVE:
            assert data.offset is not None
            memory = unsigned(self.maps[number].memories[data.memory])
            head = b"\x02" + memory + self.constant(number, data.offset) + _END
        return head + unsigned(len(contents)) + contents

    def _start(self, converted: tuple[set[tuple[int, int]], set[tuple[int, int]]]) -> tuple[int, bytes | None] | None:
        """Index of the start function, and its body where it is made here; None where nothing starts."""
        starts = [
            (number, core.module.start) for number, core in enumerate(self.cores) if core.module.start is not None
        ]
        if not starts:
            return None
        if len(starts) == 1 and not any(converted):
            number, index = starts[0]
            return self.maps[number].functions[index], None
        pieces = [b"\0"]
        for number, core in enumerate(self.cores):
            pieces += self._applied(number, core.module, converted)
            if core.module.start is not None:
                pieces.append(operator("call", self.maps[number].functions[core.module.start]))
        pieces.append(_END)
        return self.spaces[KIND_FUNC].size + len(self.wrappers), b"".join(pieces)

    def _applied(
        self, number: int, module: Module, converted: tuple[set[tuple[int, int]], set[tuple[int, int]]]
    ) -> Iterable[bytes]:
        """Code that applies the segments of an instance that are applied by code."""
        maps = self.maps[number]
        for index, element in enumerate(module.elements):
            if (number, index) in converted[0] and element.offset is not None:
                segment = maps.elements[index]
                yield self.constant(number, element.offset) + constant(0) + constant(len(element.items))
                yield operator("table.init", segment, maps.tables[element.table]) + operator("elem.drop", segment)
        for index, data in enumerate(module.datas):
            if (number, index) in converted[1] and data.offset is not None:
                segment = maps.datas[index]
                yield self.constant(number, data.offset) + constant(0) + constant(data.end - data.start)
                yield operator("memory.init", segment, maps.memories[data.memory]) + operator("data.drop", segment)

    def _names(self) -> bytes:
        """Subsection with the names of functions."""
        names = []
        for (module, name), place in zip(self._import_names(), range(len(self.canons)), strict=True):
            names.append(unsigned(place) + text(f"{module}#{name}" if module else name))
        for number, core in enumerate(self.cores):
            imported = core.module.imported_functions
            base = self.spaces[KIND_FUNC].bases[number]
            names += [
                unsigned(base + index - imported) + text(name)
                for index, name in core.module.function_names.items()
                if index >= imported
            ]
        body = vector(names)
        return b"\1" + unsigned(len(body)) + body


_CANON_NAMES: Final = ("lift", "lower", "adapter", "resource.new", "resource.rep", "resource.drop")


def _needed_canons(program: Program) -> list[int]:
    """Rows of lifted functions that are exported or called by other components, and of all that is lowered."""
    lifted = COMPONENT_SORTS.index("func")
    exported = {row.index for row in program.externs if row.is_export and row.sort == lifted and row.index is not None}
    needed = {row for row, canon in enumerate(program.canons) if canon.kind != CANON_LIFT}
    needed |= exported
    needed |= {canon.target for canon in program.canons if canon.kind == CANON_ADAPTER and canon.target is not None}
    return sorted(needed)


def _functions_of(canon: CanonRow) -> list[CoreRef]:
    """Core functions that a canonical function calls."""
    return [ref for ref in (canon.core, canon.realloc, canon.post_return) if ref is not None]


def _limits(limits: Limits, more_flags: int = 0) -> bytes:
    flags = (
        (LIMITS_HAS_MAX if limits.max is not None else 0)
        | (LIMITS_SHARED if limits.shared else 0)
        | (LIMITS_64 if limits.is64 else 0)
        | more_flags
    )
    return bytes((flags,)) + unsigned(limits.min) + (b"" if limits.max is None else unsigned(limits.max))
