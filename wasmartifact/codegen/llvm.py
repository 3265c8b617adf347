"""From IR text to a relocatable object with its address map: the only file that runs LLVM's passes and back end."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from wasmartifact.codegen.compiled import CompiledGroup, FunctionGroup, GroupFacts, joined
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.emit_group import emit_group
from wasmartifact.codegen.emitter import FULL_PIPELINE_LEVEL
from wasmartifact.codegen.lineprogram import read_address_map, read_address_maps
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.elf.object import read_functions, read_object, section_bytes
from wasmartifact.errors import ToolchainError


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
    return [CompiledGroup(read_object(data), read_address_map(section_bytes(data, ".debug_line")), joined(facts))]


def _apart(data: bytes, facts: list[GroupFacts]) -> list[CompiledGroup]:
    """A group's object as an object for each function."""
    functions = read_functions(data)
    starts = [start for start, _ in functions]
    maps = read_address_maps(section_bytes(data, ".debug_line"), starts)
    return [CompiledGroup(code, rows, some) for (_, code), rows, some in zip(functions, maps, facts, strict=True)]


def compile_text(options: CodegenOptions, text: str, keep: str | None = None) -> list[CompiledGroup]:
    """Compile an LLVM module given as text, in a context of its own; ``keep`` as for `emit_object`."""
    data = emit_object(options, text, keep)
    return [CompiledGroup(read_object(data), read_address_map(section_bytes(data, ".debug_line")), GroupFacts())]


def emit_object(options: CodegenOptions, text: str, keep: str | None = None) -> bytes:
    """Optimise and emit an LLVM module as the bytes of a relocatable object.

    Parameters
    ----------
    keep : str | None
        Path without a suffix: the IR as it was generated, the assembly and the object are written to .ll, .s and .o.
    """
    if keep is not None:
        Path(f"{keep}.ll").write_text(text, encoding="utf-8")  # first: it is wanted most where LLVM does not survive it
    is_reusable = _is_reusable(options)
    machine = _reused_machine(options) if is_reusable else _target_machine(options)
    llvm_context = llvm.create_context()
    try:
        with llvm.parse_assembly(text, llvm_context) as module:
            if options.opt_level > 0:  # level 0 is for packing fast, and what is emitted differs little by level
                module.verify()
                _optimise(options.opt_level, module, machine)
            if keep is not None:
                with module.clone() as copy:  # emission changes what it emits
                    Path(f"{keep}.s").write_text(machine.emit_assembly(copy), encoding="utf-8")
            data = bytes(machine.emit_object(module))
            if keep is not None:
                Path(f"{keep}.o").write_bytes(data)
            return data
    except RuntimeError as error:
        raise ToolchainError(f"LLVM rejected the code that was generated: {error}") from error
    finally:
        if not is_reusable:
            machine.close()
        llvm_context.close()


def _is_reusable(options: CodegenOptions) -> bool:
    """Whether one target machine may see several contexts.

    At level 0 LLVM selects aarch64's instructions by GlobalISel. Its selector lives in the target machine and keeps the
    location of the last instruction, which goes with the context: the next module then made LLVM run for ever.
    """
    return options.opt_level > 0 or options.target.machine != "aarch64"


@lru_cache(maxsize=1)
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    # Every function sets up its frame first. Else a leaf may do so on some ways only, and whoever walks frame pointers
    # from the others (our traps, perf, gdb) misses its caller.
    llvm.set_option("wasmartifact", "-enable-shrink-wrap=false")
    # Else x86 makes a branch of a conditional move from memory, and skips its load, volatile or not: a trap is lost.
    llvm.set_option("wasmartifact", "-x86-cmov-converter-force-mem-operand=false")
    # We describe no variables, and following none of them this way costs less: 5% of a pack at level 2.
    llvm.set_option("wasmartifact", "-experimental-debug-variable-locations=false")
    # A function with a variable is too much for the pass that follows them: see ``FunctionEmitter._nothing_to_follow``.
    llvm.set_option("wasmartifact", "-livedebugvalues-input-bb-limit=0")
    llvm.set_option("wasmartifact", "-livedebugvalues-input-dbg-value-limit=0")
    # Else the parser verifies what `emit_object` verifies anyway, and ends the process where it finds something.
    llvm.set_option("wasmartifact", "-disable-auto-upgrade-debug-info")
    # An interpreter's dispatch block takes up to 1.49 times as long where it straddles lines of the cache by bad luck.
    llvm.set_option("wasmartifact", "-x86-experimental-pref-innermost-loop-alignment=6")
    # CodeGenPrepare looks again at the blocks that it changed, not at all of the function: same code, 4% less time.
    llvm.set_option("wasmartifact", "-cgpp-huge-func=0")
    # It takes constants out of the instructions that could hold them: without it, code is 1.6% smaller.
    llvm.set_option("wasmartifact", "-disable-constant-hoisting")


@lru_cache(maxsize=4)
def _reused_machine(options: CodegenOptions) -> Any:
    return _target_machine(options)


def _target_machine(options: CodegenOptions) -> Any:
    _initialize()
    target = options.target
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.llvm_cpu,
        features=target.llvm_features,
        opt=options.opt_level,
        reloc="pic",
        codemodel="small",
        jit=False,
    )


def _optimise(opt_level: int, module: Any, machine: Any) -> None:
    """Run the passes of a level above 0. WebAssembly comes optimised, and the back end combines instructions once more.

    So level 2 has few: no instcombine, which makes some kernels faster, others slower, and packing a twentieth longer.
    """
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=opt_level))
    if opt_level >= FULL_PIPELINE_LEVEL:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        if opt_level > 1:
            passes.add_simplify_cfg_pass()
            passes.add_sccp_pass()
            passes.add_loop_unroll_pass()
    passes.run(module, builder)
