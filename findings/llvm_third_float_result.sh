#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0, x86-64): of three floats that a function returns as a struct, the first two keep the bits of a
# signalling NaN, the third comes out quiet.
# Guess: SSE registers for all of them, as for parameters; bits pass through.
# Seen: from the third on, results travel in x87 registers, and loading a signalling NaN there makes it quiet. A compiler of a
# language that promises NaN bits must return such values as integers.
. "$(dirname "$0")/lib/scratch.sh"
[ "$(uname -m)" = x86_64 ] || { echo "x86-64 only" >&2; exit 2; }
install llvmlite==0.50.0
cat > look.py << 'PY'
import ctypes

import llvmlite.binding as llvm

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
TRIPLE = "{ float, float, float }"
IR = f"""
define {TRIPLE} @three(i32 %bits) noinline {{
  %x = bitcast i32 %bits to float
  %a = insertvalue {TRIPLE} undef, float %x, 0
  %b = insertvalue {TRIPLE} %a, float %x, 1
  %c = insertvalue {TRIPLE} %b, float %x, 2
  ret {TRIPLE} %c
}}
define void @ask(i32 %bits, ptr %place) {{
  %r = call {TRIPLE} @three(i32 %bits)
  store {TRIPLE} %r, ptr %place
  ret void
}}"""
machine = llvm.Target.from_default_triple().create_target_machine()
engine = llvm.create_mcjit_compiler(llvm.parse_assembly(IR), machine)
engine.finalize_object()
place = (ctypes.c_uint32 * 3)()
ask = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p)(engine.get_function_address("ask"))
ask(0x7FA00000, ctypes.addressof(place))
print(*map(hex, place))
PY
python look.py > seen
expect << 'SEEN'
0x7fa00000 0x7fa00000 0x7fe00000
SEEN
