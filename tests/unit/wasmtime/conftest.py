"""Each test of this folder runs twice: on wasmtime-py itself, which proves what it expects, and on our face of it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

REAL, FACE = "wasmtime", "wasmartifact.wasmtime"


@pytest.fixture(scope="package", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this folder's own, in which everything stays at the level that it was first packed at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("WASMARTIFACT_TIER_UP", "0")
        yield


@pytest.fixture(params=[REAL, FACE])
def w(request: pytest.FixtureRequest) -> ModuleType:
    """wasmtime-py, then the face. What the face does otherwise on purpose is marked ``differs`` with the reason."""
    if request.param == REAL:
        return real()
    differs = request.node.get_closest_marker("differs")
    if differs is not None:
        request.applymarker(pytest.mark.xfail(reason=differs.args[0], strict=True))
    return importlib.import_module(FACE)


@pytest.fixture
def face() -> ModuleType:
    """The face alone, for what ends the process of wasmtime-py."""
    return importlib.import_module(FACE)


def real() -> ModuleType:
    module: ModuleType = pytest.importorskip(REAL, reason="wasmtime-py, whose behaviour this is, is not installed")
    return module


@pytest.fixture
def store(w: ModuleType) -> Any:
    return w.Store()
