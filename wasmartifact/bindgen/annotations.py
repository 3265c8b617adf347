"""Types of WIT as annotations of Python."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum

from wasmartifact.wit import types as wit


class Way(Enum):
    """Which way values go: what may be given is more than what comes back."""

    GIVEN = "from Python to the component"
    BACK = "from the component to Python"
    HELD = "in an object that goes both ways"


_PRIMITIVES = {
    "bool": "bool", "f32": "float", "f64": "float", "char": "str", "string": "str",
    **dict.fromkeys(("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"), "int"),
}  # fmt: skip


def meant(type_: wit.Type) -> wit.Type:
    """What a type is behind the names that it was given."""
    while isinstance(type_, wit.Alias):
        type_ = type_.type
    return type_


def annotation(
    type_: wit.Type | None, way: Way, name_of: Callable[[wit.Named], str], hidden: Collection[str] = ()
) -> str:
    """The annotation of values of a type.

    Parameters
    ----------
    type_ : Type | None
        None for no value.
    way : Way
        Which way they go.
    name_of : callable
        The name that a type with a name has where the annotation stands.
    hidden : collection of str
        Names of Python's own that mean something else there.
    """

    def own(name: str) -> str:
        return f"builtins.{name}" if name in hidden else name

    def text(part: wit.Type | None) -> str:
        return annotation(part, way, name_of, hidden)

    match type_:
        case None:
            return "None"
        case wit.Primitive(name=name):
            return own(_PRIMITIVES[name])
        case wit.List(element=element):
            return _list(element, way, text(element), own)
        case wit.Option(some=some):
            return f"wa.Some[{text(some)}] | None" if isinstance(meant(some), wit.Option) else f"{text(some)} | None"
        case wit.Result(ok=ok, err=err):
            return f"wa.Ok[{text(ok)}] | wa.Err[{text(err)}]"
        case wit.Tuple(items=items):
            return f"{own('tuple')}[{', '.join(map(text, items))}]"
        case wit.Own(resource=resource) | wit.Borrow(resource=resource):
            return name_of(resource)
        case wit.Alias(type=type_behind):
            held = annotation(type_behind, Way.HELD, name_of)
            whole = text(type_behind)
            return name_of(type_) if annotation(type_behind, way, name_of) == held else whole
        case _:
            return name_of(type_)


def _list(element: wit.Type, way: Way, text: str, own: Callable[[str], str]) -> str:
    """Lists of numbers cross as buffers."""
    behind = meant(element)
    is_number = isinstance(behind, wit.Primitive) and _PRIMITIVES[behind.name] in ("int", "float")
    is_bytes = behind == wit.Primitive("u8")
    if way is Way.GIVEN and is_number:
        return f"Sequence[{text}] | Buffer"
    if is_bytes:
        return own("bytes")
    if way is Way.BACK:
        return f"{own('memoryview' if is_number else 'list')}[{text}]"
    return f"Sequence[{text}]"
