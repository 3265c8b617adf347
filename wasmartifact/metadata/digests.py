"""The digests of an artifact: what each covers, and the order in which the packer fills them in.

::

    head | code, constants, anchor | metadata section (header, directory, columns, images) | symbols, section table
    ^^^^---------------------------------------------------^^^^^^  ^^^^^^^^^                            load_digest
           ^^^^^^^^^^^^^^^^^^^^^^^^  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^                  build_id
                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^                  section_digest
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ file_digest

All are BLAKE2b. The three digest fields of the header count as zero everywhere but in load_digest, which covers the
other two: no byte of the header changes unseen. build_id also takes itself as zero, in the header and in the anchor.
Hence the packer's order: fix every header field but the digests, compute build_id, put it in the header, the anchor and
the ELF note, then ``seal``, which computes load_digest last.
"""

from __future__ import annotations

from _blake2 import blake2b  # not hashlib: this is on the load path, and loading OpenSSL costs more than a load

from wasmartifact.constants import DIRECTORY_ENTRY_BYTES, HEAD_MASKED_RANGES, HEADER_RANGES, METADATA_HEADER_BYTES

TYPE_CHECKING = False  # importing typing would cost more than a load, too
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

Buffer = bytes | bytearray | memoryview

BUILD_ID_BYTES: Final = 16
_BUILD_ID_START: Final = HEADER_RANGES["build_id"][0]
# The three digest fields are neighbours, and build_id stands right before them.
_DIGESTS_START, _LOAD_DIGEST_END = HEADER_RANGES["load_digest"]
_DIGESTS_END: Final = HEADER_RANGES["file_digest"][1]
_ZEROS: Final = bytes(_DIGESTS_END - _BUILD_ID_START)
_DIGEST_ZEROS: Final = bytes(_DIGESTS_END - _DIGESTS_START)
_LOAD_DIGEST_ZEROS: Final = bytes(_LOAD_DIGEST_END - _DIGESTS_START)
(_MASK0_START, _MASK0_END), (_MASK1_START, _MASK1_END) = HEAD_MASKED_RANGES
_MASK0_ZEROS: Final = bytes(_MASK0_END - _MASK0_START)
_MASK1_ZEROS: Final = bytes(_MASK1_END - _MASK1_START)
_DIRECTORY_OFFSET: Final = slice(*HEADER_RANGES["directory_offset"])
_DIRECTORY_COUNT: Final = slice(*HEADER_RANGES["directory_count"])


def build_id(code: Iterable[Buffer], section: Buffer) -> bytes:
    """The 16 bytes that tie mapped code to metadata.

    Parameters
    ----------
    code : iterable of buffers
        The bytes of the file from ``head_size_bytes`` to the end of the last loadable segment (anchor, constants,
        unwind tables, text), in file order, with the anchor's ``build_id`` zero.
    section : buffer
        The metadata section with every header field final but build_id and the digests.
    """
    digest = blake2b(digest_size=BUILD_ID_BYTES)
    for chunk in code:
        digest.update(chunk)
    view = memoryview(section)
    digest.update(view[:_BUILD_ID_START])
    digest.update(_ZEROS)
    digest.update(view[_DIGESTS_END:])
    return digest.digest()


def load_digest(head: Buffer, section: Buffer) -> bytes:
    """The 16 bytes that the loader compares before dlopen; ``head`` is the first ``head_size_bytes`` of the file.

    Covers the head with the fields that ``strip`` rewrites as zero, the metadata header with load_digest itself as
    zero, and the directory. Bounds are not checked: a directory outside the section changes the digest, no more.
    """
    # One join and one hash call: a third faster than an update per piece.
    start = int.from_bytes(section[_DIRECTORY_OFFSET], "little")
    count = int.from_bytes(section[_DIRECTORY_COUNT], "little")
    return blake2b(
        b"".join(
            (
                head[:_MASK0_START],
                _MASK0_ZEROS,
                head[_MASK0_END:_MASK1_START],
                _MASK1_ZEROS,
                head[_MASK1_END:],
                section[:_DIGESTS_START],
                _LOAD_DIGEST_ZEROS,
                section[_LOAD_DIGEST_END:METADATA_HEADER_BYTES],
                section[start : start + count * DIRECTORY_ENTRY_BYTES],
            )
        ),
        digest_size=16,
    ).digest()


def section_digest(section: Buffer) -> bytes:
    """BLAKE2b-256 of the section with the three digest fields zero."""
    digest = blake2b(digest_size=32)
    view = memoryview(section)
    for part in (view[:_DIGESTS_START], _DIGEST_ZEROS, view[_DIGESTS_END:]):
        digest.update(part)
    return digest.digest()


def file_digest(chunks: Iterable[Buffer]) -> bytes:
    """BLAKE2b-256 of a file given in pieces, in order, with the three digest fields zero."""
    digest = blake2b(digest_size=32)
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def seal(head: Buffer, section: bytearray | memoryview, chunks: Iterable[Buffer]) -> None:
    """Fill in section_digest, file_digest and load_digest: the last change of an artifact.

    Parameters
    ----------
    head : buffer
        The first ``head_size_bytes`` of the file, final.
    section : bytearray | memoryview
        The metadata section, final but for the three fields. Patched in place.
    chunks : iterable of buffers
        The whole file in order. The section's piece must be ``section`` itself or a view of it.

    Raises
    ------
    ValueError
        Where the chunks don't add up to the header's ``file_size_bytes``: a defect of the caller.
    """
    from wasmartifact.metadata import header

    header.patch_header(section, load_digest=bytes(16), section_digest=bytes(32), file_digest=bytes(32))
    pieces = [memoryview(chunk) for chunk in chunks]
    size = sum(piece.nbytes for piece in pieces)
    recorded = header.read_header(memoryview(section)).numbers["file_size_bytes"]
    if size != recorded:
        raise ValueError(f"the file has {size} bytes, its header says {recorded}")
    header.patch_header(
        section,
        section_digest=section_digest(section),
        file_digest=file_digest(pieces),
    )
    header.patch_header(section, load_digest=load_digest(head, section))


def check_load(head: Buffer, section: Buffer, path: str | None = None) -> None:
    """Compare load_digest with the recorded one; raises CorruptArtifact, which names the path, where it differs."""
    _compare("load_digest", section, load_digest(head, section), path)


def check_section(section: Buffer) -> None:
    """Compare section_digest, over the whole section; raises CorruptArtifact where it differs."""
    _compare("section_digest", section, section_digest(section))


def check_build_id(code: Iterable[Buffer], section: Buffer) -> None:
    """Compare build_id, over all code and the section; raises CorruptArtifact where it differs."""
    _compare("build_id", section, build_id(code, section))


def check_file(file: memoryview, section_offset: int) -> None:
    """Compare file_digest, over the whole file; raises CorruptArtifact where it differs."""
    start, end = section_offset + _DIGESTS_START, section_offset + _DIGESTS_END
    _compare("file_digest", file[section_offset:], file_digest((file[:start], _DIGEST_ZEROS, file[end:])))


def _compare(field: str, section: Buffer, found: bytes, path: str | None = None) -> None:
    """Compare a digest with the header's field of that name."""
    recorded = bytes(section[slice(*HEADER_RANGES[field])])
    if found != recorded:
        from wasmartifact.errors import CorruptArtifact

        raise CorruptArtifact(
            f"{f'{path}: ' if path else ''}the content's {field} is {found.hex()}, the header records "
            f"{recorded.hex()}; the file was damaged or changed: pack the module again",
            path=path,
            field=field,
            found=found,
            expected=recorded,
        )
