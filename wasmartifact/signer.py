"""Sign an artifact: a signature of all that is ever mapped of it, in its own header. Nothing of the file runs."""

from __future__ import annotations

import os

from wasmartifact.diagnosis import named, no_file
from wasmartifact.elf.read import find_section
from wasmartifact.host.keys import Key, PrivateKey, read_private_key
from wasmartifact.host.output import write_output
from wasmartifact.host.scratch import read_chunks
from wasmartifact.metadata import Metadata, digests, header
from wasmartifact.verifier import open_metadata, signed_message, verify, verify_bytes


def sign(path: str | os.PathLike[str], private_key: Key, *, password: str | bytes | None = None) -> None:
    """Sign an artifact with an Ed25519 key, in place: the file keeps its size, and its name leads to a new one.

    A signature covers the code and all metadata. `strip` may go over the file before or after. Signing again replaces
    a signature.

    Parameters
    ----------
    path : str | os.PathLike
        A file that `pack` wrote, stripped or not.
    private_key : str | os.PathLike | bytes | Ed25519PrivateKey
        A path, or the key itself, in PEM or as 32 bytes, or an object of the package cryptography, which the extra
        ``wasmartifact[sign]`` installs.
    password : str | bytes | None
        Decrypts the key.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact
        What is wrong with the file: only what `verify` finds whole is signed.
    ValueError
        The key can't be read.
    ToolchainError
        The package cryptography is not installed.
    OSError
        A file can't be read or written.

    Examples
    --------
    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> key = Ed25519PrivateKey.generate()  # or the path of a file that openssl made
    >>> wa.sign("module.wasm.so", key)
    >>> artifact = wa.load("module.wasm.so", key=key.public_key(), private=True)
    """
    key = read_private_key(private_key, password)
    open_metadata(path).close()  # before all of it is read: no artifact is longer than it says
    with named(path):
        file = sign_contents(bytearray(b"".join(_read(path))), key)
    public = key.public_key()
    write_output(path, [file], check=lambda written: verify(written, key=public))


def sign_contents(file: bytearray, key: PrivateKey) -> bytes:
    """The contents of an artifact with a signature. Raises what `verify` does: only what is whole is signed."""
    verify_bytes(memoryview(file), None)
    offset, size_bytes = find_section(file)
    section = memoryview(file)[offset : offset + size_bytes]
    metadata = Metadata(section)
    signature = key.sign(signed_message(memoryview(file), metadata))
    header.patch_header(section, signature=signature, signing_key=key.public_key().public_bytes_raw())
    head = file[: metadata.header.numbers["head_size_bytes"]]
    header.patch_header(section, load_checksum=digests.load_checksum(head, section))
    return bytes(file)


def _read(path: str | os.PathLike[str]) -> list[bytes]:
    """The contents of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        problem = no_file(fd, path)
        if problem is not None:
            raise problem
        return list(read_chunks(fd))
    finally:
        os.close(fd)
