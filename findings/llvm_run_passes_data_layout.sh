#!/usr/bin/env bash
# LLVM 22.1.8 (karellen-llvm-core): LLVMRunPasses takes a target machine, and passes know nothing of the machine's data layout by it.
# Guess: a module that names its triple, optimised with a target machine of that triple, is optimised for that machine's integers.
# Seen: only `target datalayout` in the module tells which integers fit a register; without it indvars leaves a loop's index in 32 bits, to be
# widened in each round, where it proves for itself that the index can't wrap around. LLVMTargetMachineEmitToMemoryBuffer, given the same two,
# sets the layout of the machine by itself, so that the code is right and slow, and the verifier is content.
. "$(dirname "$0")/lib/scratch.sh"
install karellen-llvm-core==22.1.8
python -c pass # makes links that the library needs
cat > loop.py << 'PY'
import ctypes
import sys
from ctypes import byref, c_int, c_size_t, c_void_p

TRIPLE = b"x86_64-unknown-linux-gnu"
LOOP = b"""
define void @zero(ptr %array) {
entry:
  br label %again
again:
  %i = phi i32 [ 0, %entry ], [ %next, %again ]
  %wide = zext i32 %i to i64
  %item = getelementptr i32, ptr %array, i64 %wide
  store i32 0, ptr %item
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, 100
  br i1 %more, label %again, label %done
done:
  ret void
}
"""
llvm = ctypes.CDLL(sys.argv[1])
for name in ("ContextCreate", "CreateMemoryBufferWithMemoryRangeCopy", "CreatePassBuilderOptions", "CreateTargetDataLayout", "CreateTargetMachine",
             "CopyStringRepOfTargetData", "PrintModuleToString"):
    getattr(llvm, "LLVM" + name).restype = c_void_p
for part in ("TargetInfo", "Target", "TargetMC"):
    getattr(llvm, "LLVMInitializeX86" + part)()
target, message = c_void_p(), c_void_p()
assert not llvm.LLVMGetTargetFromTriple(TRIPLE, byref(target), byref(message))
machine = c_void_p(llvm.LLVMCreateTargetMachine(target, TRIPLE, b"x86-64", b"", c_int(2), c_int(2), c_int(3)))
layout = ctypes.string_at(llvm.LLVMCopyStringRepOfTargetData(c_void_p(llvm.LLVMCreateTargetDataLayout(machine))))
for line in (b"", b'target datalayout = "%s"\n' % layout):
    text = b'target triple = "%s"\n' % TRIPLE + line + LOOP
    module = c_void_p()
    buffer = c_void_p(llvm.LLVMCreateMemoryBufferWithMemoryRangeCopy(text, c_size_t(len(text)), b"text"))
    assert not llvm.LLVMParseIRInContext(c_void_p(llvm.LLVMContextCreate()), buffer, byref(module), byref(message))
    assert not llvm.LLVMRunPasses(module, b"function(loop(indvars))", machine, c_void_p(llvm.LLVMCreatePassBuilderOptions()))
    result = ctypes.string_at(llvm.LLVMPrintModuleToString(module))
    print("with the layout:" if line else "without:", "an index of 64 bits" if b"phi i64" in result else "an index of 32 bits")
PY
python loop.py "$scratch/venv/lib/libLLVM.so.22.1" >> seen
expect << 'SEEN'
without: an index of 32 bits
with the layout: an index of 64 bits
SEEN
