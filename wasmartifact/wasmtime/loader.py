"""``import wasmtime.loader``, of versions of wasmtime-py up to 38: then ``import name`` finds name.wasm and name.wat.

What a module imports comes from Python modules of those names, WASI without any surroundings; exports become
attributes, functions that need no store.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec

from wasmartifact.wasmtime import Func, Linker, Module, Store, WasiConfig
from wasmartifact.wasmtime._extern import Extern

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Final

_WASI: Final = ("wasi_snapshot_preview1", "wasi_unstable")

#: What the modules live in: the first argument of the methods of memories, tables and globals that they export.
store = Store()
store.set_wasi(WasiConfig())
linker = Linker(store.engine)
linker.allow_shadowing = True
linker.define_wasi()


class _Finder:
    """Comes last: what Python finds itself goes before. Finder and loader in one, without their costly base classes."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            for suffix in (".wasm", ".wat"):
                origin = os.path.abspath(os.path.join(folder, name + suffix))
                if os.path.isfile(origin):
                    return ModuleSpec(fullname, self, origin=origin)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes it."""

    def exec_module(self, module: ModuleType) -> None:
        """Instantiate it, with what it imports."""
        assert module.__spec__ is not None and module.__spec__.origin is not None
        wasm = Module.from_file(store.engine, module.__spec__.origin)
        for wanted in wasm.imports:
            if wanted.module in _WASI:
                continue
            name = str(wanted.name)
            found = getattr(import_module(wanted.module), name)
            if not isinstance(found, Extern):
                found = Func(store, wanted.type, found)  # type: ignore[arg-type]  # it says so where it is no function's
            linker.define(store, wanted.module, name, found)
        for key, item in linker.instantiate(store, wasm).exports(store).items():
            setattr(module, key, partial(item, store) if isinstance(item, Func) else item)


sys.meta_path.append(_Finder())
