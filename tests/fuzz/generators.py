"""The command that compares code generators: llvmlite and LLVM's own library must make the same code of any module.

At levels 1 and 3: the default level has a pass that llvmlite has not.

``python -m tests.fuzz.generators --modules N --seed S [--opt-level L]`` prints how many were compared and saves those
of which the code differs; exits with 1 if there was any. Needs the extra ``llvm``.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile

import wasmartifact as wa
from tests.fuzz.smith import SmithError, smith_module
from wasmartifact.host.libllvm import VARIABLE, find_libllvm


def code_of(module: bytes, library: str, level: int) -> bytes | str:
    """The machine code of a module's artifact; of one that is refused, the error."""
    os.environ[VARIABLE] = library
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        try:
            wa.pack(module, file.name, opt_level=level, incremental=False)
        except wa.WasmArtifactError as error:
            return str(error)
        section = ELFFile(io.BytesIO(Path(file.name).read_bytes())).get_section_by_name(".text")
        return b"" if section is None else bytes(section.data())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.generators", description="compare code generators")
    parser.add_argument("--modules", type=int, default=100, help="how many")
    parser.add_argument("--seed", default="0", help="chooses the modules")
    parser.add_argument("--opt-level", type=int, choices=(1, 3), default=1)
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="where modules that differ go")
    given = parser.parse_args(arguments)
    library = find_libllvm()
    if not library:
        print("nothing to compare: LLVM's own library is not here, pip install 'wasmartifact[llvm]'")
        return 0
    compared = code_bytes = different = 0
    for index in range(given.modules):
        rng = random.Random(f"{given.seed}/{index}")
        try:
            module = smith_module(rng, canonical_nans=False, vectors=rng.random() < 0.5)
        except SmithError:
            continue
        theirs, ours = (code_of(module, name, given.opt_level) for name in ("0", library))
        compared += isinstance(ours, bytes)
        code_bytes += len(ours) if isinstance(ours, bytes) else 0
        if ours != theirs:
            different += 1
            given.save.mkdir(parents=True, exist_ok=True)
            (path := given.save / f"generators-{given.seed}-{index}.wasm").write_bytes(module)
            print(f"different: {path}", flush=True)
    print(f"{compared} modules, {code_bytes:,} bytes of code, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
