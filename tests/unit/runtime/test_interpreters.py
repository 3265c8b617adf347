"""Sub-interpreters: each has the extension's classes and errors to itself; one with its own GIL is refused in words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.runtime.harness import packed

WAT = """(module (import "host" "add" (func $add (param i32 i32) (result i32)))
  (memory (export "memory") 1) (table (export "table") 3 funcref)
  (global (export "global") i32 (i32.const 1))
  (func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
  (func (export "oob") (result i32) (i32.load (i32.const -1))))"""

#: How interpreters are made: with the GIL of the first one, and with one of their own.
MAKERS = """
try:
    import _interpreters as made
    shared, isolated = (lambda: made.create("legacy")), (lambda: made.create("isolated"))
except ImportError:
    import _xxsubinterpreters as made
    shared, isolated = (lambda: made.create(isolated=False)), made.create
def run(interpreter, text):
    problem = made.run_string(interpreter, text)
    if problem is not None:  # newer versions return what was raised
        raise RuntimeError(problem)
"""
#: What each interpreter does: all that the extension keeps objects of Python's for.
PROGRAM = """
import gc
import wasmartifact as wa

exports = wa.load({path!r}).instantiate({{"host": {{"add": lambda a, b: a + b}}}}).exports
def use():
    assert exports.add(2, 3) == 5
    try:
        exports.oob()
        raise AssertionError("no trap")
    except wa.Trap as trap:
        assert trap.code == "memory_out_of_bounds", trap.code
    try:
        exports.add("2", 3)
        raise AssertionError("no error")
    except TypeError as error:
        assert str(error).startswith("add(i32, i32) -> i32"), error
    assert isinstance(exports["table"], wa.Table) and isinstance(exports["memory"], wa.Memory)
    assert exports["table"][0] is None and exports["global"].value == 1
    assert exports.add.type == wa.FuncType(["i32", "i32"], ["i32"])
    assert wa.Func(len, ["externref"], ["i32"])("abc") == 3
    try:
        wa.Memory(2, 1)
        raise AssertionError("no error")
    except ValueError:
        pass
    table = wa.Table("externref", 1)
    table[0] = object()
    gc.collect()
    assert type(table[0]) is object
use()
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAKERS + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("first", ["main", "sub"])
def test_each_interpreter_has_classes_of_its_own(first: str) -> None:
    program = PROGRAM.format(path=str(packed(WAT)))
    steps = {"main": f"exec({program!r}, space)", "sub": f"run(one, {program!r})"}
    order = [steps[first], steps["main" if first == "sub" else "sub"]]
    code = "\n".join(
        [
            "space = {}; one, other = shared(), shared()",
            *order,
            f"run(other, {program!r})",
            "space['use'](); run(one, 'use()'); run(other, 'use()')",
            "made.destroy(one); space['use'](); run(other, 'use()')",
            "made.destroy(other); space['use']()",
            # A new one may stand where an old one stood.
            "for _ in range(5):",
            f"    again = shared(); run(again, {program!r}); made.destroy(again); space['use']()",
            "print('done')",
        ]
    )
    ended = python(code)
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr


if sys.version_info >= (3, 12):  # before, every interpreter shares the GIL

    def test_an_interpreter_with_its_own_gil_is_refused() -> None:
        ended = python("""
run(isolated(), '''
try:
    import wasmartifact._types
except ImportError as error:
    assert "GIL of its own" in str(error), error
else:
    raise AssertionError("imported")
''')
print('done')""")
        assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr


def test_a_second_import_has_classes_of_its_own() -> None:
    program = PROGRAM.format(path=str(packed(WAT)))
    code = f"""
import sys
old, new = {{}}, {{}}
exec({program!r}, old)
for name in [name for name in sys.modules if name.startswith("wasmartifact")]:
    del sys.modules[name]
exec({program!r}, new)
assert old["wa"].Memory is not new["wa"].Memory
new["use"]()
assert old["exports"].add(2, 3) == 5
del old
import gc; gc.collect()
new["use"]()
print("done")"""
    ended = python(code)
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr
