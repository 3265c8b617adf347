"""What takes the place of what people look for here in vain, names of wasmtime-py for one: words for errors."""

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


_OUTPUT: Final = "it goes where a descriptor, a file or a callable says: stdout=1, stdout=open(...), stdout=callback"
_LEVEL: Final = "opt_level=0 to 3 says how well it is compiled"
_OF_PACKING: Final = {
    **dict.fromkeys(("optimize", "optimization", "opt", "level", "cranelift_opt_level"), _LEVEL),
    "consume_fuel": "fuel=True has the code count it",
    "triple": "target='aarch64' names the machine",
    "features": "cpu='x86-64-v3' names the CPU whose features the code may use",
    **dict.fromkeys(("threads", "workers", "parallel_compilation"), "jobs= is the number of compiling processes"),
    **dict.fromkeys(
        ("timeout", "memory_bytes", "seconds"), "limits=wa.PackLimits(seconds=..., memory_bytes=...) bounds it"
    ),
    **dict.fromkeys(("debug", "debug_info"), "keep_debug=True keeps the module's DWARF"),
}
#: Names of functions and classes -> arguments that they don't have -> what to do.
_ARGUMENTS: Final = {
    "Wasi": {
        **dict.fromkeys(("argv", "arguments"), "args=[...] are the arguments, the program's name first"),
        **dict.fromkeys(("environ", "environment", "envs"), "env={...} are the environment variables"),
        **dict.fromkeys(
            ("dirs", "dir", "mapdirs", "mapdir", "preopen", "preopen_dir", "preopen_dirs", "preopened_dirs"),
            "preopens={'/guest': 'host'} are the directories",
        ),
        **dict.fromkeys(("stdout_file", "stdout_custom", "stderr_file", "stderr_custom"), _OUTPUT),
        **dict.fromkeys(("inherit_stdout", "inherit_stderr"), "stdout=1 and stderr=2 are those of this process"),
        "inherit_stdin": "stdin=0 is that of this process", "stdin_file": "stdin=open(path, 'rb') reads a file",
        "inherit_argv": "args=sys.argv are those of this process",
        "inherit_env": "env=os.environ is that of this process",
    },
    "pack": {**_OF_PACKING, "cache_dir": "wa.compile has a cache"},
    "compile": {**_OF_PACKING, "output": "wa.pack(source, output) writes an artifact"},
}  # fmt: skip


def unknown_argument(owner: str, name: str, *_: str) -> TypeError:
    """The error for a keyword argument that a function, or a class, does not have."""
    found = _ARGUMENTS[owner].get(name, f"help(wasmartifact.{owner}) tells of those that it has")
    return TypeError(f"{owner}() got an unexpected keyword argument {name!r}; {found}")


_INSTANTIATE: Final = "send the artifact's path, and make an instance there: wa.load(path).instantiate(imports)"
#: Names of the classes whose objects stay in their process -> what another one can do.
_ELSEWHERE: Final = {
    "Linked": "send the artifact's path: wa.load(path).link(imports) makes one there",
    **dict.fromkeys(("Instance", "Namespace"), f"{_INSTANTIATE}; wa.snapshot(instance, path) keeps its state"),
    **dict.fromkeys(("Exports", "Func", "ComponentFunc"), _INSTANTIATE),
    "Store": "make one there, wa.Store(), and in it what this one has",
    "Memory": "send its bytes: bytes(memory)",
    "Table": "make one there",
    "Global": "send its value",
    "Tag": "make one there",
    "Struct": "send its values",
    "Array": "send its values",
    "Resource": "send what it was made of",
    "WasiHost": "send its arguments, and make one there: wa.Wasi(...)",
    "Columns": "send the artifact's path: wa.open_metadata(path) reads it there",
}


def unpicklable(owner: object) -> TypeError:
    """The error for an object that should go to another process."""
    kind = type(owner)
    if hasattr(kind, "_is_component"):  # an Artifact
        path: str | None = owner.path  # type: ignore[attr-defined]
        what = "artifact.contents()" if path is None else f"its path, {path!r}"
        found = f"send {what}, and load that there: wa.load(...)"
    else:
        found = next(_ELSEWHERE[base.__name__] for base in kind.__mro__ if base.__name__ in _ELSEWHERE)
    name = "Metadata" if kind.__name__ == "Columns" else kind.__name__
    return TypeError(f"{name!r} objects can't be pickled or copied, as they belong to this process; {found}")
