"""The code of functions, kept from pack to pack by their keys (see ``portable``).

One file holds the code of a whole module. Its name starts with a digest of what all functions depend on, so that the
next pack of a module finds the last one's.
"""

from __future__ import annotations

import os
import pickle
from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from wasmartifact.codegen.compiled import CompiledGroup
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.portable import PortableCode
from wasmartifact.host.cache_folder import KEY_DIGITS, is_ours, size_limit
from wasmartifact.host.cache_upkeep import sweep
from wasmartifact.host.output import write_atomically
from wasmartifact.version import VERSION
from wasmartifact.wasm.model import Module

SUFFIX: Final = ".code"
#: A module with less code than this packs in the time that it takes to look.
MIN_CODE_BYTES: Final = 32 * 1024
#: Files of one kind of module that are looked at, and that are left: those that were written last.
MAX_FILES: Final = 4
_DIGEST_BYTES: Final = 32


class KeptCode:
    """What is kept of one module, and of those like it.

    Parameters
    ----------
    folder : str
        One that only this user can write to: what is there runs.
    module : Module
        A valid module.
    context : ModuleContext
        What its functions compile with.
    """

    def __init__(self, folder: str, module: Module, context: ModuleContext) -> None:
        self._folder = folder
        self._common = _common(context)
        self._is_worth_it = sum(code.end - code.start for code in module.codes) >= MIN_CODE_BYTES
        self._count = len(module.codes)
        self._kept: dict[bytes, bytes] = {}
        self.portable = PortableCode(module, context, self._common)

    def find(self) -> dict[int, CompiledGroup]:
        """The functions whose code is there, by position among the defined ones."""
        if not self._is_worth_it:
            return {}
        keys = [self.portable.key(position) for position in range(self._count)]
        wanted = set(keys)
        for path in self._files():
            self._kept |= {key: code for key, code in _read(path).items() if key in wanted}
            if len(self._kept) == len(wanted):
                break
        return {
            position: self.portable.attached(position, pickle.loads(self._kept[key]))
            for position, key in enumerate(keys)
            if key in self._kept
        }

    def add(self, parts: Mapping[int, CompiledGroup]) -> None:
        """Keep what LLVM made of functions, by position, and is not kept."""
        if not self._is_worth_it:
            return
        known = len(self._kept)
        for position, part in parts.items():
            key = self.portable.key(position)
            if part.is_by_llvm and key not in self._kept:
                code = self.portable.detached(position, part)
                self._kept[key] = pickle.dumps(code, protocol=pickle.HIGHEST_PROTOCOL)
        if len(self._kept) > known:
            with suppress(OSError, ValueError):  # a full disk, no such limit: the next pack compiles again
                self._write()

    def _files(self) -> list[str]:
        """Files of modules like this one, the newest first."""
        prefix = self._common.hex()[: KEY_DIGITS // 2]
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(prefix) and entry.name.endswith(SUFFIX):
                    status = entry.stat(follow_symlinks=False)
                    if is_ours(status) and entry.is_file(follow_symlinks=False):
                        found.append((-status.st_mtime_ns, entry.path))
        return [path for _, path in sorted(found)[:MAX_FILES]]

    def _write(self) -> None:
        data = pickle.dumps(self._kept, protocol=pickle.HIGHEST_PROTOCOL)
        content = blake2b(b"".join(sorted(self._kept)), digest_size=_DIGEST_BYTES).hexdigest()
        name = self._common.hex()[: KEY_DIGITS // 2] + content[: KEY_DIGITS // 2] + SUFFIX
        older = self._files()[MAX_FILES - 1 :]
        write_atomically(
            os.path.join(self._folder, name), [_seal(data), data], check=lambda path: os.chmod(path, 0o600)
        )
        for path in older:
            os.unlink(path)
        sweep(self._folder, size_limit(None))


def _common(context: ModuleContext) -> bytes:
    """Digest of what every function depends on."""
    facts = (
        VERSION,
        context.options.generator,
        *_sources(),
        context.options,
        context.imported_functions,
        context.memories,
        context.tables,
        context.fixed_tables,
        context.globals,
        [(context.canonical[tag], context.signatures[tag]) for tag in context.tag_types],
        context.checks_exceptions,
        context.layout,
        context.convention,
    )
    return blake2b(repr(facts).encode(), digest_size=_DIGEST_BYTES).digest()


def _sources() -> Iterator[tuple[str, int, int]]:
    """What tells versions of this package's own code generator apart: in a source tree, VERSION does not."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in ("codegen", "elf", "wasm"):
        with suppress(OSError), os.scandir(os.path.join(root, folder)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_file():
                    status = entry.stat()
                    yield entry.name, status.st_size, status.st_mtime_ns


# Files --------------------------------------------------------------------------------------------------------------


def _seal(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _read(path: str) -> dict[bytes, bytes]:
    """What a file holds; nothing where it is damaged, or gone."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return {}
    data = content[_DIGEST_BYTES:]
    if _seal(data) != content[:_DIGEST_BYTES]:
        return {}
    kept: dict[bytes, bytes] = pickle.loads(data)
    return kept
