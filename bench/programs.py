"""Whole-process start of WASI programs: packed QuickJS evaluating ``1``, the command ``run`` with a tiny program."""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from typing import Final

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure, figure_table
from bench.process import PASS, measure, process_ns
from bench.quickjs import module_path

#: What both engines do with the reactor: initialise it, put the command line into its memory, let it evaluate that.
DRIVE: Final = """
function("_initialize")()
text = function("malloc")(64)
vector = text + 32
write(text, b"qjs\\0-e\\x001\\0")
write(vector, b"".join((text + offset).to_bytes(4, "little") for offset in (0, 4, 7)) + bytes(4))
assert function("qjs_init_argv")(3, vector) == 0
"""
OURS: Final = f"""
import sys, wasmartifact as wa
wasi = wa.Wasi(args=("qjs", "-e", "1"), stdin=0, stdout=1, stderr=2)
exports = wa.load(sys.argv[1]).instantiate(wasi.imports()).exports
function, memory = exports.__getitem__, memoryview(exports["memory"])
def write(offset, data):
    memory[offset : offset + len(data)] = data
{DRIVE}
"""
THEIRS: Final = f"""
import sys, wasmtime
engine = wasmtime.Engine()
linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
linker.define_wasi()
wasi.argv = ["qjs", "-e", "1"]
wasi.inherit_stdin(), wasi.inherit_stdout(), wasi.inherit_stderr()
store.set_wasi(wasi)
exports = linker.instantiate(store, wasmtime.Module.deserialize_file(engine, sys.argv[2])).exports(store)
def function(name):
    found = exports[name]
    return lambda *values: found(store, *values)
def write(offset, data):
    exports["memory"].write(store, data, offset)
{DRIVE}
"""
#: What the script that pip installs does, with the arguments ``run PROGRAM``.
COMMAND: Final = "import sys; sys.argv[1:] = ['run', sys.argv[3]]; from wasmartifact.cli import main; sys.exit(main())"
PROGRAMS: Final = {"pass": PASS, "wasmartifact": OURS, "wasmtime-py": THEIRS, "run": COMMAND}
TINY: Final = b"""
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $proc_exit (i32.const 0))))
"""


def figures(*, quick: bool) -> list[Figure]:
    """Processes take turns; a program that fails ends the benchmark."""
    # As pip does when it installs a package; wasmtime-py was installed so.
    compileall.compile_dir(Path(wa.__file__).parent, quiet=1)
    try:
        quickjs = module_path().read_bytes()
    except FileNotFoundError as problem:
        print(f"bench.programs: {problem}", file=sys.stderr)
        return []
    files = (scratch.packed("quickjs", quickjs), scratch.serialized("quickjs", quickjs), scratch.packed("tiny", TINY))
    times = measure(process_ns, PROGRAMS, tuple(map(str, files)), 3 if quick else 61)
    name = "process, QuickJS evaluates 1"
    return [
        Figure(name, times["wasmartifact"], times["pass"], "python -c pass", 1.6, 1.2),
        Figure(name, times["wasmartifact"], times["wasmtime-py"], "wasmtime-py, .cwasm"),
        Figure("process, wasmartifact run", times["run"], times["pass"], "python -c pass"),
    ]


if __name__ == "__main__":
    print(figure_table(figures(quick="--quick" in sys.argv)))
