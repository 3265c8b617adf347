"""Recorded runs of modules of Dart, Kotlin and OCaml: ``python -m tests.programs.recordings NAME NODE`` records one.

Recording takes the whole package and jsdom, playing a recording takes the module.
"""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from tests.programs.packages import module_path, unpack
from tests.programs.scenario import EXPECTED, read_scenarios

FOLDER: Final = EXPECTED / "recordings"
SCRIPTS: Final = Path(__file__).parent / "javascript"
JSDOM: Final = "jsdom@26.1.0"


@dataclass(frozen=True)
class Recording:
    """A run: the module of scenarios.toml, the module of its string constants, and what replay.py is given for it."""

    module: str
    constants: str
    given: Callable[[], Mapping[tuple[str, str], Any]] = field(default=dict)


def _write_string(instance: wa.Instance, text: str) -> int:
    data = text.encode()
    instance.exports["caml_buffer"][: len(data)] = data
    return len(data)


def _read_string(instance: wa.Instance, size_bytes: int) -> str:
    data: bytes = instance.exports["caml_buffer"][:size_bytes]
    return data.decode()


def _ocaml() -> dict[tuple[str, str], Any]:
    functions = {"littleEndian": 1, "write_string": _write_string, "read_string": _read_string}
    return {("bindings", name): value for name, value in functions.items()}


def _dart() -> dict[tuple[str, str], Any]:
    # The drawing library's memory, and a text with lone surrogates, which no name can be.
    return {("ffi", "memory"): wa.Memory(2048, 32768, shared=True), ("s", "0"): "not used"}


def _import_string(instance: wa.Instance, address: int, length: int, prefix: str | None) -> str:
    data: bytes = instance.exports["memory"][address : address + 2 * length]
    return (prefix or "") + data.decode("utf-16-le", "surrogatepass")


def _export_string(instance: wa.Instance, text: str, start: int, length: int, address: int) -> None:
    data = text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * (start + length)]
    instance.exports["memory"][address : address + len(data)] = data


def _kotlin() -> dict[tuple[str, str], Any]:
    functions = {"importStringFromWasm": _import_string, "jsExportStringToWasm": _export_string}
    return {("js_code", f"kotlin.wasm.internal.{name}"): value for name, value in functions.items()}


RECORDINGS: Final = {
    "ocaml": Recording("html5rw", "str", _ocaml),
    "dart": Recording("flet", "", _dart),
    "kotlin": Recording("ciris", "'", _kotlin),
}


def read_recording(name: str) -> Iterator[list[Any]]:
    """The events of a recording."""
    with lzma.open(FOLDER / f"{name}.xz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _rows(module: Path) -> list[list[Any]]:
    """Module, name, kind and type of the first result of each import."""
    artifact = wa.compile(module, opt_level=0)
    return [
        [
            row.module,
            row.name,
            row.kind,
            row.type.results[0] if isinstance(row.type, wa.FuncType) and row.type.results else None,
        ]
        for row in artifact.metadata.imports
    ]


def record(name: str, node: str) -> None:
    """Write the recording of this name."""
    run = RECORDINGS[name]
    source = read_scenarios()[0][run.module]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        package = unpack(source, folder / "package")
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, JSDOM], check=True)
        rows, log = folder / "rows.json", folder / "log"
        rows.write_text(json.dumps(_rows(module_path(source))))
        scripts = [SCRIPTS / "record.mjs", SCRIPTS / f"{name}.mjs"]
        environment = {"JSDOM": str(folder / "package.json"), "PATH": "/usr/bin:/bin"}
        subprocess.run([node, *scripts, package, rows, run.constants, log], check=True, env=environment)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.xz").write_bytes(lzma.compress(log.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    record(*sys.argv[1:])
