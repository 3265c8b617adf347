"""Asks LLVM about CPUs, in a process of its own: LLVM ends the process that names a CPU which it doesn't know."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from wasmartifact.codegen.process import ChildProcess, WorkerDied, encode_message, open_streams, read_message
from wasmartifact.errors import ToolchainError
from wasmartifact.host.packages import check_installed, require

#: What LLVM prints to stderr, before it goes on or aborts, about a CPU that it doesn't know, or that lacks 64 bits.
UNKNOWN = ("is not a recognized processor", "64-bit code requested")


def ask(*question: str) -> Any:
    """Answer of ``main`` to a question: (CPU name, features); None where LLVM doesn't know the CPU.

    Raises
    ------
    ToolchainError
        LLVM is not installed, or its process failed.
    """
    check_installed("llvmlite", otherwise=", or leave out cpu=, which only LLVM knows names for")
    child = ChildProcess("wasmartifact.codegen.probe")
    try:
        child.send(encode_message(question))
        answer, problem = child.receive(), None
    except WorkerDied as death:
        answer, problem = None, death
    finally:
        printed = "\n".join(child.stderr_lines())
        child.close()
    if any(words in printed for words in UNKNOWN):
        return None
    if problem is not None:
        raise ToolchainError(f"asking LLVM about the CPU failed: {problem}")
    return answer


def main(parent: int) -> None:
    """Answer one question: ("host",) or ("cpu", triple, CPU, *features)."""
    with suppress(ToolchainError):  # a fork's imports come before it is ready; what fails is told with the answer
        require("llvmlite.binding", "asking LLVM about the CPU")
    requests, answers = open_streams(parent)
    what, *arguments = read_message(requests)
    if what == "host":
        answer = host_cpu()
    else:
        triple, cpu, *features = arguments
        answer = cpu, cpu_features(triple, cpu, features)
    answers.write(encode_message(answer))
    answers.flush()


def host_cpu() -> tuple[str, list[str]]:
    """LLVM's name and features of this process's CPU."""
    llvm = require("llvmlite.binding", "generating code")

    return llvm.get_host_cpu_name(), sorted(name for name, on in llvm.get_host_cpu_features().items() if on)


def cpu_features(triple: str, cpu: str, features: list[str]) -> list[str]:
    """Those of ``features`` that a CPU has.

    LLVM has no interface that tells. But its inliner takes a function into a caller only where the caller has all
    features of the function: call one function for each feature, with that feature on, and see which calls are gone.
    """
    llvm = require("llvmlite.binding", "generating code")

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    lines = [f'target triple = "{triple}"', f'attributes #1000 = {{ "target-cpu"="{cpu}" }}']
    for index, feature in enumerate(features):
        lines += [
            f"define internal i32 @callee{index}(i32 %x) #{index} {{ %y = add i32 %x, 1 ret i32 %y }}",
            f"define i32 @{feature}(i32 %x) #1000 {{ %y = call i32 @callee{index}(i32 %x) ret i32 %y }}",
            f'attributes #{index} = {{ "target-cpu"="{cpu}" "target-features"="+{feature}" }}',
        ]
    machine = llvm.Target.from_triple(triple).create_target_machine(codemodel="small", reloc="pic", jit=False)
    module = llvm.parse_assembly("\n".join(lines))
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    bodies = {
        function.name: {op.opcode for block in function.blocks for op in block.instructions}
        for function in module.functions
    }
    return [feature for feature in features if "call" not in bodies[feature]]
