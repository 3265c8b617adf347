"""The compiled half of the runtime: one shared object with two faces, `ffi` and `lib` of cffi, and `types` (C types).

The shared object is imported as ``_native``; its second module is loaded from the same file, so that the runtime's
state (signal handlers, what is running on which thread) exists once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import wasmartifact
from wasmartifact import _native

if TYPE_CHECKING:
    import wasmartifact._types as types
else:

    def _load_types():
        """The module `_types`, which lies in the file of `_native` and which the import system can't find by itself."""
        from importlib.machinery import ExtensionFileLoader, ModuleSpec

        name, path = "wasmartifact._types", _native.__file__
        loader = ExtensionFileLoader(name, path)
        module = loader.create_module(ModuleSpec(name, loader, origin=path))
        loader.exec_module(module)
        sys.modules[name] = wasmartifact._types = module
        return module

    types = _load_types()

__all__ = ["address_of", "ffi", "lib", "types"]

ffi, lib = _native.ffi, _native.lib
Mapping.register(types.Exports)


def address_of(pointer: object) -> int:
    """Address of a cffi pointer, as `types` takes it."""
    return int(ffi.cast("uintptr_t", pointer))
