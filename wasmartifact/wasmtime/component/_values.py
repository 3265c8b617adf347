"""Values of components: from wasmtime-py's shapes to the package's, and back.

For each type a function is made once; None where both shapes are the same. Numbers are checked by the package, which
raises OverflowError where wasmtime-py lets them wrap around.
"""

from __future__ import annotations

import wasmartifact.wasmtime.component._types as types
from wasmartifact.runtime.component_types import Err, Ok, Some
from wasmartifact.wasmtime._closing import WrongType, check_type
from wasmartifact.wasmtime._errors import WasmtimeError
from wasmartifact.wasmtime.component._resources import HostObject, ResourceAny, ResourceHost, ResourceType

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    #: What makes one shape of a value of the other; None leaves it as it is.
    Conversion: TypeAlias = Callable[[Any], Any] | None
    #: What a resource of the host's type is destroyed by.
    Destroyer: TypeAlias = Callable[[ResourceType], Callable[[int], None] | None]

_NUMBERS: Final = (types._Int, types._Float)
_NO_CASE: Final = "value not valid for this variant"


class WrongName(WasmtimeError, ValueError):
    """A name that an enum or flags don't have. wasmtime-py finds it when the call has begun; no call begins here."""


class Conversions:
    """The conversions of an instance's types, each made when it is first needed.

    Parameters
    ----------
    destroyer : callable
        Gives what destroys resources of a type, or None.
    """

    def __init__(self, destroyer: Destroyer) -> None:
        self._destroyer = destroyer
        #: By type, which lives as long as its instance.
        self._lowerings: dict[int, tuple[types.ValType, Conversion]] = {}
        self._liftings: dict[int, tuple[types.ValType, Conversion]] = {}

    def lowering(self, type_: types.ValType) -> Conversion:
        """From wasmtime-py's shape to the package's."""
        if id(type_) not in self._lowerings:
            make = _find(_LOWERINGS, type_)
            self._lowerings[id(type_)] = (type_, None if make is None else make(self, type_))
        return self._lowerings[id(type_)][1]

    def lifting(self, type_: types.ValType) -> Conversion:
        """From the package's shape to wasmtime-py's."""
        if id(type_) not in self._liftings:
            make = _find(_LIFTINGS, type_)
            self._liftings[id(type_)] = (type_, None if make is None else make(self, type_))
        return self._liftings[id(type_)][1]

    def optional(self, type_: types.ValType | None, lower: bool) -> Conversion:
        """Of a part that need not be there."""
        if type_ is None:
            return None
        return self.lowering(type_) if lower else self.lifting(type_)

    def host_object(self, rep: int, type_: ResourceType, number: int) -> HostObject:
        """A resource of the host for this instance."""
        return HostObject(rep, number, self._destroyer(type_))


def _find(makers: dict[type, Any], type_: types.ValType) -> Any:
    return next((makers[base] for base in type(type_).__mro__ if base in makers), None)


def convert(conversion: Conversion, value: Any) -> Any:
    """A value in the other shape."""
    return value if conversion is None else conversion(value)


# Lists, records and tuples ----------------------------------------------------------------------------------------


def _lower_list(of: Conversions, type_: types.ListType) -> Conversion:
    element = of.lowering(type_.element)
    if element is None:
        return None  # the package takes sequences, and buffers of numbers

    def lower(value: Any) -> list[Any]:
        check_type(value, (list, tuple), "list value")
        return [element(item) for item in value]

    return lower


def _lift_list(of: Conversions, type_: types.ListType) -> Conversion:
    element = of.lifting(type_.element)
    if element is not None:
        return lambda value: [element(item) for item in value]
    if isinstance(type_.element, _NUMBERS) and not isinstance(type_.element, types.U8):
        return memoryview.tolist
    return None


def _lower_record(of: Conversions, type_: types.RecordType) -> Conversion:
    fields = [(name, of.lowering(part)) for name, part in type_.fields]

    def lower(value: Any) -> dict[str, Any]:
        return {name: convert(part, getattr(value, name)) for name, part in fields}

    return lower


def _lift_record(of: Conversions, type_: types.RecordType) -> Conversion:
    fields = [(name, of.lifting(part)) for name, part in type_.fields]

    def lift(value: Any) -> types.Record:
        made = types.Record()
        vars(made).update({name: convert(part, item) for (name, part), item in zip(fields, value, strict=True)})
        return made

    return lift


def _lower_tuple(of: Conversions, type_: types.TupleType) -> Conversion:
    parts = [of.lowering(part) for part in type_.elements]

    def lower(value: Any) -> tuple[Any, ...]:
        check_type(value, tuple, "tuple type")
        if len(value) != len(parts):
            raise TypeError(f"tuple length mismatch: expected {len(parts)}, found {len(value)}")
        return tuple([convert(part, item) for part, item in zip(parts, value, strict=True)])

    return lower


def _lift_tuple(of: Conversions, type_: types.TupleType) -> Conversion:
    parts = [of.lifting(part) for part in type_.elements]
    if not any(parts):
        return None
    return lambda value: tuple([convert(part, item) for part, item in zip(parts, value, strict=True)])


# Names ------------------------------------------------------------------------------------------------------------


def _lower_enum(of: Conversions, type_: types.EnumType) -> Conversion:
    names = frozenset(type_.names)

    def lower(value: Any) -> str:
        check_type(value, str, "str type")
        if value not in names:
            raise WrongName(f"enum variant name `{value}` is not valid; expected one of {', '.join(type_.names)}")
        return str(value)

    return lower


def _lower_flags(of: Conversions, type_: types.FlagsType) -> Conversion:
    names = frozenset(type_.names)

    def lower(value: Any) -> tuple[str, ...]:
        check_type(value, (set, frozenset), "set type for Flags type")
        for name in value:
            check_type(name, str, "set of strings for Flags type")
            if name not in names:
                raise WrongName(f"unknown flag: `{name}`; expected some of {', '.join(type_.names)}")
        return tuple(value)

    return lower


def _lift_flags(of: Conversions, type_: types.FlagsType) -> Conversion:
    names = type_.names
    return lambda value: {name for bit, name in enumerate(names) if int(value) >> bit & 1}


# Variants, options and results ------------------------------------------------------------------------------------


def _chooser(type_: types.VariantLikeType) -> Callable[[Any], tuple[int, Any]]:
    """Gives the number of a value's case, and what the case holds; ValueError where it is no case's."""
    cases = type_._cases()
    if type_._tagged():
        numbers = {name: number for number, (name, _) in enumerate(cases)}

        def by_tag(value: Any) -> tuple[int, Any]:
            check_type(value, types.Variant, "Variant type")
            if value.tag not in numbers:
                raise ValueError(f"{_NO_CASE}: {value.tag!r} is none of {', '.join(numbers)}")
            return numbers[value.tag], value.payload

        return by_tag
    by_class: dict[type, int] = {}
    for number, classes in enumerate(type_._case_classes()):
        for found in classes:
            by_class[type(None) if found is object else found] = number

    def by_value(value: Any) -> tuple[int, Any]:
        number = by_class.get(type(value))
        if number is None:
            number = next((by_class[one] for one in by_class if isinstance(value, one)), None)
        if number is None:
            raise ValueError(f"{_NO_CASE}: found {type(value).__name__}")
        return number, value

    return by_value


def _lower_variant(of: Conversions, type_: types.VariantType) -> Conversion:
    choose = _chooser(type_)
    cases = [(name, part is None, of.optional(part, lower=True)) for name, part in type_.cases]

    def lower(value: Any) -> Any:
        number, payload = choose(value)
        name, is_empty, part = cases[number]
        return name if is_empty else (name, convert(part, payload))

    return lower


def _lift_variant(of: Conversions, type_: types.VariantType) -> Conversion:
    parts = {name: of.optional(part, lower=False) for name, part in type_.cases}
    if type_._tagged():
        return lambda value: types.Variant(value.case, convert(parts[value.case], value.value))
    return lambda value: convert(parts[value.case], value.value)


def _lower_option(of: Conversions, type_: types.OptionType) -> Conversion:
    choose = _chooser(type_)
    part = of.lowering(type_.payload)

    def lower(value: Any) -> Some | None:
        number, payload = choose(value)
        return Some(convert(part, payload)) if number else None

    return lower


def _lift_option(of: Conversions, type_: types.OptionType) -> Conversion:
    part = of.lifting(type_.payload)
    is_nested = isinstance(type_.payload, types.OptionType)
    tagged = type_._tagged()
    if part is None and not tagged:
        return None

    def lift(value: Any) -> Any:
        if value is None:
            return types.Variant("none") if tagged else None
        payload = convert(part, value.value if is_nested else value)
        return types.Variant("some", payload) if tagged else payload

    return lift


def _lower_result(of: Conversions, type_: types.ResultType) -> Conversion:
    choose = _chooser(type_)
    parts = [(part is None, of.optional(part, lower=True)) for part in (type_.ok, type_.err)]

    def lower(value: Any) -> Ok | Err:
        number, payload = choose(value)
        is_empty, part = parts[number]
        payload = None if is_empty else convert(part, payload)
        return Err(payload) if number else Ok(payload)

    return lower


def _lift_result(of: Conversions, type_: types.ResultType) -> Conversion:
    ok, err = lift_outcomes(of, type_)
    return lambda value: (err if isinstance(value, Err) else ok)(value.value)


def lift_outcomes(of: Conversions, type_: types.ResultType) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """From what the good and the bad outcome of a result hold to the result."""

    def outcome(name: str, part: types.ValType | None) -> Callable[[Any], Any]:
        conversion = of.optional(part, lower=False)
        if type_._tagged():
            return lambda value: types.Variant(name, convert(conversion, value))
        return lambda value: convert(conversion, value)

    return outcome("ok", type_.ok), outcome("err", type_.err)


# Resources --------------------------------------------------------------------------------------------------------


def _lower_handle(of: Conversions, type_: types.OwnType | types.BorrowType) -> Conversion:
    is_own = isinstance(type_, types.OwnType)

    def lower(value: Any) -> Any:
        if isinstance(value, ResourceHost):
            value._check_open()
            given, owned = ResourceType.host(value.type), value.owned
            resource: Any = of.host_object(value.rep, given, value.type)
        elif isinstance(value, ResourceAny):
            resource, given, owned = value._take(), value.type, value.owned
        else:
            raise WrongType("ResourceAny or ResourceHost", value)
        if given != type_.ty:
            raise WasmtimeError("mismatched resource types")
        if is_own and not owned:
            raise WasmtimeError("cannot lower a `borrow` resource into an `own`")
        if isinstance(value, ResourceAny) and isinstance(resource, HostObject):
            resource = of.host_object(resource.rep, given, resource.number)
            if is_own:
                value.close()
        return resource

    return lower


def _lift_handle(of: Conversions, type_: types.OwnType | types.BorrowType) -> Conversion:
    is_own = isinstance(type_, types.OwnType)
    return lambda value: ResourceAny._of(type_.ty, value, is_own)


_LOWERINGS: Final[dict[type, Any]] = {
    types.ListType: _lower_list,
    types.RecordType: _lower_record,
    types.TupleType: _lower_tuple,
    types.EnumType: _lower_enum,
    types.FlagsType: _lower_flags,
    types.VariantType: _lower_variant,
    types.OptionType: _lower_option,
    types.ResultType: _lower_result,
    types._Handle: _lower_handle,
}
_LIFTINGS: Final[dict[type, Any]] = {
    types.ListType: _lift_list,
    types.RecordType: _lift_record,
    types.TupleType: _lift_tuple,
    types.EnumType: lambda of, type_: str.__str__,
    types.FlagsType: _lift_flags,
    types.VariantType: _lift_variant,
    types.OptionType: _lift_option,
    types.ResultType: _lift_result,
    types._Handle: _lift_handle,
}
