"""Importing the packages of the extra ``pack``, which loading an artifact never needs."""

from __future__ import annotations

import importlib
from types import ModuleType

from wasmartifact.errors import ToolchainError


def require(package: str, purpose: str) -> ModuleType:
    """Import a package of the extra ``pack``.

    Parameters
    ----------
    package : str
        Name to import.
    purpose : str
        What it is needed for, as the start of a sentence.

    Raises
    ------
    ToolchainError
        It is not installed, or its native library does not load.
    """
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:
        raise ToolchainError(
            f"{purpose} needs the Python package {package}, which can't be imported ({error}): "
            "pip install 'wasmartifact[pack]'",
            package=package,
        ) from error
