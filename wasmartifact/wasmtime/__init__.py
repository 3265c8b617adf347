"""The names and the behaviour of wasmtime-py 50 over this package: programs written for it run on artifacts, unchanged.

``import wasmartifact.wasmtime as wasmtime``, or `install` before the imports of a program that nobody may edit, or
``python -m wasmartifact.wasmtime SCRIPT``. docs/coming-from-wasmtime.md tells where it differs, and why. Names are
imported when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from wasmartifact.wasmtime._config import Config as Config
    from wasmartifact.wasmtime._engine import Engine as Engine
    from wasmartifact.wasmtime._entities import Global as Global
    from wasmartifact.wasmtime._entities import Table as Table
    from wasmartifact.wasmtime._entities import Tag as Tag
    from wasmartifact.wasmtime._errors import ExitTrap as ExitTrap
    from wasmartifact.wasmtime._errors import Frame as Frame
    from wasmartifact.wasmtime._errors import Trap as Trap
    from wasmartifact.wasmtime._errors import WasmtimeError as WasmtimeError
    from wasmartifact.wasmtime._func import Caller as Caller
    from wasmartifact.wasmtime._func import Func as Func
    from wasmartifact.wasmtime._func import Storelike as Storelike
    from wasmartifact.wasmtime._install import install as install
    from wasmartifact.wasmtime._instance import Instance as Instance
    from wasmartifact.wasmtime._instance import InstanceExports as InstanceExports
    from wasmartifact.wasmtime._instance import InstancePre as InstancePre
    from wasmartifact.wasmtime._linker import Linker as Linker
    from wasmartifact.wasmtime._memory import Memory as Memory
    from wasmartifact.wasmtime._memory import SharedMemory as SharedMemory
    from wasmartifact.wasmtime._module import Module as Module
    from wasmartifact.wasmtime._module import wat2wasm as wat2wasm
    from wasmartifact.wasmtime._permissions import DirPerms as DirPerms
    from wasmartifact.wasmtime._permissions import FilePerms as FilePerms
    from wasmartifact.wasmtime._store import Store as Store
    from wasmartifact.wasmtime._store import StoreContext as StoreContext
    from wasmartifact.wasmtime._trapcode import TrapCode as TrapCode
    from wasmartifact.wasmtime._types import ExportType as ExportType
    from wasmartifact.wasmtime._types import FuncType as FuncType
    from wasmartifact.wasmtime._types import GlobalType as GlobalType
    from wasmartifact.wasmtime._types import ImportType as ImportType
    from wasmartifact.wasmtime._types import Limits as Limits
    from wasmartifact.wasmtime._types import MemoryType as MemoryType
    from wasmartifact.wasmtime._types import TableType as TableType
    from wasmartifact.wasmtime._types import TagType as TagType
    from wasmartifact.wasmtime._types import ValType as ValType
    from wasmartifact.wasmtime._value import Val as Val
    from wasmartifact.wasmtime._wasi import WasiConfig as WasiConfig

#: Module of this package -> the names that it gives.
_MODULES: Final = {
    "_closing": ("Managed",),
    "_config": ("Config",),
    "_engine": ("Engine",),
    "_entities": ("Global", "Table", "Tag"),
    "_errors": ("ExitTrap", "Frame", "Trap", "WasmtimeError"),
    "_func": ("Caller", "Func", "Storelike"),
    "_install": ("install",),
    "_instance": ("Instance", "InstanceExports", "InstancePre"),
    "_linker": ("Linker",),
    "_memory": ("Memory", "SharedMemory"),
    "_module": ("Module", "wat2wasm"),
    "_permissions": ("DirPerms", "FilePerms"),
    "_store": ("Store", "StoreContext"),
    "_trapcode": ("TrapCode",),
    "_types": (
        "ExportType", "FuncType", "GlobalType", "ImportType", "Limits", "MemoryType", "TableType", "TagType", "ValType",
    ),
    "_value": ("Val",),
    "_wasi": ("WasiConfig",),
}  # fmt: skip


def lazily(module: dict[str, Any], modules: dict[str, tuple[str, ...]], owner: str) -> Callable[[str], Any]:
    """What ``__getattr__`` of a module is whose names are imported when they are first used.

    Parameters
    ----------
    module : dict
        Its globals.
    modules : dict
        The names by the modules beside it that have them.
    owner : str
        What it takes the place of.
    """
    homes = {name: home for home, names in modules.items() for name in names}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {owner!r} has no attribute {name!r}")
        value = module[name] = getattr(__import__(f"{module['__name__']}.{homes[name]}", fromlist=(name,)), name)
        return value

    return find


#: What a program gets by ``from wasmtime import *``: no name that wasmtime-py does not give it.
_NOT_OF_ALL: Final = ("InstanceExports", "Managed", "Storelike", "install")

_NAMES: Final = sorted(name for names in _MODULES.values() for name in names)
__all__ = [name for name in _NAMES if name not in _NOT_OF_ALL]


if not TYPE_CHECKING:  # a type checker knows all names from above, and must refuse others
    __getattr__ = lazily(globals(), _MODULES, "wasmtime")


def __dir__() -> list[str]:
    return list(_NAMES)
