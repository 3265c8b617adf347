"""LLVM's own library generates what llvmlite's does, byte for byte but for a pass, and is used where it is there."""

from __future__ import annotations

import _ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime
from elftools.elf.elffile import ELFFile

import wasmartifact as wa
from tests.flows.test_pack_limits import long_wat
from tests.support.workload import workload_wasm, workload_wat
from tests.unit.codegen.harness import context_of, whole_group
from wasmartifact import cache
from wasmartifact.codegen import libllvm as backend
from wasmartifact.codegen import llvm, llvmlite_backend
from wasmartifact.codegen.emit_group import emit_group
from wasmartifact.codegen.irmodule import DATA_LAYOUTS
from wasmartifact.codegen.options import CodegenOptions, codegen_options, resolve_target
from wasmartifact.dataclass import replace
from wasmartifact.elf.object import read_object
from wasmartifact.errors import ToolchainError
from wasmartifact.host.libllvm import VARIABLE, VERSION, find_libllvm
from wasmartifact.wasm.decode import decode_module

X86_64 = resolve_target("x86_64", "baseline")
needs_library = pytest.mark.skipif(not find_libllvm(), reason="LLVM's library is not installed: the extra llvm")


#: The one pass that llvmlite can't run.
INDUCTION_VARIABLES = "function(loop(indvars))"


@pytest.fixture
def same_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default level has the passes that both can run."""
    level_2 = tuple(name for name in llvm._PASSES[2] if name != INDUCTION_VARIABLES)
    assert len(level_2) == len(llvm._PASSES[2]) - 1
    monkeypatch.setattr(llvm, "_PASSES", llvm._PASSES | {2: level_2})


@needs_library
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("source", [workload_wat(), long_wat(200)], ids=["workload", "long"])
@pytest.mark.usefixtures("same_passes")
def test_both_generate_the_same(source: str, level: int) -> None:
    module = decode_module(bytes(wasmtime.wat2wasm(source)))
    context = context_of(module, level)
    text, _ = emit_group(context, whole_group(module))
    theirs, ours = (
        read_object(llvm.emit_object(replace(context.options, libllvm=path), text)) for path in ("", find_libllvm())
    )
    assert ours.functions and ours == theirs


#: What LLVM makes one vector of where it looks for vectors in straight code.
TWO_STORES = """
define void @f(ptr %p, ptr %q) {
  %p1 = getelementptr i8, ptr %p, i64 8
  %q1 = getelementptr i8, ptr %q, i64 8
  %a = load i64, ptr %p
  %b = load i64, ptr %p1
  %c = add i64 %a, 5
  %d = add i64 %b, 7
  store i64 %c, ptr %q
  store i64 %d, ptr %q1
  ret void
}"""


@needs_library
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.usefixtures("same_passes")
def test_both_look_for_the_same_vectors(level: int) -> None:
    theirs, ours = (
        read_object(llvm.emit_object(CodegenOptions(level, X86_64, libllvm=path), TWO_STORES))
        for path in ("", find_libllvm())
    )
    assert ours == theirs


@needs_library
def test_artifacts_differ_in_the_name_of_the_generator_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, infos = [], []
    for name, value in (("own", find_libllvm()), ("llvmlite", "0")):
        monkeypatch.setenv(VARIABLE, value)
        wa.pack(workload_wasm(), tmp_path / f"{name}.so", opt_level=1, incremental=False)
        with (tmp_path / f"{name}.so").open("rb") as file:
            section = ELFFile(file).get_section_by_name(".text")
            assert section is not None
            code.append(section.data())
        with wa.open_metadata(tmp_path / f"{name}.so") as metadata:
            infos.append(metadata.info)
    assert code[0] == code[1]
    assert infos[0] == infos[1] | {"libllvm": VERSION}


@needs_library
def test_processes_that_pack_for_this_one_use_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are started without a site, which is what tells older Pythons where the environment is."""
    monkeypatch.delenv(VARIABLE, raising=False)
    wa.pack(workload_wasm(), tmp_path / "bounded.so", limits=wa.PackLimits(seconds=600), incremental=False)
    with wa.open_metadata(tmp_path / "bounded.so") as metadata:
        assert metadata.info["libllvm"] == VERSION


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    path = tmp_path / "lib" / f"libLLVM.so.{VERSION}"
    linked = tmp_path / "lib" / "x86_64-unknown-linux-gnu" / "libc++.so.1"
    linked.parent.mkdir(parents=True)
    assert find_libllvm() == ""
    path.touch()
    assert find_libllvm() == ""  # the links are not made yet
    linked.touch()
    assert find_libllvm() == str(path)
    assert cache._toolchain("baseline").count(f"libllvm {VERSION}") == 1
    assert codegen_options(2, X86_64).libllvm == str(path)
    assert codegen_options(0, X86_64).libllvm == codegen_options(2, resolve_target("aarch64", "baseline")).libllvm == ""
    for value, found in (("0", ""), ("", ""), ("/elsewhere/libLLVM.so", "/elsewhere/libLLVM.so")):
        monkeypatch.setenv(VARIABLE, value)
        assert find_libllvm() == found
    assert codegen_options(0, X86_64).libllvm == ""
    with pytest.raises(ToolchainError, match="no file"):
        codegen_options(1, X86_64)


@pytest.mark.parametrize("library", [_ctypes.__file__, "/dev/null"])
def test_what_is_no_such_library_is_told(library: str) -> None:
    with pytest.raises(ToolchainError, match=f"{re.escape(library)}.*set {VARIABLE}=0"):
        llvm.emit_object(CodegenOptions(2, X86_64, libllvm=library), "")


@needs_library
def test_a_worker_of_another_machine_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "define i32 @f(i32 %x) { %y = mul i32 %x, 10 ret i32 %y }"
    of_another_machine = CodegenOptions(2, X86_64, libllvm="/there/libLLVM.so")
    expected = read_object(llvm.emit_object(CodegenOptions(2, X86_64), text))
    monkeypatch.setenv(VARIABLE, find_libllvm())
    assert read_object(llvm.emit_object(of_another_machine, text)) == expected
    monkeypatch.setenv(VARIABLE, "0")
    with pytest.raises(ToolchainError, match=rf"worker has no LLVM library.*{VARIABLE}=0 where you pack"):
        llvm.emit_object(of_another_machine, text)


#: An address that can't wrap around, as there are at most 100 of them: no reason to compute it in 32 bits each time.
LOOP = """
(module (memory 1) (func (param $n i32) (local $i i32)
  (if (i32.gt_u (local.get $n) (i32.const 100)) (then (local.set $n (i32.const 100))))
  (loop
    (i32.store (i32.add (i32.const 64) (i32.shl (local.get $i) (i32.const 2))) (i32.const 1))
    (i32.store (i32.add (i32.const 640) (i32.shl (local.get $i) (i32.const 2))) (i32.const 1))
    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))))"""


@needs_library
def test_addresses_that_cannot_wrap_around_need_no_instructions() -> None:
    module = decode_module(bytes(wasmtime.wat2wasm(LOOP)))
    context = context_of(module, 2)
    text, _ = emit_group(context, whole_group(module))
    theirs, ours = (
        len(read_object(llvm.emit_object(replace(context.options, libllvm=path), text)).sections[0].data)
        for path in ("", find_libllvm())
    )
    assert 0 < ours < theirs


@pytest.mark.parametrize("machine", DATA_LAYOUTS)
def test_data_layouts_are_those_of_the_back_end(machine: str) -> None:
    llvmlite_backend._initialize(llvm._SWITCHES)
    target = resolve_target(machine, "baseline")
    assert str(llvmlite_backend._target_machine(CodegenOptions(2, target)).target_data) == DATA_LAYOUTS[machine]


@needs_library
def test_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "VERSION", "99.9")
    backend._library.cache_clear()
    try:
        with pytest.raises(ToolchainError, match=rf"is version {re.escape(VERSION)}, expected 99\.9"):
            llvm.emit_object(CodegenOptions(2, X86_64, libllvm=find_libllvm()), "")
    finally:
        backend._library.cache_clear()


def test_pack_tells_of_a_wrong_path_and_leaves_nothing(tmp_path: Path) -> None:
    program = """
import sys, wasmartifact as wa
try:
    wa.pack(b"(module (func))", sys.argv[1])
except wa.ToolchainError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "no.so")],
        env=os.environ | {VARIABLE: "/no/such/libLLVM.so"}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert f"{VARIABLE} is '/no/such/libLLVM.so', which is no file" in ended.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["", pytest.param(find_libllvm(), marks=needs_library)], ids=["llvmlite", "own"])
@pytest.mark.parametrize(
    "text", ["define nonsense", "define i32 @f() { ret i64 0 }", "define void @f() { br label %no }"]
)
def test_what_llvm_rejects_is_a_toolchain_error(library: str, text: str) -> None:
    with pytest.raises(ToolchainError, match=r"LLVM rejected the code that was generated: .+"):
        llvm.emit_object(CodegenOptions(2, X86_64, libllvm=library), text)


@pytest.mark.parametrize("library", ["", pytest.param(find_libllvm(), marks=needs_library)], ids=["llvmlite", "own"])
def test_tests_have_what_is_generated_verified(library: str) -> None:
    text = "define i32 @f(i32 %x) { %a = add i32 %b, 1 %b = add i32 %x, 1 ret i32 %a }"  # the parser takes it
    with pytest.raises(ToolchainError, match="Instruction does not dominate all uses"):
        llvm.emit_object(CodegenOptions(2, X86_64, libllvm=library), text)
