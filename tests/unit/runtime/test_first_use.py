"""The first use of a public type or of the metadata imports little: what is imported is counted, since times vary."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.runtime.harness import packed

WAT = '(module (import "m" "f" (func (param i32))) (memory (export "memory") 1) (func (export "g") (param i64)))'
#: Each of them costs as much as a load and its first call, or more.
HEAVY = {
    "_cffi_backend", "_hashlib", "collections", "contextlib", "dataclasses", "enum", "functools", "hashlib", "inspect",
    "re", "typing",
}  # fmt: skip


@pytest.mark.parametrize(
    "use",
    [
        "wa.Store()",
        "wa.Memory(1).type.min_pages",
        "wa.Func(print, ['i32'], ['i64']).type.params",
        "wa.FuncType(['i32'], []).params",
        "wa.Instance, wa.Linked, wa.Exports, wa.Artifact, wa.Metadata",
        "[(row.module, row.name, row.kind, str(row.type)) for row in wa.load(path).metadata.imports]",
        "wa.load(path).metadata.exports.find('g').type",
        "wa.load(path).metadata.functions[0].type",
        "wa.load(path).instantiate({'m': {'f': print}}).exports.g.type",
    ],
)
def test_it_imports_little(use: str) -> None:
    # os and what it imports are there in any start with a site; CPython 3.15 has them later than others without one.
    code = f"import os, sys; path = sys.argv[1]; import wasmartifact as wa; before = set(sys.modules)\n{use}\n"
    code += "print(*(set(sys.modules) - before))"
    ended = subprocess.run(
        # -S: what a virtual environment imports at its start is none of ours.
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", str(packed(WAT))],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(ended.stdout.split())
    assert not imported & HEAVY
    assert len(imported) <= 26, sorted(imported)
