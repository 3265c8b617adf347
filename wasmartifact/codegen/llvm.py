"""From IR text to a relocatable object with its address map, by one of two libraries that hold the same LLVM."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from wasmartifact.codegen.compiled import CompiledGroup, FunctionGroup, GroupFacts, joined
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.emit_group import emit_group
from wasmartifact.codegen.emitter import FULL_PIPELINE_LEVEL
from wasmartifact.codegen.lineprogram import read_address_map, read_address_maps
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.dataclass import replace
from wasmartifact.elf.object import LINE_PROGRAM_NAME, read_functions, read_object, section_bytes
from wasmartifact.errors import ToolchainError
from wasmartifact.host.libllvm import VARIABLE as LIBRARY_VARIABLE
from wasmartifact.host.libllvm import find_libllvm
from wasmartifact.host.packages import require

#: Environment variable that has LLVM verify what we generate, with 1: 1% of a pack for a check of ourselves, which the
#: tests and the fuzzers make. What is kept to be looked at is verified in any case.
VERIFY_VARIABLE: Final = "WASMARTIFACT_VERIFY_IR"
#: LLVM's switches for all code, of every level.
_SWITCHES: Final = (
    # Every function sets up its frame first. Else a leaf may do so on some ways only, and whoever walks frame pointers
    # from the others (our traps, perf, gdb) misses its caller.
    "-enable-shrink-wrap=false",
    # Else x86 makes a branch of a conditional move from memory, and skips its load, volatile or not: a trap is lost.
    "-x86-cmov-converter-force-mem-operand=false",
    # We describe no variables, and following none of them this way costs less: 5% of a pack at level 2.
    "-experimental-debug-variable-locations=false",
    # A function with a variable is too much for the pass that follows them: see ``FunctionEmitter._nothing_to_follow``.
    "-livedebugvalues-input-bb-limit=0",
    "-livedebugvalues-input-dbg-value-limit=0",
    # Else the parser verifies what `emit_object` verifies anyway, and ends the process where it finds something.
    "-disable-auto-upgrade-debug-info",
    # An interpreter's dispatch block takes up to 1.49 times as long where it straddles lines of the cache by bad luck.
    "-x86-experimental-pref-innermost-loop-alignment=6",
    # CodeGenPrepare looks again at the blocks that it changed, not at all of the function: same code, 4% less time.
    "-cgpp-huge-func=0",
    # Passes and parts of the back end without which our code is as fast, and a pack takes 5% less.
    "-disable-phi-elim-edge-splitting",
    "-disable-copyprop",
    "-disable-machine-sink",
    "-disable-machine-dce",
    # It takes constants out of the instructions that could hold them: without it, code is 1.6% smaller.
    "-disable-constant-hoisting",
    # Level 3 by the C API would look for vectors in straight code, whatever its options say; by llvmlite it does not.
    "-vectorize-slp=false",
)
#: Passes by level. WebAssembly comes optimised, and the back end combines instructions once more. So level 2 has few:
#: no instcombine, which makes some kernels faster, others slower, and packing a twentieth longer. By their names for
#: ``opt -passes=``; indvars makes one of a loop's counters and addresses, and widens what can't wrap around. The
#: only pass over a whole module is the one that puts copies of small bodies in place of calls (see ``recursion``).
_PASSES: Final = {
    1: ("function(sroa<preserve-cfg>)",),
    2: (
        "always-inline",
        *("function(sroa<preserve-cfg>)", "function(simplifycfg)", "function(sccp)"),
        *("function(loop(indvars))", "function(loop-unroll)"),
    ),
}


def compile_group(context: ModuleContext, group: FunctionGroup, keep: str | None = None) -> list[CompiledGroup]:
    """Compile a group of functions in this process; ``keep`` as for `emit_object`.

    Levels that split groups give an object for each function, whose code is the same whatever else was in the group.

    Raises
    ------
    MalformedModule, UnsupportedModule
        As ``emit_group``.
    ToolchainError
        LLVM rejects what we emitted, or emits what we can't lay out.
    """
    text, facts = emit_group(context, group)
    data = emit_object(context.options, text, keep)
    if context.options.splits_groups:
        return _apart(data, facts)
    return [CompiledGroup(read_object(data), read_address_map(section_bytes(data, LINE_PROGRAM_NAME)), joined(facts))]


def _apart(data: bytes, facts: list[GroupFacts]) -> list[CompiledGroup]:
    """A group's object as an object for each function."""
    functions, line_program = read_functions(data)
    maps = read_address_maps(line_program, [start for start, _ in functions])
    return [CompiledGroup(code, rows, some) for (_, code), rows, some in zip(functions, maps, facts, strict=True)]


def compile_text(options: CodegenOptions, text: str, keep: str | None = None) -> list[CompiledGroup]:
    """Compile an LLVM module given as text, in a context of its own; ``keep`` as for `emit_object`."""
    data = emit_object(options, text, keep)
    return [CompiledGroup(read_object(data), read_address_map(section_bytes(data, LINE_PROGRAM_NAME)), GroupFacts())]


def emit_object(options: CodegenOptions, text: str, keep: str | None = None) -> bytes:
    """Optimise and emit an LLVM module as the bytes of a relocatable object.

    Parameters
    ----------
    keep : str | None
        Path without a suffix: the IR as it was generated, the assembly and the object are written to .ll, .s and .o.
    """
    if keep is not None:
        Path(f"{keep}.ll").write_text(text, encoding="utf-8")  # first: it is wanted most where LLVM does not survive it
    level = options.opt_level
    verify = keep is not None or os.environ.get(VERIFY_VARIABLE) == "1"
    passes = _PASSES.get(level, ())
    if options.libllvm and not os.path.exists(options.libllvm):
        options = replace(options, libllvm=_library_of_this_machine())
    if options.libllvm:
        require("ctypes", "calling LLVM")  # whose absence, or want of memory, has its words
        from wasmartifact.codegen import libllvm  # one of the two is enough for a process

        pipeline = f"default<O{level}>" if level >= FULL_PIPELINE_LEVEL else ",".join(passes)
        data = libllvm.emit(options, _SWITCHES, pipeline, text, keep, verify=verify)
    else:
        require("llvmlite.binding", "generating code")
        from wasmartifact.codegen import llvmlite_backend

        data = llvmlite_backend.emit(options, _SWITCHES, passes, text, keep, verify=verify)
    if keep is not None:
        Path(f"{keep}.o").write_bytes(data)
    return data


def _library_of_this_machine() -> str:
    """Where a worker of another machine than the packer's has the library. Raises ToolchainError where it has none."""
    path = find_libllvm()
    if not path:
        raise ToolchainError(
            "this worker has no LLVM library of its own, and the machine that packs has: the code of llvmlite would "
            f"differ; pip install 'wasmartifact[llvm]' for the workers, or set {LIBRARY_VARIABLE}=0 where you pack"
        )
    return path
