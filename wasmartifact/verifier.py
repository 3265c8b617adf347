"""Look into an artifact without loading it: map its metadata, or check every byte of it. Nothing of the file runs."""

from __future__ import annotations

import os
from mmap import ALLOCATIONGRANULARITY, MAP_PRIVATE, PROT_READ, mmap
from typing import Final

from wasmartifact.diagnosis import check_code, check_front, check_rest, named, no_file, rewritten
from wasmartifact.elf.read import corrupt_elf, find_section, is_stripped, read_segments
from wasmartifact.errors import ArtifactError, BadSignature, LoadError, with_path
from wasmartifact.host.limits import limit_advice
from wasmartifact.metadata import Metadata, close_mapping, digests
from wasmartifact.metadata.check_directory import check_directory

TYPE_CHECKING = False  # who opens metadata should not pay for keys
if TYPE_CHECKING:
    from wasmartifact.host.keys import Key, PublicKey

#: O_NONBLOCK: a FIFO under the name must not hang us.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def open_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Map the metadata section of an artifact, and nothing else of it.

    Header and directory are checked at once, rows when they are used; digests only by `verify`.

    Parameters
    ----------
    path : str | os.PathLike
        A file that `pack` wrote. Replace artifacts by renaming: a file that is cut short while it is mapped kills the
        process that reads beyond its end.

    Returns
    -------
    Metadata
        A context manager, which closes the mapping.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact
        What is wrong with the file.
    LoadError
        The file can't be mapped here.
    OSError
        The file can't be opened.

    Examples
    --------
    >>> with wa.open_metadata("module.wasm.so") as metadata:
    ...     for row in metadata.exports:
    ...         print(row.kind, row.name)
    memory memory
    func add
    """
    fd = _open_regular(path)
    try:
        file = _map(fd, path)
        try:
            with named(path):
                offset, size_bytes = find_section(memoryview(file))
        finally:
            close_mapping(file)
        # Mappings start where the host's pages do, which may be larger than the artifact's.
        skipped = offset % ALLOCATIONGRANULARITY
        mapping = _map(fd, path, skipped + size_bytes, offset - skipped)
    finally:
        os.close(fd)
    metadata = Metadata(memoryview(mapping)[skipped:], owner=mapping, path=os.fsdecode(path))
    try:
        with named(path):
            check_directory(metadata.columns.section)
    except BaseException:
        metadata.close()
        raise
    return metadata


def verify(path: str | os.PathLike[str], *, key: Key | None = None) -> None:
    """Check every byte of an artifact: digests, rows, and that its code and metadata belong together. O(size).

    Of a file that `strip` went over, the symbol table and the section headers are beyond any digest; all that is ever
    mapped is checked.

    Parameters
    ----------
    path : str | os.PathLike
        A file that `pack` wrote, stripped or not.
    key : str | os.PathLike | bytes | Ed25519PublicKey | None
        The public key that it must be signed with: a path, or the key itself, in PEM or as 32 bytes, or an object of
        the package cryptography (``wasmartifact[sign]``). A signature covers all that is ever mapped.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact, LoadError, OSError
        As by `open_metadata`.
    BadSignature
        It is not signed with this key.
    ValueError
        The key can't be read.

    Examples
    --------
    >>> wa.verify("module.wasm.so")
    """
    public = None if key is None else _public_key(key)
    fd = os.open(path, _OPEN_FLAGS)
    try:
        verify_open(fd, path, public)
    finally:
        os.close(fd)


def verify_open(fd: int, path: str | os.PathLike[str] | None, key: PublicKey | None) -> None:
    """Check every byte of an open file, and its signature where there is a key. Raises as `verify` does."""
    problem = no_file(fd, path)
    if problem is not None:
        raise problem
    file = _map(fd, path)
    try:
        verify_bytes(memoryview(file), key)
    except ArtifactError as found:
        # Frames of its traceback hold views of the mapping, which shall be closed now.
        found.__context__ = None
        found.__traceback__ = None
        raise with_path(found, path) from None
    finally:
        close_mapping(file)


def verify_bytes(data: memoryview, key: PublicKey | None) -> None:
    """Check every byte of a file, and its signature where there is a key."""
    from wasmartifact.metadata.check_rows import check_rows  # who packs, or opens metadata, looks at no row

    offset, metadata = check_front(data)
    _verify_digests(data, offset, metadata)
    check_rows(metadata.columns.section)
    check_code(data, metadata)
    if key is not None:
        _check_signature(data, metadata, key)


def signed_message(data: memoryview, metadata: Metadata) -> bytes:
    """What a signature of this file is made over."""
    loaded_end = max(segment.offset + segment.size_bytes for segment in read_segments(data))
    return digests.signed_message(data[:loaded_end], metadata.columns.section)


def _check_signature(data: memoryview, metadata: Metadata, key: PublicKey) -> None:
    from wasmartifact.host.keys import is_signature

    fields = metadata.header.digests
    found, expected = fields["signing_key"].hex(), key.public_bytes_raw().hex()
    if is_signature(key, fields["signature"], signed_message(data, metadata)):
        return
    if not any(fields["signature"]):
        raise BadSignature(
            f"the artifact is not signed, expected a signature with the key {expected}; `wasmartifact sign` makes one",
            found=None,
            expected=expected,
        )
    if found != expected:
        raise BadSignature(
            f"the artifact is signed with the key {found}, expected {expected}; ask who made it for the right key",
            found=found,
            expected=expected,
        )
    raise BadSignature(
        f"the signature with the key {found} is not one of this content, which was changed after it was signed; get it "
        "anew from who signed it",
        found=found,
        expected=expected,
    )


def _public_key(key: Key) -> PublicKey:
    from wasmartifact.host.keys import read_public_key

    return read_public_key(key)


def _open_regular(path: str | os.PathLike[str]) -> int:
    """A descriptor of a file that can be mapped."""
    fd = os.open(path, _OPEN_FLAGS)
    problem = no_file(fd, path)
    if problem is not None:
        os.close(fd)
        raise problem
    return fd


def _map(fd: int, path: str | os.PathLike[str] | None, size_bytes: int = 0, offset: int = 0) -> mmap:
    """A read-only mapping of a part of a file; 0 bytes are all of it.

    Private, as the loader maps it, since some file systems give no other (FUSE with direct_io).
    """
    try:
        return mmap(fd, size_bytes, flags=MAP_PRIVATE, prot=PROT_READ, offset=offset)
    except OSError as problem:
        name = "the artifact" if path is None else os.fsdecode(path)
        advice = limit_advice(problem) or "copy the file to a file system that maps files"
        raise LoadError(f"{name} can't be mapped: {problem.strerror}; {advice}", path=name) from problem


def _verify_digests(data: memoryview, offset: int, metadata: Metadata) -> None:
    """The digests that need nothing but the bytes. A stripped file is smaller and lacks its symbol table."""
    section, numbers = metadata.columns.section, metadata.header.numbers
    digests.check_section(section)
    if len(data) == numbers["file_size_bytes"]:
        check_rest(data, offset, metadata)
    elif not is_stripped(data):
        raise rewritten(data) or corrupt_elf("file size in bytes", len(data), numbers["file_size_bytes"])
