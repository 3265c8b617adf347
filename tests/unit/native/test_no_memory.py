"""Where memory ends, and where the artifact has no code for a call: each is told as what it is.

A library that is loaded before the C library lets one size of allocation fail, so that nothing else does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import wasmartifact as wa
from tests.support.lying import Lie
from tests.support.tools import find_tool
from tests.unit.runtime.harness import packed
from wasmartifact import schema
from wasmartifact.elf.read import file_offset, read_segments

ROOT: Final = Path(__file__).resolve().parents[3]
FAILING: Final = """
#include <errno.h>
#include <stddef.h>
static size_t failing;
void *__libc_calloc(size_t count, size_t size);
void fail_calloc(size_t size)
{
    failing = size;
}
void *calloc(size_t count, size_t size)
{
    if (size != 0 && size == failing) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}
"""
RECORD_BYTES: Final = schema.FUNCTION_RECORD.size_bytes
#: A record, and what finds it again.
BINDING_BYTES: Final = RECORD_BYTES + 3 * 8
#: Records are made in blocks: that of f, which is asked for, is in another block than those of the functions that ask.
CALLS: Final = f"""(module (type $t (func (param i32) (result i32))) (import "env" "other" (table $other 1 funcref))
  (table $own (export "own") 3 funcref) (elem (table $own) (i32.const 0) func $f) (elem $passive func $f)
  (func $f (export "f") (type $t) (i32.const 7))
  {"(func)" * 64}
  (func (export "indirect") (param i32) (result i32)
    (call_indirect $own (type $t) (i32.const -7) (local.get 0)))
  (func (export "take") (result funcref) (table.get $own (i32.const 0)))
  (func (export "copy") (table.copy $other $own (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "init") (table.init $other $passive (i32.const 0) (i32.const 0) (i32.const 1))))"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "failing.c").write_text(FAILING)
    library = folder / "failing.so"
    subprocess.run([find_tool("cc"), "-shared", "-fPIC", "-o", library, folder / "failing.c"], check=True)
    return library


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="a sanitizer has an allocator of its own")
@pytest.mark.parametrize(
    ("size_bytes", "use", "words"),
    [
        (RECORD_BYTES, "exports.f", "LoadError out of memory: an export"),
        (RECORD_BYTES, "exports.own[0]", "MemoryError "),
        (RECORD_BYTES, "take()", "Trap out of memory in the runtime"),
        (RECORD_BYTES, "indirect(0)", "Trap out of memory in the runtime"),
        (RECORD_BYTES, "copy()", "Trap out of memory in the runtime"),
        (RECORD_BYTES, "init()", "Trap out of memory in the runtime"),
        (BINDING_BYTES, "indirect(2)", "Trap out of memory in the runtime"),
    ],
)
def test_no_memory(failing: Path, size_bytes: int, use: str, words: str) -> None:
    """The call is told of memory, and works once there is some."""
    code = f"""
import ctypes, sys
import wasmartifact as wa
fail = ctypes.CDLL(None).fail_calloc
exports = wa.load(sys.argv[1]).instantiate({{"env": {{"other": wa.Table("funcref", 1)}}}}).exports
for index in (1, 2):
    exports.own[index] = wa.Func(lambda value: value, ["i32"], ["i32"])
take, copy, init, indirect = exports.take, exports.copy, exports.init, exports.indirect
indirect(1)  # takes the room that the import has
use = lambda: {use}
fail({size_bytes})
try:
    use()
except Exception as error:
    fail(0)
    print(type(error).__name__, str(error).partition("\\n")[0])
use()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(packed(CALLS))],
        env={**os.environ, "LD_PRELOAD": str(failing)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == (f"{words}\n", 0), done.stderr


def without_trampolines(wat: str, array: str, path: Path) -> Path:
    """The artifact, changed so that its code says of every type that it has no trampoline of a kind."""
    contents = bytearray(packed(wat).read_bytes())
    anchor = file_offset(
        read_segments(memoryview(bytes(contents))), "the anchor", Lie(bytes(contents)).numbers["anchor_vaddr"], 32
    )
    number = [tied.name for tied in schema.TIED_ARRAYS].index(array)
    entry = anchor + schema.ANCHOR.size_bytes + schema.CONTRACT.size_bytes + number * schema.TIED_ARRAY.size_bytes
    offset, count = (int.from_bytes(contents[at : at + 4], "little") for at in (entry, entry + 4))
    contents[anchor + offset : anchor + offset + 4 * count] = bytes(4 * count)
    path.write_bytes(contents)
    return path


IMPORTS: Final = '(module (import "env" "f" (func (param i32) (result i32))) (export "g" (func 0)))'
#: Its code looks for exceptions after calls, unlike that of CALLS: calls between the two go through trampolines.
THROWS: Final = """(module (import "env" "f" (func $f (param i32) (result i32))) (tag $t)
  (func (export "g") (param i32) (result i32) (call $f (local.get 0))) (func (export "h") (throw $t)))"""


def test_a_missing_trampoline_of_an_import(tmp_path: Path) -> None:
    artifact = wa.load(without_trampolines(IMPORTS, "type_host", tmp_path / "a.so"))
    with pytest.raises(wa.CorruptArtifact, match="its trampoline is missing") as caught:
        artifact.instantiate({"env": {"f": abs}})
    assert caught.value.facts["path"] == str(tmp_path / "a.so")


def test_a_missing_trampoline_of_what_is_imported(tmp_path: Path) -> None:
    tables = {"other": wa.Table("funcref", 1)}
    sound, changed = (
        wa.load(path).instantiate({"env": tables}).exports.f
        for path in (packed(CALLS), without_trampolines(CALLS, "type_entry", tmp_path / "a.so"))
    )
    throws = wa.load(packed(THROWS))
    assert throws.instantiate({"env": {"f": sound}}).exports.g(5) == 7
    with pytest.raises(wa.CorruptArtifact, match="import 0 can't be called: its trampoline is missing"):
        throws.instantiate({"env": {"f": changed}})


def test_a_missing_trampoline_of_an_indirect_call(tmp_path: Path) -> None:
    path = without_trampolines(CALLS, "type_host", tmp_path / "a.so")
    exports = wa.load(path).instantiate({"env": {"other": wa.Table("funcref", 1)}}).exports
    assert exports.indirect(0) == 7
    exports.own[1] = wa.Func(abs, ["i32"], ["i32"])
    with pytest.raises(wa.Trap, match="no code for this call") as caught:
        exports.indirect(1)
    assert caught.value.code == "missing_trampoline"
    assert exports.indirect(0) == 7
