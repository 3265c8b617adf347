"""Reading an input of which nobody knows how long it is: a file, a device or a stream."""

from __future__ import annotations

import codecs

from wasmartifact.constants import ELF_MAGIC

TYPE_CHECKING = False  # a second start with a changed source should not pay for typing
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Final

MODULE_MAGIC: Final = b"\0asm"
_BLOCK_BYTES: Final = 1 << 20


def read_input(file: IO[bytes], name: str, *, may_be_artifact: bool = False) -> bytes:
    """Contents as `read_blocks` gives them."""
    return b"".join(read_blocks(file, name, may_be_artifact=may_be_artifact))


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
    OSError
        As the system gives it, with the name.
    """
    try:
        start = file.read(len(MODULE_MAGIC))
        yield start
        if start == MODULE_MAGIC:
            yield file.read()
        elif start == ELF_MAGIC and may_be_artifact:
            yield from iter(lambda: file.read(_BLOCK_BYTES), b"")
        else:
            yield from _text_blocks(start, file)
    except OSError as problem:
        if problem.filename is None:
            problem.filename = name
        raise


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
