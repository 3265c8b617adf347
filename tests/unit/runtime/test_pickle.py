"""What belongs to a process can't be pickled: the error says what to send instead. What is a value, can."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

TEXT = b"""
(module
  (import "env" "f" (func))
  (memory (export "memory") 1)
  (table (export "table") 1 funcref)
  (global (export "global") i32 (i32.const 1))
  (tag (export "tag"))
  (type $s (struct (field i32)))
  (type $a (array i32))
  (func (export "struct") (result structref) (struct.new $s (i32.const 1)))
  (func (export "array") (result arrayref) (array.new $a (i32.const 1) (i32.const 1)))
  (func (export "add")))
"""
COMPONENT = b"""
(component
  (import "a:b/c" (instance
    (export "blob" (type $blob (sub resource)))
    (export "[method]blob.read" (func (param "self" (borrow $blob)) (result u32)))))
  (core module $m (func (export "f") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
"""
#: Public classes of which nobody has objects that he could send, and values, which can be sent.
OTHERS = {
    "Limits", "PackLimits", "FuncType", "ValType", "PackReport", "Frame", "Err", "Ok", "Some", "ReadOnly",
}  # fmt: skip


class Blob:
    """What the component imports."""

    def read(self) -> int:
        """A method."""
        return 1


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One of each public class, by its name."""
    path = tmp_path_factory.mktemp("artifacts") / "a.so"
    wa.pack(TEXT, path, opt_level=0)
    artifact = wa.load(path)
    imports = {"env": {"f": lambda: None}}
    instance = artifact.instantiate(imports)
    exports = instance.exports
    component: Any = wa.compile(COMPONENT, opt_level=0)
    return {
        "Artifact": artifact, "Metadata": artifact.metadata, "Linked": artifact.link(imports), "Instance": instance,
        "Store": instance.store, "Exports": exports, "Func": exports.add, "Memory": exports.memory,
        "Table": exports.table, "Global": exports["global"], "Tag": exports.tag, "Struct": exports.struct(),
        "Array": exports.array(), "Wasi": wa.Wasi(), "Component": component,
        "ComponentInstance": component.instantiate({"a:b/c": {"blob": Blob}}),
    }  # fmt: skip


def test_every_class_is_tried(objects: dict[str, Any]) -> None:
    classes = {name for name in wa.__all__ if inspect.isclass(getattr(wa, name))}
    errors = {name for name in classes if issubclass(getattr(wa, name), Exception)}
    assert classes - errors - OTHERS == objects.keys()
    assert all(isinstance(item, getattr(wa, name)) for name, item in objects.items())


def test_what_belongs_to_the_process(objects: dict[str, Any]) -> None:
    for name, item in objects.items():
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match=rf"^'{name}' objects can't be pickled.*; (send|make) \w"):
                pickle.dumps([item], protocol)
        with pytest.raises(TypeError, match=r"can't be pickled or copied"):
            copy.deepcopy(item)


def test_an_artifact_names_its_file(objects: dict[str, Any]) -> None:
    artifact = objects["Artifact"]
    with pytest.raises(TypeError) as caught:
        pickle.dumps(artifact)
    assert repr(artifact.path) in str(caught.value)
    with pytest.raises(TypeError, match=r"send artifact\.contents\(\)"):
        pickle.dumps(wa.load(Path(artifact.path).read_bytes()))
    assert copy.copy(artifact) is artifact  # nothing of it changes


def test_parts_of_them(objects: dict[str, Any]) -> None:
    for item in (objects["Metadata"].exports, objects["ComponentInstance"].exports, objects["ComponentInstance"].f):
        with pytest.raises(TypeError, match=r"objects can't be pickled.*; send the artifact's path"):
            pickle.dumps(item)


def test_what_is_a_value(objects: dict[str, Any]) -> None:
    row = objects["Metadata"].exports[0]
    assert pickle.loads(pickle.dumps(row)) == row
    types = objects["Component"].types
    sent = pickle.loads(pickle.dumps(types))
    assert repr(sent) == repr(types) == repr(copy.deepcopy(types))
    assert sent.imports.interfaces["a:b/c"].types["blob"].methods["read"].name == "[method]blob.read"
    with pytest.raises(TypeError):
        sent.imports.interfaces["a"] = sent  # as before
