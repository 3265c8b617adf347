"""From IR text to a relocatable object by the LLVM that llvmlite holds: for every machine, and with assertions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm

from wasmartifact.codegen.emitter import FULL_PIPELINE_LEVEL
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.errors import ToolchainError

#: llvmlite's functions for passes by LLVM's names; None where it has none: its code is slower for that.
_PASSES: Final = {
    "always-inline": "add_always_inliner_pass",
    "function(sroa<preserve-cfg>)": "add_sroa_pass",
    "function(simplifycfg)": "add_simplify_cfg_pass",
    "function(sccp)": "add_sccp_pass",
    "function(loop(indvars))": None,
    "function(loop-unroll)": "add_loop_unroll_pass",
}


def emit(
    options: CodegenOptions,
    switches: tuple[str, ...],
    passes: tuple[str, ...],
    text: str,
    keep: str | None,
    *,
    verify: bool,
) -> bytes:
    """Optimise and emit an LLVM module: see `llvm.emit_object`.

    Parameters
    ----------
    switches : tuple[str, ...]
        LLVM's command line, which is set once for the process.
    passes : tuple[str, ...]
        By LLVM's names. At level 3, all that it has.
    verify : bool
        Whether LLVM looks for faults in what it has parsed, first.

    Raises
    ------
    ToolchainError
        LLVM rejects the text.
    """
    is_reusable = _is_reusable(options)
    _initialize(switches)
    machine = _reused_machine(options) if is_reusable else _target_machine(options)
    llvm_context = llvm.create_context()
    try:
        with llvm.parse_assembly(text, llvm_context) as module:
            if verify:
                module.verify()
            if options.opt_level > 0:
                _optimise(options.opt_level, passes, module, machine)
            if keep is not None:
                with module.clone() as copy:  # emission changes what it emits
                    Path(f"{keep}.s").write_text(machine.emit_assembly(copy), encoding="utf-8")
            return bytes(machine.emit_object(module))
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
def _initialize(switches: tuple[str, ...]) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    for switch in switches:
        llvm.set_option("wasmartifact", switch)


@lru_cache(maxsize=4)
def _reused_machine(options: CodegenOptions) -> Any:
    return _target_machine(options)


def _target_machine(options: CodegenOptions) -> Any:
    target = options.target
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.llvm_cpu,
        features=target.llvm_features,
        opt=options.opt_level,
        reloc="pic",
        codemodel="small",
        jit=False,
    )


def _optimise(opt_level: int, passes: tuple[str, ...], module: Any, machine: Any) -> None:
    """Run the passes of a level above 0."""
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=opt_level))
    if opt_level >= FULL_PIPELINE_LEVEL:
        manager = builder.getModulePassManager()
    else:
        manager = llvm.create_new_module_pass_manager()
        for function in filter(None, map(_PASSES.__getitem__, passes)):
            getattr(manager, function)()
    manager.run(module, builder)
