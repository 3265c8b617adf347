"""Build backend: setuptools, which gets mypy as well where Python files are to be compiled by mypyc.

setup.py compiles them where mypyc is, so mypy is no fixed requirement: WASMARTIFACT_PURE=1 builds without it.
"""

import os

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 (the hooks that stay as they are)


def _with_mypy(requirements: list[str]) -> list[str]:
    return requirements if os.environ.get("WASMARTIFACT_PURE") == "1" else [*requirements, "mypy>=2.4"]


def get_requires_for_build_wheel(config_settings: dict[str, str] | None = None) -> list[str]:
    """What a wheel needs beside the fixed requirements of pyproject.toml (PEP 517)."""
    return _with_mypy(build_meta.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: dict[str, str] | None = None) -> list[str]:
    """Likewise for an installation in place (PEP 660)."""
    return _with_mypy(build_meta.get_requires_for_build_editable(config_settings))
