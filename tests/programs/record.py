"""``python -m tests.programs.record [NAME...]``: run scenarios under their reference and record what they leave."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.programs.engines import outcomes, run_node, run_wasmtime
from tests.programs.packages import module_path, share_path
from tests.programs.scenario import read_scenarios, write_expected


def main(names: list[str]) -> int:
    """Record the named scenarios, or all."""
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
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
