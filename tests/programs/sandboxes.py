"""The Python and JavaScript sandboxes of hyperlight: components of componentize-py and -js that run code."""

from __future__ import annotations

import json
from typing import Any, Final

import wasmartifact as wa
from tests.programs.scenario import ModuleSource

PYTHON_SANDBOX: Final = ModuleSource(
    registry="pypi",
    package="hyperlight-sandbox-python-guest",
    version="0.8.0",
    path="python_guest/resources/python-sandbox.wasm",
    sha256="8d7c073166dc5b1d00b943f0e0cddd7b8d63529781cd06deffb7e27b0a246acb",
)
JAVASCRIPT_SANDBOX: Final = ModuleSource(
    registry="pypi",
    package="hyperlight-sandbox-javascript-guest",
    version="0.8.0",
    path="javascript_guest/resources/js-sandbox.wasm",
    sha256="c0b20ef221d28f0f9ed0016b9fe9f73a5908ea6b84f4f4a087e5f3157120720a",
)


def dispatch(name: str, arguments: str) -> str:
    """The tool that code in a sandbox may call."""
    if name != "add":
        raise wa.Err(f"there is no tool {name}")
    numbers = json.loads(arguments)
    return json.dumps(numbers["a"] + numbers["b"])


def sandbox(component: wa.Artifact) -> wa.ComponentInstance:
    """An instance of one, with a Wasi of its own and the tool."""
    assert isinstance(component, wa.Component)
    return component.instantiate(wa.Wasi().imports() | {"hyperlight:sandbox/tools": {"dispatch": dispatch}})


def run(instance: wa.ComponentInstance, code: str) -> list[Any]:
    """What code writes, and its exit code."""
    found = instance.executor.run(code)
    return [found.stdout, found.stderr, found.exit_code]
