"""The near end of packing for an emulated aarch64: runs in every emulated Python, from a .pth file.

There ``wasmartifact.packer.pack`` has the packing done by a Python of the host, in a twentieth of the time. What no
other process can do (report progress, give work to an executor) is packed here.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import types
from _frozen_importlib_external import PathFinder
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKER: Final = "wasmartifact.packer"
#: What the host takes for "native": a CPU with atomic instructions and half precision, which the emulator has.
NATIVE: Final = "neoverse-n1"
#: Environment variable with the host's command: interpreter and script, separated as paths are.
COMMAND_VARIABLE: Final = "WASMARTIFACT_HOST_PACKER"


class HostPacker:
    """A process of the host that packs, started by the first pack of this process and ended with it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        # The host's Python finds its own packages, whatever this one was told.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = os.environ[COMMAND_VARIABLE].split(os.pathsep)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )

    def ask(self, request: object) -> Any:
        """The report, or what packing raised."""
        assert self.process.stdin is not None and self.process.stdout is not None
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()
        report, error = pickle.load(self.process.stdout)
        if error is not None:
            raise error
        return report

    def close(self) -> None:
        """End it; a fork of its owner leaves it alone."""
        if self.owner == os.getpid():
            self.process.communicate()


_packers: list[HostPacker] = []


def _packer() -> HostPacker:
    if not _packers or _packers[-1].owner != os.getpid():
        _packers.append(HostPacker())
        atexit.register(_packers[-1].close)
    return _packers[-1]


def replace_pack(module: types.ModuleType) -> None:
    """Have the packing of this module done by the host."""
    pack_here = module.pack

    def pack(source: Any, output: Any, **options: Any) -> Any:
        if options.get("executor") or options.get("progress"):
            return pack_here(source, output, **options)
        if not isinstance(source, bytes):
            source = os.path.abspath(os.fspath(source))
        if not isinstance(output, int):
            output = os.path.abspath(os.fspath(output))
        if options.get("cpu") == "native":
            options["cpu"] = NATIVE
        options["target"] = options.get("target") or "aarch64"
        return _packer().ask((os.getpid(), source, output, options))

    pack.__doc__ = pack_here.__doc__
    module.pack = pack  # type: ignore[attr-defined]


class Finder:
    """Finds the packer as Python does, and changes it once it is there."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Of the packer alone."""
        if name != PACKER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                replace_pack(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if COMMAND_VARIABLE in os.environ:
    sys.meta_path.insert(0, Finder)
