"""Generate what must agree with ``wasmartifact/schema.py`` and ``wasmartifact/wasi/abi.py``: the C headers of the
runtime, the lean constants that the load path imports instead of the schema, the tables of the format page; and the
types of WASI 0.2 from ``tools/wasi_functions.py``.

``python tools/generate.py`` writes the files; ``--check`` only names each file that differs, and then exits with 1.
The output depends on these alone, so that a test can regenerate it and compare.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import docstrings, format_example, wasi_types  # noqa: E402
from wasmartifact import schema  # noqa: E402
from wasmartifact.wasi import abi  # noqa: E402
from wasmartifact.wasm import opcodes  # noqa: E402
from wasmartifact.wasm.types import func_type_digest  # noqa: E402

HEADER_PATH = ROOT / "native" / "include" / "wa_schema.h"
CONSTANTS_PATH = ROOT / "wasmartifact" / "constants.py"
MESSAGES_PATH = ROOT / "wasmartifact" / "messages.py"
FORMAT_PATH = ROOT / "docs" / "FORMAT.md"
OPCODES_HEADER_PATH = ROOT / "native" / "include" / "wa_opcodes.h"
WASI_HEADER_PATH = ROOT / "native" / "include" / "wa_wasi_abi.h"
WASI_NUMBERS_PATH = ROOT / "wasmartifact" / "wasi" / "numbers.py"
WASI_TYPES_PATH = ROOT / "wasmartifact" / "component" / "wasi_types.py"
DOCS_HEADER_PATH = ROOT / "native" / "python" / "docs.h"

C_TYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "i64": "int64_t", "ptr": "void *"}
#: Letters of RuntimeCall.signature.
CALL_TYPES = {"p": "uint64_t", "i": "uint32_t", "l": "uint64_t", "v": "void"}
SHAPES = ("rows", "offsets", "flat")

# --------------------------------------------------------------------------------------------------------------------
# The C header


def macro_name(text: str) -> str:
    """A name of the schema as part of a C macro name."""
    return re.sub(r"[^A-Z0-9]", "_", text.upper())


def integer(value: int) -> str:
    """An integer literal that C and cffi read alike, of a type that holds it."""
    if value < 1 << 16:
        return str(value)
    return f"{value:#x}" + ("" if value < 1 << 31 else "U" if value < 1 << 32 else "UL")


def define(name: str, value: int, doc: str = "") -> str:
    """One integer macro; the comment goes above, since cffi takes no comment after a value."""
    comment = f"/* {doc} */\n" if doc else ""
    return f"{comment}#define WA_{macro_name(name)} {integer(value)}"


def x_macro(name: str, rows: Iterable[str]) -> str:
    """A list macro: ``name(X)`` expands to ``X(...)`` for each row."""
    return f"#define {name}(X) \\\n" + " \\\n".join(f"    X({row})" for row in rows)


def plain_constants() -> Iterator[str]:
    """Macros for every module-level integer of the schema, in its order; strings follow as string macros."""
    for name, value in vars(schema).items():
        if name.isupper() and type(value) is int:
            yield define(name, value)
    yield define("GLIBC_MIN_MAJOR", schema.GLIBC_MIN[0])
    yield define("GLIBC_MIN_MINOR", schema.GLIBC_MIN[1])
    yield f'#define WA_SECTION_NAME "{schema.SECTION_NAME}"'
    yield f'#define WA_ANCHOR_SYMBOL "{schema.ANCHOR_SYMBOL}"'


def named_constants() -> Iterator[str]:
    """Macros for the tables of names and numbers."""
    yield from (define(f"HEAP_{name}", value) for name, value in schema.HEAP_TYPES.items())
    yield from (define(f"MACHINE_{name}", value) for name, value in schema.MACHINES.items())
    yield "/* X(start, end): bytes of the file's head that count as zero in load_checksum. */"
    for prefix, names in (
        ("CTYPE", schema.COMPONENT_KINDS),
        ("SORT", schema.COMPONENT_SORTS),
        ("ENCODING", schema.STRING_ENCODINGS),
    ):
        yield from (define(f"{prefix}_{name}", number) for number, name in enumerate(names))
    yield define("HOST_OBJECT_KINDS", len(schema.HOST_OBJECT_KINDS), "number of them")
    yield x_macro("WA_HEAD_MASKED_RANGES", (f"{start}, {end}" for start, end in schema.HEAD_MASKED_RANGES))


def traps() -> Iterator[str]:
    """Trap codes."""
    for trap in schema.TRAP_CODES:
        yield define(f"TRAP_{trap.name}", trap.code, trap.message)


def errors() -> Iterator[str]:
    """Codes of wa_error."""
    for error in schema.NATIVE_ERRORS:
        yield define(f"ERROR_{error.name}", error.code, error.exception)


def structure(struct: schema.Struct) -> str:
    """A C structure with its size and every offset asserted."""
    offsets = struct.offsets()
    tag = f"struct wa_schema_{struct.name}"
    lines = [f"/* {struct.doc} */", f"{tag} {{"]
    end = 0
    for field in struct.fields:
        end = offsets[field.name] + schema.TYPE_SIZES[field.type]
        lines.append(f"    /* {field.doc} */")
        base, _, count = field.type.partition("x")
        c_type = C_TYPES[base]
        lines.append(f"    {c_type}{'' if c_type.endswith('*') else ' '}{field.name}{f'[{count}]' if count else ''};")
    if end < struct.size_bytes:
        lines.append(f"    uint8_t padding[{struct.size_bytes - end}];")
    lines.append("};")
    lines.append(f'_Static_assert(sizeof({tag}) == {struct.size_bytes}, "size of {struct.name}");')
    for name, offset in offsets.items():
        lines.append(f'_Static_assert(offsetof({tag}, {name}) == {offset}, "offset of {struct.name}.{name}");')
    return "\n".join(lines)


def column_values(value_type: str) -> tuple[str, str]:
    """The C type of a column's values, and the tag of the structure that such a column is."""
    c_type = C_TYPES.get(value_type, f"struct wa_schema_{value_type}")
    return c_type, f"struct wa_schema_column_{value_type}"


def columns() -> Iterator[str]:
    """Groups, shapes and the column list; then each column as a typed array, and all of them as one structure."""
    for number, shape in enumerate(SHAPES):
        yield define(f"SHAPE_{shape}", number)
    groups = {column.group: column.id // 32 for column in schema.COLUMNS}
    yield from (define(f"GROUP_{group}", number) for group, number in groups.items())
    yield "/* X(id, name, element_size, shape, group), ascending by id */"
    yield x_macro(
        "WA_COLUMNS",
        (
            f"{column.id}, {column.name}, {schema.VALUE_SIZES[column.type]}, WA_SHAPE_{macro_name(column.shape)}, "
            f"WA_GROUP_{macro_name(column.group)}"
            for column in schema.COLUMNS
        ),
    )
    for column in (
        *schema.COMPONENT_COLUMNS, *schema.COMPONENT_STATE_COLUMNS, *schema.COMPONENT_NOTE_COLUMNS
    ):  # fmt: skip
        yield define(f"COLUMN_{column.name}", column.id, "of components only")
    yield "/* 16 bytes as the value of a column: a digest, a cell. */"
    yield "struct wa_schema_u8x16 {\n    uint8_t bytes[16];\n};"
    yield "/* A column by the type of its values: count of them at data. */"
    for value_type in dict.fromkeys(column.type for column in schema.COLUMNS):
        c_type, tag = column_values(value_type)
        yield f"{tag} {{\n    const {c_type} *data;\n    uint64_t count;\n}};"
    yield "/* The columns of a mapped section. */\nstruct wa_schema_columns {"
    for column in schema.COLUMNS:
        yield f"    /* {column.doc}; {column.unit} */\n    {column_values(column.type)[1]} {column.name};"
    yield "};"


def contract() -> Iterator[str]:
    """Which header fields and columns the contract repeats, and where its other arrays stand."""
    yield "/* X(name): header fields that the contract repeats */"
    yield x_macro("WA_TIED_HEADER_FIELDS", schema.TIED_HEADER_FIELDS)
    yield "/* X(position, name): columns that the contract repeats */"
    yield x_macro("WA_TIED_COLUMNS", (f"{position}, {name}" for position, name in enumerate(schema.TIED_COLUMNS)))
    for position, tied in enumerate(schema.TIED_ARRAYS):
        if tied.name not in schema.TIED_COLUMNS:
            yield define(f"TIED_{tied.name}", position, f"position of an array of {tied.type}")


def runtime_calls() -> Iterator[str]:
    """The table of typed pointers that instance.calls points to."""
    lines = ["/* What instance.calls points to. References cross as uint64_t. */", "struct wa_schema_calls {"]
    for call in schema.RUNTIME_CALLS:
        result, *parameters = (CALL_TYPES[letter] for letter in call.signature)
        lines.append(f"    /* {call.doc} */")
        arguments = ", ".join(["struct wa_schema_instance *instance", *parameters])
        lines.append(f"    {result} (*{call.name})({arguments});")
    lines.append("};")
    lines.append(
        f"_Static_assert(sizeof(struct wa_schema_calls) == {8 * len(schema.RUNTIME_CALLS)}, "
        '"one pointer per runtime call");'
    )
    yield "\n".join(lines)


def features() -> Iterator[str]:
    """Bits of CPU features. WA_CPU_<machine>_<name> is a mask; the list is X(mask, name, "LLVM name")."""
    for machine, names in schema.CPU_FEATURES.items():
        for bit, name in enumerate(names):
            yield define(f"CPU_{machine}_{name}", 1 << bit)
        yield f'/* X(mask, name, "LLVM name"): all features of {machine} that code may need */'
        yield x_macro(
            f"WA_CPU_FEATURES_{macro_name(machine)}",
            (
                f'WA_CPU_{macro_name(machine)}_{macro_name(name)}, {re.sub("[^a-z0-9]", "_", name)}, "{name}"'
                for name in names
            ),
        )


def c_header() -> str:
    """The text of ``native/include/wa_schema.h``."""
    parts: list[tuple[str, Iterable[str]]] = [
        ("constants", plain_constants()),
        ("heap types, machines", named_constants()),
        ("traps", traps()),
        ("errors of the runtime", errors()),
        ("structures", (structure(struct) for struct in schema.STRUCTS)),
        ("columns of the metadata section", columns()),
        ("the contract", contract()),
        ("functions that compiled code calls", runtime_calls()),
        ("CPU features", features()),
    ]
    text = [
        "/* Layouts and codes shared by metadata, compiled code and runtime.\n"
        " * Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool. */",
        "#ifndef WA_SCHEMA_H\n#define WA_SCHEMA_H",
        "#include <stddef.h>\n#include <stdint.h>",
    ]
    for title, lines in parts:
        rule = "-" * (112 - len(title))
        # Structures read better with an empty line between them.
        text.append(f"/* ---- {title} {rule} */\n\n" + ("\n\n" if title == "structures" else "\n").join(lines))
    text.append("#endif")
    return "\n\n".join(text) + "\n"


# --------------------------------------------------------------------------------------------------------------------
# The C header of WASI

VALTYPES = {"i": schema.VALTYPE_I32, "l": schema.VALTYPE_I64}


def wasi_function(function: abi.Function) -> str:
    """Row of a function: name, letters of its types, is it in wasi_unstable, digest of its type as a string literal."""
    digest = func_type_digest([VALTYPES[p] for p in function.params], [VALTYPES[r] for r in function.results])
    escaped = "".join(f"\\x{byte:02x}" for byte in digest)
    return f'{function.name}, "{function.params}", "{function.results}", {int(function.in_unstable)}, "{escaped}"'


def wasi_header() -> str:
    """The text of ``native/include/wa_wasi_abi.h``."""
    linux = {name: abi.LINUX_NAMES.get(name, f"E{name.upper()}") for name in abi.ERRNOS if name not in abi.WASI_ONLY}
    enumerations = (
        define(f"WASI_{group}_{name}", number)
        for group, names in abi.ENUMERATIONS.items()
        for number, name in enumerate(names)
    )
    bits = (
        define(f"WASI_{group}_{name}", 1 << bit)
        for group, names in abi.BIT_SETS.items()
        for bit, name in enumerate(names)
    )
    lines = [
        "/* The numbers of WASI preview 1.\n"
        " * Generated from wasmartifact/wasi/abi.py by tools/generate.py: change that file and run the tool. */",
        "#ifndef WA_WASI_ABI_H\n#define WA_WASI_ABI_H",
        "\n".join(define(f"WASI_E{name}", number) for number, name in enumerate(abi.ERRNOS)),
        "/* X(errno of Linux, errno of WASI) */\n"
        + x_macro("WA_WASI_ERRNOS", (f"{name}, WA_WASI_E{macro_name(wasi)}" for wasi, name in linux.items())),
        "\n".join(enumerations),
        "\n".join(bits),
        "/* X(name, parameters, results, is in wasi_unstable, digest of the type) */\n"
        + x_macro("WA_WASI_FUNCTIONS", map(wasi_function, abi.FUNCTIONS)),
        "/* Likewise, those that no guest imports */\n"
        + x_macro("WA_WASI_EMBEDDER_FUNCTIONS", map(wasi_function, abi.EMBEDDER_FUNCTIONS)),
        "/* X(function, position of a descriptor, right that it must have) */\n"
        + x_macro(
            "WA_WASI_NEEDED_RIGHTS",
            (f"{name}, {place}, WA_WASI_RIGHT_{macro_name(right)}" for name, place, right in abi.NEEDED_RIGHTS),
        ),
        "#endif",
    ]
    return "\n\n".join(lines) + "\n"


def wasi_numbers() -> str:
    """The text of ``wasmartifact/wasi/numbers.py``."""
    names = [function.name for function in (*abi.FUNCTIONS, *abi.EMBEDDER_FUNCTIONS)]
    codes = [abi.ERROR_CODES.get(errno, "io") for errno in abi.ERRNOS]
    lines = [
        '"""Numbers of WASI that WASI 0.2 is made of. Generated from abi.py by tools/generate.py; do not edit."""',
        "",
        "# Functions, by their numbers in the C runtime",
        *(f"{name.upper()} = {names.index(name)}" for name in abi.USED_FUNCTIONS),
        "",
        "# Sets of bits",
        *(
            f"{group.upper()}_{name.upper()} = {1 << abi.BIT_SETS[group].index(name)}"
            for group, used in abi.USED_BITS.items()
            for name in used
        ),
        "",
        "# Errnos",
        *(f"E{name.upper()} = {abi.ERRNOS.index(name)}" for name in ("success", "inval", "overflow")),
        "",
        "#: The error-code of wasi:filesystem for each errno",
        "ERROR_CODES = (",
        *(f'    "{code}",' for code in codes),
        ")",
        "#: The descriptor-type of wasi:filesystem for each file type",
        "DESCRIPTOR_TYPES = (",
        *(f'    "{name}",' for name in abi.DESCRIPTOR_TYPES),
        ")",
    ]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------------------------------
# The tables of the format page


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; ``head`` holds the column titles, separated by bars."""
    titles = head.split("|")
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def struct_table(struct: schema.Struct) -> str:
    """Fields of a structure with offsets."""
    offsets = struct.offsets()
    rows = ((offsets[f.name], schema.TYPE_SIZES[f.type], f"`{f.name}`", f.type, f.doc) for f in struct.fields)
    return f"{struct.size_bytes} bytes.\n\n" + table("offset|size|field|type|meaning", rows)


def column_tables() -> str:
    """One table per column group."""
    parts = []
    columns = schema.ALL_COLUMNS
    for group in dict.fromkeys(column.group for column in columns):
        rows = (
            (c.id, f"`{c.name}`", c.type, f"{c.shape} into `{c.target}`" if c.target else c.shape, c.unit, c.doc)
            for c in columns
            if c.group == group
        )
        parts.append(f"### Group `{group}`\n\n" + table("id|column|type|shape|unit|meaning", rows))
    return "\n\n".join(parts)


def component_structs() -> str:
    """The structures that columns of components are made of."""
    return "\n\n".join(
        f"`{struct.name}`: {struct.doc}\n\n{struct_table(struct)}" for struct in schema.COMPONENT_STRUCTS
    )


def fuel_table() -> str:
    """What costs what."""
    names = {"free": schema.FUEL_FREE_OPERATORS, "last": schema.FUEL_BLOCK_ENDS}
    free, last = (", ".join(f"`{name}`" for name in names[which]) for which in ("free", "last"))
    return table(
        "what|value",
        (
            ("operators that cost nothing", free),
            ("every other operator", 1),
            ("each run of a function, paid with its first block", schema.FUEL_PER_FUNCTION),
            ("operators that are the last of their block", last),
            ("a portion", schema.FUEL_PORTION),
        ),
    )


def value_type_table() -> str:
    """Codes of value types and heap types."""
    rows = [
        (f"`{value:#04x}`", name.removeprefix("VALTYPE_").lower())
        for name, value in vars(schema).items()
        if name.startswith("VALTYPE_") and value < 256
    ]
    rows += [(f"`{value:#x}`", f"heap type {name}") for name, value in schema.HEAP_TYPES.items()]
    return table("code|meaning", rows)


REGIONS: dict[str, Callable[[], str]] = {
    "versions": lambda: table(
        "constant|value",
        (
            (f"`{name}`", f"`{getattr(schema, name):#x}`" if "MAGIC" in name else getattr(schema, name))
            for name in ("FORMAT_MAJOR", "FORMAT_MINOR", "RUNTIME_ABI", "METADATA_MAGIC", "ANCHOR_MAGIC")
        ),
    ),
    "header": lambda: struct_table(schema.METADATA_HEADER),
    "directory": lambda: struct_table(schema.DIRECTORY_ENTRY),
    "anchor": lambda: struct_table(schema.ANCHOR),
    "contract": lambda: struct_table(schema.CONTRACT),
    "tied array": lambda: struct_table(schema.TIED_ARRAY),
    "tied function": lambda: struct_table(schema.TIED_FUNCTION),
    "tied image": lambda: struct_table(schema.TIED_IMAGE),
    "tied levels": lambda: struct_table(schema.TIED_LEVELS),
    "tied level": lambda: struct_table(schema.TIED_LEVEL),
    "tied variant": lambda: struct_table(schema.TIED_VARIANT),
    "cpu variant": lambda: struct_table(schema.CPU_VARIANT),
    "tied arrays": lambda: table(
        "position|array|type|meaning",
        ((number, f"`{tied.name}`", tied.type, tied.doc) for number, tied in enumerate(schema.TIED_ARRAYS)),
    ),
    "export slot": lambda: struct_table(schema.EXPORT_SLOT),
    "function row": lambda: struct_table(schema.FUNCTION_ROW),
    "columns": column_tables,
    "component structures": component_structs,
    "value types": value_type_table,
    "traps": lambda: table("code|name|message", ((t.code, f"`{t.name}`", t.message) for t in schema.TRAP_CODES)),
    "fuel": fuel_table,
    "example": format_example.page,
    "machines": lambda: table(
        "machine|e_machine|page size in bytes", ((m, e, schema.PAGE_BYTES[m]) for m, e in schema.MACHINES.items())
    ),
    "wasm features": lambda: table("bit|feature", enumerate(schema.WASM_FEATURES)),
    "cpu features": lambda: table(
        "machine|features, bit 0 first", ((m, ", ".join(names)) for m, names in schema.CPU_FEATURES.items())
    ),
}


def format_page(text: str) -> str:
    """The format page with every marked region regenerated. Raises ValueError where a region has no generator."""

    def regenerate(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in REGIONS:
            raise ValueError(f"{FORMAT_PATH.name}: unknown generated region {name!r}; known: {', '.join(REGIONS)}")
        return f"<!-- generated: begin {name} -->\n\n{REGIONS[name]()}\n\n<!-- generated: end -->"

    return re.sub(r"<!-- generated: begin ([a-z ]+) -->.*?<!-- generated: end -->", regenerate, text, flags=re.DOTALL)


# --------------------------------------------------------------------------------------------------------------------
# Opcodes


def opcodes_header() -> str:
    """The text of wa_opcodes.h: a constant for each opcode, and a list of them with the kinds of their immediates."""
    kinds = [name for name, value in vars(opcodes).items() if name.isupper() and type(value) is int and value < 25]
    catches = [name for name in kinds if name.startswith("CATCH_")]
    kinds = kinds[: opcodes.PREFIX]  # those of catches count from 0 again
    rows = (f"{macro_name(op.name)}, {op.code:#x}, {kinds[op.immediate]}" for op in opcodes.OPCODES.values())
    return "\n".join([
        "/* Opcodes of WebAssembly and the kinds of their immediates.",
        " *",
        " * Generated from wasmartifact/wasm/opcodes.py by tools/generate.py: change that and run the tool. */",
        "#ifndef WA_OPCODES_H",
        "#define WA_OPCODES_H",
        "",
        "/* See wasmartifact/wasm/opcodes.py for what each kind holds. */",
        "enum wa_immediate {",
        *(f"    WA_IMMEDIATE_{name}," for name in kinds),
        "};",
        "",
        "/* Kinds of a try_table's catches. */",
        f"enum wa_catch {{ {', '.join(f'WA_{name}' for name in catches)} }};",
        "",
        "/* X(name, code, kind of immediate); the code of a prefixed opcode is prefix << 16 | sub_opcode. */",
        x_macro("WA_OPCODES", rows),
        "",
        "enum wa_opcode {",
        *(f"    WA_OP_{macro_name(op.name)} = {op.code:#x}," for op in opcodes.OPCODES.values()),
        "};",
        "",
        "/* X(name): operators that cost no fuel, those that are the last of their block, and those of both kinds. */",
        *fuel_operators(),
        "",
        "#endif",
        "",
    ])  # fmt: skip


def fuel_operators() -> Iterator[str]:
    """List macros of operators by what fuel has to do with them."""
    free, last = set(schema.FUEL_FREE_OPERATORS), set(schema.FUEL_BLOCK_ENDS)
    for name, operators in (("FREE", free - last), ("LAST", last - free), ("FREE_LAST", free & last)):
        yield x_macro(f"WA_FUEL_{name}", map(macro_name, sorted(operators)))


# --------------------------------------------------------------------------------------------------------------------
# The lean constants


def python_dict(name: str, doc: str, entries: Iterable[tuple[object, object]]) -> str:
    """A dict literal, one entry a line, as ruff formats it."""
    lines = "\n".join(f"    {literal(key)}: {literal(value)}," for key, value in entries)
    return f"#: {doc}\n{name} = {{\n{lines}\n}}"


def literal(value: object) -> str:
    """A Python literal with double quotes, as ruff formats it."""
    if isinstance(value, str):
        return json.dumps(value) if '"' not in value else repr(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def ranges(struct: schema.Struct) -> Iterator[tuple[str, tuple[int, int]]]:
    """Start and end offset of each field."""
    offsets = struct.offsets()
    return ((f.name, (offsets[f.name], offsets[f.name] + schema.TYPE_SIZES[f.type])) for f in struct.fields)


def value_sizes() -> Iterator[tuple[str, int]]:
    """Bytes of a value of each column."""
    return ((column.name, schema.VALUE_SIZES[column.type]) for column in schema.ALL_COLUMNS)


def offset_targets() -> Iterator[tuple[str, str]]:
    """The flat column that each column of offsets points into."""
    return ((column.name, column.target) for column in schema.ALL_COLUMNS if column.target)


def column_fields() -> Iterator[tuple[str, tuple[str, int, int]]]:
    """The fields of columns that are made of structures."""
    for column in schema.ALL_COLUMNS:
        if (struct := schema.STRUCT_BY_NAME.get(column.type)) is not None:
            for field, offset in struct.offsets().items():
                yield f"{column.name}.{field}", (column.name, offset // 4, struct.size_bytes // 4)


def row_columns() -> Iterable[tuple[str, tuple[str, int]]]:
    """For each group its first column that is not flat."""
    columns = [column for column in reversed((*schema.COLUMNS, *schema.CPU_LEVEL_COLUMNS)) if column.shape != "flat"]
    return {column.group: (column.name, int(column.shape == "offsets")) for column in columns}.items()


#: What is read where the schema is not imported; tests/house sees that each is.
LEAN: Final = (
    "RUNTIME_ABI", "ELF_MAGIC", "TEMPORARY_PREFIX", "HEAD_MASKED_RANGES", "NONE_U64", "VALTYPE_I32", "VALTYPE_I64",
    "VALTYPE_F32", "VALTYPE_F64", "VALTYPE_V128", "VALTYPE_I8", "VALTYPE_I16", "VALTYPE_REF", "VALTYPE_REF_NULL",
    "VALTYPE_FUNCREF", "VALTYPE_EXTERNREF", "VALTYPE_EXNREF", "HEAP_ABSTRACT", "KIND_FUNC", "KIND_TABLE", "KIND_GLOBAL",
    "KIND_TAG", "LIMITS_HAS_MAX", "LIMITS_SHARED", "LIMITS_64", "GLOBAL_MUTABLE", "HEADER_COMPONENT",
    "HEADER_CPU_LEVELS", "HEADER_SNAPSHOT", "CHUNK_ROWS", "INLINED_MAX_DEPTH", "MAX_MODULE_BYTES", "MAX_OPERANDS",
    "MAX_TABLE_ELEMENTS", "KINDS", "COMPONENT_KINDS", "COMPONENT_SORTS", "HOST_OBJECT_KINDS", "NOTE_UNLIKE_WASI",
    "NOTE_IMPLEMENTS", "NOTE_EXTERNAL_ID", "NOTE_MODULE_TYPE",
)  # fmt: skip


def python_module(doc: str, *tables: str) -> str:
    """The text of a generated Python file."""
    return "\n".join([
        f'"""{doc}',
        "",
        "Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool.",
        '"""',
        "",
        "# ruff: noqa: E501",
        "# fmt: off",
        "",
        *tables,
        "",
    ])  # fmt: skip


def python_constants() -> str:
    """The text of wasmartifact/constants.py."""
    plain: dict[str, object] = {
        **{name: getattr(schema, name) for name in LEAN},
        "METADATA_HEADER_BYTES": schema.METADATA_HEADER.size_bytes,
        "DIRECTORY_ENTRY_BYTES": schema.DIRECTORY_ENTRY.size_bytes,
        "FORMAT_VERSION": (schema.FORMAT_MAJOR, schema.FORMAT_MINOR),
    }
    return python_module(
        "What loads, calls and views of metadata need of the schema, as literals: its import costs more than those.",
        *(f"{name} = {literal(value)}" for name, value in plain.items()),
        python_dict("HEAP_TYPES", "Code of each abstract heap type.", schema.HEAP_TYPES.items()),
        python_dict(
            "HEADER_RANGES", "Start and end offset of each field of the header.", ranges(schema.METADATA_HEADER)
        ),
        python_dict(
            "ENTRY_RANGES", "Start and end offset of each field of a directory entry.", ranges(schema.DIRECTORY_ENTRY)
        ),
        python_dict("COLUMN_IDS", "Id of each column.", ((column.name, column.id) for column in schema.ALL_COLUMNS)),
        python_dict("VALUE_BYTES", "Size of a value of each column.", value_sizes()),
        python_dict("OFFSET_TARGETS", "The column that offsets point into.", offset_targets()),
        python_dict(
            "COLUMN_FIELDS", "Column of structures, place among its u32, number of them.", column_fields()
        ),
        python_dict("ROW_COLUMNS", "Column that tells the rows of a group, values it has more.", row_columns()),
    )  # fmt: skip


def python_messages() -> str:
    """The text of wasmartifact/messages.py."""
    return python_module(
        "What traps and errors of the C runtime say; not among the constants, as most programs need none of it.",
        python_dict(
            "TRAPS", "Name and message of each trap code.", ((t.code, (t.name, t.message)) for t in schema.TRAP_CODES)
        ),
        python_dict(
            "NATIVE_ERRORS",
            "Name, exception and message template of each error of the C runtime.",
            ((e.code, (e.name, e.exception, e.template)) for e in schema.NATIVE_ERRORS),
        ),
    )


def wasi_type_table() -> str:
    """The text of wasmartifact/component/wasi_types.py."""
    types, functions = wasi_types.tables()
    rows = "".join(f"    {literal(row)},  # {place}\n" for place, row in enumerate(types, 1))
    interfaces = "".join(
        "\n".join(
            (
                f"    {literal(interface)}: {{",
                *(f"        {literal(name)}: {literal(parts)}," for name, parts in found.items()),
                "    },\n",
            )
        )
        for interface, found in functions.items()
    )
    text = python_module(
        "The types of WASI 0.2's functions.",
        f"#: Kind, names and parts of each type; parts by their place, which counts from 1, 0 is none.\n"
        f"TYPES: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (\n{rows})",
        f"#: By interface and name: the types of the parameters, then that of the result.\n"
        f"FUNCTIONS: dict[str, dict[str, tuple[int, ...]]] = {{\n{interfaces}}}",
    )
    return text.replace(
        "Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool.",
        "Generated from tools/wasi_functions.py by tools/generate.py: change that and run the tool.",
    )


# --------------------------------------------------------------------------------------------------------------------


def outputs() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    return {
        HEADER_PATH: c_header(),
        CONSTANTS_PATH: python_constants(),
        MESSAGES_PATH: python_messages(),
        OPCODES_HEADER_PATH: opcodes_header(),
        WASI_HEADER_PATH: wasi_header(),
        WASI_NUMBERS_PATH: wasi_numbers(),
        WASI_TYPES_PATH: wasi_type_table(),
        DOCS_HEADER_PATH: docstrings.header(docstrings.STUB_PATH.read_text(encoding="utf-8")),
        FORMAT_PATH: format_page(FORMAT_PATH.read_text(encoding="utf-8")),
    }


def main() -> int:
    """Write or check the generated files; 1 if a checked file differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    check = parser.parse_args().check
    status = 0
    for path, text in outputs().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{path.relative_to(ROOT)} differs from what it is generated from; run python tools/generate.py")
            status = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
