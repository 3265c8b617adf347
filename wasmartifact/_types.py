"""The C types of the runtime: this file puts the extension module of its own name in its place.

The extension lies in the shared object ``_native``, which has a second face: `wasmartifact._native.ffi` and `lib` of
cffi, which a load does without, since cffi's own part takes as long to import as all the rest. The dynamic loader knows
the file, so the runtime's state (signal handlers, what is running on which thread) exists once, whichever face comes
first.
"""

from __future__ import annotations

import sys

# What importlib.machinery and collections.abc show, without the import of importlib and collections.
from _collections_abc import Mapping
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import ExtensionFileLoader, PathFinder, spec_from_file_location

import wasmartifact

_NAME = "wasmartifact._types"


def _load():
    found = PathFinder.find_spec("wasmartifact._native", wasmartifact.__path__)
    if found is None:
        raise ImportError("wasmartifact has no compiled part here; install the package, or build it in place")
    spec = spec_from_file_location(_NAME, found.origin, loader=ExtensionFileLoader(_NAME, found.origin))
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as problem:
        if "subinterpreters" not in str(problem):
            raise
        raise ImportError(
            "wasmartifact does not work in a sub-interpreter with a GIL of its own; make one that shares it, which "
            'CPython calls legacy: _interpreters.create("legacy"), or Py_NewInterpreter'
        ) from problem
    return module


_module = _load()
Mapping.register(_module.Exports)
sys.modules[_NAME] = _module
