"""Codecs of numcodecs-wasm: components that compress arrays, under wasmartifact and under wasmtime-py."""

from __future__ import annotations

import array
import hashlib
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import wasmtime
import wasmtime.component

import wasmartifact as wa
from tests.programs.scenario import ModuleSource

HERE: Final = Path(__file__).parent
EXPECTED: Final = HERE / "expected" / "codecs.json"
INTERFACE: Final = "numcodecs:abc/codec@0.1.1"
LOG: Final = "wasi:logging/logging"
SHAPE: Final = (48, 48)
#: Case of `any-array-data` -> type code of Python's arrays.
TYPE_CODES: Final = {"u8": "B", "i16": "h", "f32": "f", "f64": "d"}
#: Type, values and shape.
Array: TypeAlias = tuple[str, Any, Sequence[int]]


@dataclass(frozen=True)
class Codec:
    """A codec with its configuration.

    Attributes
    ----------
    name, version, sha256 : str
        Of the package without "numcodecs-wasm-", and of its component.
    dtype : str
        Case of the variant of arrays that it encodes.
    config : dict
        As the codec's schema has it.
    is_lossless : bool
        Whether decoding gives the very values.
    is_large : bool
        Whether packing takes long.
    """

    name: str
    version: str
    sha256: str
    dtype: str
    config: dict[str, Any] = field(hash=False)
    is_lossless: bool = False
    is_large: bool = False

    @property
    def source(self) -> ModuleSource:
        """Where its component is to be had."""
        package = f"numcodecs-wasm-{self.name}"
        return ModuleSource("pypi", package, self.version, f"{package.replace('-', '_')}/codec.wasm", self.sha256)

    @property
    def values(self) -> array.array[Any]:
        """A hilly country of so many values."""
        rows, columns = SHAPE
        heights = [math.sin(row / 7) * math.cos(column / 5) * 100 for row in range(rows) for column in range(columns)]
        return array.array(TYPE_CODES[self.dtype], heights if self.dtype[0] == "f" else map(round, heights))


def read_codecs() -> list[Codec]:
    """All of codecs.toml."""
    return [Codec(name, **facts) for name, facts in tomllib.loads((HERE / "codecs.toml").read_text()).items()]


class Ours:
    """A codec in wasmartifact."""

    def __init__(self, codec: Codec, component: wa.Component) -> None:
        wasi = wa.Wasi().imports()
        instance: Any = component.instantiate({**wasi, LOG: {"log": lambda level, context, message: None}})
        self._codec = instance.codec.Codec.from_config(json.dumps(codec.config))

    def encode(self, dtype: str, values: Any, shape: Sequence[int]) -> Array:
        """What encoding gives."""
        return _array(self._codec.encode({"data": (dtype, values), "shape": shape}))

    def decode(self, dtype: str, values: Any, shape: Sequence[int]) -> Array:
        """What decoding gives."""
        return _array(self._codec.decode({"data": (dtype, values), "shape": shape}))


def _array(found: Any) -> Array:
    return found.data.case, memoryview(found.data.value), list(found.shape)


def under_wasmtime(codec: Codec, path: Path, w: Any = wasmtime) -> tuple[Array, Array]:
    """A codec's values encoded, and that decoded, by wasmtime-py's component interface, or by our face of it: ``w``."""
    config = w.Config()
    config.cranelift_opt_level = "none"  # what it gives does not depend on it
    engine = w.Engine(config)
    store = w.Store(engine)
    store.set_wasi(w.WasiConfig())
    linker = w.component.Linker(engine)
    linker.add_wasip2()
    with linker.root() as root, root.add_instance(LOG) as logging:
        logging.add_func("log", lambda store, level, context, message: None)
    instance = linker.instantiate(store, w.component.Component(engine, path.read_bytes()))
    interface = instance.get_export_index(store, INTERFACE)
    assert interface is not None

    def call(name: str, *arguments: Any) -> Any:
        index = instance.get_export_index(store, name, interface)
        assert index is not None
        function = instance.get_func(store, index)
        assert function is not None
        result = function(store, *arguments)
        function.post_return(store)
        return result

    made = call("[static]codec.from-config", json.dumps(codec.config))

    def converted(name: str, dtype: str, values: Any, shape: Sequence[int]) -> Array:
        record: Any = w.component.Record()
        items = values if isinstance(values, bytes) else list(values)
        record.data, record.shape = w.component.Variant(dtype, items), list(shape)
        # A result comes as its value alone where the types let Python tell it from an error: codecs do, arrays do not.
        found = call(f"[method]codec.{name}", made, record).payload
        return found.data.tag, found.data.payload, found.shape

    encoded = converted("encode", codec.dtype, codec.values, SHAPE)
    return encoded, converted("decode", *encoded)


def told(case: str, values: Any, shape: Sequence[int]) -> dict[str, Any]:
    """An array for a file of expected ones."""
    octets = array.array(TYPE_CODES[case], values).tobytes()
    return {"dtype": case, "shape": list(shape), "sha256": hashlib.sha256(octets).hexdigest()}
