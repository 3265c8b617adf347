"""Who holds the metadata in ``bench.metadata``: what every contestant does, and those that live in this process."""

from __future__ import annotations

import gc
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy

import wasmartifact as wa
from bench.facts import Facts, Totals, code_offset, column_sum, numbers, texts, totals
from bench.timing import is_loaded
from wasmartifact.metadata.chunks import ADDRESSES, all_rows

Opened = TypeVar("Opened")


class Contestant(ABC):
    """A format with a reader.

    Attributes
    ----------
    name : str
        As in the table.
    in_place : bool
        Whether the reader uses the file's bytes where they are.
    """

    name: str
    in_place: bool = False

    @abstractmethod
    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        """Write the facts into the directory; return what to read: a file, or a folder of files."""

    def size_bytes(self, path: Path) -> int:
        """Bytes on disk."""
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)

    @abstractmethod
    def answers(self, path: Path, export: str, samples: int) -> tuple[int, list[int]]:
        """Code offset of an exported function; ns from opening the file to the answer, of each sample."""

    @abstractmethod
    def touches(self, path: Path, samples: int) -> tuple[Totals, list[int]]:
        """Totals; ns from opening the file until everything was touched once, of each sample."""


class PythonContestant(Contestant, Generic[Opened]):
    """A reader in this process. Neither what it imports nor what closing costs is counted."""

    @abstractmethod
    def open(self, path: Path) -> Opened:
        """Make the file usable."""

    def close(self, opened: Opened) -> None:
        """Let go of it, where that takes more than to forget it."""

    @abstractmethod
    def code_offset(self, opened: Opened, export: str) -> int:
        """Text offset of an exported function that the module defines."""

    @abstractmethod
    def numbers(self, opened: Opened) -> Iterator[Iterable[int]]:
        """As `bench.facts.numbers`."""

    @abstractmethod
    def texts(self, opened: Opened) -> Iterator[Any]:
        """As `bench.facts.texts`: anything with the buffer protocol."""

    def totals(self, opened: Opened) -> Totals:
        """Touch everything once."""
        return totals(map(sum, self.numbers(opened)), self.texts(opened))

    def answers(self, path: Path, export: str, samples: int) -> tuple[int, list[int]]:
        return self._sample(path, samples, lambda opened: self.code_offset(opened, export))

    def touches(self, path: Path, samples: int) -> tuple[Totals, list[int]]:
        return self._sample(path, samples, self.totals)

    Result = TypeVar("Result")

    def _sample(self, path: Path, samples: int, ask: Callable[[Opened], Result]) -> tuple[Result, list[int]]:
        durations = []
        gc.disable()  # else unpickling pays for collections
        try:
            for _ in range(samples):
                assert not path.is_file() or not is_loaded(path), f"{path} is still loaded: a sample would cost nothing"
                start = time.perf_counter_ns()
                opened = self.open(path)
                result = ask(opened)
                durations.append(time.perf_counter_ns() - start)
                self.close(opened)
                del opened
        finally:
            gc.enable()
        return result, durations


class RowsContestant(PythonContestant[Facts]):
    """A serializer that gives the rows back as Python objects."""

    def __init__(self, name: str, dump: Callable[[Facts], bytes], parse: Callable[[bytes], Any]) -> None:
        self.name, self._dump, self._parse = name, dump, parse

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        path = directory / f"{artifact.stem}.{self.name}"
        path.write_bytes(self._dump(facts))
        return path

    def open(self, path: Path) -> Facts:
        return Facts(*self._parse(path.read_bytes()))

    def code_offset(self, opened: Facts, export: str) -> int:
        return code_offset(opened, export)

    def numbers(self, opened: Facts) -> Iterator[Iterable[int]]:
        return numbers(opened)

    def texts(self, opened: Facts) -> Iterator[bytes]:
        return texts(opened)


def pickle_contestant() -> RowsContestant:
    """Pickle at its newest protocol; the tuple of the facts, not the class, which would cost an import."""
    return RowsContestant("pickle", lambda facts: pickle.dumps(tuple(facts), pickle.HIGHEST_PROTOCOL), pickle.loads)


def msgpack_contestant() -> RowsContestant:
    """MessagePack by its C extension. Raises ImportError without the package."""
    import msgpack

    return RowsContestant(
        "msgpack", msgpack.packb, lambda data: msgpack.unpackb(data, use_list=False, strict_map_key=True)
    )


class InPlaceContestant(PythonContestant[Opened]):
    """A reader of bytes in place: columns that lie there as arrays are summed without making Python objects of them."""

    in_place = True

    @abstractmethod
    def numbers(self, opened: Opened) -> Iterator[Sequence[int]]:
        """As `bench.facts.numbers`; arrays where the file has arrays."""

    def totals(self, opened: Opened) -> Totals:
        return totals(map(column_sum, self.numbers(opened)), self.texts(opened))


class OpenMetadata(InPlaceContestant[wa.Metadata]):
    """The artifact's metadata section, as ``wasmartifact.open_metadata`` maps it, and nothing else."""

    name = "open_metadata"

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        return artifact

    def size_bytes(self, path: Path) -> int:
        """The section alone. It holds more than the facts: digests, address map, hash index and so on."""
        with wa.open_metadata(path) as metadata:
            return metadata.header.numbers["section_size_bytes"]

    def open(self, path: Path) -> wa.Metadata:
        return wa.open_metadata(path)

    def close(self, opened: wa.Metadata) -> None:
        opened.close()

    def code_offset(self, opened: wa.Metadata, export: str) -> int:
        return _code_offset(opened, export)

    def numbers(self, opened: wa.Metadata) -> Iterator[Sequence[int]]:
        return _numbers(opened)

    def texts(self, opened: wa.Metadata) -> Iterator[memoryview | bytes]:
        return _texts(opened)


class Load(InPlaceContestant[Any]):
    """The metadata of ``wasmartifact.load``: what `OpenMetadata` does and the checks and the dlopen that calls need."""

    name = "load"

    write = OpenMetadata.write
    size_bytes = OpenMetadata.size_bytes

    def open(self, path: Path) -> Any:
        return wa.load(path)

    def code_offset(self, opened: Any, export: str) -> int:
        return _code_offset(opened.metadata, export)

    def numbers(self, opened: Any) -> Iterator[Sequence[int]]:
        return _numbers(opened.metadata)

    def texts(self, opened: Any) -> Iterator[memoryview | bytes]:
        return _texts(opened.metadata)


def _code_offset(metadata: wa.Metadata, export: str) -> int:
    row = metadata.exports.find(export)
    assert row is not None, f"no export {export}"
    offset = metadata.functions[row.index].text_offset
    assert offset is not None, f"export {export} is an imported function"
    return offset


def _numbers(metadata: wa.Metadata) -> Iterator[Sequence[int]]:
    columns, column = metadata.columns, metadata.column
    yield list(
        chain.from_iterable(
            columns.span(name, row) for row in range(len(metadata.types)) for name in ("type_params", "type_results")
        )
    )
    for name in (
        "import_kind",
        "import_index",
        "export_kind",
        "export_index",
        "function.type",
    ):
        yield column(name)
    imported = len(metadata.functions) - len(column("code_wasm_offset"))
    yield column("function.text_offset")[imported:]
    yield column("function.code_size_bytes")[imported:]
    yield column("function_name_index")
    rows: list[Any] = [numpy.asarray(values) for values in all_rows(columns, ADDRESSES)]
    sites = rows[2] != 0
    for values in rows:
        yield values[sites]


def _texts(metadata: wa.Metadata) -> Iterator[memoryview | bytes]:
    for name in ("import_module_bytes", "import_name_bytes", "export_name_bytes"):
        yield metadata.column(name)
    # Function names lie apart, in the name section.
    contents = bytes(metadata.column("custom_data_bytes"))
    places = zip(metadata.column("function_name_offset"), metadata.column("function_name_size"), strict=True)
    yield b"".join([contents[start : start + size_bytes] for start, size_bytes in places])
