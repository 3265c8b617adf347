"""wasmhost gives Python the JavaScript API of WebAssembly, over wasmtime among others: its own checks."""

from running import run
from wasmhost._selftest import selftest

#: What checks say that depends on the engine: which exceptions it takes, and how long a call takes.
OWN = ("exception handling", "call cost")


def job() -> object:
    """Each check with its verdict."""
    said: list[str] = []
    passed = selftest("wasmtime", lambda line: said.append(str(line)))
    verdicts = [line for line in said if line.lstrip().startswith(("ok", "FAIL"))]
    return [passed, [line.split("  [")[0] if any(own in line for own in OWN) else line for line in verdicts]]


run(job)
