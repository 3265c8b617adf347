"""install: let ``import wasmtime`` give this package, for programs that nobody may edit."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import Final
else:  # the same, without the imports of importlib and types
    from _frozen_importlib import ModuleSpec

    ModuleType = type(sys)

_NAME: Final = "wasmtime"
_PACKAGE: Final = __name__.rpartition(".")[0]
_SPAWN: Final = "multiprocessing.spawn"
#: Modules of wasmtime-py that are none here: what programs import from them is in the package.
_WITHIN: Final = (
    "wasmtime._error", "wasmtime._exportable", "wasmtime._globals", "wasmtime._instance_pre", "wasmtime._managed",
    "wasmtime._sharedmemory", "wasmtime._table", "wasmtime._tag", "wasmtime._trap", "wasmtime._wat2wasm",
)  # fmt: skip


class _Alias:
    """Finds ``wasmtime.x`` in this package, so that each of its modules exists once, and changes what starts children.

    A finder and a loader without their base classes, whose module imports more than all the rest here.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _SPAWN:
            return self._find_spawn(path)
        if not fullname.startswith(f"{_NAME}."):
            return None
        from importlib.util import find_spec

        if fullname not in _WITHIN and find_spec(_PACKAGE + fullname[len(_NAME) :]) is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # by its methods it is a loader

    def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]:
        """For programs that ask for wasmtime's version where it is not installed: the one that this stands for."""
        if context.name != _NAME:
            return ()
        others = (getattr(finder, "find_distributions", None) for finder in sys.meta_path if finder is not self)
        found = [one for find in others if find is not None for one in find(context)]
        if not found:
            from wasmartifact.wasmtime._version import StandIn

            found.append(StandIn())
        return found

    def _find_spawn(self, path: Sequence[str] | None) -> ModuleSpec | None:
        """What the others find, changed: children of the process are started by it."""
        from wasmartifact.wasmtime._children import changing

        found = (finder.find_spec(_SPAWN, path) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, found), None)
        return None if spec is None else changing(spec)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from importlib import import_module

        if spec.name in _WITHIN:
            made = ModuleType(spec.name)
            made.__getattr__ = sys.modules[_PACKAGE].__getattr__  # type: ignore[method-assign]
            return made
        return import_module(_PACKAGE + spec.name[len(_NAME) :])

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was executed under its own name."""


def install() -> None:
    """Let ``import wasmtime`` give this package from now on, in this process and those that multiprocessing starts.

    A second time changes nothing.

    Raises
    ------
    ImportError
        The real wasmtime is imported already: what has names of it would not see the change.
    """
    found = sys.modules.get(_NAME)
    own = sys.modules[_PACKAGE]
    if found is own:
        return
    if found is not None:
        raise ImportError(
            f"{_NAME} is imported already, from {getattr(found, '__file__', None)}; call {_PACKAGE}.install() before "
            "anything imports it"
        )
    sys.modules[_NAME] = own
    sys.meta_path.insert(0, _Alias())
    if _SPAWN in sys.modules:
        from wasmartifact.wasmtime._children import change

        change(sys.modules[_SPAWN])
