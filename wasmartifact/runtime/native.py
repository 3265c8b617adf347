"""The compiled half of the runtime: one shared object with two faces, `ffi` and `lib` of cffi, and `types` (C types).

The shared object is imported as ``_native``; its second module is loaded from the same file, so that the runtime's
state (signal handlers, what is running on which thread) exists once.
"""

from __future__ import annotations

import sys
from _collections_abc import Mapping  # what collections.abc shows, without the import of collections

import wasmartifact
from wasmartifact import _native

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    import wasmartifact._types as types
else:

    def _load_types():
        """The module `_types`, which lies in the file of `_native` and which the import system can't find by itself."""
        # What importlib.machinery shows, without the import of importlib.
        from _frozen_importlib import ModuleSpec
        from _frozen_importlib_external import ExtensionFileLoader

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
