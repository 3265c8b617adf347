"""Func: a function that an instance of a component exports; and functions of the host that components call."""

from __future__ import annotations

from wasmartifact.errors import WasmArtifactError
from wasmartifact.runtime.component_types import Err
from wasmartifact.wasmtime._errors import component_error
from wasmartifact.wasmtime._func import check_open
from wasmartifact.wasmtime.component._made import Made
from wasmartifact.wasmtime.component._types import ResultType
from wasmartifact.wasmtime.component._values import convert, lift_outcomes
from wasmartifact.wasmtime.component._world import FuncType

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wasmartifact.wasmtime._func import Storelike
    from wasmartifact.wasmtime.component._surroundings import Surroundings
    from wasmartifact.wit import types as wit


class Func(Made):
    """A function of a component, called with a store before its arguments."""

    _native: Callable[..., Any]
    _function: wit.Function
    _surroundings: Surroundings

    @classmethod
    def _of(cls, native: Callable[..., Any], function: wit.Function, surroundings: Surroundings) -> Func:
        made = cls.__new__(cls)
        made._native = native
        made._function = function
        made._surroundings = surroundings
        made._prepare()
        return made

    def _prepare(self) -> None:
        type_ = self._type = FuncType._of(self._function, self._surroundings.types)
        conversions = self._surroundings.conversions
        self._lowerings = [conversions.lowering(part) for _, part in type_.params]
        self._lifting = conversions.optional(type_.result, lower=False)
        self._outcomes = lift_outcomes(conversions, type_.result) if isinstance(type_.result, ResultType) else None

    def type(self, store: Storelike) -> FuncType:
        """Its type."""
        check_open(store)
        return FuncType._of(self._function, self._surroundings.types)

    def __call__(self, store: Storelike, *params: Any) -> Any:
        """Call it: its result, or None where it has none.

        Raises
        ------
        WasmtimeError
            The guest trapped, which ends its instance; or a name is none of an enum's or of flags.
        ExitTrap
            The guest is a WASI program, and ended itself.
        TypeError, ValueError, AttributeError, OverflowError
            A parameter does not fit its type, or their number is another one. The call has not begun.
        """
        check_open(store)
        if len(params) != len(self._lowerings):
            expected = len(self._lowerings)
            raise TypeError(f"wrong number of parameters provided: given {len(params)}, expected {expected}")
        arguments = [convert(lower, value) for lower, value in zip(self._lowerings, params, strict=True)]
        try:
            found = self._native(*arguments)
        except Err as problem:
            if self._outcomes is None:
                raise
            return self._outcomes[1](problem.value)
        except WasmArtifactError as problem:
            raise component_error(problem) from None
        return convert(self._lifting, found) if self._outcomes is None else self._outcomes[0](found)

    def post_return(self, store: Storelike) -> None:
        """Nothing: what is to be done after a call, the call does."""
        check_open(store)

    def __repr__(self) -> str:
        return f"<Func {self._function}>"


def host_function(function: wit.Function, func: Callable[..., Any], surroundings: Surroundings) -> Callable[..., Any]:
    """What the package calls for a callable of wasmtime-py's kind: with a store first, and values in its shapes."""
    type_ = FuncType._of(function, surroundings.types)
    liftings = [surroundings.conversions.lifting(part) for _, part in type_.params]
    lowering = surroundings.conversions.optional(type_.result, lower=True)

    def call(*arguments: Any) -> Any:
        values = [convert(lift, value) for lift, value in zip(liftings, arguments, strict=True)]
        return convert(lowering, surroundings.call(func, *values))

    return call
