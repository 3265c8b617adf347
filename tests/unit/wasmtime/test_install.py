"""install, and ``python -m wasmartifact.wasmtime``: programs run unedited, and no libwasmtime is mapped."""

from __future__ import annotations

import importlib.metadata
import os
import py_compile
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys
import wasmtime
from wasmtime import Engine, Instance, Module, Store

store = Store(Engine())
module = Module(store.engine, '(module (func (export "add") (param i32 i32) (result i32)'
                              ' (i32.add (local.get 0) (local.get 1))))')
add = Instance(store, module, []).exports(store)["add"]
with open("/proc/self/maps") as maps:
    mapped = "libwasmtime" in maps.read()
print(__name__, sys.argv, add(store, 2, 3), wasmtime.__name__, mapped)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "WASMARTIFACT_TIER_UP": "0"}
    command = [sys.executable, "-m", "wasmartifact.wasmtime", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=120
    )


def test_a_script(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = run(tmp_path, str(script), "a", "-b")
    assert done.stdout == f"__main__ ['{script}', 'a', '-b'] 5 wasmartifact.wasmtime False\n", done.stderr


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run(tmp_path, "-m", "program", "a")
    assert done.stdout == f"__main__ ['{tmp_path}/program.py', 'a'] 5 wasmartifact.wasmtime False\n", done.stderr


def test_code(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", PROGRAM, "a")
    assert done.stdout == "__main__ ['-c', 'a'] 5 wasmartifact.wasmtime False\n", done.stderr


def test_what_the_program_exits_with(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", "raise SystemExit(7)").returncode == 7


def test_no_program(tmp_path: Path) -> None:
    for arguments in ((), ("-m",), ("-c",)):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2
        assert "usage: python -m wasmartifact.wasmtime" in done.stderr


def test_install_comes_first(tmp_path: Path) -> None:
    """A program that has names of the real one would not see the change."""
    (tmp_path / "wasmtime.py").write_text("")
    code = "import wasmtime, wasmartifact.wasmtime\nwasmartifact.wasmtime.install()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "ImportError: wasmtime is imported already" in done.stderr


def test_submodules_exist_once(tmp_path: Path) -> None:
    code = (
        "import wasmartifact.wasmtime as face; face.install(); face.install(); import wasmtime._types\n"
        "print(wasmtime is face, wasmtime._types.ValType is face.ValType)\n"
        "try:\n    import wasmtime.nothing\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    done = run(tmp_path, "-c", code)
    assert done.stdout == "True True\nNo module named 'wasmtime.nothing'\n", done.stderr


def test_inner_modules_have_what_programs_take_from_them(tmp_path: Path) -> None:
    """By the names that wasmtime-py has for them, whose classes are those of the package."""
    code = (
        "import wasmtime\n"
        "for name in sys.argv[1:]:\n"
        "    home, _, found = name.partition('.')\n"
        "    exec(f'from wasmtime.{home} import {found}')\n"
        "    assert globals()[found] is getattr(wasmtime, found), name\n"
        "print(all(hasattr(wasmtime, one) for one in ('Trap', 'Func')))"
    )
    names = [
        "_error.WasmtimeError", "_trap.Trap", "_trap.TrapCode", "_globals.Global", "_table.Table", "_managed.Managed",
        "_instance_pre.InstancePre", "_sharedmemory.SharedMemory", "_tag.Tag", "_wat2wasm.wat2wasm", "_func.Func",
    ]  # fmt: skip
    assert run(tmp_path, "-c", f"import sys\n{code}", *names).stdout == "True\n"
    pytest.importorskip("wasmtime", reason="wasmtime-py, which has these, is not installed")
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}", *names], capture_output=True, check=False)
    assert done.stdout == b"True\n", done.stderr


def test_loader_of_older_versions(tmp_path: Path) -> None:
    """What wasmtime-py 9 prints."""
    (tmp_path / "inner.wat").write_text(
        """
        (module
          (import "host" "twice" (func $twice (param i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "twice") (param i32) (result i32) (call $twice (local.get 0)))
          (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2)))"""
    )
    (tmp_path / "outer.wat").write_text(
        """
        (module
          (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
          (import "inner" "twice" (func $twice (param i32) (result i32)))
          (import "inner" "memory" (memory 1))
          (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $twice (local.get 0)))))"""
    )
    (tmp_path / "host.py").write_text("def twice(number):\n    return 2 * number\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "within.wat").write_text('(module (func (export "f") (result i32) (i32.const 9)))')
    (tmp_path / "script.py").write_text(
        "import wasmtime.loader, inner, outer\n"
        "from package import within\n"
        "print(inner.twice(4), inner.two(), outer.run(5), within.f(), inner.memory.data_len(wasmtime.loader.store))\n"
        "try:\n    import nothing\nexcept ImportError as error:\n    print(error)\n"
    )
    assert run(tmp_path, "script.py").stdout == "8 [1, 2] 11 9 65536\nNo module named 'nothing'\n"


#: Started anew, each process imports what the program imports; those of a fork server it forks.
CHILDREN = """
import multiprocessing.spawn, sys
def work(queue):
    import wasmtime
    queue.put((__name__, wasmtime.__name__))
if __name__ == "__main__":
    import wasmartifact.wasmtime
    wasmartifact.wasmtime.install()
    for how in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(how)
        queue = context.Queue()
        child = context.Process(target=work, args=(queue,))
        child.start()
        child.join(60)
        print(how, child.exitcode, child.exitcode == 0 and queue.get())
"""


@pytest.mark.parametrize("way", [("-m", "wasmartifact.wasmtime", "program.py"), ("program.py",), ("-m", "program")])
def test_children_of_multiprocessing(tmp_path: Path, way: tuple[str, ...]) -> None:
    """Where it is imported before the stand-in is installed, and where not."""
    early = "import wasmtime\n" if "wasmartifact.wasmtime" in way else ""
    (tmp_path / "program.py").write_text(early + CHILDREN)
    command = [sys.executable, *way]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120)
    expected = [("fork", "__main__"), ("spawn", "__mp_main__"), ("forkserver", "__mp_main__")]
    told = "".join(f"{how} 0 {(name, 'wasmartifact.wasmtime')}\n" for how, name in expected)
    assert done.stdout == told, done.stderr


def test_a_fork_server_leaves_the_program_to_its_children() -> None:
    """Some Pythons let it import the program, which it would do without the stand-in."""
    code = (
        "import wasmartifact.wasmtime as w; w.install()\n"
        "import multiprocessing.spawn as spawn, pickle, sys\n"
        "sys.modules['__main__'].__file__ = '/program.py'\n"
        "told = spawn.get_preparation_data('ignore'), spawn.get_preparation_data('child')\n"
        "print(['init_main_from_path' in one for one in told])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "[False, True]\n", done.stderr


def test_the_import_is_lean() -> None:
    """Nothing of what other people's start-ups pay for: no ctypes, re, enum, typing by the import and a call."""
    code = (
        "import sys; before = set(sys.modules); import wasmartifact.wasmtime as w; store = w.Store(); w.install()\n"
        "heavy = {'ctypes', 'typing', 'cffi', 'wasmtime._store', 'argparse', 'importlib.abc', 'pathlib', 're'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


#: A WASI program that is in the cache.
WARM = """
import sys
before = set(sys.modules)
import wasmartifact.wasmtime
wasmartifact.wasmtime.install()
import wasmtime
engine = wasmtime.Engine()
module = wasmtime.Module.from_file(engine, "a.wat")
linker = wasmtime.Linker(engine)
linker.define_wasi()
store = wasmtime.Store(engine)
store.set_wasi(wasmtime.WasiConfig())
instance = linker.instantiate(store, module)
instance.exports(store)["_start"](store)
"""
#: The exports of its module, as packages list them.
EXPORTS = """
exports = {export.name: instance.exports(store)[export.name] for export in module.exports}
print(exports["g"].value(store), exports["t"].size(store))
"""


def warm_imports(folder: Path, program: str) -> list[str]:
    """What a program tells that has run before."""
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[3]), *sys.path]!r}; {program}"
    code += "print(*sorted(set(sys.modules) - before))"
    command = [sys.executable, "-S", "-c", code]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "WASMARTIFACT_TIER_UP": "0"}
    for _ in range(3):  # the first start packs, and a file that is too young is read again by the second
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
        time.sleep(0.2)
    return done.stdout.split()


def test_a_warm_start_is_lean(tmp_path: Path) -> None:
    """Nothing that only errors and hosts with entities of their own need."""
    (tmp_path / "a.wat").write_text(
        """(module (import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32))) (memory (export "memory") 1)
        (table (export "t") 3 funcref) (global (export "g") i32 (i32.const 7))
        (func (export "_start") (drop (call $f))))"""
    )
    value, size, *imported = warm_imports(tmp_path, WARM + EXPORTS)
    assert (value, size) == ("7", "3")
    unneeded = {"wasmartifact.hints", "wasmartifact._native", "wasmartifact.wasm.types", "wasmartifact.packer"}
    unneeded |= {"wasmartifact.runtime.native_errors", "operator", "types", "warnings", "importlib.machinery", "ctypes"}
    assert not unneeded & set(imported)


def test_a_start_without_an_error_imports_none(tmp_path: Path) -> None:
    """Nor the classes of types, which the exceptions and a program's own types need."""
    (tmp_path / "a.wat").write_text(
        """(module (import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32))) (memory (export "memory") 1)
        (func (export "_start") (drop (call $f))))"""
    )
    imported = warm_imports(tmp_path, WARM)
    assert "wasmartifact.wasmtime._linker" in imported
    assert not {"wasmartifact.errors", "wasmartifact.wasmtime._errors", "wasmartifact.wasmtime._types"} & set(imported)


def test_a_script_finds_its_neighbours(tmp_path: Path) -> None:
    """The first entry of sys.path is the script's folder, as Python itself has it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "neighbour.py").write_text("print('found')\n")
    (folder / "script.py").write_text("import neighbour\n")
    assert run(tmp_path, str(folder / "script.py")).stdout == "found\n"


def test_a_traceback_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import wasmtime\nwasmtime.Engine(3)\n")
    done = run(tmp_path, "script.py")
    assert done.returncode == 1
    assert "script.py" in done.stderr
    assert done.stderr.endswith("expected Config, found int\n")


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    raise ValueError(1)\ntry:\n    f()\nexcept ValueError as error:\n    raise OSError from error\n",
        "x = (\n",
        "import nothing\n",
        "raise ExceptionGroup('several', [ValueError(1), KeyError(2)])\n",
        "import sys\nsys.excepthook = lambda *given: print(given[0], file=sys.stderr)\n1 / 0\n",
    ],
)
def test_a_traceback_begins_with_the_program(tmp_path: Path, source: str) -> None:
    """Python itself says what is right."""
    (tmp_path / "script.py").write_text(source)
    for how in (("script.py",), ("-c", source)):
        alone = subprocess.run([sys.executable, *how], capture_output=True, text=True, cwd=tmp_path, check=False)
        done = run(tmp_path, *how)
        assert (done.returncode, done.stderr) == (alone.returncode, alone.stderr)


def test_the_version_of_wasmtime(tmp_path: Path) -> None:
    """Where it is installed, that one's; else the one whose behaviour this is."""
    code = (
        "import importlib.metadata as m, sys\n"
        "sys.path = [one for one in sys.path if sys.argv[1:] or 'site-' not in one]\n"
        "print(m.version('wasmtime'), m.metadata('wasmtime')['Name'])"
    )
    hidden = run(tmp_path, "-c", code).stdout
    assert hidden == "50.0.1 wasmtime\n"
    real = pytest.importorskip("wasmtime", reason="wasmtime-py is not installed")
    assert importlib.metadata.version(real.__name__) == run(tmp_path, "-c", code, "seen").stdout.split()[0]


#: What a program sees of how it was started, and what outlives its last line: pickle finds its class in ``__main__``.
SURROUNDINGS = """
from __future__ import annotations
import atexit, pickle, sys, threading
class Point:
    pass
def copy():
    return type(pickle.loads(pickle.dumps(Point()))).__name__
def late():
    threading.main_thread().join()
    print("thread", copy())
threading.Thread(target=late).start()
atexit.register(lambda: print("exit", copy()))
main = sys.modules["__main__"]
print(__name__, sys.argv, sys.path[0], copy(), vars(main) is globals(), getattr(main, "__file__", None), __package__)
print(__spec__ and __spec__.name, __builtins__.__name__, Point.__module__)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("script.py", "a"), ("./folder/../link.py",), ("folder", "-b"), ("folder.zip",), ("-", "a"), ("-m", "script"),
        ("-m", "folder", "a"), ("-m", "folder.part"), ("-c", SURROUNDINGS, "a"), ("missing.py",), ("-m", "missing"),
        ("-c", "import sys; sys.exit('words')"), ("-c", "def f() -> Missing: ..."), ("part.pyc",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("safe", [(), ("-P",)])
def test_a_program_sees_what_python_shows_it(tmp_path: Path, arguments: tuple[str, ...], safe: tuple[str, ...]) -> None:
    """Python itself says what is right."""
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").mkdir()
    for name in ("script.py", "real/target.py", "folder/__main__.py", "folder/part.py"):
        (tmp_path / name).write_text(SURROUNDINGS)
    (tmp_path / "link.py").symlink_to("real/target.py")
    py_compile.compile(str(tmp_path / "folder/part.py"), cfile=str(tmp_path / "part.pyc"))
    with zipfile.ZipFile(tmp_path / "folder.zip", "w") as archive:
        archive.writestr("__main__.py", SURROUNDINGS)

    def outcome(*before: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, *safe, *before, *arguments], input=SURROUNDINGS, capture_output=True, text=True,
            cwd=tmp_path, check=False, timeout=120, env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr.strip().rpartition("\n")[2]

    assert outcome("-m", "wasmartifact.wasmtime") == outcome()


def test_an_option_that_is_python_s(tmp_path: Path) -> None:
    done = run(tmp_path, "-u", "script.py")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "-u is no option here; those of Python itself go before -m",
    )


def test_the_import_alone_stands_in_for_nothing() -> None:
    code = "import wasmartifact.wasmtime, sys; print('wasmtime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_both_in_one_process() -> None:
    """Each has signal handlers for its own traps."""
    pytest.importorskip("wasmtime", reason="wasmtime-py is not installed")
    code = """
import wasmtime
import wasmartifact.wasmtime as face
TEXT = '(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))'
for w in (wasmtime, face, wasmtime, face):
    store = w.Store()
    f = w.Instance(store, w.Module(store.engine, TEXT), []).exports(store)["f"]
    try:
        f(store, 0)
    except w.Trap as trap:
        print(trap.trap_code.name, f(store, 1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "INTEGER_DIVISION_BY_ZERO 1\n" * 4
