"""WebAssembly ahead of time: pack modules into shared objects with mapped metadata, load and call them at native cost.

Names are imported when they are first used, so that ``import wasmartifact`` itself costs next to nothing. No module is
called like a public function: importing it would put it in the function's place.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any, Final

    from wasmartifact._types import Array as Array
    from wasmartifact._types import Exports as Exports
    from wasmartifact._types import Func as Func
    from wasmartifact._types import Instance as Instance
    from wasmartifact._types import Linked as Linked
    from wasmartifact._types import Memory as Memory
    from wasmartifact._types import Store as Store
    from wasmartifact._types import Struct as Struct
    from wasmartifact._types import set_interrupt_signal as set_interrupt_signal
    from wasmartifact.cache import compile as compile
    from wasmartifact.component.embed import embed as embed
    from wasmartifact.errors import ArtifactError as ArtifactError
    from wasmartifact.errors import BadMagic as BadMagic
    from wasmartifact.errors import BadSignature as BadSignature
    from wasmartifact.errors import CorruptArtifact as CorruptArtifact
    from wasmartifact.errors import DeadlineExceeded as DeadlineExceeded
    from wasmartifact.errors import Exit as Exit
    from wasmartifact.errors import Frame as Frame
    from wasmartifact.errors import IncompatibleHost as IncompatibleHost
    from wasmartifact.errors import Interrupted as Interrupted
    from wasmartifact.errors import InvalidModule as InvalidModule
    from wasmartifact.errors import LimitExceeded as LimitExceeded
    from wasmartifact.errors import LoadError as LoadError
    from wasmartifact.errors import MalformedModule as MalformedModule
    from wasmartifact.errors import OutOfFuel as OutOfFuel
    from wasmartifact.errors import SnapshotError as SnapshotError
    from wasmartifact.errors import ToolchainError as ToolchainError
    from wasmartifact.errors import Trap as Trap
    from wasmartifact.errors import UnlinkableModule as UnlinkableModule
    from wasmartifact.errors import UnsupportedModule as UnsupportedModule
    from wasmartifact.errors import VersionMismatch as VersionMismatch
    from wasmartifact.errors import WasmArtifactError as WasmArtifactError
    from wasmartifact.errors import WasmException as WasmException
    from wasmartifact.externtypes import FuncType as FuncType
    from wasmartifact.limits import Limits as Limits
    from wasmartifact.limits import PackLimits as PackLimits
    from wasmartifact.loader import load as load
    from wasmartifact.metadata import Metadata as Metadata
    from wasmartifact.packer import PackReport as PackReport
    from wasmartifact.packer import pack as pack
    from wasmartifact.program import run as run
    from wasmartifact.runtime.artifact import Artifact as Artifact
    from wasmartifact.runtime.component import Component as Component
    from wasmartifact.runtime.component import ComponentInstance as ComponentInstance
    from wasmartifact.runtime.component_types import Err as Err
    from wasmartifact.runtime.component_types import Ok as Ok
    from wasmartifact.runtime.component_types import Some as Some
    from wasmartifact.runtime.entities import Global as Global
    from wasmartifact.runtime.entities import Table as Table
    from wasmartifact.runtime.entities import Tag as Tag
    from wasmartifact.runtime.valtype import ValType as ValType
    from wasmartifact.signer import sign as sign
    from wasmartifact.snapshotter import snapshot as snapshot
    from wasmartifact.verifier import open_metadata as open_metadata
    from wasmartifact.verifier import verify as verify
    from wasmartifact.version import VERSION as __version__  # noqa: F401
    from wasmartifact.wasi.host import ReadOnly as ReadOnly
    from wasmartifact.wasi.host import Wasi as Wasi

#: Public name -> module that has it.
_HOMES: Final = {
    "ArtifactError": "wasmartifact.errors",
    "BadMagic": "wasmartifact.errors",
    "BadSignature": "wasmartifact.errors",
    "CorruptArtifact": "wasmartifact.errors",
    "DeadlineExceeded": "wasmartifact.errors",
    "Exit": "wasmartifact.errors",
    "Frame": "wasmartifact.errors",
    "IncompatibleHost": "wasmartifact.errors",
    "Interrupted": "wasmartifact.errors",
    "InvalidModule": "wasmartifact.errors",
    "LimitExceeded": "wasmartifact.errors",
    "LoadError": "wasmartifact.errors",
    "MalformedModule": "wasmartifact.errors",
    "ToolchainError": "wasmartifact.errors",
    "OutOfFuel": "wasmartifact.errors",
    "SnapshotError": "wasmartifact.errors",
    "Trap": "wasmartifact.errors",
    "UnlinkableModule": "wasmartifact.errors",
    "UnsupportedModule": "wasmartifact.errors",
    "VersionMismatch": "wasmartifact.errors",
    "WasmArtifactError": "wasmartifact.errors",
    "WasmException": "wasmartifact.errors",
    "compile": "wasmartifact.cache",
    "Limits": "wasmartifact.limits",
    "PackLimits": "wasmartifact.limits",
    "load": "wasmartifact.loader",
    "Metadata": "wasmartifact.metadata",
    "PackReport": "wasmartifact.packer",
    "pack": "wasmartifact.packer",
    "run": "wasmartifact.program",
    "Array": "wasmartifact._types",
    "Artifact": "wasmartifact.runtime.artifact",
    "Component": "wasmartifact.runtime.component",
    "ComponentInstance": "wasmartifact.runtime.component",
    "Err": "wasmartifact.runtime.component_types",
    "Ok": "wasmartifact.runtime.component_types",
    "Some": "wasmartifact.runtime.component_types",
    "Exports": "wasmartifact._types",
    "Func": "wasmartifact._types",
    "FuncType": "wasmartifact.externtypes",
    "Global": "wasmartifact.runtime.entities",
    "Instance": "wasmartifact._types",
    "Linked": "wasmartifact._types",
    "Memory": "wasmartifact._types",
    "Store": "wasmartifact._types",
    "Struct": "wasmartifact._types",
    "set_interrupt_signal": "wasmartifact._types",
    "Table": "wasmartifact.runtime.entities",
    "Tag": "wasmartifact.runtime.entities",
    "ValType": "wasmartifact.runtime.valtype",
    "ReadOnly": "wasmartifact.wasi.host",
    "Wasi": "wasmartifact.wasi.host",
    "open_metadata": "wasmartifact.verifier",
    "sign": "wasmartifact.signer",
    "embed": "wasmartifact.component.embed",
    "snapshot": "wasmartifact.snapshotter",
    "verify": "wasmartifact.verifier",
}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0605


if not TYPE_CHECKING:  # a type checker knows all names from above, and must refuse others

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            value = __import__("wasmartifact.version", fromlist=("VERSION",)).VERSION
        elif name in _HOMES:
            value = getattr(__import__(_HOMES[name], fromlist=(name,)), name)
        else:
            # Names with an underscore in front are asked for by those who look at every module, and those of modules by
            # their import: nobody looks for them, and the words for others take a module of their own.
            is_module = name.isalpha() and name.islower()
            hint = ""
            if not is_module and name[0] != "_":
                hint = __import__("wasmartifact.hints", fromlist=("instead_of",)).instead_of(name)
            # Where there is none, Python looks for names that are nearly the same.
            known = {} if hint else {"name": name, "obj": __import__("sys").modules[__name__]}
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", **known)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return list(__all__)
