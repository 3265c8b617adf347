"""The native house's layers hold: by folder, and without circles of calls.

Includes are read from the sources, calls from compiled objects: a file uses another where its object has an undefined
symbol that the other's object defines, be it called or its address taken.
"""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.support.tools import find_tool

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"

#: What each part may include, as prefixes of paths below native/. The CPython types see public headers only.
MAY_INCLUDE = {
    "include": ("include/",),
    "onepass": ("onepass/", "include/wa_schema.h", "include/wa_opcodes.h", "include/wa_xxh64.h"),
    "runtime": ("runtime/", "include/wasmartifact.h", "include/wa_schema.h", "include/wa_xxh64.h"),
    "wasi": ("wasi/", "runtime/", "include/"),
    "component": ("component/", "runtime/", "include/"),
    "python": ("python/", "include/"),
}
#: From the bottom: a part uses no symbol of a part above.
PARTS = ("onepass", "runtime", "wasi", "component", "python")
#: A part whose files are compiled once for each machine, with that machine's folder.
OF_MACHINES = "onepass"
MACHINES = ("x86_64", "aarch64")
#: The circle that stays: a value may be a function, whose call converts values, which may throw; or a struct of values.
PYTHON_CIRCLE = {f"python/{name}.c" for name in ("call", "convert", "entity", "exception", "func", "object")}
#: What the file of the signal handler takes from others: of the C library what POSIX calls
#: async-signal-safe (signal-safety(7)), and siglongjmp; then what installs the handler and sends the signal of stops.
HANDLER_USES = {
    "__errno_location", "getpid", "gettid", "getuid", "memcmp", "memcpy", "pthread_sigmask", "raise", "sigaction",
    "sigaddset", "sigemptyset", "siglongjmp", "syscall",
}  # fmt: skip
INSTALLATION_USES = {
    "wa_fail_system", "pthread_mutex_lock", "pthread_mutex_unlock", "_GLOBAL_OFFSET_TABLE_", "__libc_current_sigrtmin",
    "pthread_mutex_trylock", "timer_create", "timer_delete", "timer_settime", "wa_guard_forks",
}  # fmt: skip
#: The module's entry, and what Python calls through cffi.
USED_FROM_OUTSIDE = {
    "PyInit__types", "wa_onepass_compile", "wa_onepass_find_large",
    "wa_onepass_find_written_tables", "wa_onepass_pack_chunks", "wa_onepass_release", "wa_onepass_trampolines",
    "wa_onepass_xxh64", "wa_table_new", "wa_tag_new",
}  # fmt: skip

#: What all files of a part may use, and those of one machine do.
OF_ONE_MACHINE = {"wop_pool"}

Uses = dict[str, dict[str, set[str]]]  # file -> file that it uses -> symbols


def included(native: Path, path: Path) -> Iterator[tuple[int, str]]:
    """Line and path below ``native`` of each file that a file includes; ``Python.h`` by its name."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.match(r"\s*#\s*include\s*<Python\.h>", line):
            yield number, "Python.h"
        if match := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
            machines = (native / OF_MACHINES / machine for machine in MACHINES)
            folders = (path.parent, native, native / "include", native / OF_MACHINES, *machines)
            places = (folder / match[1] for folder in folders)
            found = next((place for place in places if place.exists()), None)
            assert found is not None, f"{path}:{number}: {match[1]} is nowhere"
            yield number, found.resolve().relative_to(native.resolve()).as_posix()


def upward_includes(native: Path) -> Iterator[str]:
    """``file:line`` and reason of each include that leads out of a part's own and the parts below it."""
    for path in sorted((*native.rglob("*.c"), *native.rglob("*.h"))):
        name = path.relative_to(native).as_posix()
        part = name.partition("/")[0]
        allowed = MAY_INCLUDE[part] + (("Python.h",) if part == "python" else ())
        for line, other in included(native, path):
            if not other.startswith(allowed):
                yield f"native/{name}:{line}: {part} may not include {other}"


def of_machine(source: Path, machine: str) -> bool:
    """Whether a file is compiled for a machine."""
    return source.parent.parent.name != OF_MACHINES or source.parent.name == machine


def compile_objects(native: Path, directory: Path, machine: str = MACHINES[0]) -> dict[str, Path]:
    """An object of each source that a machine has, by its path below ``native``."""
    # Relative paths: a compiler cache then serves every checkout.
    folders = (f"{OF_MACHINES}/{machine}", OF_MACHINES, "include", ".", sysconfig.get_path("include"))
    command = [find_tool("cc"), "-std=c11", "-D_GNU_SOURCE", *(f"-I{folder}" for folder in folders)]

    def compile_one(source: Path) -> tuple[str, Path]:
        name = source.relative_to(native).as_posix()
        target = directory / f"{name.replace('/', '-')}.o"
        subprocess.run([*command, "-c", name, "-o", target], check=True, cwd=native)
        return name, target

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(compile_one, sorted(path for path in native.rglob("*.c") if of_machine(path, machine))))


def symbols_of(path: Path, *, defined: bool) -> Iterator[str]:
    """The symbols that an object has for others, or wants of them."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        for symbol in table.iter_symbols():
            is_defined = symbol["st_shndx"] != "SHN_UNDEF"
            if symbol.name and symbol["st_info"]["bind"] != "STB_LOCAL" and is_defined == defined:
                yield symbol.name


def defined_in(objects: Mapping[str, Path]) -> dict[str, str]:
    """The file that defines each symbol."""
    return {symbol: name for name, path in objects.items() for symbol in symbols_of(path, defined=True)}


def uses_of(objects: Mapping[str, Path]) -> Uses:
    """Which file uses which other by which symbols."""
    definer = defined_in(objects)
    uses: Uses = {name: {} for name in objects}
    for name, path in objects.items():
        for symbol in symbols_of(path, defined=False):
            if symbol in definer:
                uses[name].setdefault(definer[symbol], set()).add(symbol)
    return uses


def upward_uses(uses: Uses) -> Iterator[str]:
    """Uses of a symbol of a part above."""
    for name, others in uses.items():
        for other, symbols in others.items():
            if PARTS.index(name.partition("/")[0]) < PARTS.index(other.partition("/")[0]):
                yield f"native/{name} may not use {', '.join(sorted(symbols))} of {other}"


def reachable(uses: Uses, start: str) -> set[str]:
    """Every file that a file uses, directly or not."""
    found: set[str] = set()
    todo = [start]
    while todo:
        new = set(uses[todo.pop()]) - found
        found |= new
        todo += new
    return found


def in_circles(uses: Uses) -> set[str]:
    """The files that use themselves by way of others."""
    return {name for name in uses if name in reachable(uses, name)}


def edges_among(uses: Uses, names: Iterable[str]) -> str:
    """What makes the circle, one use a line."""
    inside = set(names)
    lines = (
        f"{name} uses {', '.join(sorted(symbols))} of {other}"
        for name in sorted(inside)
        for other, symbols in sorted(uses[name].items())
        if other in inside
    )
    return "\n" + "\n".join(lines)


@pytest.fixture(scope="module", params=MACHINES)
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return compile_objects(NATIVE, tmp_path_factory.mktemp("objects"), request.param)


@pytest.fixture(scope="module")
def uses(objects: Mapping[str, Path]) -> Uses:
    return uses_of(objects)


def test_includes_point_downwards() -> None:
    found = list(upward_includes(NATIVE))
    assert not found, "\n" + "\n".join(found)


def test_calls_point_downwards(uses: Uses) -> None:
    found = list(upward_uses(uses))
    assert not found, "\n" + "\n".join(found)


def test_no_circle_of_calls(uses: Uses) -> None:
    circle = in_circles(uses)
    assert circle == PYTHON_CIRCLE, edges_among(uses, circle)


def test_nothing_is_shared_for_nobody(uses: Uses, objects: Mapping[str, Path]) -> None:
    """A symbol that no other file uses is static."""
    used = set().union(*(symbols for others in uses.values() for symbols in others.values()))
    unused = set(defined_in(objects)) - used
    assert unused >= USED_FROM_OUTSIDE and unused - USED_FROM_OUTSIDE <= OF_ONE_MACHINE


def test_handler_calls_what_it_may(objects: Mapping[str, Path]) -> None:
    assert set(symbols_of(objects["runtime/signals.c"], defined=False)) <= HANDLER_USES | INSTALLATION_USES


PLANTED = {
    "include/wasmartifact.h": "int low(void);\nint middle(void);\nextern int (*const handler)(void);\n",
    "include/wa_wasi.h": "int wasi(void);\n",
    "runtime/core.h": "",
    "runtime/low.c": '#include "wasmartifact.h"\nint low(void) { return 1; }\n',
    "runtime/middle.c": '#include "core.h"\n#include "wasmartifact.h"\nint middle(void) { return low(); }\n',
    "runtime/high.c": '#include "wasmartifact.h"\nint (*const handler)(void) = middle;\nint high(void) { return 0; }\n',
    "wasi/wasi.c": '#include "runtime/core.h"\n#include "wasmartifact.h"\nint wasi(void) { return low(); }\n',
    "python/types.c": '#include "wa_wasi.h"\nint types(void) { return wasi(); }\n',
}


def plant(native: Path, changes: Mapping[str, str]) -> Path:
    """A small house of the same parts, with some files changed."""
    for name, text in {**PLANTED, **changes}.items():
        path = native / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return native


def test_checks_take_a_sound_house(tmp_path: Path) -> None:
    native = plant(tmp_path / "native", {})
    uses = uses_of(compile_objects(native, tmp_path))
    assert uses["runtime/high.c"] == {"runtime/middle.c": {"middle"}}
    assert uses["python/types.c"] == {"wasi/wasi.c": {"wasi"}}
    assert not list(upward_includes(native)) and not list(upward_uses(uses)) and not in_circles(uses)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("runtime/low.c", '#include "wa_wasi.h"'),
        ("runtime/core.h", '#  include "../wasi/wasi.c"'),
        ("wasi/wasi.c", '#include "python/types.c"'),
        ("python/types.c", '#include "runtime/core.h"'),
        ("include/wasmartifact.h", '#include "runtime/core.h"'),
        ("runtime/low.c", "#include <Python.h>"),
        ("wasi/wasi.c", "#include <Python.h>"),
    ],
)
def test_the_check_sees_upward_includes(tmp_path: Path, name: str, line: str) -> None:
    native = plant(tmp_path, {name: f"\n{line}\n{PLANTED[name]}"})
    (found,) = upward_includes(native)
    assert found.startswith(f"native/{name}:2: ")


def test_the_check_sees_upward_calls(tmp_path: Path) -> None:
    declared_here = "int wasi(void);\nint low(void) { return wasi(); }\n"
    native = plant(tmp_path / "native", {"runtime/low.c": declared_here})
    assert list(upward_uses(uses_of(compile_objects(native, tmp_path)))) == [
        "native/runtime/low.c may not use wasi of wasi/wasi.c"
    ]


@pytest.mark.parametrize(
    "closing",
    [
        "int high(void);\nint low(void) { return high(); }\n",  # a call
        "int high(void);\nint (*const pointer)(void) = high;\nint low(void) { return 1; }\n",  # a function pointer
        "extern int (*const handler)(void);\nint low(void) { return handler != 0; }\n",  # data
    ],
)
def test_the_check_sees_circles(tmp_path: Path, closing: str) -> None:
    native = plant(tmp_path / "native", {"runtime/low.c": closing})
    uses = uses_of(compile_objects(native, tmp_path))
    assert in_circles(uses) == {"runtime/low.c", "runtime/middle.c", "runtime/high.c"}
    assert "runtime/middle.c uses low of runtime/low.c" in edges_among(uses, in_circles(uses))


# Interrupts -----------------------------------------------------------------------------------------------------------

#: What ends a function of the runtime that looks for interrupts: itself, or what it calls last.
LOOKS = ("wa_heed_interrupt()", "wa_move_bytes(", "wa_fill_elements(", "wa_trap(", "return wa_wait(")


def called_by_code() -> Iterator[tuple[str, str]]:
    """Name and body of each function that compiled code calls through its instance, or as a built-in of components."""
    files = ("runtime/libcalls.c", "runtime/aggregates.c", "component/builtins.c")
    texts = "\n".join((NATIVE / name).read_text() for name in files)
    table, switch = (
        texts[texts.index("wa_runtime_calls = {") :],
        texts[texts.index("wa_invoke builtin(uint32_t kind)") :],
    )
    names = re.findall(r"\.\w+ = (\w+),", table[: table.index("};")]) + re.findall(r"return ([a-z]\w+);", switch)
    for name in names:
        found = re.search(rf"^(?:static )?\w+ {name}\([^)]*\)\n{{\n(.*?)^}}", texts, re.DOTALL | re.MULTILINE)
        assert found is not None, name
        yield name, found[1]


def last_step(body: str) -> str:
    """The last statement, but for a return of what was found before."""
    statements = [text for text in (part.strip(" }\n") for part in body.split(";")) if text]
    return statements[-2] if re.fullmatch(r"return (\(uint64_t\)\(uintptr_t\))?\w+", statements[-1]) else statements[-1]


def test_each_call_of_the_runtime_looks_for_interrupts() -> None:
    """A guest that calls it in a loop is in compiled code too seldom for a signal to find it there."""
    functions = dict(called_by_code())
    assert len(functions) > 25 and "call_adapter" in functions
    assert [name for name, body in functions.items() if not last_step(body).startswith(LOOKS)] == []
