"""The worker process: compiles one group of functions after another until its standard input ends."""

from __future__ import annotations

import gc
import resource
import signal
from collections.abc import Callable
from typing import Any

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.process import encode_message, open_streams, read_message
from wasmartifact.errors import ToolchainError, WasmArtifactError
from wasmartifact.host.libllvm import find_libllvm
from wasmartifact.host.packages import require


def main(parent: int) -> None:
    """Answer requests: ("context", ModuleContext), ("functions", FunctionGroup, keep), ("text", IR text, keep).

    A context has no answer; that of the others is ("done", list of CompiledGroup) or ("failed", exception). For
    ``keep`` see ``llvm.emit_object``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the packer, which ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    compile_group, compile_text = _code_generator()
    requests, answers = open_streams(parent)
    context: Any = None
    # A group's instructions are many objects without cycles: looking for garbage among them took 2% of a pack.
    gc.freeze()
    gc.disable()
    while True:
        gc.collect()  # little is left between two requests
        try:
            kind, *arguments = read_message(requests)
        except EOFError:
            return
        try:
            if kind == "context":
                (context,) = arguments
                continue
            elif kind == "functions":
                result = compile_group(context, *arguments)
            else:
                result = compile_text(context.options, *arguments)
            answer: tuple[str, object] = ("done", result)
        except (WasmArtifactError, OSError) as error:  # OSError: what shall be kept can't be written
            answer = ("failed", error)
        except Exception as error:
            answer = (
                "failed",
                ToolchainError(f"code generation failed: {type(error).__name__}: {' '.join(str(error).split())}"),
            )
        answers.write(encode_message(answer))
        answers.flush()


def _code_generator() -> tuple[Callable[..., list[CompiledGroup]], Callable[..., list[CompiledGroup]]]:
    """`compile_group` and `compile_text`; where LLVM can't be imported, functions that say so.

    It is imported here, not when it is needed: a fork is ready after its imports (see ``process``).
    """
    try:
        if not find_libllvm():
            require("llvmlite.binding", "generating code")
    except ToolchainError as error:
        problem = error

        def fail(*_: object) -> list[CompiledGroup]:
            raise problem

        return fail, fail
    from wasmartifact.codegen.llvm import compile_group, compile_text

    return compile_group, compile_text
