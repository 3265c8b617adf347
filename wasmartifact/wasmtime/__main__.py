"""``python -m wasmartifact.wasmtime SCRIPT|-m MODULE|-c CODE [ARGS]``: run a program written for wasmtime-py."""

from __future__ import annotations

import os
import runpy
import sys

from wasmartifact.wasmtime import install

_USAGE = """\
usage: python -m wasmartifact.wasmtime SCRIPT [ARGS]
       python -m wasmartifact.wasmtime -m MODULE [ARGS]
       python -m wasmartifact.wasmtime -c CODE [ARGS]

Runs a Python program in which `import wasmtime` gives wasmartifact.wasmtime."""


def main(arguments: list[str]) -> int:
    """Run what the arguments name as Python itself would; a status where they name nothing."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] in ("-m", "-c") and len(arguments) < 2:
        print(f"{arguments[0]} needs an argument\n{_USAGE}", file=sys.stderr)
        return 2
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path[0] = ""
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
