"""Validation (spec section 3) by existing, fuzzed validators, so that code generation may assume a valid module.

wasmtime validates in this process, where it is installed; else ``wasm-tools`` does, a process, which also judges the
legacy encoding of exceptions, and the first small modules of a program.
"""

from __future__ import annotations

import atexit
import os
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from wasmartifact.errors import InvalidModule, ToolchainError
from wasmartifact.wasm.decode import decode_bodies
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.wasm_tools import CONFIG_SWITCHES, is_early, run_wasm_tools, wasmtime_package

#: Those that a tail call needs. ``return_call_ref`` counts as one of function references, whatever the first one says.
_TAIL_CALL_FEATURES: Final = ("wasm_tail_call", "wasm_function_references", "wasm_gc")
#: Features of function bodies that change how all functions call each other.
_CALL_FEATURES: Final = frozenset({"exceptions", "legacy-exceptions", "tail-call"})
#: Those, and what the validator does not know either unless it must.
_TOLD_FEATURES: Final = _CALL_FEATURES | {"gc"}
#: Proposals that ``wasm-tools`` knows and this package does not decode.
FOREIGN_PROPOSALS: Final = (
    "stack-switching", "custom-descriptors", "shared-everything-threads", "memory-control",
)  # fmt: skip
#: What ``wasm-tools`` is told not to know in place of those, see `validate`.
_CALL_PROPOSALS: Final = ("exceptions", "legacy-exceptions", "tail-call", "function-references", "gc")
_OFFSET: Final = re.compile(r" ?\(at offset (0x[0-9a-f]+)\)")


def validate(data: bytes, module: Module) -> frozenset[str]:
    """Check that a decoded module is well-formed in its function bodies too, and valid.

    Whether bodies have tail calls or try blocks must be known before any of them is compiled. A validator that does not
    know these tells it for free: bodies are decoded only where it is not content. Modules with tags may have
    exceptions, whatever their bodies hold.

    Parameters
    ----------
    data : bytes
        The binary module.
    module : Module
        The same, decoded.

    Returns
    -------
    frozenset[str]
        Those of "exceptions", "legacy-exceptions" and "tail-call" that functions must be prepared for; and "gc" where
        they use it.

    Raises
    ------
    MalformedModule
        A function body breaks the binary format.
    InvalidModule
        The module breaks a rule of validation, or a limit of the validator (50,000 locals in a function, 1,000,000
        types and the like). ``wasm_offset`` is the byte where that showed, ``func_index`` its function; or None.
    ToolchainError
        A validator is missing or failed.
    """
    has_tags = bool(module.tag_types)
    find_problem = _wasm_tools_problem if module.has_compact_imports else _problem
    problem = find_problem(data, exceptions=has_tags, tail_calls=False)
    expected = {"exceptions"} if has_tags else set()
    if problem is None:
        return frozenset(expected)
    # Only now is it worth the time: the validator has no word to tell malformed from invalid.
    features = decode_bodies(module)
    is_legacy = "legacy-exceptions" in features
    problem = wasm_tools_problem(data, _all_but()) if is_legacy else find_problem(data)
    if problem is not None:
        raise _invalid(problem, module)
    return frozenset(expected | features & _TOLD_FEATURES)


def _all_but(*proposals: str) -> str:
    """``wasm-tools``' word for all features that are compiled here, less some."""
    return ",-".join(("all", *FOREIGN_PROPOSALS, *proposals))


def _problem(data: bytes, *, exceptions: bool = True, tail_calls: bool = True) -> str | None:
    """What a validator that knows these says, None for a valid module."""
    if is_early(len(data)):
        with suppress(ToolchainError):
            return _wasm_tools_problem(data, exceptions=exceptions, tail_calls=tail_calls)
    wasmtime = wasmtime_package()
    if wasmtime is None:
        return _wasm_tools_problem(data, exceptions=exceptions, tail_calls=tail_calls)
    try:
        wasmtime.Module.validate(_engine(exceptions, tail_calls), data)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return None


def _wasm_tools_problem(data: bytes, *, exceptions: bool = True, tail_calls: bool = True) -> str | None:
    """The same of ``wasm-tools``, which knows groups of imports, too."""
    unknown = _CALL_PROPOSALS if not exceptions else _CALL_PROPOSALS[1:]
    return wasm_tools_problem(data, _all_but("legacy-exceptions") if tail_calls else _all_but(*unknown))


@lru_cache(maxsize=3)
def _engine(exceptions: bool, tail_calls: bool) -> Any:
    wasmtime = wasmtime_package()
    assert wasmtime is not None
    config = wasmtime.Config()
    config.parallel_compilation = False  # its threads would stay in the caller's process, which may want to fork
    for feature in CONFIG_SWITCHES:
        setattr(config, feature, True)
    config.wasm_exceptions = exceptions
    for feature in _TAIL_CALL_FEATURES:
        setattr(config, feature, tail_calls)
    engine = wasmtime.Engine(config)
    # wasmtime's own clean-up complains when it runs after its module's names are gone.
    atexit.register(engine.close)
    return engine


def wasm_tools_problem(data: bytes, features: str = "all") -> str | None:
    """The message of ``wasm-tools validate``, None for a module that is valid with these features.

    Raises
    ------
    ToolchainError
        It is missing or failed.
    """
    exit_code, _, message = run_wasm_tools(data, "validate", "--features", features)
    if exit_code == 0:
        return None
    # With "Caused by:", the cause is the last line and has the offset.
    return message.splitlines()[-1].removeprefix("error:").strip().removeprefix("0: ")


def parses(data: bytes) -> bool:
    """Whether ``wasm-tools`` can read a module at all, valid or not. Raises as `wasm_tools_problem` does."""
    return run_wasm_tools(data, "print", "--output", os.devnull).exit_code == 0


def message_offset(problem: str) -> tuple[str, int | None]:
    """A validator's message without the byte's offset in it, and the offset."""
    match = _OFFSET.search(problem)
    return _OFFSET.sub("", problem), int(match[1], 16) if match else None


def _invalid(problem: str, module: Module) -> InvalidModule:
    words, wasm_offset = message_offset(problem)
    func_index = None if wasm_offset is None else _function_at(module, wasm_offset)
    place = "" if wasm_offset is None else f"byte {wasm_offset:#x}"
    if func_index is not None:
        name = module.function_names.get(func_index)
        place += f", function {func_index}" + (f" ({name})" if name else "")
    return InvalidModule(
        f"invalid WebAssembly module: {place}{': ' if place else ''}{words}",
        wasm_offset=wasm_offset,
        func_index=func_index,
    )


def _function_at(module: Module, wasm_offset: int) -> int | None:
    """Index of the function whose code entry holds the offset."""
    for index, code in enumerate(module.codes):
        if code.start <= wasm_offset < code.end:
            return module.imported_functions + index
    return None
