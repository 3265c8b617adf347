"""Processes that multiprocessing starts anew (spawn, forkserver) find this package in wasmtime's place, too.

What such a process is told first is a dictionary, pickled: one entry of it installs the stand-in when it is read,
before anything of the program is imported.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Final

#: What multiprocessing calls the fork server, whose children each get a dictionary of their own.
_SERVER: Final = "ignore"
_INSTALL: Final = "import sys; sys.path[:] = path; from wasmartifact.wasmtime import install; install()"


class _Installing:
    """Whoever reads its pickle runs what installs the stand-in, and finds it where this process does."""

    def __init__(self, path: list[str]) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (_INSTALL, {"path": self.path})


def changing(spec: ModuleSpec) -> ModuleSpec:
    """How Python finds multiprocessing.spawn, but that it is changed once it is loaded."""
    assert spec.loader is not None
    execute = spec.loader.exec_module

    def execute_and_change(module: ModuleType) -> None:
        execute(module)
        change(module)

    spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
    return spec


def change(spawn: Any) -> None:
    """Let what this module starts from now on have the stand-in."""
    prepare = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = prepare(name)
        if name == _SERVER:
            data.pop("init_main_from_path", None)  # the server would import the program, and is told nothing before
        else:
            data["wasmtime"] = _Installing(data["sys_path"])
        return data

    spawn.get_preparation_data = get_preparation_data
