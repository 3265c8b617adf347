"""Digests of types: equal exactly for types that the spec calls equal, across modules too; names of value types."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wasm.inputs import wat
from wasmartifact import schema
from wasmartifact.externtypes import valtype_from_name, valtype_name
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.types import _group_digests, canonical_types, func_type_digest, type_digests

I32, I64, F32, F64, V128 = (0x7F, 0x7E, 0x7D, 0x7C, 0x7B)


def digests(text: str) -> list[bytes]:
    return type_digests(decode_module(wat(text)))


def test_digest_of_a_plain_type() -> None:
    """The structure that is hashed is part of what two artifacts must agree on, so it is spelled out here."""
    structure = b"".join(
        (
            (1).to_bytes(4, "little"),  # members of the group
            b"\x60",  # a function type
            (1).to_bytes(4, "little"), b"\0", (0x7F).to_bytes(4, "little"),  # one parameter: i32
            (2).to_bytes(4, "little"), b"\0", (0x7C).to_bytes(4, "little"),  # two results: f64 and funcref
            b"\0", schema.VALTYPE_FUNCREF.to_bytes(4, "little"),
            (0).to_bytes(4, "little"),  # place in the group
        )
    )  # fmt: skip
    expected = hashlib.blake2b(structure, digest_size=16).digest()
    assert func_type_digest([I32], [F64, schema.VALTYPE_FUNCREF]) == expected
    assert digests("(module (type (func (param i32) (result f64 funcref))))") == [expected]


def test_equal_types_in_one_module() -> None:
    module = decode_module(
        wat("""(module
            (type (func)) (type (func (param i32))) (type (func)) (type (func (result i32))) (type (func (param i32)))
            (type (func (param (ref 0)))) (type (func (param (ref 2)))) (type (func (param (ref 1))))
            (type (func (param (ref null 0)))))""")
    )
    assert canonical_types(type_digests(module)) == [0, 1, 0, 3, 1, 5, 5, 7, 8]


def test_references_are_hashed_by_structure() -> None:
    """Equal whatever the indices: here the target stands at index 0, there at index 2."""
    (_, here) = digests("(module (type $t (func (param i64))) (type (func (param (ref $t)))))")
    (*_, there) = digests(
        "(module (type (func)) (type (func (result f32))) (type $t (func (param i64))) (type (func (param (ref $t)))))"
    )
    assert here == there


def test_a_type_that_refers_to_itself() -> None:
    (here,) = digests("(module (type $t (func (param (ref null $t)))))")
    _, there, other = digests(
        "(module (type (func)) (type $t (func (param (ref null $t)))) (type (func (param (ref null $t)))))"
    )
    assert here == there
    assert other != here  # its parameter is the type before, not itself


@given(
    st.lists(st.tuples(st.lists(st.sampled_from([I32, I64, F32, F64, V128])), st.lists(st.sampled_from([I32, F64]))))
)
def test_digests_differ_where_types_differ(types: list[tuple[list[int], list[int]]]) -> None:
    distinct = {(tuple(params), tuple(results)) for params, results in types}
    assert len({func_type_digest(params, results) for params, results in types}) == len(distinct)


def test_a_concrete_reference_needs_a_module() -> None:
    with pytest.raises(ValueError, match="type index 3"):
        func_type_digest([valtype_from_name("(ref 3)")], [])


@pytest.mark.parametrize(
    "name",
    [
        "i32",
        "i64",
        "f32",
        "f64",
        "v128",
        "funcref",
        "externref",
        "exnref",
        "anyref",
        "nullref",
        "(ref func)",
        "(ref null 3)",
        "(ref 70000)",
    ],
)
def test_names_round_trip(name: str) -> None:
    assert valtype_name(valtype_from_name(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "i32",
        "v128",
        "funcref",
        "exnref",
        "nullfuncref",
        "i31ref",
        "(ref func)",
        "(ref 0)",
        "(ref null 0)",
        "(ref null noextern)",
        "(ref array)",
    ],
)
def test_names_mean_what_the_text_format_means(name: str) -> None:
    assert decode_module(wat(f"(module (type (func (param {name}))))")).func_type_at(0).params == (
        valtype_from_name(name),
    )


@pytest.mark.parametrize(("long", "short"), [("(ref null func)", "funcref"), ("(ref null extern)", "externref")])
def test_long_forms(long: str, short: str) -> None:
    assert valtype_name(valtype_from_name(long)) == short


@pytest.mark.parametrize(
    "name", ["", "i33", "ref", "(ref)", "(ref null)", "(ref -1)", "(ref ²)", "(ref 8388608)", "(func)", "I32"]
)
def test_no_value_types(name: str) -> None:
    with pytest.raises(ValueError, match="no value type"):
        valtype_from_name(name)


def test_the_import_is_lean() -> None:
    """Host functions need digests at run time: neither the decoder nor its table of opcodes may come along."""
    code = (
        "import sys, wasmartifact.wasm.types; print(*sorted(name for name in sys.modules if 'wasmartifact.' in name))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lean = {"constants", "wasm", "wasm.types"}
    assert set(run.stdout.split()) == {f"wasmartifact.{name}" for name in lean}


def test_digests_of_a_group_are_hashes_of_it_and_of_the_place() -> None:
    group = [b"one", b"two", b"three"]
    structure = (3).to_bytes(4, "little") + b"".join(group)
    expected = [hashlib.blake2b(structure + bytes((place, 0, 0, 0)), digest_size=16).digest() for place in range(3)]
    assert _group_digests(group) == expected
