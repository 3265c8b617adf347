"""What people look for in vain, names of wasmtime-py for one: the error says what there is instead."""

from __future__ import annotations

import re
from typing import Any

import pytest

import wasmartifact as wa
import wasmartifact.wasmtime as face
from wasmartifact.hints import _ARGUMENTS, _INSTEAD

package: Any = wa


@pytest.mark.parametrize("name", sorted(_INSTEAD))
def test_what_there_is_instead(name: str) -> None:
    assert hasattr(face, name)
    with pytest.raises(AttributeError, match=r"wasmartifact\.wasmtime has wasmtime-py's own names") as caught:
        getattr(package, name)
    assert all(hasattr(wa, named) for named in re.findall(r"\bwa\.(\w+)", str(caught.value)))


@pytest.mark.parametrize("name", ["Moduel", "_Module", "__wrapped__"])
def test_nobody_looks_for_others(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'$") as caught:
        getattr(package, name)
    assert (caught.value.name, caught.value.obj) == (name, wa)  # by which Python finds what was meant


def test_the_class_of_classes_by_its_words() -> None:
    with pytest.raises(AttributeError, match=r"wa\.compile\(source\) packs a module once and loads it"):
        _ = package.Module


TEXT = b"""
(module
  (memory (export "memory") 1)
  (table (export "table") 1 funcref)
  (global (export "global") i32 (i32.const 1))
  (func (export "add")))
"""


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    instance = wa.compile(TEXT, opt_level=0).instantiate()
    exports = instance.exports
    return {
        "Module": instance.artifact, "Instance": instance, "Store": instance.store, "Memory": exports.memory,
        "Table": exports.table, "Global": exports["global"],
    }  # fmt: skip


def test_every_method_of_wasmtime_is_there_or_explained(objects: dict[str, Any]) -> None:
    for name, item in objects.items():
        for attribute, what in vars(getattr(face, name)).items():
            if attribute.startswith("_") or hasattr(item, attribute) or isinstance(what, classmethod):
                continue
            with pytest.raises(AttributeError, match=rf"object has no attribute '{attribute}'; \w"):
                getattr(item, attribute)


def test_what_nobody_looks_for(objects: dict[str, Any]) -> None:
    for name, item in objects.items():
        kind = {"Module": "Artifact"}.get(name, name)
        for attribute in ("nonsense", "_read", "__enter__", ""):
            with pytest.raises(AttributeError, match=rf"{kind}' object has no attribute '{attribute}'$"):
                getattr(item, attribute)


def test_exports_are_not_attributes_of_the_instance(objects: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'add'; it is an export: instance\.exports\.add"):
        _ = objects["Instance"].add
    assert not hasattr(objects["Instance"], "add")


@pytest.mark.parametrize("owner", sorted(_ARGUMENTS))
def test_arguments_by_other_names(owner: str) -> None:
    for name, words in _ARGUMENTS[owner].items():
        given = (b"", "x.so")[: {"pack": 2, "compile": 1}.get(owner, 0)]
        with pytest.raises(TypeError, match=rf"^{owner}\(\) got an unexpected keyword argument '{name}'; ") as caught:
            getattr(package, owner)(*given, **{name: 1})
        assert str(caught.value).endswith(words)
        assert all(hasattr(wa, named) for named in re.findall(r"\bwa\.(\w+)", words))
        with pytest.raises(TypeError, match=rf"help\(wasmartifact\.{owner}\)"):
            getattr(package, owner)(*given, nonsense=1)


def test_what_is_passed_on_to_a_wasi() -> None:
    with pytest.raises(TypeError, match=r"Wasi\(\) got an unexpected keyword argument 'argv'; args="):
        wa.run(b"(module)", argv=["a"])


def test_arguments_that_are_named_instead_exist() -> None:
    """What an error says to write is understood."""
    wa.Wasi(args=["a"], env={"A": "b"}, preopens={"/guest": "."}, stdout=1, stderr=2, stdin=0)
    wa.PackLimits(seconds=1.0, memory_bytes=1)
