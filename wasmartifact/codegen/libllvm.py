"""From IR text to a relocatable object by LLVM's own library, through its C API (llvm-c/*.h of LLVM 22).

What a function makes is the caller's, who disposes of it by the function of that name; where one takes what it is
given, the table below says so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.errors import ToolchainError
from wasmartifact.host.libllvm import VARIABLE, VERSION
from wasmartifact.host.limits import memory_advice

#: Result and parameters of each function that is used.
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "LLVMGetVersion": (None, POINTER(c_uint), POINTER(c_uint), POINTER(c_uint)),
    "LLVMParseCommandLineOptions": (None, c_int, POINTER(c_char_p), c_char_p),
    "LLVMDisposeMessage": (None, c_void_p),
    "LLVMContextCreate": (c_void_p,),
    "LLVMContextDispose": (None, c_void_p),
    "LLVMCreateMemoryBufferWithMemoryRangeCopy": (c_void_p, c_char_p, c_size_t, c_char_p),
    "LLVMParseIRInContext": (c_int, c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)),  # takes the buffer
    "LLVMCloneModule": (c_void_p, c_void_p),
    "LLVMDisposeModule": (None, c_void_p),
    "LLVMVerifyModule": (c_int, c_void_p, c_int, POINTER(c_void_p)),
    "LLVMGetTargetFromTriple": (c_int, c_char_p, POINTER(c_void_p), POINTER(c_void_p)),
    "LLVMCreateTargetMachine": (c_void_p, c_void_p, c_char_p, c_char_p, c_char_p, c_int, c_int, c_int),
    "LLVMCreatePassBuilderOptions": (c_void_p,),
    "LLVMRunPasses": (c_void_p, c_void_p, c_char_p, c_void_p, c_void_p),
    "LLVMGetErrorMessage": (c_void_p, c_void_p),  # takes the error
    "LLVMDisposeErrorMessage": (None, c_void_p),
    "LLVMTargetMachineEmitToMemoryBuffer": (c_int, c_void_p, c_void_p, c_int, POINTER(c_void_p), POINTER(c_void_p)),
    "LLVMGetBufferStart": (c_void_p, c_void_p),
    "LLVMGetBufferSize": (c_size_t, c_void_p),
    "LLVMDisposeMemoryBuffer": (None, c_void_p),
}
_TARGET_PARTS: Final = ("TargetInfo", "Target", "TargetMC", "AsmPrinter")
#: LLVMVerifierFailureAction, LLVMRelocMode, LLVMCodeModel, LLVMCodeGenFileType.
_RETURN_STATUS: Final = 2
_RELOC_PIC: Final = 2
_CODE_MODEL_SMALL: Final = 3
_ASSEMBLY_FILE: Final = 0
_OBJECT_FILE: Final = 1


def emit(
    options: CodegenOptions, switches: tuple[str, ...], passes: str, text: str, keep: str | None, *, verify: bool
) -> bytes:
    """Optimise and emit an LLVM module: see `llvm.emit_object`.

    Parameters
    ----------
    switches : tuple[str, ...]
        LLVM's command line, which is set once for the process.
    passes : str
        Pipeline of the new pass manager as ``opt -passes=`` takes it. Level 0 has none, and does not come here.
    verify : bool
        Whether LLVM looks for faults in what it has parsed, first.

    Raises
    ------
    ToolchainError
        The library can't be used, or rejects the text.
    """
    library = _library(options.libllvm, switches)
    machine = _target_machine(library, options)
    with _parsed(library, text) as module:
        if verify:
            message = c_void_p()
            if library.LLVMVerifyModule(module, _RETURN_STATUS, byref(message)):
                raise _rejected(library, message)
            library.LLVMDisposeMessage(message)
        problem = library.LLVMRunPasses(module, passes.encode(), machine, _pass_options(library))
        if problem is not None:
            raise _rejected(library, c_void_p(library.LLVMGetErrorMessage(problem)), "LLVMDisposeErrorMessage")
        if keep is not None:
            copy = library.LLVMCloneModule(module)  # emission changes what it emits
            try:
                Path(f"{keep}.s").write_bytes(_emitted(library, machine, copy, _ASSEMBLY_FILE))
            finally:
                library.LLVMDisposeModule(copy)
        return _emitted(library, machine, module, _OBJECT_FILE)


@contextmanager
def _parsed(library: Any, text: str) -> Iterator[c_void_p]:
    """The module of an IR text, in a context of its own; both end with the block."""
    context, module, message = library.LLVMContextCreate(), c_void_p(), c_void_p()
    try:
        data = text.encode()
        buffer = library.LLVMCreateMemoryBufferWithMemoryRangeCopy(data, len(data), b"<string>")
        if library.LLVMParseIRInContext(context, buffer, byref(module), byref(message)):
            raise _rejected(library, message)
        try:
            yield module
        finally:
            library.LLVMDisposeModule(module)
    finally:
        library.LLVMContextDispose(context)


def _emitted(library: Any, machine: int, module: Any, kind: int) -> bytes:
    """Assembly or object of a module, which is changed by it."""
    buffer, message = c_void_p(), c_void_p()
    if library.LLVMTargetMachineEmitToMemoryBuffer(machine, module, kind, byref(message), byref(buffer)):
        raise _rejected(library, message)
    try:
        return ctypes.string_at(library.LLVMGetBufferStart(buffer), library.LLVMGetBufferSize(buffer))
    finally:
        library.LLVMDisposeMemoryBuffer(buffer)


def _rejected(library: Any, message: c_void_p, dispose: str = "LLVMDisposeMessage") -> ToolchainError:
    """The error for a message of LLVM's, which is given back."""
    words = ctypes.string_at(message.value).decode("utf-8", "replace").strip() if message.value else "no reason given"
    getattr(library, dispose)(message)
    return ToolchainError(f"LLVM rejected the code that was generated: {words}")


@lru_cache(maxsize=1)
def _library(path: str, switches: tuple[str, ...]) -> Any:
    """The library, with the target that it generates code for and LLVM's switches."""
    advice = (
        f"reinstall it with pip install --force-reinstall 'wasmartifact[llvm]', or set {VARIABLE}=0 to use llvmlite"
    )
    try:
        library = ctypes.CDLL(path)
        for name, (result, *parameters) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, parameters
        for part in _TARGET_PARTS:
            getattr(library, f"LLVMInitializeX86{part}")()
    except (OSError, AttributeError) as problem:
        helps = memory_advice() or advice
        raise ToolchainError(f"LLVM's library {path!r} can't be used ({problem}); {helps}") from None
    major, minor, patch = c_uint(), c_uint(), c_uint()
    library.LLVMGetVersion(byref(major), byref(minor), byref(patch))
    found = f"{major.value}.{minor.value}"
    if found != VERSION:
        raise ToolchainError(f"LLVM's library {path!r} is version {found}, expected {VERSION}; {advice}")
    words = [b"wasmartifact", *map(str.encode, switches)]
    library.LLVMParseCommandLineOptions(len(words), (c_char_p * len(words))(*words), None)
    return library


@lru_cache(maxsize=4)
def _target_machine(library: Any, options: CodegenOptions) -> int:
    """A machine that lives as long as the process."""
    target, triple, message = options.target, c_void_p(), c_void_p()
    if library.LLVMGetTargetFromTriple(target.triple.encode(), byref(triple), byref(message)):
        raise _rejected(library, message)
    machine: int = library.LLVMCreateTargetMachine(
        triple, target.triple.encode(), target.llvm_cpu.encode(), target.llvm_features.encode(),
        options.opt_level, _RELOC_PIC, _CODE_MODEL_SMALL,
    )  # fmt: skip
    return machine


@lru_cache(maxsize=1)
def _pass_options(library: Any) -> int:
    """Those of the pass manager as they are by default; they live as long as the process."""
    made: int = library.LLVMCreatePassBuilderOptions()
    return made
