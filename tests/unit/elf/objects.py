"""Objects that the tests of the ELF writer link: LLVM's, for both machines, and those of the system's compilers."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from tests.support.tools import find_tool
from wasmartifact.elf.assemble import assemble
from wasmartifact.elf.layout import Layout, layout
from wasmartifact.elf.object import CodeObject, read_object
from wasmartifact.schema import ANCHOR, RUNTIME_ABI, TIED_ARRAYS_OFFSET

TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
CPUS = {"x86_64": "x86-64-v2", "aarch64": "generic"}
BUILD_ID = bytes(range(0x40, 0x50))
TYPE_DIGESTS = bytes(range(100, 164))

#: Constants of every size, both kinds of jump table, calls within and out of the object, addresses of the digests.
FIRST_IR = """
@wa_type_digests = external hidden constant [4 x [16 x i8]], align 16
declare hidden i32 @second_add(i32)

define hidden double @scale(double %a) {
  %r = fadd double %a, 0x3FD5555555555555
  %q = fdiv double %r, 0x401C666666666667
  ret double %q
}
define hidden float @narrow(float %a) {
  %r = fmul float %a, 0x3FF19999A0000000
  ret float %r
}
define hidden void @vector(ptr %p) {
  %v = load <4 x i32>, ptr %p, align 4
  %r = add <4 x i32> %v, <i32 11, i32 22, i32 33, i32 400000>
  store <4 x i32> %r, ptr %p, align 4
  ret void
}
define hidden i32 @branches(i32 %a) {
  switch i32 %a, label %d [ i32 0, label %b0 i32 1, label %b1 i32 2, label %b2 i32 3, label %b3 i32 4, label %b4
                            i32 5, label %b5 ]
b0:
  %c0 = call i32 @second_add(i32 10)
  ret i32 %c0
b1:
  %c1 = call i32 @second_add(i32 11)
  %x1 = xor i32 %c1, 3
  ret i32 %x1
b2:
  %c2 = call i32 @second_add(i32 12)
  %x2 = mul i32 %c2, 3
  ret i32 %x2
b3:
  ret i32 77
b4:
  %c4 = call i32 @inner(i32 12)
  ret i32 %c4
b5:
  %x5 = mul i32 %a, 3111
  ret i32 %x5
d:
  ret i32 -1
}
define internal i32 @inner(i32 %a) noinline {
  %c = call i32 @second_add(i32 %a)
  %y = add i32 %c, 5
  ret i32 %y
}
define hidden i32 @values(i32 %a) {
  switch i32 %a, label %e [ i32 0, label %b0 i32 1, label %b1 i32 2, label %b2 i32 3, label %b3 i32 4, label %b4 ]
b0:
  br label %e
b1:
  br label %e
b2:
  br label %e
b3:
  br label %e
b4:
  br label %e
e:
  %p = phi i32 [ 0, %0 ], [ 1023, %b0 ], [ 912312, %b1 ], [ 55535, %b2 ], [ 3, %b3 ], [ 9, %b4 ]
  ret i32 %p
}
define hidden ptr @digest_address(i64 %i) {
  %p = getelementptr [4 x [16 x i8]], ptr @wa_type_digests, i64 0, i64 %i
  ret ptr %p
}
define hidden i8 @digest8() {
  %v = load i8, ptr @wa_type_digests
  ret i8 %v
}
define hidden i16 @digest16() {
  %v = load i16, ptr @wa_type_digests, align 2
  ret i16 %v
}
define hidden i32 @digest32() {
  %v = load i32, ptr @wa_type_digests, align 4
  ret i32 %v
}
define hidden i64 @digest64() {
  %v = load i64, ptr @wa_type_digests, align 8
  ret i64 %v
}
"""
#: Calls back into the first; its constants differ from the first's.
SECOND_IR = """
declare hidden double @scale(double)

define hidden i32 @second_add(i32 %a) {
  %m = mul i32 %a, 1000
  %r = add i32 %m, 7
  ret i32 %r
}
define hidden double @second_scale(double %a) {
  %s = call double @scale(double %a)
  %r = fmul double %s, 0x3FE999999999999B
  ret double %r
}
define hidden void @second_vector(ptr %p) {
  %v = load <4 x i32>, ptr %p, align 4
  %r = xor <4 x i32> %v, <i32 305419896, i32 22, i32 -33, i32 99>
  store <4 x i32> %r, ptr %p, align 4
  ret void
}
"""


@cache
def compile_ir(text: str, machine: str = "x86_64", opt_level: int = 2) -> bytes:
    """Object that LLVM makes of IR text, the way the code generator asks for it."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(f'target triple = "{TRIPLES[machine]}"\n{text}')
    module.verify()
    target = llvm.Target.from_triple(TRIPLES[machine])
    target_machine = target.create_target_machine(
        cpu=CPUS[machine], opt=opt_level, reloc="pic", codemodel="small", jit=False
    )
    options = llvm.create_pipeline_tuning_options(opt_level)
    builder = llvm.create_pass_builder(target_machine, options)
    builder.getModulePassManager().run(module, builder)
    data: bytes = target_machine.emit_object(module)
    return data


def objects(machine: str = "x86_64", opt_level: int = 2) -> list[bytes]:
    """The two objects of this file."""
    return [compile_ir(text, machine, opt_level) for text in (FIRST_IR, SECOND_IR)]


def compile_c(folder: Path, source: str, *options: str) -> bytes:
    """Object that the system's C compiler makes."""
    (folder / "source.c").write_text(source)
    run(
        find_tool("cc"), "-O1", "-c", "-fno-asynchronous-unwind-tables", "-fcf-protection=none", *options,
        folder / "source.c", "-o", folder / "source.o",
    )  # fmt: skip
    return (folder / "source.o").read_bytes()


def lay_out(read: Sequence[CodeObject], machine: str = "x86_64", segments: int = 1) -> Layout:
    """Lay out objects behind a contract that has the type digests and nothing else."""
    size_bytes = TIED_ARRAYS_OFFSET + len(TYPE_DIGESTS)
    placed = layout(read, machine=machine, contract_size_bytes=size_bytes, segments=segments)
    placed.write_contract(bytes(TIED_ARRAYS_OFFSET - ANCHOR.size_bytes) + TYPE_DIGESTS)
    return placed


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result


def link(
    path: Path,
    inputs: Sequence[bytes],
    *,
    machine: str = "x86_64",
    segments: int = 1,
    section: bytes = b"\x5a" * 5000,
    symbol_names: dict[str, str] | None = None,
) -> Layout:
    """Read, lay out and write objects."""
    read = [read_object(data) for data in inputs]
    placed = lay_out(read, machine, segments)
    built = assemble(placed, section=bytearray(section), runtime_abi=RUNTIME_ABI, symbol_names=symbol_names or {})
    built.write_build_id(BUILD_ID)
    path.write_bytes(b"".join(built.pieces))
    return placed


class Library:
    """A loaded artifact whose functions are called by symbol."""

    def __init__(self, path: Path, placed: Layout) -> None:
        self.dll = ctypes.CDLL(str(path))
        anchor = ctypes.addressof(ctypes.c_char.in_dll(self.dll, "wasmartifact_anchor"))
        self.base = anchor - placed.anchor_vaddr
        self.placed = placed

    def function(self, symbol: str, result: Any, *params: Any) -> Any:
        """The function under this symbol as a ctypes function."""
        offset, _ = self.placed.functions[symbol]
        return ctypes.CFUNCTYPE(result, *params)(self.base + self.placed.text_vaddr + offset)
