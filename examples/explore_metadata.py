"""Looks into an artifact without running a byte of it: what it imports and exports, which functions are large.

Good for an upload form, a review, a budget in CI: `open_metadata` maps the metadata and checks what it reads, so that
damaged files raise exceptions and nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import wasmartifact as wa

#: What a plug-in of ours may import.
ALLOWED = {"env": {"log"}}
WAT = b"""
(module $shapes
  (import "env" "log" (func $log (param i32)))
  (import "os" "remove" (func $remove (param i32 i32) (result i32)))
  (memory (export "memory") 2 16)
  (global (export "version") i32 (i32.const 3))
  (func $area (export "area") (param f64 f64) (result f64) (f64.mul (local.get 0) (local.get 1)))
  (func $volume (export "volume") (param f64 f64 f64) (result f64)
    (f64.mul (local.get 2) (call $area (local.get 0) (local.get 1)))))
"""


def describe(metadata: wa.Metadata) -> Iterator[str]:
    """A page about an artifact."""
    yield f"module {metadata.info['module_name']}: " + ", ".join(
        f"{count} {kind}" for kind, count in sorted(Counter(row.kind for row in metadata.exports).items())
    )
    for row in metadata.exports:
        yield f"  {row.kind} {row.name}: {row.type}"
    for imported in metadata.imports:
        allowed = imported.name in ALLOWED.get(imported.module, ())
        yield f"  imports {imported.module}.{imported.name}" + ("" if allowed else "  <- not allowed")
    sizes = {row.name: row.size_bytes for row in metadata.functions if row.size_bytes}
    yield f"  largest function: {max(sizes, key=lambda name: sizes[name])}"


def main(paths: list[str]) -> None:
    """Describe artifacts, or one that is made here."""
    with tempfile.TemporaryDirectory() as folder:
        if not paths:
            paths = [str(Path(folder) / "shapes.wasm.so")]
            wa.pack(WAT, paths[0])
        for path in paths:
            with wa.open_metadata(path) as metadata:
                print(*describe(metadata), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
