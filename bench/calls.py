"""Calls between Python and guest code, in both directions, and reads of memory, against ctypes, cffi and wasmtime-py.

The rivals call the same function, compiled by gcc. The cost of a call back is that of one call of a loop, in C or in
WebAssembly, that calls a Python function CALL_BACKS times, divided by that number: nothing is subtracted.
"""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.timing import statements_ns

CALL_BACKS: Final = 1_000
READ_BYTES: Final = 16

C_SOURCE: Final = """
int add(int left, int right) { return left + right; }

int repeat(int (*callback)(int), int count) {
    int sum = 0;
    for (int index = 0; index < count; index++) sum += callback(index);
    return sum;
}
"""

WAT: Final = """
(module
  (import "host" "callback" (func $callback (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "repeat") (param $count i32) (result i32)
    (local $index i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_s (local.get $index) (local.get $count)))
        (local.set $sum (i32.add (local.get $sum) (call $callback (local.get $index))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (local.get $sum)))
"""


def callback(value: int) -> int:
    """What the guests call."""
    return value


def callback_with_caller(_caller: Any, value: int) -> int:
    """The same, for guests that say who they are."""
    return value


def our_instance(callback: Any) -> wa.Instance:
    """The module, packed and instantiated."""
    path = scratch.packed("calls", bytes(wasmtime.wat2wasm(WAT)))
    return wa.load(path).instantiate({"host": {"callback": callback}})


def wasmtime_exports() -> tuple[Any, Any]:
    """A store of wasmtime-py, and the exports of the module in it."""
    engine = scratch.wasmtime_engine()
    store = wasmtime.Store(engine)
    host_type = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    host = wasmtime.Func(store, host_type, callback)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, bytes(wasmtime.wat2wasm(WAT))), [host])
    return store, instance.exports(store)


def ctypes_library() -> Any:
    """The C functions by ctypes, with types of their arguments."""
    compiler = scratch.compiler()
    if compiler is None:
        return None
    source, library = scratch.directory() / "rival.c", scratch.directory() / "rival.so"
    source.write_text(C_SOURCE)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    functions = ctypes.CDLL(str(library))
    functions.add.argtypes = [ctypes.c_int, ctypes.c_int]
    functions.repeat.argtypes = [ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int), ctypes.c_int]
    return functions


def cffi_library() -> Any:
    """The C functions by cffi in API mode: an extension module that it compiles."""
    import cffi

    name = "rival_cffi"
    builder = cffi.FFI()
    builder.cdef("int add(int, int); int repeat(int (*)(int), int);")
    builder.set_source(name, C_SOURCE, extra_compile_args=["-O2"])
    spec = importlib.util.spec_from_file_location(name, builder.compile(tmpdir=str(scratch.directory())))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call_statements(ours: Any, store: Any, theirs: Any, c: Any, c_api: Any) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """One call of (i32, i32) -> i32 each."""
    return {
        "wasmartifact": ("f(20, 22)", {"f": ours["add"]}),
        "ctypes": ("f(20, 22)", {"f": c.add}),
        "cffi": ("f(20, 22)", {"f": c_api.lib.add}),
        "wasmtime-py": ("f(store, 20, 22)", {"f": theirs["add"], "store": store}),
    }


def callback_statements(
    ours: Any, caller: wa.Instance, store: Any, theirs: Any, c: Any, c_api: Any
) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """One call of the loop each; ``caller`` is an instance whose callback asks for it."""
    c_callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(callback)
    cffi_callback = c_api.ffi.callback("int(int)", callback)
    loop = "f(n)"
    given = "f(callback, n)"
    return {
        "wasmartifact": (loop, {"f": ours["repeat"], "n": CALL_BACKS}),
        "caller=True": (loop, {"f": caller.exports["repeat"], "n": CALL_BACKS}),
        "ctypes": (given, {"f": c.repeat, "callback": c_callback, "n": CALL_BACKS}),
        "cffi": (given, {"f": c_api.lib.repeat, "callback": cffi_callback, "n": CALL_BACKS}),
        "wasmtime-py": ("f(store, n)", {"f": theirs["repeat"], "store": store, "n": CALL_BACKS}),
    }


def read_statements(ours: Any, store: Any, theirs: Any) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """One read of 16 bytes each."""
    memory = {"m": ours["memory"]}
    end = 64 + READ_BYTES
    return {
        "wasmartifact": (f"m[64:{end}]", memory),
        "memoryview": (f"m[64:{end}].tobytes()", {"m": memoryview(bytearray(65_536))}),
        "wasmtime-py": (f"m.read(store, 64, {end})", {"m": theirs["memory"], "store": store}),
    }


def figures(*, quick: bool) -> list[Figure]:
    """Calls, calls back, reads."""
    c = ctypes_library()
    if c is None:
        print("bench: gcc is missing, so that calls have no rival; install gcc", file=sys.stderr)
        return []
    c_api = cffi_library()
    instance, (store, theirs) = our_instance(callback), wasmtime_exports()
    ours = instance.exports
    # Alive while it runs, as in a program: an instance that only its exports keep would get a new object at each call.
    caller = our_instance(wa.Func(callback_with_caller, ["i32"], ["i32"], caller=True))
    samples, calls = (5, 200) if quick else (51, 2_000)
    call = statements_ns(call_statements(ours, store, theirs, c, c_api), samples, calls)
    read = statements_ns(read_statements(ours, store, theirs), samples, calls)
    loops = statements_ns(callback_statements(ours, caller, store, theirs, c, c_api), samples, 1 if quick else 5)
    back = {name: duration / CALL_BACKS for name, duration in loops.items()}
    goals: dict[str, tuple[float, float]] = {"ctypes": (0.3, 0.1)}
    rows = [
        Figure("call (i32, i32) -> i32", call["wasmartifact"], call[rival], rival, *goals.get(rival, ()))
        for rival in ("ctypes", "cffi", "wasmtime-py")
    ]
    for name, ours_ns in (("call back", back["wasmartifact"]), ("call back, caller=True", back["caller=True"])):
        rows.append(Figure(name, ours_ns, back["ctypes"], "ctypes", 1.0, 0.5))
        rows.append(Figure(name, ours_ns, back["cffi"], "cffi"))
        rows.append(Figure(name, ours_ns, back["wasmtime-py"], "wasmtime-py"))
    rows += [
        Figure("read 16 bytes of memory", read["wasmartifact"], read[rival], rival)
        for rival in ("memoryview", "wasmtime-py")
    ]
    return rows
