"""Debuggers and profilers see the guest: gdb and perf name its functions and walk through them, no caller is missed."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import wasmtime
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

import wasmartifact as wa
from tests.support.tools import find_tool

TIMEOUT_S = 120
OPT_LEVELS = [0, 1, 2, 3]

#: outer calls the host through a table, the host calls inner, which calls the host again: it stops there.
CHAIN_WAT = """(module $chain
  (type $op (func (param i32) (result i32)))
  (import "env" "reenter" (func $reenter (type $op)))
  (import "env" "stop" (func $stop (type $op)))
  (memory 1)
  (table 2 funcref) (elem (i32.const 0) $indirect $reenter)
  (func $leaf (type $op) (i32.add (i32.const 1) (call $stop (local.get 0))))
  (func $inner (export "inner") (type $op) (local i64)
    (local.set 1 (i64.load (local.get 0)))
    (i32.add (i32.wrap_i64 (local.get 1)) (i32.mul (i32.const 3) (call $leaf (local.get 0)))))
  (func $indirect (type $op) (i32.xor (i32.const 7) (call_indirect (type $op) (local.get 0) (i32.const 1))))
  (func $middle (type $op) (i32.xor (i32.const 5) (call_indirect (type $op) (local.get 0) (i32.const 0))))
  (func $outer (export "outer") (type $op) (i32.add (i32.const 9) (call $middle (local.get 0)))))"""
PROGRAM = """
import os, signal, sys
import wasmartifact
sys.setswitchinterval(1000)
path, from_bytes = sys.argv[1], sys.argv[2] == "bytes"
source = open(path, "rb").read() if from_bytes else path
def stop(value):
    os.kill(os.getpid(), signal.SIGTRAP)
    return value
exports = wasmartifact.load(source).instantiate({"env": {
    "reenter": lambda value: exports.inner(value), "stop": stop}}).exports
print("result", exports.outer(4))
"""


def crowded_wat() -> str:
    """A leaf with an early way out and a part that needs all registers: LLVM would like to set its frame up late."""
    count = 14
    values = [f"(local.get $v{index})" for index in range(count)]
    body = "".join(
        f"(local.set $v{index} (i32.add (i32.mul {values[index]} {values[(index + 1) % count]}) "
        f"(i32.load offset={4 * index} {values[index]})))"
        for index in range(count)
    )
    total = values[0]
    for value in values[1:]:
        total = f"(i32.xor {value} {total})"
    return f"""(module (memory 1)
      (func $leaf (param $at i32) (param $rounds i32) (result i32)
        {"".join(f"(local $v{index} i32)" for index in range(count))}
        (if (i32.eqz (local.get $rounds)) (then (return (i32.load (local.get $at)))))
        {"".join(f"(local.set $v{i} (i32.load offset={4 * i} (local.get $at)))" for i in range(count))}
        (loop $again {body}
          (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
        {total})
      (func $middle (param i32 i32) (result i32) (i32.add (i32.const 1) (call $leaf (local.get 0) (local.get 1))))
      (func $outer (export "outer") (param i32 i32) (result i32)
        (i32.add (i32.const 1) (call $middle (local.get 0) (local.get 1)))))"""


#: Arguments with which the crowded leaf reads out of bounds: on its way out, and in the part that needs registers.
CROWDED_TRAPS = [(2**32 - 4, 0), (65532, 1)]


#: Leaves that are too short for a frame: the first is two instructions, the second needs more registers than are free.
SHORT_WAT = f"""(module (memory 1)
  {"".join(f"(global $g{index} (mut i64) (i64.const {index}))" for index in range(11))}
  (func $short (param i32) (result i32) (i32.load (local.get 0)))
  (func $crowded (param i32) (result i64)
    {" ".join(f"global.get $g{index}" for index in range(11))} local.get 0 i64.load {"i64.rotl " * 11})
  (func $middle (param i32 i32) (result i32)
    (if (result i32) (local.get 1)
      (then (i32.wrap_i64 (call $crowded (local.get 0))))
      (else (i32.add (i32.const 1) (call $short (local.get 0))))))
  (func $outer (export "outer") (param i32 i32) (result i32)
    (i32.add (i32.const 1) (call $middle (local.get 0) (local.get 1)))))"""


def artifact_of(wat: str, path: Path, **options: object) -> Path:
    wa.pack(bytes(wasmtime.wat2wasm(wat)), path, **options)  # type: ignore[arg-type]
    return path


# gdb ------------------------------------------------------------------------------------------------------------------


def gdb(program: Path, *arguments: str | Path) -> str:
    """What gdb shows of a run of a Python program: everything up to its first stop, then the stack."""
    commands = ["run", "backtrace -frame-arguments none", "kill"]
    options = [part for command in commands for part in ("-ex", command)]
    environment = {name: value for name, value in os.environ.items() if name != "DEBUGINFOD_URLS"}
    done = subprocess.run(
        [find_tool("gdb"), "-q", "-nx", "-batch", *options, "--args", sys.executable, program, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert "Backtrace stopped" not in done.stdout + done.stderr, done.stdout
    return done.stdout


def backtrace(output: str) -> list[str]:
    """Names of the functions on the stack that gdb showed, innermost first."""
    return re.findall(r"^#\d+\s+(?:0x[0-9a-f]+ in )?(\S+) \(", output, re.MULTILINE)


def contains_in_order(found: list[str], wanted: list[str]) -> bool:
    """Whether the wanted names follow each other in this order, with or without others between them."""
    rest = iter(found)
    return all(name in rest for name in wanted)


@pytest.mark.parametrize(("opt_level", "source"), [*((level, "path") for level in OPT_LEVELS), (2, "bytes")], ids=str)
def test_gdb_walks_through_host_calls(tmp_path: Path, opt_level: int, source: str) -> None:
    """From C through the guest, Python, the guest and Python to the process's start."""
    artifact = artifact_of(CHAIN_WAT, tmp_path / "chain.so", opt_level=opt_level)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    shown = gdb(program, artifact, source)
    found = backtrace(shown)
    above, below = ["leaf", "inner"], ["indirect", "middle", "outer"]
    host = ["host_0", "entry_0"]
    assert contains_in_order(found, [*above, "wax_invoke_host", *below, "wa_call"]), shown
    # Between the guest's functions there is nothing else, and each host call goes through one trampoline.
    guest = [name for name in found if name in {*above, *below, *host}]
    assert guest == ["host_0", *above, "entry_0", "host_0", *below, "entry_0"], shown
    # Python's own frames, down to the start of the process. CPython 3.15 may have a function for each of its
    # instructions, whose names a stripped program does not tell.
    assert {"_PyEval_EvalFrameDefault", "Py_RunMain", "Py_BytesMain"} & {*found[found.index("entry_0") :]}, shown
    assert found[-1] == "_start", shown
    places = set(re.findall(r"(?:leaf|middle|outer) \(\) from (\S+)", shown))
    assert len(places) == 1
    assert re.fullmatch(re.escape(str(artifact)) if source == "path" else r"/proc/\d+/fd/\d+", places.pop())


@pytest.mark.parametrize("arguments", CROWDED_TRAPS)
def test_gdb_walks_from_a_trap(tmp_path: Path, arguments: tuple[int, int]) -> None:
    artifact = artifact_of(crowded_wat(), tmp_path / "crowded.so")
    program = tmp_path / "program.py"
    program.write_text(
        f"import wasmartifact\nwasmartifact.load({str(artifact)!r}).instantiate().exports.outer(*{arguments})\n"
    )
    shown = gdb(program)
    assert "SIGSEGV" in shown
    assert backtrace(shown)[:4] == ["leaf", "middle", "outer", "entry_0"], shown
    assert backtrace(shown)[-1] == "_start", shown


def test_gdb_walks_from_a_leaf_without_a_frame(tmp_path: Path) -> None:
    artifact = artifact_of(SHORT_WAT, tmp_path / "short.so")
    program = tmp_path / "program.py"
    program.write_text(
        f"import wasmartifact\nwasmartifact.load({str(artifact)!r}).instantiate().exports.outer(65536, 0)\n"
    )
    shown = gdb(program)
    assert backtrace(shown)[:3] == ["short", "middle", "outer"], shown
    assert backtrace(shown)[-1] == "_start", shown


# Frames ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opt_level", OPT_LEVELS)
@pytest.mark.parametrize("arguments", CROWDED_TRAPS)
def test_traps_miss_no_caller(tmp_path: Path, opt_level: int, arguments: tuple[int, int]) -> None:
    """A leaf that traps before it needs registers of its own still stands on its caller's frame."""
    wasm = bytes(wasmtime.wat2wasm(crowded_wat()))
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    outer = wasmtime.Instance(store, wasmtime.Module(engine, wasm), []).exports(store)["outer"]
    assert isinstance(outer, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as expected:
        outer(store, *(argument - (1 << 32) if argument >> 31 else argument for argument in arguments))
    wa.pack(wasm, tmp_path / "crowded.so", opt_level=opt_level)
    with pytest.raises(wa.Trap) as caught:
        wa.load(tmp_path / "crowded.so").instantiate().exports.outer(*arguments)
    assert caught.value.code == "memory_out_of_bounds"
    names = [frame.func_name for frame in caught.value.frames]
    assert names == [frame.func_name for frame in expected.value.frames] == ["leaf", "middle", "outer"]


@pytest.mark.parametrize("cpu", ["baseline", ["baseline", "native"]], ids=str)
@pytest.mark.parametrize("opt_level", OPT_LEVELS)
def test_traps_of_leaves_without_a_frame_miss_no_caller(tmp_path: Path, opt_level: int, cpu: str | list[str]) -> None:
    artifact = wa.load(artifact_of(SHORT_WAT, tmp_path / "short.so", opt_level=opt_level, cpu=cpu))
    for is_crowded, leaf in enumerate(("short", "crowded")):
        with pytest.raises(wa.Trap) as caught:
            artifact.instantiate().exports.outer(65536, is_crowded)
        assert [frame.func_name for frame in caught.value.frames] == [leaf, "middle", "outer"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("opt_level", OPT_LEVELS)
def test_every_function_starts_with_its_frame(tmp_path: Path, machine: str, opt_level: int) -> None:
    """What gdb's prologue analysis, perf and our own backtraces rely on; symbols are sorted and don't overlap.

    All but the shortest leaves, which these modules don't have.
    """
    checked = 0
    for name, wat in {"chain": CHAIN_WAT, "crowded": crowded_wat()}.items():
        artifact = artifact_of(wat, tmp_path / f"{name}.so", target=machine, opt_level=opt_level)
        with artifact.open("rb") as file:
            elf = ELFFile(file)
            symtab, text = elf.get_section_by_name(".symtab"), elf.get_section_by_name(".text")
            assert isinstance(symtab, SymbolTableSection) and text is not None
            code, start = text.data(), text["sh_addr"]
            functions = [
                (symbol["st_value"] - start, symbol["st_size"], symbol.name)
                for symbol in symtab.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC"
            ]
        assert functions == sorted(functions)
        for (offset, size, _), (following, _, _) in pairwise(functions):
            assert offset + size <= following
        for offset, size, symbol_name in functions:
            assert sets_up_frame(machine, code[offset : offset + size]), symbol_name
            checked += 1
    assert checked >= 10


def sets_up_frame(machine: str, code: bytes) -> bool:
    """Whether a function begins with its frame record, before any branch."""
    if machine == "x86_64":
        return code.startswith(bytes.fromhex("55 48 89 e5"))  # push rbp; mov rbp, rsp
    for (instruction,) in struct.iter_unpack("<I", code[: len(code) & -4]):
        if instruction & 0xFF8003FF == 0x910003FD:  # add x29, sp, #n
            return True
        if instruction & 0x1C000000 == 0x14000000:  # branches
            return False
    return False


# perf -----------------------------------------------------------------------------------------------------------------

HOT_WAT = """(module
  (func $leaf (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 1664525)) (local.get 0)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $middle (param i32) (result i32) (i32.add (i32.const 3) (call $leaf (local.get 0))))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (i32.const 9) (call $middle (local.get 0)))))"""


@cache
def perf_records() -> bool:
    """Whether perf is there and the kernel lets it sample: in most containers it does not."""
    perf = shutil.which("perf")
    if perf is None:
        return False
    command = [perf, "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"]
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0


if perf_records():  # not a skipped test, which CI refuses: whether a kernel allows it is nothing that can be installed

    def test_perf_names_and_walks_the_guest(tmp_path: Path) -> None:
        artifact, recording = artifact_of(HOT_WAT, tmp_path / "hot.so"), tmp_path / "perf.data"
        code = f"import wasmartifact; wasmartifact.load({str(artifact)!r}).instantiate().exports.outer(1_000_000_000)"
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1000", "--call-graph", "fp"]
        subprocess.run(
            [*record, "-o", recording, sys.executable, "-c", code],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        listing = subprocess.run(
            ["perf", "script", "-i", recording, "-F", "ip,sym"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        ).stdout
        stacks = [re.findall(r"^\s*[0-9a-f]+ (\S+)$", part, re.MULTILINE) for part in listing.split("\n\n")]
        samples = [stack for stack in stacks if stack[:1] == ["leaf"]]
        assert len(samples) > 20
        assert all(stack[:4] == ["leaf", "middle", "outer", "entry_0"] for stack in samples)
        assert all("wa_call" in stack for stack in samples)
