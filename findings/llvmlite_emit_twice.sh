#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0, x86-64): who emits one module for two CPUs gets worse code for the second than from a
# fresh module.
# Guess: emit_object and emit_assembly read the module; what a target machine makes of it depends on module and machine
# alone.
# Seen: code generation begins with passes that rewrite the IR of the very module that it was given, for the machine at
# hand. The first has no masked load, so that one becomes a chain of branches, in `str(module)` too; the second has the
# instruction, and never sees the load. An object for each level of the CPU needs a module parsed for each; and a text
# that is kept for looking at must be taken before.
. "$(dirname "$0")/lib/scratch.sh"
install llvmlite==0.50.0
cat > look.py << 'PY'
import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
IR = """
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr, i32, <8 x i1>, <8 x float>)
define <8 x float> @f(ptr %p, <8 x float> %x) {
  %mask = fcmp ogt <8 x float> %x, zeroinitializer
  %read = call <8 x float> @llvm.masked.load.v8f32.p0(ptr %p, i32 4, <8 x i1> %mask, <8 x float> %x)
  ret <8 x float> %read
}"""
plain, avx2 = (
    target.create_target_machine(cpu="x86-64", features=features, codemodel="default", opt=2)
    for features in ("", "+avx2")
)


def look(name, module):
    print(f"{name}: {avx2.emit_assembly(module).count('vmaskmovps')} masked moves")


def blocks(module):
    return len(list(module.get_function("f").blocks))


look("AVX2", llvm.parse_assembly(IR))
module = llvm.parse_assembly(IR)
before = blocks(module)
plain.emit_object(module)
print(f"blocks before and after an object without AVX2: {before}, {blocks(module)}")
look("AVX2 after that", module)
PY
python look.py > seen
expect << 'SEEN'
AVX2: 1 masked moves
blocks before and after an object without AVX2: 1, 17
AVX2 after that: 0 masked moves
SEEN
