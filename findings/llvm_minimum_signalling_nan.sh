#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0, x86-64): llvm.minimum returns a signalling NaN operand as it is.
# Guess: it is IEEE 754-2019's minimum, which like every arithmetic operation delivers a quiet NaN, so f64.min of WebAssembly
# maps to it one to one.
# Seen: without any optimisation the signalling bits come through, whichever operand has them.
. "$(dirname "$0")/lib/scratch.sh"
[ "$(uname -m)" = x86_64 ] || { echo "x86-64 only" >&2; exit 2; }
install llvmlite==0.50.0
cat > look.py << 'PY'
import ctypes
import struct

import llvmlite.binding as llvm

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
IR = """
declare double @llvm.minimum.f64(double, double)
define i64 @ask(i64 %a, i64 %b) {
  %x = bitcast i64 %a to double
  %y = bitcast i64 %b to double
  %least = call double @llvm.minimum.f64(double %x, double %y)
  %bits = bitcast double %least to i64
  ret i64 %bits
}"""
machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
engine = llvm.create_mcjit_compiler(llvm.parse_assembly(IR), machine)
engine.finalize_object()
ask = ctypes.CFUNCTYPE(*[ctypes.c_uint64] * 3)(engine.get_function_address("ask"))
(one,) = struct.unpack("<Q", struct.pack("<d", 1.0))
signalling = 0x7FF4000000000000
print(hex(ask(signalling, one)), hex(ask(one, signalling)))
PY
python look.py > seen
expect << 'SEEN'
0x7ff4000000000000 0x7ff4000000000000
SEEN
