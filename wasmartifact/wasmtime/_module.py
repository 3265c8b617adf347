"""Module: a compiled module, which is an artifact of the cache; and the text format."""

from __future__ import annotations

import os

from wasmartifact.cache import compile
from wasmartifact.loader import load
from wasmartifact.wasmtime._closing import Managed, check_type, is_own, translated, wasmtime_error
from wasmartifact.wasmtime._engine import Engine

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Self

    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasmtime._config import Settings
    from wasmartifact.wasmtime._types import ExportType, ImportType


def wat2wasm(wat: str | bytes) -> bytearray:
    """Turn the text format into the binary one.

    Raises
    ------
    WasmtimeError
        It is no WebAssembly text; the message shows where.
    """
    from wasmartifact.wasm.source import read_source

    text = source_bytes(wat)
    try:
        return bytearray(read_source(text))
    except Exception as problem:
        if not is_own(problem):
            raise
        raise wasmtime_error(str(problem)) from None


def source_bytes(wasm: str | bytes | bytearray) -> bytes:
    """What a program gives for a module, in the binary or the text format."""
    if isinstance(wasm, str):
        return wasm.encode()
    check_type(wasm, (bytes, bytearray), "wasm bytes")
    return bytes(wasm)


class Compiled(Managed):
    """What modules and components have in common: an artifact, from a source, a file, or what `serialize` gave."""

    _artifact: Artifact

    def __init__(self, engine: Engine, wasm: str | bytes | bytearray) -> None:
        check_type(engine, Engine, "an Engine")
        self._bind(engine, compile_source(engine._settings, source_bytes(wasm)))

    def _check_kind(self, artifact: Artifact) -> None:
        """Raise WasmtimeError where an artifact is of the other kind."""
        raise NotImplementedError

    def _bind(self, engine: Engine, artifact: Artifact) -> None:
        engine._check_open()
        self._check_kind(artifact)
        self._artifact = artifact
        if engine._settings.forbidden:
            check_features(artifact, engine._settings.forbidden)

    @classmethod
    def _of(cls, engine: Engine, artifact: Artifact) -> Self:
        made = cls.__new__(cls)
        made._bind(engine, artifact)
        return made

    @classmethod
    def from_file(cls, engine: Engine, path: str | bytes | os.PathLike[str]) -> Self:
        """Compile a file, in the binary or the text format. One that was seen before is not even read."""
        check_type(engine, Engine, "an Engine")
        return cls._of(engine, compile_source(engine._settings, os.fsdecode(path)))

    @classmethod
    def deserialize(cls, engine: Engine, encoded: bytes | bytearray) -> Self:
        """Load what `serialize` gave. It is code: only what you trust may be loaded."""
        check_type(encoded, (bytes, bytearray), "bytes")
        return cls._of(engine, load_artifact(engine, bytes(encoded)))

    @classmethod
    def deserialize_file(cls, engine: Engine, path: str) -> Self:
        """Load a file that has what `serialize` gave, or that `wasmartifact.pack` wrote."""
        return cls._of(engine, load_artifact(engine, path))

    def serialize(self) -> bytearray:
        """The artifact: an ELF shared object, for `deserialize` and for `wasmartifact.load`."""
        self._check_open()
        return bytearray(self._artifact.contents())


class Module(Compiled):
    """A compiled module.

    The first time on a machine, it is compiled at once by a quick compiler, and better in the background; after that it
    comes from the cache of `wasmartifact.compile`.

    Parameters
    ----------
    engine : Engine
    wasm : str | bytes
        The module: text, or binary.

    Raises
    ------
    WasmtimeError
        It is no valid module, or needs what the engine's Config switched off, or what the package does not compile.
    """

    def _check_kind(self, artifact: Artifact) -> None:
        if artifact._is_component:
            raise wasmtime_error("expected a WebAssembly module, found a component: wasmtime.component has those")

    @classmethod
    def validate(cls, engine: Engine, wasm: bytes | bytearray) -> None:
        """Raise WasmtimeError where this is no valid module in the binary format."""
        check_type(engine, Engine, "an Engine")
        check_type(wasm, (bytes, bytearray), "wasm bytes")
        from wasmartifact.wasm.decode import decode_module
        from wasmartifact.wasm.validate import validate

        data = bytes(wasm)
        try:
            validate(data, decode_module(data))
        except Exception as problem:
            if not is_own(problem):
                raise
            raise wasmtime_error(str(problem)) from None
        if engine._settings.forbidden:  # which instructions there are is known once it is compiled
            cls(engine, data)

    @property
    def imports(self) -> list[ImportType]:
        """What it imports, in order."""
        from wasmartifact.wasmtime._types import ImportType, wrap_type

        self._check_open()
        return [ImportType(row.module, row.name, wrap_type(row.type)) for row in self._artifact.metadata.imports]

    @property
    def exports(self) -> list[ExportType]:
        """What it exports, in order."""
        from wasmartifact.wasmtime._types import ExportType, wrap_type

        self._check_open()
        return [ExportType(row.name, wrap_type(row.type)) for row in self._artifact.metadata.exports]


def load_artifact(engine: Engine, source: str | bytes) -> Artifact:
    """What `serialize` gave, or a file of it, with the errors of wasmtime-py."""
    check_type(engine, Engine, "an Engine")
    try:
        return load(source)
    except OSError as problem:
        raise wasmtime_error(f"failed to open file {os.fsdecode(source)}: {problem.strerror}") from None
    except Exception as problem:
        if not is_own(problem):
            raise
        raise translated(problem) from None


def compile_source(settings: Settings, source: str | bytes) -> Artifact:
    """The artifact of a module or a component, of the cache, with the errors of wasmtime-py."""
    try:
        return compile(
            source,
            opt_level=settings.opt_level,
            fuel=settings.consume_fuel,
            jobs=None if settings.parallel_compilation else 1,
        )
    except Exception as problem:
        if not is_own(problem):
            raise
        raise wasmtime_error(str(problem)) from None


def check_features(artifact: Artifact, forbidden: frozenset[str]) -> None:
    """Raise WasmtimeError where an artifact uses what the engine's Config switched off."""
    from wasmartifact.schema import WASM_FEATURES

    bits = artifact.metadata.header.numbers["wasm_features"]
    for number, feature in enumerate(WASM_FEATURES):
        if bits >> number & 1 and feature in forbidden:
            raise wasmtime_error(f"the module uses {feature}, which the engine's Config switches off")
