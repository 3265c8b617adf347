"""Uses an artifact with damaged columns as a user would.

``python -m tests.support.spoiled_columns ARTIFACT COLUMN...``

Every attempt runs in a process of its own, made by fork. Prints a line for each that died, that ended in an error which
is not of this package, or in one about the artifact that does not name its file. The spoiled values are extremes, and
small numbers that may be in range.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wasmartifact as wa
from wasmartifact import schema
from wasmartifact.elf.read import find_section
from wasmartifact.metadata.columns import Columns

TIMEOUT_S = 20
#: Something of everything that the C runtime reads rows of.
WAT = """(module
  (import "env" "f" (func $f (param i32) (result i32))) (import "env" "g" (global $g i32))
  (import "env" "m" (memory 1)) (import "env" "t" (table $imported 2 funcref))
  (type $t (func (param i32) (result i32)))
  (memory $own 2 4) (data (memory $own) (i32.const 8) "hello") (data $passive "passive")
  (data (memory 0) (i32.const 16) "copied")
  (table $table (export "t") 6 10 funcref) (elem (table $table) (i32.const 1) func $increment $f)
  (elem $elements func $increment $f) (elem (table $imported) (i32.const 0) func $increment)
  (table $things (export "x") 4 externref)
  (global (export "d") (mut i64) (i64.const 7)) (global (export "e") i32 (global.get $g))
  (func $increment (export "increment") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $deep (export "deep") (param i32) (result i32) (i32.mul (i32.const 3)
    (if (result i32) (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.load $own (i32.const -1))))))
  (func (export "host") (param i32) (result i32) (call $f (local.get 0)))
  (func (export "indirect") (param i32) (result i32) (call_indirect $table (type $t) (i32.const 3) (local.get 0)))
  (func (export "init") (memory.init $own $passive (i32.const 0) (i32.const 0) (i32.const 3))
    (table.init $table $elements (i32.const 2) (i32.const 0) (i32.const 2)))
  (func (export "load") (result i32) (i32.load $own (i32.const -1)))
  (func (export "grow") (result i32)
    (i32.add (memory.grow $own (i32.const 1)) (table.grow $table (ref.null func) (i32.const 1))))
  (func $start (drop (i32.const 0))) (start $start)
  (export "own" (memory $own)) (export "f" (func $f)))"""
#: What a call or a look may end in with rows that say something else than the code.
REFUSALS = (wa.WasmArtifactError, TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError)


def attempts(got: Any) -> list[Callable[[], Any]]:
    """Whatever can be done with the exports."""
    return [
        *(lambda name=name: got[name](2) for name in ("increment", "host", "indirect", "f", "deep")),
        *(lambda name=name: got[name]() for name in ("init", "load", "grow")),
        *(lambda index=index: got.indirect(index) for index in range(8)),
        *(lambda index=index: got.t[index](5) for index in range(8)),
        lambda: [repr(got[name]) for name in got],
        lambda: (got.d.value, got.e.value, got.own[0:16], got.own.type, list(got.x)),
        lambda: got.x.__setitem__(0, object()),
    ]


def looks(metadata: wa.Metadata) -> list[Callable[[], Any]]:
    """Whatever can be read of the metadata."""
    groups = (
        "types", "imports", "exports", "functions", "memories", "tables", "globals", "tags", "elements", "data",
        "names", "custom_sections", "address_map", "trap_sites", "source_lines",
    )  # fmt: skip
    return [
        *(lambda group=group: list(getattr(metadata, group)) for group in groups),
        *(lambda name=name: metadata.exports.find(name) for name in ("increment", "t", "d", "missing")),
        lambda: metadata.info,
        lambda: metadata.function_at(0),
    ]


def end(attempt: Callable[[], Any], path: str) -> None:
    """Try something; an error about the artifact must name its file."""
    try:
        attempt()
    except wa.ArtifactError as problem:
        if problem.facts.get("path") != path or not str(problem).startswith(f"{path}: "):
            raise AssertionError(f"no file in: {problem}") from None
    except REFUSALS:
        pass


def use(path: str) -> None:
    """Load, instantiate and try everything. Loading and instantiating must end well or in an error of ours."""
    imports = {"f": lambda value: value * 2, "g": 5, "m": wa.Memory(1), "t": wa.Table("funcref", 2)}
    try:
        artifact = wa.load(path)
    except wa.WasmArtifactError:
        return
    for look in looks(artifact.metadata):
        end(look, path)
    try:
        made = artifact.instantiate({"env": imports})
    except wa.WasmArtifactError as problem:
        if isinstance(problem, wa.ArtifactError) and problem.facts.get("path") != path:
            raise
        return
    for attempt in attempts(made.exports):
        end(attempt, path)
    del made, attempt, artifact
    gc.collect()


def fate(contents: bytes) -> str:
    """How a process that uses these contents ends: "" where it does well."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(TIMEOUT_S)
        words = b""
        try:
            with tempfile.NamedTemporaryFile(suffix=".so") as file:
                file.write(contents)
                file.flush()
                use(file.name)
        except BaseException as error:
            words = repr(error).encode()[:1000]
        os.write(writer, words)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        words = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"died with {code}" if code else words.decode()


def parts(column: schema.Column) -> list[tuple[str, int, int]]:
    """What is spoiled by itself, a value or a field of a structure: its unit, its offset in the value and its size."""
    if column.type in schema.TYPE_SIZES:
        return [(column.unit, 0, schema.TYPE_SIZES[column.type])]
    offsets = schema.STRUCT_BY_NAME[column.type].offsets()
    return [(field.replace("_", " "), offset, 4) for field, offset in offsets.items()]


def patterns(size: int, count: int) -> Iterator[bytes]:
    """So many spoiled values."""
    yield b"\xff" * (size * count)
    yield b"\x7f" * (size * count)
    yield (b"\xfe" + b"\xff" * (size - 1)) * count
    yield bytes(size * count)
    for small in (1, 2, 3, 0x40):
        yield (bytes([small]) + bytes(size - 1)) * count
    yield (bytes(size - 1) + b"\x80") * count


def main() -> None:
    """Try every pattern in every column that was named."""
    sound = Path(sys.argv[1]).read_bytes()
    use(sys.argv[1])  # imports what the attempts would import each
    offset, size_bytes = find_section(sound)
    entries = Columns(memoryview(sound)[offset : offset + size_bytes]).entries
    for name in sys.argv[2:]:
        column = schema.COLUMN_BY_NAME[name]
        entry = entries[column.id]
        for unit, place, size in parts(column):
            for number, pattern in enumerate(patterns(size, entry.count)):
                damaged = bytearray(sound)
                for byte in range(size):
                    first = offset + entry.offset + place + byte
                    damaged[first : offset + entry.end : entry.element_size_bytes] = pattern[byte::size]
                if ending := fate(bytes(damaged)):
                    print(f"{name}, {unit}, pattern {number}: {ending}")
    if ending := fate(sound):
        print(f"undamaged: {ending}")


if __name__ == "__main__":
    main()
