"""Errors of the C runtime as exceptions: the code says which, the template of the schema says how it is worded."""

from __future__ import annotations

import os

from wasmartifact import errors
from wasmartifact.constants import KINDS, NATIVE_ERRORS

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
        More facts. ``path`` stands before the message; ``import_name``, ``expected_kind`` and ``found_kind`` are what
        templates about imports name; all become attributes of the exception.
    """
    name, exception_name, template = NATIVE_ERRORS[code]
    facts = {
        "strerror": os.strerror(system_errno),
        "import_name": f"import {where}",
        "expected_kind": KINDS[expected] if expected < len(KINDS) else expected,
        "found_kind": KINDS[found] if found < len(KINDS) else found,
        **names,
    }
    message = template.format(where=where, found=found, expected=expected, text=text, **facts)
    if name == "system":
        from wasmartifact.limits import limit_advice

        advice = limit_advice(OSError(system_errno, ""))
        message += f"; {advice}" if advice else ""
    if names.get("path") is not None:
        message = f"{names['path']}: {message}"
    exception: type[errors.WasmArtifactError] = getattr(errors, exception_name)
    return exception(message, error=name, where=where, found=found, expected=expected, **names)


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
