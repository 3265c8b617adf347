"""Errors of the C runtime as exceptions: the code says which, the template of the schema says how it is worded."""

from __future__ import annotations

import os

from wasmartifact import errors
from wasmartifact.constants import KINDS
from wasmartifact.messages import NATIVE_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def make_native_error(
    code: int, system_errno: int, where: int, found: int, expected: int, text: str, **names: Any
) -> errors.WasmArtifactError:
    """The exception for a ``wa_error``.

    Parameters
    ----------
    code, system_errno, where, found, expected, text
        The fields of the ``wa_error``.
    **names : object
        More facts. ``path`` stands before the message; all become attributes of the exception, as those of ``where``,
        ``found`` and ``expected`` do that the message states.
    """
    name, exception_name, template = NATIVE_ERRORS[code]
    message = template.format(
        where=where, found=found, expected=expected, text=text, strerror=os.strerror(system_errno),
        import_name=f"import {where}", expected_kind=_kind(expected), found_kind=_kind(found),
    )  # fmt: skip
    if name == "system":
        from wasmartifact.host.limits import limit_advice

        advice = limit_advice(OSError(system_errno, ""))
        message += f"; {advice}" if advice else ""
    if names.get("path") is not None:
        message = f"{names['path']}: {message}"
    exception: type[errors.WasmArtifactError] = getattr(errors, exception_name)
    numbers = {"where": where, "found": found, "expected": expected}
    stated: dict[str, Any] = {fact: value for fact, value in numbers.items() if f"{{{fact}" in template}
    if exception is errors.LimitExceeded:
        stated |= {"which": name.removeprefix("over_"), "limit": expected, "wanted": found}
    return exception(message, error=name, **{**stated, **names})


def _kind(number: int) -> str:
    return KINDS[number] if number < len(KINDS) else str(number)


def raise_native_error(error: Any, **names: Any) -> NoReturn:
    """Raise the exception for a cffi ``wa_error *``; see `make_native_error` for the names."""
    from wasmartifact._native import ffi

    text = ffi.string(error.text)
    assert isinstance(text, bytes)
    facts = (error.where, error.found, error.expected, text.decode("utf-8", "replace"))
    raise make_native_error(error.code, error.system_errno, *facts, **names)


def make_join_error() -> errors.UnlinkableModule:
    """The exception where something of one Store made by hand meets another such Store."""
    return errors.UnlinkableModule(
        "objects of two different wa.Store can't share a function, table, global or memory; instantiate both modules "
        "in one store, or leave store= out"
    )


def make_exit(code: int) -> errors.Exit:
    """The exception for ``proc_exit``."""
    return errors.Exit(f"the program exited with code {code}", code=code)
