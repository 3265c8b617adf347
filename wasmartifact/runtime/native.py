"""The compiled half of the runtime: `types`, the C types of the shared object ``_native``.

The shared object has a second face, `wasmartifact._native.ffi` and `lib` of cffi, which a load does without: cffi's own
part takes as long to import as all the rest. The dynamic loader knows the file, so the runtime's state (signal
handlers, what is running on which thread) exists once, whichever face comes first.
"""

from __future__ import annotations

import sys
from _collections_abc import Mapping  # what collections.abc shows, without the import of collections

import wasmartifact

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    import wasmartifact._types as types
else:

    def _load_types():
        """The module `_types`, which lies in the file of `_native` and which the import system can't find by itself."""
        # What importlib.machinery shows, without the import of importlib.
        from _frozen_importlib import ModuleSpec
        from _frozen_importlib_external import ExtensionFileLoader, PathFinder

        found = PathFinder.find_spec("wasmartifact._native", wasmartifact.__path__)
        if found is None:
            raise ImportError("wasmartifact has no compiled part here; install the package, or build it in place")
        name = "wasmartifact._types"
        loader = ExtensionFileLoader(name, found.origin)
        module = loader.create_module(ModuleSpec(name, loader, origin=found.origin))
        loader.exec_module(module)
        sys.modules[name] = wasmartifact._types = module
        return module

    types = _load_types()

__all__ = ["types"]

Mapping.register(types.Exports)
