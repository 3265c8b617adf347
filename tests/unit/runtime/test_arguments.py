"""What the extension is called with: any number of arguments, read or not, is an error of Python's at worst."""

from __future__ import annotations

import inspect
import subprocess
import sys

import wasmartifact as wa

#: Calls everything of the extension by the vectorcall protocol, where no arguments are a null pointer.
PROGRAM = """
import ctypes
from wasmartifact import _types
call = ctypes.pythonapi.PyObject_Vectorcall
call.restype = ctypes.py_object
call.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
def with_nones(count):
    return (ctypes.py_object * count)(*[None] * count) if count else None
func = _types.Func(lambda: None, ["i32"])
memory = _types.Memory(1)
objects = [func, func.call_bits, memory.grow, memory.read_cstring, *vars(_types).values()]
for kind in (_types.Func, _types.Memory, _types.Exports, _types.Linked, _types.NativeArtifact, _types.WasiHost):
    objects += [member for member in vars(kind).values() if callable(member)]
calls = 0
for function in objects:
    if not callable(function):
        continue
    for count in range(7):
        array = with_nones(count)
        try:
            call(function, ctypes.cast(array, ctypes.c_void_p), count, None)
        except (TypeError, ValueError, AttributeError, OSError):
            pass
        calls += 1
print(calls > 200)
"""


def test_any_number_of_arguments() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


def test_signatures_are_known() -> None:
    found = {kind.__name__: str(inspect.signature(kind)) for kind in (wa.Func, wa.Memory, wa.Store)}
    assert found == {
        "Func": "(callable, params=(), results=(), *, caller=False)",
        "Memory": "(min_pages, max_pages=None, *, shared=False, memory64=False, page_size_bytes=65536)",
        "Store": "(*, limits=None)",
    }
    assert list(inspect.signature(wa.FuncType).parameters) == ["params", "results"]
    for kind in (wa.Table, wa.Global, wa.Tag, wa.WasmException, wa.Wasi):
        assert inspect.signature(kind).parameters
    for method in (wa.Memory.grow, wa.Memory.read_cstring, wa.Func.call_bits, wa.Linked.instantiate, wa.Exports.get):
        assert "self" in inspect.signature(method).parameters
