"""``python -m tests.programs.record [NAME...]``: record what scenarios, jobs and codecs leave under wasmtime."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.programs.codecs import EXPECTED, read_codecs, told, under_wasmtime
from tests.programs.engines import outcomes, run_node, run_wasmtime
from tests.programs.environments import read_jobs, run_job
from tests.programs.packages import module_path, share_path
from tests.programs.scenario import read_scenarios, write_expected, write_outcomes


def main(names: list[str]) -> int:
    """Record the named scenarios and jobs, or all."""
    modules, scenarios = read_scenarios()
    for scenario in scenarios:
        if names and scenario.name not in names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "work"
            folder.mkdir()
            found = outcomes(
                scenario,
                lambda name: module_path(modules[name]),
                lambda name: share_path(modules[name]),
                run_node if scenario.reference == "node" else run_wasmtime,
                folder,
            )
        write_expected(scenario, found)
        print(f"{scenario.name}: exit codes {', '.join(str(outcome.exit_code) for outcome in found)}", flush=True)
    for job in read_jobs():
        if names and job.name not in names:
            continue
        outcome = run_job(job, [module_path(modules[name]) for name in job.modules], ours=False)
        write_outcomes(job.expected, [outcome])
        print(f"{job.name}: exit code {outcome.exit_code}", flush=True)
    if not names or "codecs" in names:
        codecs = {
            codec.name: [told(*found) for found in under_wasmtime(codec, module_path(codec.source))]
            for codec in read_codecs()
        }
        EXPECTED.write_text(json.dumps(codecs, indent=2) + "\n")
        print(f"codecs: {', '.join(codecs)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
