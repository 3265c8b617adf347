"""What takes the place of names that people know from wasmtime-py and look for here: words for errors."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

_OPTIONS: Final = "its options are arguments of wa.pack and wa.compile"
_TYPES: Final = "what it describes are arguments of the class itself, as in wa.Memory(1, 2)"
_INSTEAD: Final = {
    "Engine": _OPTIONS,
    "Config": _OPTIONS,
    "Module": "wa.compile(source) packs a module once and loads it, wa.load(path) loads an artifact",
    "Linker": "imports are a dictionary of dictionaries: artifact.instantiate({'module': {'name': value}})",
    "WasiConfig": "wa.Wasi(args=..., env=..., preopens=...) is given among the imports",
    "Caller": "wa.Func(function, params, results, caller=True) gives the function its caller's instance first",
    "ExitTrap": "wa.Exit is raised where a program exits",
    "WasmtimeError": "wa.WasmArtifactError is the class of all errors",
    "MemoryType": _TYPES,
    "TableType": _TYPES,
    "GlobalType": _TYPES,
    "SharedMemory": "wa.Memory(1, 2, shared=True) is one",
    "wat2wasm": "text is taken wherever a module is",
}


def instead_of(name: str) -> str:
    """The rest of a sentence about a name that the package does not have; empty where nobody looks for it."""
    found = _INSTEAD.get(name)
    return f"; {found}, and wasmartifact.wasmtime has wasmtime-py's own names" if found else ""
