"""The digests of an artifact: what each covers, and the order in which the packer fills them in.

::

    head | code, constants, anchor | metadata section (header, directory, columns, images) | symbols, section table
    ^^^^---------------------------------------------------^^^^^^  ^^^^^^^^^                            load_checksum
           ^^^^^^^^^^^^^^^^^^^^^^^^  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^                  build_id
                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^                  section_digest
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ file_digest

The digests are BLAKE2b, load_checksum is XXH64. The fields from load_checksum to file_digest count as zero everywhere
but in load_checksum, which covers those after itself: no byte of the header changes unseen. So do signature and
signing_key, the last fields of the header: signing changes them and load_checksum alone. build_id also takes itself
as zero, in the header and in the anchor. Hence the packer's order: fix every header field but these, compute build_id,
put it in the header, the anchor and the ELF note, then ``seal``, which computes load_checksum last. The loader's own
check of load_checksum is in native/runtime/checksum.c.
"""

from __future__ import annotations

import sys
from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL
from collections.abc import Callable, Iterable
from typing import Final

from wasmartifact.constants import DIRECTORY_ENTRY_BYTES, HEAD_MASKED_RANGES, HEADER_RANGES, METADATA_HEADER_BYTES
from wasmartifact.errors import CorruptArtifact
from wasmartifact.metadata import header
from wasmartifact.metadata.xxh64 import xxh64
from wasmartifact.schema import BUILD_ID_BYTES, SIGNATURE_PREFIX, Buffer, align_up

#: XXH64 of some bytes, with a seed.
Hash = Callable[[Buffer, int], int]
_BUILD_ID_START: Final = HEADER_RANGES["build_id"][0]
# load_checksum and the digests are neighbours, and build_id stands right before them.
_DIGESTS_START, _CHECKSUM_END = HEADER_RANGES["load_checksum"]
_DIGESTS_END: Final = HEADER_RANGES["file_digest"][1]
# So are these, at the end of the header.
_SIGNATURE_START: Final = HEADER_RANGES["signature"][0]
_SIGNATURE_END: Final = HEADER_RANGES["signing_key"][1]
_FILE_SIZE: Final = slice(*HEADER_RANGES["file_size_bytes"])
_DIRECTORY_OFFSET: Final = slice(*HEADER_RANGES["directory_offset"])
_DIRECTORY_COUNT: Final = slice(*HEADER_RANGES["directory_count"])


#: A module of so many bytes is hashed by Python's own code before OpenSSL is loaded, which then is faster.
_SMALL_BYTES: Final = 512 << 10


def wasm_digest(module: bytes) -> bytes:
    """SHA-256 of a binary module."""
    if len(module) <= _SMALL_BYTES:
        try:
            sha256 = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
        except ImportError:  # a Python that was built with OpenSSL's alone
            from hashlib import sha256
    else:
        from hashlib import sha256
    digest: bytes = sha256(module).digest()
    return digest


def build_id(code: Iterable[Buffer], section: Buffer) -> bytes:
    """The 16 bytes that tie mapped code to metadata.

    Parameters
    ----------
    code : iterable of buffers
        What is mapped behind the head (anchor, constants, unwind tables, text, the zeros that fill the last page), in
        file order, with the anchor's ``build_id`` zero.
    section : buffer
        The metadata section with every header field final but build_id and the digests.
    """
    digest = blake2b(digest_size=BUILD_ID_BYTES)
    for chunk in code:
        digest.update(chunk)
    for part in _without_digests(section, _BUILD_ID_START):
        digest.update(part)
    return digest.digest()


def _without_digests(section: Buffer, start: int = _DIGESTS_START) -> tuple[Buffer, ...]:
    """A section in pieces: the fields from ``start`` to file_digest, and the signature, are zero."""
    view = memoryview(section)
    return (
        view[:start],
        bytes(_DIGESTS_END - start),
        view[_DIGESTS_END:_SIGNATURE_START],
        bytes(_SIGNATURE_END - _SIGNATURE_START),
        view[_SIGNATURE_END:],
    )


def mapped_code(
    file: memoryview, *, head_size_bytes: int, build_id_offset: int, mapped_end: int, page_size_bytes: int
) -> tuple[Buffer, ...]:
    """The code of a finished file as `build_id` takes it; ``strip`` may have removed the zeros behind ``mapped_end``.

    Parameters
    ----------
    file : memoryview
        The whole file.
    head_size_bytes, build_id_offset, mapped_end : int
        File offsets: end of the head, the build id in the anchor, end of the last loadable segment.
    page_size_bytes : int
        Alignment of segments.
    """
    return (
        file[head_size_bytes:build_id_offset],
        bytes(BUILD_ID_BYTES),
        file[build_id_offset + BUILD_ID_BYTES : mapped_end],
        bytes(align_up(mapped_end, page_size_bytes) - mapped_end),
    )


def load_checksum(head: Buffer, section: Buffer, hash_: Hash = xxh64) -> int:
    """What the loader compares before dlopen; ``head`` is the first ``head_size_bytes`` of the file.

    Covers the head with the fields that ``strip`` rewrites as zero, the metadata header with load_checksum itself as
    zero, and the directory. Bounds are not checked: a directory outside the section changes the checksum, no more.
    """
    masked_head = bytearray(head)
    for start, end in HEAD_MASKED_RANGES:
        masked_head[start:end] = bytes(end - start)
    masked_header = bytearray(section[:METADATA_HEADER_BYTES])
    masked_header[_DIGESTS_START:_CHECKSUM_END] = bytes(_CHECKSUM_END - _DIGESTS_START)
    start = int.from_bytes(section[_DIRECTORY_OFFSET], "little")
    count = int.from_bytes(section[_DIRECTORY_COUNT], "little")
    directory = memoryview(section)[start : start + count * DIRECTORY_ENTRY_BYTES]
    return hash_(directory, hash_(masked_header, hash_(masked_head, 0)))


def section_digest(section: Buffer) -> bytes:
    """BLAKE2b-256 of the section with load_checksum, digests and signature zero."""
    return file_digest(_without_digests(section))


def file_digest(chunks: Iterable[Buffer]) -> bytes:
    """BLAKE2b-256 of a file given in pieces, in order, with load_checksum, digests and signature zero."""
    digest = blake2b(digest_size=32)
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def seal(head: Buffer, section: bytearray | memoryview, chunks: Iterable[Buffer], hash_: Hash = xxh64) -> None:
    """Fill in section_digest, file_digest and load_checksum: the last change of an artifact, which is not signed then.

    Parameters
    ----------
    head : buffer
        The first ``head_size_bytes`` of the file, final.
    section : bytearray | memoryview
        The metadata section, final but for these fields. Patched in place.
    chunks : iterable of buffers
        The whole file in order. The section's piece must be ``section`` itself or a view of it.
    hash_ : callable
        Another XXH64 than that of `xxh64`, which needs no code but Python's.

    Raises
    ------
    ValueError
        Where the chunks don't add up to the header's ``file_size_bytes``: a defect of the caller.
    """
    header.patch_header(
        section,
        load_checksum=0,
        section_digest=bytes(32),
        file_digest=bytes(32),
        signature=bytes(64),
        signing_key=bytes(32),
    )
    pieces = [memoryview(chunk) for chunk in chunks]
    size = sum(piece.nbytes for piece in pieces)
    recorded = int.from_bytes(section[_FILE_SIZE], "little")
    if size != recorded:
        raise ValueError(f"the file has {size} bytes, its header says {recorded}")
    header.patch_header(
        section,
        section_digest=section_digest(section),
        file_digest=file_digest(pieces),
    )
    header.patch_header(section, load_checksum=load_checksum(head, section, hash_))


def check_load(head: Buffer, section: Buffer) -> None:
    """Compare load_checksum with the recorded one; raises CorruptArtifact where it differs."""
    found = load_checksum(head, section)
    _compare("load_checksum", section, found.to_bytes(_CHECKSUM_END - _DIGESTS_START, "little"))


def check_section(section: Buffer) -> None:
    """Compare section_digest, over the whole section; raises CorruptArtifact where it differs."""
    _compare("section_digest", section, section_digest(section))


def check_build_id(code: Iterable[Buffer], section: Buffer) -> None:
    """Compare build_id, over all code and the section; raises CorruptArtifact where it differs."""
    _compare("build_id", section, build_id(code, section))


def check_file(file: memoryview, section_offset: int) -> None:
    """Compare file_digest, over the whole file; raises CorruptArtifact where it differs."""
    pieces = (file[:section_offset], *_without_digests(file[section_offset:]))
    _compare("file_digest", file[section_offset:], file_digest(pieces))


def signed_message(loaded: memoryview, section: Buffer) -> bytes:
    """What a signature is made over: all that is mapped of an artifact, by two digests of 256 bits.

    Parameters
    ----------
    loaded : memoryview
        The file up to the end of the last loadable segment. What ``strip`` rewrites of it counts as zero.
    section : buffer
        The metadata section.
    """
    head = bytearray(loaded[: HEAD_MASKED_RANGES[-1][1]])
    for start, end in HEAD_MASKED_RANGES:
        head[start:end] = bytes(end - start)
    return SIGNATURE_PREFIX + file_digest((head, loaded[len(head) :])) + section_digest(section)


def _compare(field: str, section: Buffer, found: bytes) -> None:
    """Compare a digest with the header's field of that name."""
    recorded = bytes(section[slice(*HEADER_RANGES[field])])
    if found != recorded:
        raise CorruptArtifact(
            f"the content's {field} is {found.hex()}, the header records {recorded.hex()}; the file was damaged or "
            "changed: pack the module again",
            field=field,
            found=found,
            expected=recorded,
        )
