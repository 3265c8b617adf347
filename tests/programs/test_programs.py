"""Programs from registries do under wasmartifact what they do under wasmtime-py; what can't be packed yet says why."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmartifact as wa
from tests.programs.engines import outcomes, run_ours
from tests.programs.packages import module_path, share_path
from tests.programs.scenario import Scenario, read_expected, read_scenarios
from tests.programs.support import artifacts_folder, available

MODULES, SCENARIOS = read_scenarios()


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=scenario.name, marks=[pytest.mark.large] if scenario.is_large else [])
        for scenario in SCENARIOS
    ],
)
def test_program(scenario: Scenario, tmp_path: Path) -> None:
    def artifact(name: str) -> Path:
        path = wa.compile(available(module_path, MODULES[name]), opt_level=0, cache_dir=artifacts_folder()).path
        assert path is not None, "the cache of test programs can't be used"
        return Path(path)

    work = tmp_path / "work"
    work.mkdir()
    assert outcomes(
        scenario, artifact, lambda name: available(share_path, MODULES[name]), run_ours, work
    ) == read_expected(scenario)


@pytest.mark.large
@pytest.mark.parametrize("name", [name for name, source in MODULES.items() if source.waits_for is not None])
def test_feature_is_missing(name: str, tmp_path: Path) -> None:
    # Once this fails, take `waits_for` out of scenarios.toml, and write a scenario for the module.
    with pytest.raises(wa.UnsupportedModule) as caught:
        wa.pack(available(module_path, MODULES[name]), tmp_path / "module.so", opt_level=0)
    assert caught.value.facts["feature"] == MODULES[name].waits_for
