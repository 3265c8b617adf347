"""Values of components as text: numbers, words and strings as they are, all that has parts as JSON.

A record is an object, a case of a variant or of a result that has a value an object with one item, ``{"circle": 1.5}``,
one without a value, a name of an enum and each of flags are strings. What is printed can be read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from wasmartifact.runtime.component_types import Err, Ok, Some
from wasmartifact.wit import types as wit

_FLOATS: Final = ("f32", "f64")
_TEXTS: Final = ("char", "string")
_BOOLS: Final = {"true": True, "false": False}


def read_value(text: str, type_: wit.Type) -> Any:
    """The value that a text stands for, as a component takes it. Raises ValueError."""
    type_ = _meant(type_)
    if isinstance(type_, wit.Primitive):
        return _read_primitive(text, type_.name)
    if isinstance(type_, wit.Enum) or (isinstance(type_, wit.Variant) and _cases(type_).get(text, type_) is None):
        return text
    return _from_json(json.loads(text), type_)


def value_text(value: Any, type_: wit.Type) -> str:
    """A value that a component gave."""
    plain = _to_json(value, type_)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _meant(type_: wit.Type) -> wit.Type:
    while isinstance(type_, wit.Alias):
        type_ = type_.type
    return type_


def _cases(type_: wit.Variant) -> dict[str, wit.Type | None]:
    return {case.name: case.type for case in type_.cases}


def _read_primitive(text: str, name: str) -> Any:
    if name in _TEXTS:
        return text
    if name == "bool":
        if text not in _BOOLS:
            raise ValueError("expected true or false")
        return _BOOLS[text]
    return float(text) if name in _FLOATS else int(text, 0)


def _from_json(found: Any, type_: wit.Type) -> Any:
    """From what JSON has for a value."""
    match _meant(type_):
        case wit.Primitive(name):
            return _checked_primitive(found, name)
        case wit.List(element):
            return [_from_json(one, element) for one in _of(found, list, "a list")]
        case wit.Tuple(items):
            values = _of(found, list, "a list")
            return tuple([_from_json(one, item) for one, item in zip(values, items, strict=True)])
        case wit.Record(fields=fields):
            _expect_names(_of(found, dict, "an object"), [field.name for field in fields])
            return {field.name: _from_json(found[field.name], field.type) for field in fields}
        case wit.Option(some):
            if found is None:
                return None
            if not isinstance(_meant(some), wit.Option):
                return _from_json(found, some)
            return Some(_case_value(found, {"some": some})[1])
        case wit.Result(ok, err):
            name, value = _case_value(found, {"ok": ok, "err": err})
            return Ok(value) if name == "ok" else Err(value)
        case wit.Variant() as variant:
            name, value = _case_value(found, _cases(variant))
            return name if isinstance(found, str) else (name, value)
        case wit.Enum(cases=names):
            _expect_names([_of(found, str, "a name")], names, all_of_them=False)
        case wit.Flags(flags=names):
            _expect_names(_of(found, list, "a list of names"), names, all_of_them=False)
        case _:
            raise ValueError(f"a resource, {type_}, can't be written")
    return found


def _checked_primitive(found: Any, name: str) -> Any:
    """JSON's true is no number, though Python's is one."""
    class_ = str if name in _TEXTS else bool if name == "bool" else float if name in _FLOATS else int
    if class_ is float and type(found) is int:
        return float(found)
    return _of(found, class_, f"a value of {name}")


def _of(found: Any, class_: type, words: str) -> Any:
    if type(found) is not class_:
        raise ValueError(f"expected {words}, found {json.dumps(found)}")
    return found


def _expect_names(found: Iterable[Any], names: Iterable[str], *, all_of_them: bool = True) -> None:
    given, known = list(found), list(names)
    wrong = [name for name in given if name not in known]
    missing = [name for name in known if name not in given] if all_of_them else []
    if wrong or missing:
        raise ValueError(f"expected {', '.join(known)}, found {', '.join(map(str, given)) or 'nothing'}")


def _case_value(found: Any, cases: dict[str, wit.Type | None]) -> tuple[str, Any]:
    """Name and value of a case: ``"name"``, or ``{"name": value}``."""
    if isinstance(found, dict) and len(found) == 1:
        ((name, value),) = found.items()
        type_ = cases.get(name)
        if type_ is not None:
            return name, _from_json(value, type_)
    elif isinstance(found, str) and found in cases and cases[found] is None:
        return found, None
    expected = ", ".join(json.dumps(name if type_ is None else {name: str(type_)}) for name, type_ in cases.items())
    raise ValueError(f"expected one of {expected}, found {json.dumps(found)}")


def _to_json(value: Any, type_: wit.Type) -> Any:
    """What JSON has for a value."""
    match _meant(type_):
        case wit.Primitive():
            return value
        case wit.List(element):
            return [_to_json(one, element) for one in value]
        case wit.Tuple(items):
            return [_to_json(one, item) for one, item in zip(value, items, strict=True)]
        case wit.Record(fields=fields):
            return {field.name: _to_json(one, field.type) for field, one in zip(fields, value, strict=True)}
        case wit.Option(some):
            if value is None:
                return None
            inner = isinstance(value, Some)
            return {"some": _to_json(value.value, some)} if inner else _to_json(value, some)
        case wit.Result(ok, err):
            name, part = ("ok", ok) if isinstance(value, Ok) else ("err", err)
            return name if part is None else {name: _to_json(value.value, part)}
        case wit.Variant() as variant:
            part = _cases(variant)[value.case]
            return value.case if part is None else {value.case: _to_json(value.value, part)}
        case wit.Enum(cases=names):
            return next(name for name in names if value == name)
        case wit.Flags(flags=names):
            return [name for bit, name in enumerate(names) if value >> bit & 1]
    return str(value)
