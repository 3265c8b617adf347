"""The Python and JavaScript sandboxes of hyperlight run code that calls tools of their host."""

import json
from pathlib import Path

import javascript_guest
import python_guest
import wasmtime
from running import run
from sandbox_codes import JAVASCRIPT, PYTHON
from wasmtime.component import Component, Linker, Variant

TOOLS = "hyperlight:sandbox/tools"
EXECUTOR = "hyperlight:sandbox/executor"


def dispatch(_store: object, name: str, arguments: str) -> object:
    """The tool that guests may call."""
    if name != "add":
        return Variant("err", f"there is no tool {name}")
    numbers = json.loads(arguments)
    return Variant("ok", json.dumps(numbers["a"] + numbers["b"]))


class Sandbox:
    """One of the two."""

    def __init__(self, path: Path) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        self.store.set_wasi(wasmtime.WasiConfig())
        linker = Linker(engine)
        linker.add_wasip2()
        linker.add_wasi_http()
        linker.allow_shadowing = True
        with linker.root() as root, root.add_instance(TOOLS) as tools:
            tools.add_func("dispatch", dispatch)
        component = Component.from_file(engine, str(path))
        instance = linker.instantiate(self.store, component)
        interface = instance.get_export_index(self.store, EXECUTOR)
        self.function = instance.get_func(self.store, instance.get_export_index(self.store, "run", interface))

    def run(self, code: str) -> object:
        """What code writes, and its exit code."""
        found = self.function(self.store, code)
        self.function.post_return(self.store)
        return [found.stdout, found.stderr, getattr(found, "exit-code")]


def resources(package: object) -> Path:
    """Folder of a guest's files."""
    return Path(package.__file__).parent / "resources"


sandboxes = [
    (Sandbox(resources(python_guest) / "python-sandbox.wasm"), PYTHON),
    (Sandbox(resources(javascript_guest) / "js-sandbox.wasm"), JAVASCRIPT),
]


def job() -> object:
    """All the code, one after another, in the same two instances."""
    return [[sandbox.run(code) for code in codes] for sandbox, codes in sandboxes]


run(job)
