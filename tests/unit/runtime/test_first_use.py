"""The first use of a public type or of the metadata imports little: what is imported is counted, since times vary."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.runtime.harness import packed

WAT = '(module (import "m" "f" (func (param i32))) (memory (export "memory") 1) (func (export "g") (param i64)))'
COMPONENT = """(component
  (core module $code (func (export "same") (param i32) (result i32) (local.get 0)))
  (core instance $core (instantiate $code))
  (func (export "same") (param "x" u32) (result u32) (canon lift (core func $core "same"))))"""
#: Each of them costs as much as a load and its first call, or more.
HEAVY = {
    "_cffi_backend", "_hashlib", "collections", "contextlib", "dataclasses", "enum", "functools", "hashlib", "inspect",
    "re", "typing",
}  # fmt: skip


#: What the first look at the metadata imports: each file costs 0.1 ms and more, all of them shall cost less than 2.
METADATA = {
    "_collections", "_struct",  # which are built in, or cost little
    "wasmartifact.constants", "wasmartifact.externtypes", "wasmartifact.metadata", "wasmartifact.metadata.columns",
    "wasmartifact.metadata.rows", "wasmartifact.record",
}  # fmt: skip


def imported(use: str, wat: str = WAT) -> set[str]:
    """What is imported by ``use``, of an artifact at ``path``, beside the package and what any Python has."""
    # os and what it imports are there in any start with a site; CPython 3.15 has them later than others without one.
    code = f"import os, sys; path = sys.argv[1]; import wasmartifact as wa; before = set(sys.modules)\n{use}\n"
    code += "print(*(set(sys.modules) - before))"
    ended = subprocess.run(
        # -S: what a virtual environment imports at its start is none of ours.
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", str(packed(wat))],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    "use",
    [
        "wa.Store()",
        "wa.Memory(1).type.min_pages",
        "wa.Func(print, ['i32'], ['i64']).type.params",
        "wa.FuncType(['i32'], []).params",
        "wa.Instance, wa.Linked, wa.Exports, wa.Artifact, wa.Metadata",
        "wa.load(path).instantiate({'m': {'f': print}}).exports.g.type",
        "import wasmartifact.wasmtime.component",
    ],
)
def test_it_imports_little(use: str) -> None:
    found = imported(use)
    assert not found & HEAVY
    assert "wasmartifact.schema" not in found
    assert len(found) <= 16, sorted(found)


@pytest.mark.parametrize(
    "use",
    [
        "wa.load(path).instantiate(wa.Wasi()).same(3)",
        "wa.load(path).types.exports.functions",
        "from wasmartifact.wasmtime.component import Component, Linker, Record, Variant; Linker",
    ],
)
def test_a_component_imports_nothing_heavy(use: str) -> None:
    found = imported(use, COMPONENT)
    assert not found & HEAVY
    assert "wasmartifact.schema" not in found


@pytest.mark.parametrize(
    ("use", "more"),
    [
        ("metadata", set()),
        ("metadata.exports[0]", set()),
        ("[(row.module, row.name, row.kind, str(row.type)) for row in metadata.imports]", set()),
        ("metadata.exports.find('g').type", set()),
        ("metadata.info['opt_level']", set()),
        ("metadata.functions[0].type", {"_bisect", "wasmartifact.metadata.places"}),
        ("metadata.memories[0]", {"wasmartifact.metadata.detail_rows"}),
        ("metadata.header", {"wasmartifact.metadata.header"}),
    ],
)
def test_metadata_imports_what_it_shows(use: str, more: set[str]) -> None:
    loads = imported("artifact = wa.load(path)")
    found = imported(f"artifact = wa.load(path); metadata = artifact.metadata; {use}") - loads
    assert found <= METADATA | more, sorted(found - METADATA - more)
