"""What a valid module needs and this version does not compile: found, and named, before anything is compiled.

Instructions that code generation lacks are looked for in the bodies. What can't be decoded is shown to ``wasm-tools``,
which knows more proposals: where it takes the module with all of them and refuses it without one, the module is not
broken, it needs that one. What can be decoded and is invalid needs no second opinion: each proposal has encodings of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wasmartifact.errors import InvalidModule, MalformedModule, ToolchainError, UnsupportedModule, WasmArtifactError
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.decode import decode_instructions, decode_locals
from wasmartifact.wasm.features import const_exprs
from wasmartifact.wasm.model import Instruction, Module
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME, OPCODES
from wasmartifact.wasm.validate import FOREIGN_PROPOSALS, message_offset, parses, wasm_tools_problem

#: Instructions that the table of opcodes knows and code generation does not.
UNCOMPILED: Final = frozenset(code for code, opcode in OPCODES.items() if opcode.feature == "gc")
#: What wasm-tools can be asked with and without.
_PROPOSALS: Final = ("gc", "threads", *FOREIGN_PROPOSALS)
#: Features of the decoder's errors of which wasm-tools can say whether the module is valid with them.
_JUDGED: Final = frozenset(_PROPOSALS)
_ENDERS: Final = frozenset(
    OPCODE_BY_NAME[name].code
    for name in (
        "unreachable", "br", "br_table", "return", "return_call", "return_call_indirect", "return_call_ref", "throw",
        "rethrow", "throw_ref",
    )
)  # fmt: skip


def _codes(*immediates: int) -> frozenset[int]:
    return frozenset(code for code, opcode in OPCODES.items() if opcode.immediate in immediates)


_OPENERS: Final = _codes(opcodes.BLOCK, opcodes.TRY_TABLE)
_ARMS: Final = _codes(opcodes.ELSE, opcodes.CATCH)
_CLOSERS: Final = _codes(opcodes.END, opcodes.DELEGATE)


def refuse_uncompiled(module: Module, features: frozenset[str]) -> None:
    """Find what code generation would stop at, in the functions and constant expressions of a validated module.

    Parameters
    ----------
    module : Module
        A valid module.
    features : frozenset[str]
        What ``validate`` told of it.

    Raises
    ------
    UnsupportedModule
        A reachable instruction is not compiled: ``feature``, ``wasm_offset`` and ``func_index`` (None outside of
        functions) say which and where.
    """
    for expression in const_exprs(module):
        found = _first_live(expression.instructions)
        if found is not None:
            raise _uncompiled(module, None, found)
    for position in range(len(module.codes)) if "gc" in features else ():
        code = module.codes[position]
        _, first = decode_locals(module.data, code.start, code.end)
        found = _first_live(decode_instructions(module.data, first, code.end))
        if found is not None:
            raise _uncompiled(module, module.imported_functions + position, found)


def _first_live(instructions: Iterable[Instruction]) -> Instruction | None:
    """The first that is not compiled; behind a branch within its block it does no harm."""
    depth = 0
    dead_depth: int | None = None
    for instruction in instructions:
        opcode = instruction[1]
        if opcode in _OPENERS:
            depth += 1
        elif opcode in _CLOSERS:
            depth -= 1
            if dead_depth is not None and depth < dead_depth:
                dead_depth = None
        elif opcode in _ARMS:
            if dead_depth == depth:
                dead_depth = None
        elif dead_depth is None:
            if opcode in UNCOMPILED:
                return instruction
            if opcode in _ENDERS:
                dead_depth = depth
    return None


def _uncompiled(module: Module, func_index: int | None, instruction: Instruction) -> UnsupportedModule:
    wasm_offset, opcode, _ = instruction
    place = "a constant expression"
    if func_index is not None:
        name = module.function_names.get(func_index)
        place = f"function {func_index}" + (f" ({name})" if name else "")
    entry = OPCODES[opcode]
    return UnsupportedModule(
        f"{place} uses {entry.name} at wasm offset {wasm_offset:#x} (feature {entry.feature}), which this version does "
        "not compile; build the module without it",
        feature=entry.feature,
        wasm_offset=wasm_offset,
        func_index=func_index,
    )


def judge(data: bytes, problem: WasmArtifactError) -> WasmArtifactError:
    """What to say of a module that was refused: it is broken, or it needs a feature that this version lacks.

    Parameters
    ----------
    data : bytes
        The binary module.
    problem : MalformedModule | UnsupportedModule
        Why it was refused.

    Returns
    -------
    WasmArtifactError
        The same, or in place of it: an UnsupportedModule where the module is valid with a proposal; a MalformedModule
        or InvalidModule where it is not, though it uses a feature that is not compiled. The same, too, where there is
        no wasm-tools to ask.
    """
    is_unsupported = isinstance(problem, UnsupportedModule)
    feature = getattr(problem, "feature", None)
    if is_unsupported and feature not in _JUDGED:
        return problem
    try:
        verdict = wasm_tools_problem(data)
        if is_unsupported:
            return problem if verdict is None else _broken(data, verdict)
        return problem if verdict is not None else _missing_proposal(data) or problem
    except ToolchainError:
        return problem


def _broken(data: bytes, verdict: str) -> WasmArtifactError:
    """The error for a module that wasm-tools refuses with all that it knows."""
    words, wasm_offset = message_offset(verdict)
    place = "" if wasm_offset is None else f"byte {wasm_offset:#x}: "
    if parses(data):
        message = f"invalid WebAssembly module: {place}{words}"
        return InvalidModule(message, wasm_offset=wasm_offset, func_index=None)
    return MalformedModule(f"malformed WebAssembly module: {place}{words}", wasm_offset=wasm_offset)


def _missing_proposal(data: bytes) -> UnsupportedModule | None:
    """The error for a module that wasm-tools takes, if there is a proposal that it does not take it without."""
    for proposal in _PROPOSALS:
        problem = wasm_tools_problem(data, f"all,-{proposal}")
        if problem is not None:
            words, wasm_offset = message_offset(problem)
            place = "" if wasm_offset is None else f" (byte {wasm_offset:#x}: {words})"
            return UnsupportedModule(
                f"the module needs the proposal {proposal}{place}, which this version does not compile; build it "
                "without that",
                feature=proposal,
                wasm_offset=wasm_offset,
                func_index=None,
            )
    return None
