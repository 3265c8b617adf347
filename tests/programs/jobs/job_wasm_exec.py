"""wasm-exec runs Python programs, written for wasmtime 9: its README's example, and an error."""

from running import run
from wasm_exec import WasmExecutor
from wasm_exec.exceptions import WasmExecError


def job() -> object:
    """A program that ends, and one that fails; under wasmtime 9 an executor is good for one."""
    found: list[object] = [WasmExecutor().exec("print('Hello', 2 ** 70, sorted({3, 1, 2}))").text]
    try:
        WasmExecutor().exec("open('/etc/passwd')")
    except WasmExecError as problem:
        found.append(str(problem).splitlines()[-1])
    return found


run(job)
