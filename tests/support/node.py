"""Node as an engine: a process that runs modules in V8, which is the reference for the legacy exception encoding.

Values are Python numbers; a function's type says which of V8's they become. NaNs and infinities do not cross.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from wasmartifact.externtypes import valtype_name
from wasmartifact.schema import KINDS
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.model import FuncType, Module

Number = int | float
_PROGRAM: Final = Path(__file__).with_suffix(".mjs")
#: The first one whose release has tags in its JavaScript interface.
_MIN_MAJOR: Final = 17


class NodeTrap(Exception):
    """WebAssembly trapped; the message is V8's. A host function lets it pass."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class NodeThrow(Exception):
    """A WebAssembly exception; to raise it in a host function throws it. ``tag`` is None where nobody knows it."""

    def __init__(self, tag: NodeTag | None, values: Sequence[Number]) -> None:
        super().__init__(tag, tuple(values))
        self.tag = tag
        self.values = tuple(values)


@dataclass(frozen=True)
class NodeTag:
    """A tag."""

    index: int
    params: tuple[str, ...]


@dataclass(frozen=True)
class NodeExport:
    """An export of an instance, to be imported by another."""

    instance: int
    name: str


Importable = Callable[..., Number | None] | NodeTag | NodeExport


def find_node(min_major: int = _MIN_MAJOR) -> str | None:
    """Path of a node of this release or a later one, or None."""
    path = shutil.which("node")
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return path if version.startswith("v") and int(version[1:].split(".")[0]) >= min_major else None


class Node:
    """The near end of a process. One thread uses it."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen([path, str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._functions: list[tuple[Callable[..., Number | None], FuncType]] = []
        self._tags: dict[int, NodeTag] = {}
        self._raised: BaseException | None = None

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def tag(self, params: Sequence[str]) -> NodeTag:
        """A tag of the host, to be imported."""
        return self._know(self.ask("tag", list(params))[1], tuple(params))

    def instantiate(self, data: bytes, imports: Mapping[str, Mapping[str, Importable]]) -> NodeInstance:
        """Make an instance. ``imports`` may have more than the module needs. Raises NodeTrap, NodeThrow."""
        module = decode_module(data)
        given = [
            [entry.module, entry.name, self._reference(imports[entry.module][entry.name], module, entry.index)]
            for entry in module.imports
        ]
        tags = {
            entry.name: _names(module.func_type_at(module.tag_types[entry.index]).params)
            for entry in module.exports
            if KINDS[entry.kind] == "tag"
        }
        counts = [[name, len(params)] for name, params in tags.items()]
        _, index, known = self.ask("instantiate", base64.b64encode(data).decode(), given, counts)
        return NodeInstance(self, index, module, {name: self._know(tag, tags[name]) for name, tag in known})

    def forget(self) -> None:
        """Let go of all instances, tags and functions so far."""
        self.ask("forget")
        self._functions.clear()
        self._tags.clear()

    def ask(self, *request: Any) -> list[Any]:
        """The answer to a request; host functions are called meanwhile. Raises what stopped the code."""
        self._send(request)
        while True:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError(f"node ended with exit code {self._process.wait()}")
            answer: list[Any] = json.loads(line)
            if answer[0] != "import":
                break
            self._send(self._call_back(*answer[1:]))
        if answer[0] == "trap":
            raise NodeTrap(*answer[1:])
        if answer[0] == "threw":
            tag = None if answer[1] is None else self._tags[answer[1]]
            raise NodeThrow(tag, from_json(answer[2], tag.params if tag else ()))
        if answer[0] == "host":
            assert self._raised is not None
            raise self._raised
        return answer

    def _send(self, message: Sequence[Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _call_back(self, identity: int, values: Sequence[Any]) -> Sequence[Any]:
        function, type_ = self._functions[identity]
        try:
            result = function(*from_json(values, _names(type_.params)))
        except NodeThrow as exception:
            assert exception.tag is not None, "an exception whose tag nobody knows can't go through the host"
            return ["throw", exception.tag.index, to_json(exception.values, exception.tag.params)]
        except NodeTrap as trap:
            return ["trap", trap.index]
        except BaseException as problem:
            self._raised = problem
            return ["fail"]
        return ["result", None if result is None else to_json([result], _names(type_.results))[0]]

    def _reference(self, given: Importable, module: Module, index: int) -> list[Any]:
        if isinstance(given, NodeTag):
            return ["tag", given.index]
        if isinstance(given, NodeExport):
            return ["export", given.instance, given.name]
        self._functions.append((given, module.func_type(index)))
        return ["func", len(self._functions) - 1]

    def _know(self, index: int, params: tuple[str, ...]) -> NodeTag:
        return self._tags.setdefault(index, NodeTag(index, params))


@dataclass(frozen=True)
class NodeInstance:
    """An instance. Its memory is the one that it exports."""

    node: Node
    index: int
    module: Module
    tags: Mapping[str, NodeTag]

    def call(self, name: str, *values: Number) -> tuple[Number, ...]:
        """Call an exported function. Raises NodeTrap, NodeThrow, or what a host function raised."""
        (entry,) = (entry for entry in self.module.exports if entry.name == name)
        type_ = self.module.func_type(entry.index)
        answer = self.node.ask("call", self.index, name, to_json(values, _names(type_.params)))
        return from_json(answer[1], _names(type_.results))

    def global_value(self, name: str) -> Number:
        """Value of an exported global."""
        (entry,) = (entry for entry in self.module.exports if entry.name == name)
        kind = valtype_name(self.module.global_types[entry.index].valtype)
        return from_json(self.node.ask("global", self.index, name)[1], (kind,))[0]

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes of the memory."""
        return base64.b64decode(self.node.ask("read", self.index, offset, size_bytes)[1])

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the memory."""
        self.node.ask("write", self.index, offset, base64.b64encode(data).decode())

    def grow(self, pages: int) -> int:
        """Grow the memory; pages before. Raises NodeTrap where V8 refuses."""
        return int(self.node.ask("grow", self.index, pages)[1][0])

    def export(self, name: str) -> NodeExport:
        """What another instance may import."""
        return NodeExport(self.index, name)


def _names(valtypes: Sequence[int]) -> tuple[str, ...]:
    return tuple(valtype_name(valtype) for valtype in valtypes)


def to_json(values: Sequence[Number], kinds: Sequence[str]) -> list[Any]:
    """Numbers as the far end takes them: those that become a BigInt are strings."""
    return [str(value) if kind == "i64" else value for value, kind in zip(values, kinds, strict=True)]


def from_json(values: Sequence[Any], kinds: Sequence[str]) -> tuple[Number, ...]:
    """Numbers from the far end."""
    return tuple(int(value) if kind[0] == "i" else float(value) for value, kind in zip(values, kinds, strict=True))
