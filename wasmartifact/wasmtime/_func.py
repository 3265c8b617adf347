"""Func and Caller: functions of guests and of the host."""

from __future__ import annotations

from wasmartifact import _types as native
from wasmartifact.wasmtime._closing import WrongType, check_type, translated, wasmtime_error
from wasmartifact.wasmtime._extern import Extern, stands_for, wrap
from wasmartifact.wasmtime._store import Store, StoreContext
from wasmartifact.wasmtime._value import calling, fitting, serving

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from wasmartifact.wasi.host import Wasi
    from wasmartifact.wasmtime._types import FuncType


@stands_for(native.Func)
class Func(Extern):
    """A function, called with a store before its arguments.

    Parameters
    ----------
    store : Store
    ty : FuncType
    func : callable
        What WebAssembly calls, with plain Python values.
    access_caller : bool
        Whether it gets a Caller first.
    """

    __slots__ = ("_call",)
    _native: native.Func
    _call: Callable[..., Any]

    def __init__(self, store: Storelike, ty: FuncType, func: Callable[..., Any], access_caller: bool = False) -> None:
        check_type(store, Store, "a Store")
        check_open(store)
        self._bind(host_function(ty, func, access_caller))

    @classmethod
    def _of(cls, func: native.Func) -> Func:
        made = cls.__new__(cls)
        made._bind(func)
        return made

    def _bind(self, func: native.Func) -> None:
        self._native = func
        self._call = calling(func, *func.type)

    def type(self, store: Storelike) -> FuncType:
        """Its type."""
        from wasmartifact.wasmtime._types import FuncType

        check_open(store)
        return FuncType._of(self._native.type)

    def __call__(self, store: Storelike, *params: Any) -> Any:
        """Call it: None, the result, or a list of several.

        Raises
        ------
        Trap
            The guest trapped.
        ExitTrap
            The guest is a WASI program, and ended itself.
        WasmtimeError
            Another number of parameters.
        TypeError
            A parameter does not fit its type.
        """
        try:
            if store._ended:
                check_open(store)
            return self._call(*params)
        except OverflowError:  # of a parameter, before the call began; or of what the call did
            wrapped = fitting(self._native.type.params, params)
            if wrapped is None:
                raise
            return self(store, *wrapped)
        except Exception as problem:
            found = self._explained(problem, store, len(params))
            if found is problem:
                raise
            raise found from None

    def _explained(self, problem: Exception, store: Storelike, given: int) -> Exception:
        if not hasattr(store, "_ended"):
            check_open(store)
        if isinstance(problem, TypeError):
            expected = len(self._native.type.params)
            if given != expected:
                many = "many" if given > expected else "few"
                return wasmtime_error(f"too {many} parameters provided: given {given}, expected {expected}")
            return _wrong_results(problem)
        return translated(problem)

    @property
    def _func(self) -> Any:
        """Which function this is, by the fields of wasmtime's C API: there, each look at a table makes another Func."""
        from types import SimpleNamespace

        return SimpleNamespace(store_id=1, __private=hash(self._native))  # the number is one of the process

    def __repr__(self) -> str:
        return f"<Func {self._native.name} {self._native.type}>"


def _wrong_results(problem: TypeError) -> Exception:
    """For what the package says of host functions that give something else than their type says."""
    import re

    words = r": the host function must return (None|a tuple of \d+ values(?=, found \d+ values$)), found "
    found = re.search(words, str(problem))
    if found is None:
        return problem
    words = "results when it shouldn't" if found[1] == "None" else "wrong number of results"
    return wasmtime_error(f"callback produced {words}")


def check_open(store: Storelike) -> None:
    """Raise ValueError where a store is closed, or a Caller is used after its call; WrongType for anything else."""
    try:
        ended = store._ended
    except AttributeError:
        raise WrongType("a Store or a Caller", store) from None
    if ended:
        raise ValueError("already closed" if isinstance(store, Store) else "caller is no longer valid")


def native_store(store: Storelike) -> native.Store | None:
    """The package's store: a host function's work belongs to the store that it was called from."""
    if isinstance(store, Store):
        return store.native
    if isinstance(store, StoreContext):
        return store._native
    caller: native.Instance | None = getattr(store, "_instance", None)
    return None if caller is None else caller.store


def program_of(store: Storelike) -> Wasi | None:
    """The WASI program that a store was made, if any."""
    return None if isinstance(store, Caller) else store._program


def check_limit(store: Storelike, limit: str, size: int, what: str) -> None:
    """Raise WasmtimeError where `Store.set_limits` allows no memory or table (``what``) of this size."""
    found = native_store(store)
    limits = None if found is None else found.limits
    most = None if limits is None else getattr(limits, limit)
    if most is not None and size > most:
        raise wasmtime_error(f"{what} size exceeds {what} limits: {size} of {most}")


def host_function(ty: FuncType, func: Callable[..., Any], access_caller: bool) -> native.Func:
    """A function of the package for a callable of wasmtime-py's kind."""
    from wasmartifact.wasmtime._types import FuncType

    check_type(ty, FuncType, "a FuncType")
    if not callable(func):
        raise WrongType("a callable", func)
    params, results = ty._type
    served = serving(func, params, results, leading=int(bool(access_caller)))
    return native.Func(_with_caller(served) if access_caller else served, params, results, caller=bool(access_caller))


def _with_caller(func: Callable[..., Any]) -> Callable[..., Any]:
    def call(instance: native.Instance | None, *arguments: Any) -> Any:
        caller = Caller(instance)
        try:
            return func(caller, *arguments)
        finally:
            caller._ended = True

    return call


class Caller:
    """The instance that calls a host function, while the call lasts; it can stand for the store."""

    __slots__ = ("__weakref__", "_ended", "_instance")

    def __init__(self, instance: native.Instance | None) -> None:
        self._instance = instance
        self._ended = False

    def __getitem__(self, name: str) -> Any:
        """An export of the caller; KeyError where there is none, or the call is over."""
        found = self.get(name)
        if found is None:
            raise KeyError(f"failed to find export {name}")
        return found

    def get(self, name: str) -> Any | None:
        """An export of the caller; None where there is none, or the call is over."""
        check_type(name, str, "a str")
        if self._ended or self._instance is None:
            return None
        found = self._instance.exports.get(name)
        return None if found is None else wrap(found)


#: What stands for a store.
Storelike: TypeAlias = Store | Caller | StoreContext
