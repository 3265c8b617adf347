"""From IR text to a relocatable object with its address map: the only file that runs LLVM's passes and back end."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.emit import FULL_PIPELINE_LEVEL
from wasmartifact.codegen.group import FunctionGroup, GroupFacts, emit_group
from wasmartifact.codegen.lineprogram import read_address_map
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.elf.object import read_object, section_bytes
from wasmartifact.errors import ToolchainError


def compile_group(context: ModuleContext, group: FunctionGroup) -> CompiledGroup:
    """Compile a group of functions in this process.

    Raises
    ------
    MalformedModule, UnsupportedModule
        As ``emit_group``.
    ToolchainError
        LLVM rejects what we emitted, or emits what we can't lay out.
    """
    text, facts = emit_group(context, group)
    return compile_text(context.options, text, facts)


def compile_text(options: CodegenOptions, text: str, facts: GroupFacts | None = None) -> CompiledGroup:
    """Compile an LLVM module given as text, in a context of its own."""
    facts = facts or GroupFacts()
    data = emit_object(options, text)
    return CompiledGroup(read_object(data), read_address_map(section_bytes(data, ".debug_line")), facts)


def emit_object(options: CodegenOptions, text: str) -> bytes:
    """Optimise and emit an LLVM module as the bytes of a relocatable object."""
    machine = _target_machine(options)
    llvm_context = llvm.create_context()
    try:
        with llvm.parse_assembly(text, llvm_context) as module:
            module.verify()
            _optimise(options.opt_level, module, machine)
            return bytes(machine.emit_object(module))
    except RuntimeError as error:
        raise ToolchainError(f"LLVM rejected the code that was generated: {error}") from error
    finally:
        llvm_context.close()


@lru_cache(maxsize=1)
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@lru_cache(maxsize=4)
def _target_machine(options: CodegenOptions) -> Any:
    _initialize()
    target = options.target
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.llvm_cpu,
        features=target.llvm_features,
        opt=2 if options.opt_level == 1 else options.opt_level,
        reloc="pic",
        codemodel="small",
        jit=False,
    )


def _optimise(opt_level: int, module: Any, machine: Any) -> None:
    """Run the passes of a level. WebAssembly comes optimised: more than the short list costs time and gains little."""
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=opt_level))
    if opt_level >= FULL_PIPELINE_LEVEL:
        builder.getModulePassManager().run(module, builder)
        return
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    if opt_level:
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
