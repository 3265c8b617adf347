"""Ed25519 keys, by the package cryptography of the extra ``sign``: read them, sign, check a signature (RFC 8032)."""

from __future__ import annotations

import os
from typing import Any, Final, Protocol, TypeAlias, cast

from wasmartifact.host.packages import require

KEY_BYTES: Final = 32
#: Far more than a key in PEM has: a device has no end.
_MAX_FILE_BYTES: Final = 1 << 16
_ED25519: Final = "cryptography.hazmat.primitives.asymmetric.ed25519"
_SERIALIZATION: Final = "cryptography.hazmat.primitives.serialization"
_WAYS: Final = "PEM, as `openssl genpkey -algorithm ed25519` writes it, or 32 raw bytes"

#: A file, the contents of one, or a key object of the package cryptography.
Key: TypeAlias = "str | os.PathLike[str] | bytes | PublicKey | PrivateKey"


class PublicKey(Protocol):
    """Ed25519PublicKey of the package cryptography."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raise InvalidSignature where the signature is not one of the data."""

    def public_bytes_raw(self) -> bytes:
        """The 32 bytes of the key."""


class PrivateKey(Protocol):
    """Ed25519PrivateKey of the package cryptography."""

    def sign(self, data: bytes, /) -> bytes:
        """The 64 bytes of a signature."""

    def private_bytes_raw(self) -> bytes:
        """The 32 bytes of the key."""

    def public_key(self) -> PublicKey:
        """The key that checks it."""


def read_public_key(key: Key) -> PublicKey:
    """The key that checks signatures.

    Raises
    ------
    ValueError
        It is no public Ed25519 key; says what it is.
    TypeError
        It is nothing that holds a key.
    ToolchainError
        The package cryptography is not installed.
    OSError
        The file can't be read.
    """
    ed25519, serialization = _modules("checking a signature")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return cast("PublicKey", key)
    name, data = _contents(key)
    if len(data) == KEY_BYTES:
        return cast("PublicKey", ed25519.Ed25519PublicKey.from_public_bytes(data))
    if b"PRIVATE KEY" in data:
        raise ValueError(f"{name} is a private key, expected the public one: `openssl pkey -pubout` gives it")
    try:
        found = serialization.load_pem_public_key(data)
    except Exception as problem:  # its kinds differ from version to version of the package
        raise _unreadable(name, data, problem) from None
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise ValueError(f"{name} is a {type(found).__name__}, expected an Ed25519 key: {_WAYS}")
    return cast("PublicKey", found)


def read_private_key(key: Key, password: str | bytes | None = None) -> PrivateKey:
    """The key that signs; ``password`` decrypts it. Raises as `read_public_key` does."""
    ed25519, serialization = _modules("signing an artifact")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return cast("PrivateKey", key)
    name, data = _contents(key)
    if len(data) == KEY_BYTES and password is None:
        return cast("PrivateKey", ed25519.Ed25519PrivateKey.from_private_bytes(data))
    if b"PUBLIC KEY" in data:
        raise ValueError(f"{name} is a public key, expected the private one")
    if b"ENCRYPTED" in data and password is None:
        raise ValueError(f"{name} is encrypted; give its password")
    secret = password.encode() if isinstance(password, str) else password
    try:
        found = serialization.load_pem_private_key(data, secret)
    except Exception as problem:
        raise _unreadable(name, data, problem) from None
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise ValueError(f"{name} is a {type(found).__name__}, expected an Ed25519 key: {_WAYS}")
    return cast("PrivateKey", found)


def is_signature(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the private half of a key signed the message."""
    invalid = require("cryptography.exceptions", "checking a signature").InvalidSignature
    try:
        key.verify(signature, message)
    except invalid:
        return False
    return True


def _modules(purpose: str) -> tuple[Any, Any]:
    return require(_ED25519, purpose), require(_SERIALIZATION, purpose)


def _contents(key: Key) -> tuple[str, bytes]:
    """How to call a key, and its bytes."""
    if isinstance(key, bytes):
        return "the key", key
    if isinstance(key, str | os.PathLike):
        with open(key, "rb") as file:
            return os.fspath(key), file.read(_MAX_FILE_BYTES)
    kind = type(key).__name__
    raise TypeError(
        f"the key is a {kind}, expected a path, bytes ({_WAYS}) or an Ed25519 key of the package cryptography"
    )


def _unreadable(name: str, data: bytes, problem: Exception) -> ValueError:
    found = str(problem) or type(problem).__name__
    return ValueError(f"{name} has {len(data)} bytes and can't be read as a key ({found}), expected {_WAYS}")
