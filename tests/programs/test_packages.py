"""Packages that are written for wasmtime-py do the same where there is none: the face takes its place."""

from __future__ import annotations

from functools import partial

import pytest

from tests.programs.environments import PackageJob, finds_wasmtime, read_jobs, run_job
from tests.programs.packages import module_path
from tests.programs.scenario import read_outcomes, read_scenarios
from tests.programs.support import artifacts_folder, available

MODULES = read_scenarios()[0]


@pytest.mark.parametrize(
    "job",
    [pytest.param(job, id=job.name, marks=[pytest.mark.large] if job.is_large else []) for job in read_jobs()],
)
def test_package(job: PackageJob) -> None:
    assert not available(finds_wasmtime, job)
    modules = [available(module_path, MODULES[name]) for name in job.modules]
    assert [
        available(partial(run_job, modules=modules, ours=True, artifacts=artifacts_folder()), job)
    ] == read_outcomes(job.expected)
