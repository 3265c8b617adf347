"""Instances from WebAssembly text for the tests of the runtime; what two tests share is packed once."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import wasmartifact as wa

#: Identity functions for every value type: what goes in must come out.
IDENTITIES = "\n".join(
    f'(func (export "{name}") (param {name}) (result {name}) local.get 0)'
    for name in ("i32", "i64", "f32", "f64", "funcref", "externref")
)

#: Held while a module is packed: `cache` runs its function again for a second thread that comes meanwhile, and both
#: would write one file.
_PACKING = threading.Lock()


@cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="wasmartifact-runtime-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def packed(wat: str) -> Path:
    """Path of the artifact of a module in text form, for tests of many threads, too."""
    with _PACKING:
        return _packed(wat)


@cache
def _packed(wat: str) -> Path:
    output = _directory() / f"{_packed.cache_info().currsize}.so"
    source = output.with_suffix(".wat")
    source.write_text(wat, encoding="utf-8")
    wa.pack(source, output)
    return output


def load(wat: str) -> wa.Artifact:
    """A freshly loaded artifact."""
    return wa.load(packed(wat))


def instance(wat: str, imports: Mapping[str, Any] | None = None, **options: Any) -> wa.Instance:
    """An instance of a module of its own."""
    return load(wat).instantiate(imports, **options)


def exports(wat: str, imports: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The exports of such an instance."""
    return instance(wat, imports, **options).exports
