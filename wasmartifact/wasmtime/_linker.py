"""Linker: imports by name, for any number of instances."""

from __future__ import annotations

from wasmartifact import _types as native
from wasmartifact.wasmtime._closing import Managed, check_type, wasmtime_error
from wasmartifact.wasmtime._engine import Engine
from wasmartifact.wasmtime._extern import unwrap, wrap
from wasmartifact.wasmtime._func import Func, check_open, host_function
from wasmartifact.wasmtime._instance import Instance, InstancePre, instantiate, link
from wasmartifact.wasmtime._module import Module

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact.externtypes import ExternType
    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime._instance import AsExtern
    from wasmartifact.wasmtime._types import FuncType

#: What WASI programs import from.
_WASI_MODULES: Final = ("wasi_snapshot_preview1", "wasi_unstable")
#: What is called for a module that is a WASI library when it is instantiated, and for one that is a command.
_INITIALIZE, _START = "_initialize", "_start"


class Linker(Managed):
    """Imports by name, from which modules are instantiated.

    Parameters
    ----------
    engine : Engine
    """

    def __init__(self, engine: Engine) -> None:
        check_type(engine, Engine, "an Engine")
        engine._check_open()
        self.engine = engine
        self._may_shadow = False
        self._names: dict[str, dict[str, Any]] = {}
        #: The module that was instantiated last, and what it was linked to: most linkers serve one module.
        self._last: tuple[Artifact | None, Any] = (None, None)

    @property
    def allow_shadowing(self) -> bool:
        """Whether a name may be defined again. It can be set, not read."""
        raise AttributeError("Linker.allow_shadowing can only be set, not read")

    @allow_shadowing.setter
    def allow_shadowing(self, allow: bool) -> None:
        self._check_open()
        self._may_shadow = bool(allow)

    # ---- definitions

    def _define(self, module: str, name: str, item: Any) -> None:
        check_type(module, str, "a str for module")
        check_type(name, str, "a str for name")
        if not self._may_shadow and self._knows(module, name):
            raise wasmtime_error(f"import of `{module}::{name}` defined twice")
        self._names.setdefault(module, {})[name] = item
        self._last = (None, None)

    def _knows(self, module: str, name: str) -> bool:
        return name in self._names.get(module, {})

    def define(self, store: Storelike, module: str, name: str, item: AsExtern) -> None:
        """Define an object; WasmtimeError where the name is taken."""
        self._check_open()
        check_open(store)
        self._define(module, name, unwrap(item))

    def define_func(
        self, module: str, name: str, ty: FuncType, func: Callable[..., Any], access_caller: bool = False
    ) -> None:
        """Define a function of the host, for instances in any store; WasmtimeError where the name is taken."""
        self._check_open()
        self._define(module, name, host_function(ty, func, access_caller))

    def define_instance(self, store: Storelike, name: str, instance: Instance) -> None:
        """Define all exports of an instance, with this name for the module."""
        self._check_open()
        check_open(store)
        check_type(instance, Instance, "an `Instance`")
        for export, item in instance._native.exports.items():
            self._define(name, export, item)

    def define_wasi(self) -> None:
        """Define the functions of WASI preview 1; they work on what `Store.set_wasi` gave."""
        self._check_open()
        for module, functions in _wasi_functions().items():
            given = self._names.setdefault(module, {})
            if not self._may_shadow:
                for name in (name for name in functions if name in given):
                    raise wasmtime_error(f"import of `{module}::{name}` defined twice")
            given.update(functions)
        self._last = (None, None)

    def define_module(self, store: Storelike, name: str, module: Module) -> None:
        """Define what a module exports: of one instance, or, of a WASI command, of a new one for each call."""
        from wasmartifact.externtypes import FuncType

        self._check_open()
        check_type(module, Module, "a `Module`")
        exports = module._artifact.metadata.exports
        if exports.find(_START) is not None:
            for row in exports:
                if isinstance(row.type, FuncType):
                    self._define(name, "" if row.name == _START else row.name, self._command(store, module, row))
            return
        instance = self.instantiate(store, module)
        if exports.find(_INITIALIZE) is not None:
            made = instance.exports(store)[_INITIALIZE]
            if isinstance(made, Func):
                made(store)
        self.define_instance(store, name, instance)

    def _command(self, store: Storelike, module: Module, row: Any) -> native.Func:
        """A function that calls the same one of a new instance."""

        def call(*arguments: Any) -> Any:
            made = self.instantiate(store, module)
            return made._native.exports[row.name](*arguments)

        return native.Func(call, row.type.params, row.type.results)

    def define_unknown_imports_as_traps(self, module: Module) -> None:
        """Define each function that a module needs and nobody defined as one that raises WasmtimeError when called."""
        from wasmartifact.externtypes import FuncType

        self._check_open()
        check_type(module, Module, "a `Module`")
        for row in self._unknown(module):
            if isinstance(row.type, FuncType):
                self._define(row.module, row.name, native.Func(_unknown(row), *row.type))

    def define_unknown_imports_as_default_values(self, store: Storelike, module: Module) -> None:
        """Define what a module needs and nobody defined: functions that give zeros and nulls, such globals."""
        self._check_open()
        check_type(module, Module, "a `Module`")
        check_open(store)
        for row in self._unknown(module):
            self._define(row.module, row.name, _default(row.type))

    def _unknown(self, module: Module) -> list[Any]:
        module._check_open()
        return [row for row in module._artifact.metadata.imports if not self._knows(row.module, row.name)]

    # ---- use

    def instantiate(self, store: Storelike, module: Module) -> Instance:
        """Make an instance with what is defined.

        Raises
        ------
        WasmtimeError
            An import is not defined, or has another type.
        Trap
            Its start function trapped, or a segment does not fit.
        """
        self._check_open()
        check_type(module, Module, "a `Module`")
        module._check_open()
        artifact, linked = self._last
        if artifact is not module._artifact:
            linked = link(module, self._names)
            self._last = (module._artifact, linked)
        return Instance._of(instantiate(store, linked))

    def instantiate_pre(self, module: Module) -> InstancePre:
        """Resolve a module's imports once; later definitions don't count for it."""
        self._check_open()
        check_type(module, Module, "a `Module`")
        module._check_open()
        return InstancePre(module, link(module, self._names))

    def get(self, store: Storelike, module: str, name: str) -> AsExtern:
        """What is defined by a name; WasmtimeError where nothing is."""
        self._check_open()
        check_open(store)
        try:
            found: AsExtern = wrap(self._names[module][name])
        except KeyError:
            raise wasmtime_error("item not defined in linker") from None
        return found

    def get_default(self, store: Storelike, name: str) -> Func:
        """What a module is called for: a command's ``_start``; else a function that does nothing."""
        self._check_open()
        check_open(store)
        found = self._names.get(name, {})
        item = found.get("", found.get(_START))
        if item is None:
            return Func._of(native.Func(lambda: None))
        if not isinstance(item, native.Func):
            raise wasmtime_error(f"default export in `{name}` is not a function")
        return Func._of(item)


#: Functions of WASI by module and name; made once.
_WASI: dict[str, dict[str, native.Func]] = {}


def _wasi_functions() -> dict[str, dict[str, native.Func]]:
    if not _WASI:
        for module in _WASI_MODULES:
            _WASI[module] = native.wasi_functions(module == "wasi_unstable")
    return _WASI


def _unknown(row: Any) -> Callable[..., Any]:
    def call(*arguments: object) -> Any:
        raise wasmtime_error(f"unknown import: `{row.module}::{row.name}` has not been defined")

    return call


def _zero(name: str) -> Any:
    if name in ("i32", "i64"):
        return 0
    if name in ("f32", "f64"):
        return 0.0
    return bytes(16) if name == "v128" else None


def _default(type_: ExternType) -> Any:
    from wasmartifact import externtypes
    from wasmartifact.runtime import entities

    if isinstance(type_, externtypes.FuncType):
        values = tuple(map(_zero, type_.results))
        given = None if not values else values[0] if len(values) == 1 else values
        return native.Func(lambda *arguments: given, *type_)
    if isinstance(type_, externtypes.GlobalType):
        return entities.Global(type_.type, _zero(type_.type), mutable=type_.mutable)
    if isinstance(type_, externtypes.TableType):
        return entities.Table(type_.element, type_.min, type_.max)
    if isinstance(type_, externtypes.MemoryType):
        return native.Memory(
            type_.min_pages, type_.max_pages, shared=type_.shared, memory64=type_.memory64,
            page_size_bytes=type_.page_size_bytes,
        )  # fmt: skip
    return entities.Tag(type_.params)
