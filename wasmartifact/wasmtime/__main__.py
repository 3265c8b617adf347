"""``python -m wasmartifact.wasmtime SCRIPT|-m MODULE|-c CODE [ARGS]``: run a program written for wasmtime-py."""

from __future__ import annotations

import sys

from wasmartifact.wasmtime import install
from wasmartifact.wasmtime._program import print_exception, run_code, run_module, run_script

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
    option, *rest = arguments
    if option in ("-m", "-c") and not rest:
        print(f"{option} needs an argument\n{_USAGE}", file=sys.stderr)
        return 2
    if option.startswith("-") and option not in ("-", "-m", "-c"):
        print(f"{option} is no option here; those of Python itself go before -m\n{_USAGE}", file=sys.stderr)
        return 2
    install()
    sys.excepthook = print_exception
    if option == "-m":
        sys.argv = rest
        run_module(rest[0])
    elif option == "-c":
        sys.argv = ["-c", *rest[1:]]
        run_code(rest[0])
    else:
        sys.argv = arguments
        run_script(option)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
