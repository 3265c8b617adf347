"""Types as users see them: what the metadata says and what an object says are equal, and of one class."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import load
from wasmartifact import externtypes

WAT = """(module
  (memory (export "memory") 1 3) (memory (export "large") i64 1) (table (export "table") 2 5 externref)
  (global (export "global") (mut f32) (f32.const 0)) (global (export "constant") externref (ref.null extern))
  (tag (export "tag") (param i32 v128))
  (func (export "add") (param i32 i32) (result i32) (local.get 0))
  (func (export "none"))
  (func (export "several") (param funcref exnref) (result i32 f64) (i32.const 0) (f64.const 0)))"""


def test_metadata_and_objects_agree() -> None:
    artifact = load(WAT)
    made = artifact.instantiate().exports
    kinds = set()
    for row in artifact.metadata.exports:
        assert made[row.name].type == row.type, row.name
        assert type(made[row.name].type) is type(row.type)
        assert hash(made[row.name].type) == hash(row.type)
        kinds.add(type(row.type))
    assert kinds == {
        externtypes.FuncType, externtypes.MemoryType, externtypes.TableType, externtypes.GlobalType,
        externtypes.TagType,
    }  # fmt: skip
    found = artifact.metadata.exports.find("add")
    assert found is not None and isinstance(found.type, wa.FuncType)
    assert found.type == wa.FuncType(["i32", "i32"], ["i32"]) == wa.Func(print, ["i32", "i32"], ["i32"]).type
    assert found.type != wa.FuncType(["i32", "i32"], ["i64"])
    assert made.add.type is made.add.type


def test_a_function_type() -> None:
    type_ = wa.FuncType(params=["(ref null func)", "i32"], results=("i64",))
    assert (type_.params, type_.results) == (("funcref", "i32"), ("i64",))
    assert str(type_) == "(funcref, i32) -> i64"
    assert str(wa.FuncType([], [])) == "() -> ()"
    assert repr(wa.FuncType(["i32"], [])) == "FuncType(params=('i32',), results=())"
    assert pickle.loads(pickle.dumps(type_)) == copy.deepcopy(type_) == type_
    assert type_._replace(params=("f32",)) == wa.FuncType(["f32"], ["i64"])
    with pytest.raises(TypeError, match="expected a list of value types"):
        wa.FuncType("i32", [])
    with pytest.raises(ValueError, match="'i33' is no value type"):
        wa.FuncType(["i33"], [])
    with pytest.raises(AttributeError):
        type_.more = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "named", "words"),
    [
        ((1, 2, 3), {}, "takes 2 values, found 3"),
        ((1,), {}, "lacks a value for mutable"),
        ((), {"type": "i32", "kind": 1}, "has no field 'kind'"),
        (("i32", False), {"type": "i32"}, "got two values for 'type'"),
    ],
)
def test_a_record_is_complete(values: tuple[Any, ...], named: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        externtypes.GlobalType(*values, **named)
