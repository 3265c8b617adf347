"""Strings of JavaScript for modules that import them: Kotlin's, Dart's, OCaml's, which were compiled for browsers.

Such modules keep their strings in the host, as references, and import the functions that look into them. Here a string
is a ``str`` of Python, and the functions see it as JavaScript does: as UTF-16 code units. See the JS string builtins
proposal, https://github.com/WebAssembly/js-string-builtins. The functions cost what calls back into Python cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact._types import Array

#: The module that the functions are imported from.
MODULE: Final = "wasm:js-string"
_U32: Final = 0xFFFFFFFF
_NATIVE: Final = "utf-16-le" if __import__("sys").byteorder == "little" else "utf-16-be"


class _Constants(Mapping[str, str]):
    """Every string by itself, which is what string constants are imported as."""

    def __getitem__(self, name: str) -> str:
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def imports(constants: str | None = "'") -> dict[str, Mapping[str, Any]]:
    """What a module imports for strings of JavaScript, by module name and name.

    Parameters
    ----------
    constants : str | None
        The module that the guest imports its string constants from, as its JavaScript passes it to
        ``WebAssembly.compile`` as ``importedStringConstants``: "'" for Kotlin and Binaryen, "" for Dart, "str" for
        OCaml; None: it has none.

    Returns
    -------
    dict
        To be given to `Artifact.instantiate`, with what else the module imports. Lone surrogates are characters of
        their own, and two halves that come together are one character. A function that gets another object than a
        ``str`` where it wants a string raises TypeError, one that gets an index or a code point out of range raises
        IndexError; both end the call of the guest, as traps do.

    Examples
    --------
    >>> import wasmartifact as wa
    >>> from wasmartifact import jsstring
    >>> artifact = wa.compile(
    ...     b'''(module
    ...       (import "wasm:js-string" "concat" (func $concat (param externref externref) (result (ref extern))))
    ...       (import "'" "Hello, " (global $hello (ref extern)))
    ...       (func (export "greet") (param externref) (result externref)
    ...         (call $concat (global.get $hello) (local.get 0))))'''
    ... )
    >>> artifact.instantiate(jsstring.imports()).exports.greet("World")
    'Hello, World'
    """
    given: dict[str, Mapping[str, Any]] = {MODULE: _functions()}
    if constants is not None:
        given[constants] = _Constants()
    return given


def _functions() -> dict[str, Callable[..., Any]]:
    return {
        "cast": _string,
        "test": lambda value: isinstance(value, str),
        "fromCharCodeArray": _from_char_code_array,
        "intoCharCodeArray": _into_char_code_array,
        "fromCharCode": lambda unit: chr(unit & 0xFFFF),
        "fromCodePoint": _from_code_point,
        "charCodeAt": _char_code_at,
        "codePointAt": _code_point_at,
        "length": _length,
        "concat": _concat,
        "substring": _substring,
        "equals": _equals,
        "compare": _compare,
    }


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"{MODULE}: expected a str, found {type(value).__name__}")


class _Units:
    """The code units of the string that was looked into last: a guest looks at one character after the other."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = "", memoryview(b"").cast("H")

    def of(self, value: object) -> memoryview:
        last = self._last  # both at once: other threads ask, too
        if value is not last[0]:
            text = _string(value)
            self._last = last = text, memoryview(text.encode(_NATIVE, "surrogatepass")).cast("H")
        return last[1]


_units = _Units()


def _decoded(units: memoryview | bytes) -> str:
    """The string of code units; halves of a pair become one character."""
    return bytes(units).decode(_NATIVE, "surrogatepass")


def _is_low_surrogate(unit: int) -> bool:
    return unit & 0xFC00 == 0xDC00


def _is_high_surrogate(unit: int) -> bool:
    return unit & 0xFC00 == 0xD800


def _unit_at(text: str, index: int) -> int:
    index &= _U32
    if text.isascii():
        if index < len(text):
            return ord(text[index])
        length = len(text)
    else:
        units = _units.of(text)
        if index < len(units):
            return int(units[index])
        length = len(units)
    raise IndexError(f"{MODULE}: index {index} is out of range, the string has {length} code units")


def _char_code_at(value: object, index: int) -> int:
    return _unit_at(_string(value), index)


def _code_point_at(value: object, index: int) -> int:
    text = _string(value)
    first = _unit_at(text, index)
    if _is_high_surrogate(first) and (index & _U32) + 1 < _length(text):
        second = _unit_at(text, index + 1)
        if _is_low_surrogate(second):
            return 0x10000 + ((first & 0x3FF) << 10 | second & 0x3FF)
    return first


def _length(value: object) -> int:
    text = _string(value)
    return len(text) if text.isascii() else len(_units.of(text))


def _concat(first: object, second: object) -> str:
    head, tail = _string(first), _string(second)
    if head and tail and _is_high_surrogate(ord(head[-1])) and _is_low_surrogate(ord(tail[0])):
        return head[:-1] + _decoded((head[-1] + tail[0]).encode(_NATIVE, "surrogatepass")) + tail[1:]
    return head + tail


def _substring(value: object, start: int, end: int) -> str:
    text, start, end = _string(value), start & _U32, end & _U32
    if start >= end:
        return ""
    return text[start:end] if text.isascii() else _decoded(_units.of(text)[start:end])


def _equals(first: object, second: object) -> bool:
    if first is None or second is None:
        if (other := second if first is None else first) is not None:
            _string(other)
        return first is second
    one, two = _string(first), _string(second)
    return one == two or (not one.isascii() and not two.isascii() and _big_endian(one) == _big_endian(two))


def _compare(first: object, second: object) -> int:
    one, two = _string(first), _string(second)
    if not one.isascii() and not two.isascii():
        # Characters beyond the basic plane come before the last ones in it, as they are two units.
        units_one, units_two = _big_endian(one), _big_endian(two)
        return (units_one > units_two) - (units_one < units_two)
    return (one > two) - (one < two)


def _big_endian(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _from_code_point(point: int) -> str:
    point &= _U32
    if point > 0x10FFFF:
        raise IndexError(f"{MODULE}: {point:#x} is no code point, the last one is 0x10ffff")
    return chr(point)


def _elements(array: Array | None) -> memoryview:
    if array is None:
        raise TypeError(f"{MODULE}: expected an array, found None")
    elements = memoryview(array)
    if elements.format != "H":
        raise TypeError(f"{MODULE}: expected an array of i16, found one of {elements.itemsize} bytes each")
    return elements


def _from_char_code_array(array: Array | None, start: int, end: int) -> str:
    elements, start, end = _elements(array), start & _U32, end & _U32
    if start > end or end > len(elements):
        raise IndexError(f"{MODULE}: {start} to {end} is out of range, the array has {len(elements)} elements")
    return _decoded(elements[start:end])


def _into_char_code_array(value: object, array: Array | None, start: int) -> int:
    units, elements, start = _units.of(value), _elements(array), start & _U32
    if start + len(units) > len(elements):
        raise IndexError(
            f"{MODULE}: {len(units)} code units from {start} on don't fit, the array has {len(elements)} elements"
        )
    elements[start : start + len(units)] = units
    return len(units)
