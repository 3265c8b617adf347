"""Traps of modules with DWARF name source files and lines: those of the C source, and those that wasmtime names."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

import wasmartifact as wa
from wasmartifact.wasm.decode import decode_module

DATA = Path(__file__).resolve().parents[1] / "data"
VERSIONS = [4, 5]
SOURCE = "source_lines.c"
HEADER = "include/fraction.h"
#: Export, arguments, and where it traps: function, file, what marks the line in it; innermost first.
TRAPS = [
    ("read", (2**20,), [("load", SOURCE, "load"), ("read", SOURCE, "read")]),
    ("divide", (7, 0), [("divide", HEADER, "fraction")]),
    ("stop", (2,), [("stop", SOURCE, "trap"), ("stop", SOURCE, "recursion"), ("stop", SOURCE, "recursion")]),
]


def marked_line(file: str, mark: str) -> int:
    """Number of the line with the comment ``/* line: mark */``."""
    lines = (DATA / file).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if f"/* line: {mark} */" in line)
    return number


def trap_of(path: Path, export: str, arguments: tuple[int, ...]) -> wa.Trap:
    imports: dict[str, dict[str, Callable[[int], int]]] = {"env": {"host": lambda value: value}}
    exports = wa.load(path).instantiate(imports).exports
    with pytest.raises(wa.Trap) as caught:
        exports[export](*arguments)
    return caught.value


def wasmtime_places(wasm: bytes, export: str, arguments: tuple[int, ...]) -> list[tuple[str, str, int]]:
    """Function, file and line of each frame of a trap in wasmtime, innermost first; its words are all that has them."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    host = wasmtime.Func(
        store, wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()]), lambda value: value
    )
    function = wasmtime.Instance(store, wasmtime.Module(engine, wasm), [host]).exports(store)[export]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as caught:
        function(store, *arguments)
    frames = re.split(r"^\s+\d+:\s+0x[0-9a-f]+ - ", str(caught.value), flags=re.MULTILINE)[1:]
    found = []
    for frame in frames:
        # Of an inlined function and those around it, the first is the innermost: that is where the instruction is from.
        place = re.search(r"^\s+at (\S+?):(\d+):\d+$", frame, re.MULTILINE)
        assert place is not None, frame
        outermost = re.findall(r"^(?:\s+- )?(\w+)$", frame, re.MULTILINE)[-1]
        found.append((outermost, place[1].removeprefix("./"), int(place[2])))
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("opt_level", [0, 2])
def test_traps_name_source_lines(tmp_path: Path, version: int, opt_level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMTIME_BACKTRACE_DETAILS", "1")
    wasm = DATA / f"source_lines.dwarf{version}.wasm"
    wa.pack(wasm, tmp_path / "a.so", opt_level=opt_level)
    wa.verify(tmp_path / "a.so")
    for export, arguments, places in TRAPS:
        expected = [(function, file, marked_line(file, mark)) for function, file, mark in places]
        trap = trap_of(tmp_path / "a.so", export, arguments)
        found = [(frame.func_name, frame.source_file, frame.source_line) for frame in trap.frames]
        assert found == expected
        assert wasmtime_places(wasm.read_bytes(), export, arguments) == expected


def test_words_of_a_trap(tmp_path: Path) -> None:
    wa.pack(DATA / "source_lines.dwarf4.wasm", tmp_path / "a.so")
    trap = trap_of(tmp_path / "a.so", "divide", (7, 0))
    (frame,) = trap.frames
    assert str(frame) == f"divide at {HEADER}:{marked_line(HEADER, 'fraction')} (wasm offset {frame.wasm_offset:#x})"
    assert str(trap) == f"integer divide by zero\n  at {frame}"
    assert pickle.loads(pickle.dumps(frame)) == frame


def test_frames_without_source_lines() -> None:
    plain = wa.Frame(3, "f", 0x20, "m")
    assert (plain.source_file, plain.source_line) == (None, None)
    assert str(plain) == "m!f at wasm offset 0x20"
    assert str(wa.Frame(3, None, None)) == "func[3]"
    assert str(wa.Frame(3, "f", None, None, None, 7)) == "f at ?:7"
    assert plain != wa.Frame(3, "f", 0x20, "m", "a.c", 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_damaged_line_tables_never_fail_a_pack(tmp_path: Path, version: int) -> None:
    wasm = (DATA / f"source_lines.dwarf{version}.wasm").read_bytes()
    (table,) = (section for section in decode_module(wasm).custom_sections if section.name == ".debug_line")
    noise = bytes(index * 37 % 251 for index in range(table.end - table.start))
    for contents in (noise, noise[:4] + wasm[table.start + 4 : table.end], bytes(len(noise))):
        damaged = wasm[: table.start] + contents + wasm[table.end :]
        assert len(damaged) == len(wasm)
        wa.pack(damaged, tmp_path / "a.so", opt_level=0)
        wa.verify(tmp_path / "a.so")
        (frame,) = trap_of(tmp_path / "a.so", "divide", (7, 0)).frames
        assert (frame.func_name, frame.source_file, frame.source_line) == ("divide", None, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_dwarf_stays_out_unless_it_is_asked_for(tmp_path: Path, version: int) -> None:
    """The sections come back byte by byte where they are; names and lines of traps are the same without."""
    wasm = (DATA / f"source_lines.dwarf{version}.wasm").read_bytes()
    given = {entry.name: wasm[entry.start : entry.end] for entry in decode_module(wasm).custom_sections}
    assert ".debug_line" in given and "name" in given
    wa.pack(wasm, tmp_path / "plain.so", opt_level=0)
    wa.pack(wasm, tmp_path / "debug.so", opt_level=0, keep_debug=True)
    found, traps = [], []
    for path in (tmp_path / "plain.so", tmp_path / "debug.so"):
        wa.verify(path)
        with wa.open_metadata(path) as metadata:
            found.append({row.name: bytes(row.data) for row in metadata.custom_sections})
        traps.append([trap_of(path, export, arguments).frames for export, arguments, _ in TRAPS])
    assert found == [{name: data for name, data in given.items() if not name.startswith(".debug_")}, given]
    assert traps[0] == traps[1]
    command = [
        sys.executable,
        "-m",
        "wasmartifact",
        "pack",
        "-O",
        "0",
        "--keep-debug",
        "-o",
        str(tmp_path / "command.so"),
    ]
    subprocess.run([*command, str(DATA / f"source_lines.dwarf{version}.wasm")], check=True, capture_output=True)
    assert (tmp_path / "command.so").read_bytes() == (tmp_path / "debug.so").read_bytes()


def test_the_cache_tells_artifacts_with_dwarf_from_others(tmp_path: Path) -> None:
    wasm = DATA / "source_lines.dwarf5.wasm"
    paths = [
        wa.compile(wasm, opt_level=0, cache_dir=tmp_path / "cache", keep_debug=keep).path
        for keep in (False, True, False)
    ]
    assert paths[0] == paths[2] != paths[1]
