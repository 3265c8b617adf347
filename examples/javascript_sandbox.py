"""Runs JavaScript that nobody trusts: QuickJS, compiled to WebAssembly, sees no file and no variable of this process.

The module comes from PyPI: pip install qjs-wasi-reactor.wasm==0.17.0
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import struct
from pathlib import Path
from typing import Any

import wasmartifact as wa


def quickjs_path() -> Path:
    """The .wasm file of the installed package."""
    files = importlib.metadata.files("qjs-wasi-reactor.wasm") or []
    return next(Path(str(file.locate())) for file in files if file.suffix == ".wasm")


class Sandbox:
    """QuickJS, compiled once per machine. Each script gets an instance of its own: none sees what another left."""

    def __init__(self) -> None:
        # Level 0 packs in a few seconds. Ship an artifact of level 2 instead of the module if scripts run for long.
        self.artifact = wa.compile(quickjs_path(), opt_level=0)

    def run(self, script: str) -> str:
        """Run a script and return what it printed. Raises RuntimeError with that where the script fails."""
        output = io.BytesIO()
        wasi = wa.Wasi(stdout=output, stderr=output)  # no preopens, no environment
        exports = self.artifact.instantiate(wasi.imports()).exports
        exports["_initialize"]()
        arguments = [b"qjs\0", b"--std\0", b"-e\0", script.encode() + b"\0"]
        memory, malloc = exports["memory"], exports["malloc"]
        pointers = []
        for argument in arguments:
            address = malloc(len(argument))
            memory[address : address + len(argument)] = argument
            pointers.append(address)
        vector = malloc(4 * len(pointers) + 4)
        memory[vector : vector + 4 * len(pointers) + 4] = struct.pack(f"<{len(pointers) + 1}I", *pointers, 0)
        if exports["qjs_init_argv"](len(pointers), vector):
            raise RuntimeError(output.getvalue().decode())
        return output.getvalue().decode()

    def call(self, function: str, value: Any) -> Any:
        """The result of a JavaScript function for a value; both travel as JSON."""
        argument = json.dumps(json.dumps(value))
        return json.loads(self.run(f"console.log(JSON.stringify(({function})(JSON.parse({argument}))))"))


def main() -> None:
    """Transform data by a script, then try to get out."""
    sandbox = Sandbox()
    orders = [{"item": "tea", "price": 4.5, "count": 3}, {"item": "café", "price": 2.25, "count": 2}]
    total = sandbox.call("orders => orders.reduce((sum, o) => sum + o.price * o.count, 0)", orders)
    print("total:", total)
    print("items:", ", ".join(sandbox.call("orders => orders.map(o => o.item.toUpperCase())", orders)))
    print(sandbox.run("console.log('files:', std.loadFile('/etc/passwd'), '; HOME:', std.getenv('HOME'))"), end="")
    try:
        sandbox.run("throw new Error('my mistake')")
    except RuntimeError as error:
        print("failed:", str(error).splitlines()[0])


if __name__ == "__main__":
    main()
