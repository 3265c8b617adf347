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

_FUEL: Final = "store.fuel is what is left, and may be set"
_BYTES: Final = "memory[start:stop] reads bytes, memory[start:stop] = data writes them"
_BUFFER: Final = "memoryview(memory) and numpy.frombuffer(memory) are its bytes"
_SIZE: Final = "len(memory) and memory.size_bytes are its size"
_ELEMENTS: Final = "table[index] reads an element, table[index] = value writes it, len(table) is their number"
_ROWS: Final = (
    "artifact.metadata.imports and .exports tell of them, artifact.instantiate(imports).exports has the exports"
)
#: Names of the classes -> attributes that objects of them don't have -> what to do.
_ATTRIBUTES: Final = {
    "Memory": {
        "read": _BYTES, "write": _BYTES, "data_ptr": _BUFFER, "get_buffer_ptr": _BUFFER,
        "data_len": _SIZE, "size": _SIZE, "page_size": "memory.type.page_size_bytes is it",
        "page_size_log2": "memory.type.page_size_bytes is its size",
    },
    "Table": {"get": _ELEMENTS, "set": _ELEMENTS, "size": _ELEMENTS},
    "Global": {"set_value": "global.value may be set", "set": "global.value may be set", "get": "global.value is it"},
    "Store": {
        "set_fuel": _FUEL, "get_fuel": _FUEL, "add_fuel": _FUEL, "fuel_consumed": _FUEL, "consume_fuel": _FUEL,
        "set_limits": "wa.Store(limits=wa.Limits(...)) has some, and store.limits may be set again",
        "set_epoch_deadline": "with store.deadline(seconds): ends calls, and store.interrupt() does",
        "set_wasi": "wa.Wasi(args=..., env=..., preopens=...) is given among the imports",
        "set_wasi_http": "wa.Wasi(..., http=True) is given among the imports",
        "data": "what a host function needs, it has from where it was made",
        "gc": "what nobody holds goes by itself", "close": "it ends with its last reference",
    },
    "Artifact": {
        "exports": _ROWS, "imports": _ROWS, "serialize": "artifact.contents() is its file, wa.pack writes one",
        "close": "its code goes with the last of its instances",
    },
}  # fmt: skip


def instead_of(name: str) -> str:
    """The rest of a sentence about a name that the package does not have; empty where nobody looks for it."""
    found = _INSTEAD.get(name)
    return f"; {found}, and wasmartifact.wasmtime has wasmtime-py's own names" if found else ""


def absent_attribute(owner: object, name: str) -> AttributeError | None:
    """The error for an attribute that an object does not have; None where nobody looks for it there."""
    kind = type(owner).__name__
    found = _ATTRIBUTES.get(kind, {}).get(name)
    if kind == "Instance" and name in owner.exports:  # type: ignore[attr-defined]
        found = f"it is an export: instance.exports.{name}" if name.isidentifier() else None
    return AttributeError(f"{kind!r} object has no attribute {name!r}; {found}") if found else None
