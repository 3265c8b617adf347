"""What a valid module needs and this version does not compile: named, before anything is compiled.

What can't be decoded is shown to ``wasm-tools``, which knows more proposals: where it takes the module with all of them
and refuses it without one, the module is not broken, it needs that one. What can be decoded and is invalid needs no
second opinion: each proposal has encodings of its own.
"""

from __future__ import annotations

from typing import Final

from wasmartifact.errors import InvalidModule, MalformedModule, ToolchainError, UnsupportedModule, WasmArtifactError
from wasmartifact.wasm.validate import FOREIGN_PROPOSALS, message_offset, parses, wasm_tools_problem

#: What wasm-tools can be asked with and without.
_PROPOSALS: Final = FOREIGN_PROPOSALS
#: Features of the decoder's errors of which wasm-tools can say whether the module is valid with them.
_JUDGED: Final = frozenset(_PROPOSALS)


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
