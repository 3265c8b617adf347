#!/usr/bin/env bash
# LLVM 22.1.8 (karellen-llvm-core): LLVMPassBuilderOptionsSetSLPVectorization(options, 0) changes nothing of LLVMRunPasses with default<O3>.
# Guess: options that are given to the very call hold for it.
# Seen: whoever parses "default<O3>" sets the vectorizers by the level, over the options. The switch -vectorize-slp=false holds. llvmlite,
# which builds the pipeline without text, looks for no such vectors: the same IR, level and LLVM give other code by the two ways.
. "$(dirname "$0")/lib/scratch.sh"
install karellen-llvm-core==22.1.8
python -c pass # makes links that the library needs
cat > stores.py << 'PY'
import ctypes
import sys
from ctypes import byref, c_char_p, c_int, c_void_p

TEXT = b"""
target triple = "x86_64-unknown-linux-gnu"
define void @f(ptr %p, ptr %q) {
  %p1 = getelementptr i8, ptr %p, i64 8
  %q1 = getelementptr i8, ptr %q, i64 8
  %a = load i64, ptr %p
  %b = load i64, ptr %p1
  store i64 %a, ptr %q
  store i64 %b, ptr %q1
  ret void
}
"""
llvm = ctypes.CDLL(sys.argv[1])
for name in ("LLVMContextCreate", "LLVMCreateMemoryBufferWithMemoryRangeCopy", "LLVMCreatePassBuilderOptions", "LLVMCreateTargetMachine", "LLVMPrintModuleToString"):
    getattr(llvm, name).restype = c_void_p
for part in ("TargetInfo", "Target", "TargetMC"):
    getattr(llvm, "LLVMInitializeX86" + part)()
words = [b"stores", *map(str.encode, sys.argv[3:])]
llvm.LLVMParseCommandLineOptions(len(words), (c_char_p * len(words))(*words), None)
module, target, message = c_void_p(), c_void_p(), c_void_p()
buffer = c_void_p(llvm.LLVMCreateMemoryBufferWithMemoryRangeCopy(TEXT, ctypes.c_size_t(len(TEXT)), b"text"))
assert not llvm.LLVMParseIRInContext(c_void_p(llvm.LLVMContextCreate()), buffer, byref(module), byref(message))
triple = b"x86_64-unknown-linux-gnu"
assert not llvm.LLVMGetTargetFromTriple(triple, byref(target), byref(message))
machine = c_void_p(llvm.LLVMCreateTargetMachine(target, triple, b"x86-64", b"", c_int(3), c_int(2), c_int(3)))
options = c_void_p(llvm.LLVMCreatePassBuilderOptions())
llvm.LLVMPassBuilderOptionsSetSLPVectorization(options, int(sys.argv[2]))
assert not llvm.LLVMRunPasses(module, b"default<O3>", machine, options)
text = ctypes.string_at(llvm.LLVMPrintModuleToString(module))
print(*sys.argv[2:], "vectors" if b"<2 x i64>" in text else "no vectors")
PY
for arguments in 1 0 "1 -vectorize-slp=false"; do
    # shellcheck disable=SC2086
    python stores.py "$scratch/venv/lib/libLLVM.so.22.1" $arguments >> seen
done
expect << 'SEEN'
1 vectors
0 vectors
1 -vectorize-slp=false no vectors
SEEN
