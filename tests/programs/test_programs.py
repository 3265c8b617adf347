"""Programs from registries do under wasmartifact what they do under wasmtime-py; what can't be packed yet says why."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pytest

import wasmartifact as wa
from tests.programs.engines import outcomes, run_ours
from tests.programs.packages import NotAvailableError, folder, module_path, share_path
from tests.programs.scenario import ModuleSource, Scenario, read_expected, read_scenarios

MODULES, SCENARIOS = read_scenarios()
PACKAGE = Path(wa.__file__).parent


@lru_cache
def artifacts_folder() -> Path:
    """A cache of artifacts for this very state of the package, of which the version tells nothing."""
    digest = hashlib.sha256()
    for path in sorted((*PACKAGE.rglob("*.py"), *PACKAGE.glob("_onepass*.so"))):
        digest.update(path.read_bytes())
    chosen = folder() / f"artifacts-{digest.hexdigest()[:16]}"
    for other in folder().glob("artifacts-*"):
        if other != chosen:
            shutil.rmtree(other, ignore_errors=True)
    return chosen


T = TypeVar("T")


def available(part: Callable[[ModuleSource], T], name: str) -> T:
    """A part of a module's package; skips the test, or fails it under CI, where it can't be downloaded."""
    try:
        return part(MODULES[name])
    except NotAvailableError as problem:
        words = f"{name} can't be downloaded: {problem}"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=scenario.name, marks=[pytest.mark.large] if scenario.is_large else [])
        for scenario in SCENARIOS
    ],
)
def test_program(scenario: Scenario, tmp_path: Path) -> None:
    def artifact(name: str) -> Path:
        path = wa.compile(available(module_path, name), opt_level=0, cache_dir=artifacts_folder()).path
        assert path is not None, "the cache of test programs can't be used"
        return Path(path)

    work = tmp_path / "work"
    work.mkdir()
    assert outcomes(scenario, artifact, lambda name: available(share_path, name), run_ours, work) == read_expected(
        scenario
    )


@pytest.mark.large
@pytest.mark.parametrize("name", [name for name, source in MODULES.items() if source.waits_for is not None])
def test_feature_is_missing(name: str, tmp_path: Path) -> None:
    # Once this fails, take `waits_for` out of scenarios.toml, and write a scenario for the module.
    with pytest.raises(wa.UnsupportedModule) as caught:
        wa.pack(available(module_path, name), tmp_path / "module.so", opt_level=0)
    assert caught.value.facts["feature"] == MODULES[name].waits_for
