"""Makes the .wasm files of the kernels from their sources: ``python -m bench.kernels.build`` (needs clang and lld)."""

from __future__ import annotations

import shlex
import subprocess

from bench.kernels import KERNELS, wasm_command


def main() -> None:
    """Run the command of every kernel and print it. Raises CalledProcessError where clang fails."""
    for kernel in KERNELS:
        command = wasm_command(kernel, kernel.wasm)
        print(shlex.join(command))
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
