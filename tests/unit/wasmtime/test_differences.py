"""Where the face does otherwise than wasmtime-py: what each does, and that the documentation has it.

Each program runs in a process of its own, as some of them end that of wasmtime-py. Differences that are marks on a
behaviour's test (``differs``) are not here.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from .conftest import FACE, REAL

PAGE = Path(__file__).resolve().parents[3] / "docs" / "coming-from-wasmtime.md"
#: What a program ends with that ends its process: Rust aborts where a panic would reach C.
ABORTS: Final = "aborts"

PRELUDE = """
import importlib, sys
w = importlib.import_module(sys.argv[1])
store = w.Store()

def functype(params="", results=""):
    return w.FuncType(*([getattr(w.ValType, name)() for name in names.split()] for names in (params, results)))

def exports(text, imports=(), store=store):
    return w.Instance(store, w.Module(store.engine, text), list(imports)).exports(store)

def of_wasi(text, wasi):
    store.set_wasi(wasi)
    linker = w.Linker(store.engine)
    linker.define_wasi()
    return linker.instantiate(store, w.Module(store.engine, text)).exports(store)

def show(work):
    try:
        print(work())
    except Exception as error:
        print(type(error).__name__)
"""


@dataclass(frozen=True)
class Difference:
    """What a program prints on both, or ABORTS; ``row`` begins the row of the page's table."""

    row: str
    program: str
    there: str
    here: str


DIFFERENCES = [
    Difference(
        "a module with pages of another size, without `wasm_custom_page_sizes`",
        """
        text = '(module (memory (export "m") 3 (pagesize 1)))'
        show(lambda: exports(text)["m"].data_len(store))
        """,
        "WasmtimeError",
        "3",
    ),
    Difference(
        "`type(store).limits.min` of a memory or table that grew",
        """
        made = exports('(module (table (export "t") 1 5 funcref) (memory (export "m") 1 5))')
        made["t"].grow(store, 1, None), made["m"].grow(store, 2)
        exports('(module (import "" "" (table 2 5 funcref)) (import "" "" (memory 3 5)))', [made["t"], made["m"]])
        show(lambda: [made[name].type(store).limits.min for name in ("t", "m")])
        """,
        "[1, 1]",
        "[2, 3]",
    ),
    Difference(
        "a change below a directory with `fs_mutable=False`",
        """
        import tempfile
        text = '''(module
            (import "wasi_snapshot_preview1" "path_create_directory" (func $make (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "new")
            (func (export "f") (result i32) (call $make (i32.const 3) (i32.const 0) (i32.const 3))))'''
        with tempfile.TemporaryDirectory() as folder:
            wasi = w.WasiConfig()
            wasi.preopen_dir(folder, "/", fs_mutable=False)
            show(lambda: of_wasi(text, wasi)["f"](store))
        """,
        "63",
        "69",
    ),
    Difference(
        "clocks of CPU time, and a clock that there is not",
        """
        text = '''(module
            (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "f") (param i32) (result i32) (call $time (local.get 0) (i64.const 1) (i32.const 0))))'''
        clock = of_wasi(text, w.WasiConfig())["f"]
        for number in (2, 7):
            show(lambda: clock(store, number))
        """,
        "8 WasmtimeError",
        "0 28",
    ),
    Difference(
        "`ptr` of every object",
        """
        show(lambda: store.ptr is None)
        """,
        "False",
        "AttributeError",
    ),
    Difference(
        "a v128 to or from Python",
        """
        echo = exports('(module (func (export "f") (param v128) (result v128) (local.get 0)))')["f"]
        show(lambda: echo(store, bytes(range(16))) == bytes(range(16)))
        """,
        ABORTS,
        "True",
    ),
    Difference(
        "an object of another store",
        """
        other = w.Store(store.engine)
        func = w.Func(other, functype("", "i32"), lambda: 7)
        show(lambda: func(store))
        """,
        ABORTS,
        "7",
    ),
    Difference(
        "a module of another engine",
        'show(lambda: len(w.Instance(w.Store(), w.Module(w.Engine(), "(module)"), []).exports(store)))',
        "WasmtimeError",
        "0",
    ),
    Difference(
        "a result of a host function that is too large",
        'show(lambda: w.Func(store, functype("", "i32"), lambda: (1 << 40) + 5)(store))',
        "5",
        "OverflowError",
    ),
    Difference(
        "an int for a float",
        'show(lambda: w.Func(store, functype("f64", "f64"), lambda x: x)(store, 3))',
        "TypeError",
        "3.0",
    ),
    Difference(
        "`get_buffer_ptr` beyond the memory",
        """
        memory = w.Memory(store, w.MemoryType(w.Limits(1, 1)))
        show(lambda: len(memory.get_buffer_ptr(store, 1 << 20)))
        """,
        "1048576",
        "ValueError",
    ),
    Difference(
        "an argument of another class",
        """
        for work in (lambda: w.Memory(store, 1), lambda: w.Func(store, 1, print), lambda: w.Instance(store, 1, [])):
            try:
                work()
            except (TypeError, AttributeError) as error:
                print(isinstance(error, TypeError), isinstance(error, AttributeError))
        """,
        "False True True False False True",
        "True True True True True True",
    ),
    Difference(
        "exceptions of host functions in two threads",
        """
        import threading
        barrier, found = threading.Barrier(2), []

        def run(kind):
            own = w.Store()

            def fail():
                barrier.wait()
                raise kind

            call = exports('(module (import "" "" (func $f)) (func (export "run") call $f))',
                           [w.Func(own, functype(), fail)], own)["run"]
            try:
                call(own)
            except Exception as error:
                found.append(type(error) is kind)

        threads = [threading.Thread(target=run, args=(kind,)) for kind in (KeyError, OSError)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(all(found))
        """,
        "False|True",  # one of them may be fast enough
        "True",
    ),
    Difference(
        "`StopIteration` of a host function",
        """
        def fail():
            raise StopIteration
        show(lambda: w.Func(store, functype(), fail)(store))
        """,
        "RuntimeError",
        "StopIteration",
    ),
    Difference(
        "a SharedMemory as an import",
        """
        config = w.Config()
        config.shared_memory = True
        engine = w.Engine(config)
        memory = w.SharedMemory(engine, w.MemoryType(w.Limits(1, 3), shared=True))
        module = w.Module(engine, '''(module (import "" "" (memory 1 3 shared))
            (func (export "add") (result i32) (i32.atomic.rmw.add (i32.const 8) (i32.const 1))))''')

        def add():
            own = w.Store(engine)
            return w.Instance(own, module, [memory]).exports(own)["add"](own)

        show(add)
        show(add)
        show(memory.size)
        """,
        "TypeError TypeError ArgumentError",
        "0 1 1",
    ),
    Difference(
        "a WASI program without a WasiConfig",
        """
        linker = w.Linker(store.engine)
        linker.define_wasi()
        text = '''(module (import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32)))
            (memory (export "memory") 1) (func (export "f") (result i32) call $f))'''
        out = linker.instantiate(store, w.Module(store.engine, text)).exports(store)
        show(lambda: type(out["f"](store)))
        """,
        ABORTS,
        "<class 'int'>",
    ),
    Difference(
        "an exit code above 125",
        """
        linker = w.Linker(store.engine)
        linker.define_wasi()
        store.set_wasi(w.WasiConfig())
        text = '''(module (import "wasi_snapshot_preview1" "proc_exit" (func $f (param i32)))
            (memory (export "memory") 1) (func (export "f") (call $f (i32.const 200))))'''
        out = linker.instantiate(store, w.Module(store.engine, text)).exports(store)
        show(lambda: out["f"](store))
        """,
        "WasmtimeError",
        "ExitTrap",
    ),
    Difference(
        "`set_limits(memory_size=...)`",
        """
        store.set_limits(memory_size=65536)
        show(lambda: [exports("(module (memory 1))") for _ in range(2)] and "two")
        """,
        "two",
        "WasmtimeError",
    ),
    Difference(
        "the stack of guests",
        """
        text = '''(module (func $f (export "f") (param i32)
            (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))))'''
        show(lambda: exports(text)["f"](store, 60_000))
        """,
        "Trap",
        "None",
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.row)
def test_difference(difference: Difference) -> None:
    program = PRELUDE + textwrap.dedent(difference.program)
    assert printed_by(FACE, program) == difference.here
    pytest.importorskip(REAL, reason="wasmtime-py, from which this differs, is not installed")
    assert printed_by(REAL, program) in difference.there.split("|")


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.row)
def test_difference_is_documented(difference: Difference) -> None:
    assert f"\n| {difference.row} |" in PAGE.read_text()


def test_differences_of_behaviours_are_documented() -> None:
    """What a mark says stands on the page, in these words."""
    page = " ".join(PAGE.read_text().split())
    reasons = {
        reason
        for path in Path(__file__).parent.glob("test_*.py")
        for reason in re.findall(r'mark\.differs\(\s*"(.*?)"', path.read_text())
    }
    assert len(reasons) > 3
    assert [reason for reason in reasons if reason not in page] == []


def printed_by(module: str, program: str) -> str:
    """What the program prints, in one line, or ABORTS."""
    command = [sys.executable, "-c", program, module]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode == -signal.SIGABRT:
        return ABORTS
    assert result.returncode == 0, result.stderr
    return " ".join(result.stdout.split())
