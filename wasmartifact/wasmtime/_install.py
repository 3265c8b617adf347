"""install: let ``import wasmtime`` give this package, for programs that nobody may edit."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Final

_NAME: Final = "wasmtime"
_PACKAGE: Final = __name__.rpartition(".")[0]


class _Alias:
    """Finds ``wasmtime.x`` in this package, so that each of its modules exists once.

    A finder and a loader without their base classes, whose module imports more than all the rest here.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_NAME}."):
            return None
        from importlib.util import find_spec

        if find_spec(_PACKAGE + fullname[len(_NAME) :]) is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # by its methods it is a loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from importlib import import_module

        return import_module(_PACKAGE + spec.name[len(_NAME) :])

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was executed under its own name."""


def install() -> None:
    """Let ``import wasmtime`` give this package from now on, in this process; a second time changes nothing.

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
