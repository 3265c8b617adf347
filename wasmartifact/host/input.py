"""Reading an input of which nobody knows how long it is: a file, a device or a stream."""

from __future__ import annotations

import codecs
import errno
import os
import stat

from wasmartifact.constants import ELF_MAGIC, MAX_MODULE_BYTES

TYPE_CHECKING = False  # a second start with a changed source should not pay for typing
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Final, Self

MODULE_MAGIC: Final = b"\0asm"
_BLOCK_BYTES: Final = 1 << 20


class NamedText(bytes):
    """The contents of a file that is no binary module, for who passes them on: errors of text call it by its name."""

    name: str

    def __new__(cls, contents: bytes, name: str) -> Self:
        self = super().__new__(cls, contents)
        self.name = name
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, str]]:
        return type(self), (bytes(self), self.name)


def refuse_text(source: object) -> None:
    """Say of a module's text that it is given as bytes: a string is a path, though other packages take it for the text.

    Raises
    ------
    FileNotFoundError
        It begins as a module's text does, and there is no such file.
    """
    if not isinstance(source, str) or os.path.lexists(source):
        return
    if source.lstrip().startswith(("(module", "(component")):
        words = f"{os.strerror(errno.ENOENT)}: a string is a path; give the text of a module as bytes, text.encode()"
        raise FileNotFoundError(errno.ENOENT, words, source)


def read_input(file: IO[bytes], name: str, *, may_be_artifact: bool = False) -> bytes:
    """Contents as `read_blocks` gives them."""
    try:
        return b"".join(read_blocks(file, name, may_be_artifact=may_be_artifact))
    except MemoryError:
        raise _no_memory(name) from None


def read_blocks(file: IO[bytes], name: str, *, may_be_artifact: bool = False) -> Iterator[bytes]:
    """Contents of a module or an artifact; of what is neither, no more than shows it: /dev/urandom has no end.

    Parameters
    ----------
    file : binary file
        Open for reading.
    name : str
        What errors call it.
    may_be_artifact : bool
        Whether an ELF file is asked for, too.

    Raises
    ------
    UnsupportedModule
        It is larger than a module may be. A file tells so before it is read.
    OSError
        As the system gives it, with the name; ENOMEM where memory does not hold it.
    """
    try:
        start = file.read(len(MODULE_MAGIC))
        yield start
        if start == MODULE_MAGIC:
            yield from _bounded(_module_blocks(file, name), len(start), name)
        elif start == ELF_MAGIC and may_be_artifact:
            yield from iter(lambda: file.read(_BLOCK_BYTES), b"")
        else:
            yield from _bounded(_text_blocks(start, file), len(start), name)
    except MemoryError:
        raise _no_memory(name) from None
    except OSError as problem:
        if problem.filename is None:
            problem.filename = name
        raise


def check_size(size_bytes: int, name: str) -> None:
    """Raise UnsupportedModule where a module, or what was read of it so far, has more bytes than one may have."""
    if size_bytes > MAX_MODULE_BYTES:
        from wasmartifact.errors import UnsupportedModule

        raise UnsupportedModule(
            f"{name} has {size_bytes:,} bytes or more, expected a module of at most {MAX_MODULE_BYTES:,}, as far as "
            "offsets of 32 bits reach; give another file, or drop custom sections of this one (wasm-tools strip)",
            feature="modules beyond 4 GiB",
            wasm_offset=None,
        )


def _module_blocks(file: IO[bytes], name: str) -> Iterator[bytes]:
    """What follows the magic number of a module."""
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        check_size(status.st_size, name)
        yield file.read()
    else:
        yield from iter(lambda: file.read(_BLOCK_BYTES), b"")


def _text_blocks(block: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """What follows a first block, up to the first one that is no text: not UTF-8, or with a zero byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while block and b"\0" not in block:
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            return
        block = file.read(_BLOCK_BYTES)
        yield block


def _bounded(blocks: Iterator[bytes], size_bytes: int, name: str) -> Iterator[bytes]:
    """The blocks that follow ``size_bytes``, as long as all of it is no more than a module may have."""
    for block in blocks:
        size_bytes += len(block)
        check_size(size_bytes, name)
        yield block


def _no_memory(name: str) -> OSError:
    from wasmartifact.host.limits import memory_advice

    advice = memory_advice() or "free memory, or use a machine with more of it"
    return OSError(errno.ENOMEM, f"memory does not hold the file; {advice}", name)
