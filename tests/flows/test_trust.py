"""Signatures, checks at load, private copies: what was checked is what runs.

Keys are those of RFC 8032, section 7.1; openssl checks a signature over the message of FORMAT.md, put together here
from the bytes of the file alone.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

import wasmartifact as wa
from tests.support.artifact_files import write
from tests.support.tools import find_tool
from wasmartifact import loader
from wasmartifact.constants import HEADER_RANGES
from wasmartifact.elf.read import find_section
from wasmartifact.metadata import digests
from wasmartifact.metadata.header import patch_header, read_header

TIMEOUT_S: Final = 120
WAT: Final = b"""(module (memory (export "memory") 2) (data (i32.const 0) "%s")
  (func (export "f") (result i32) (i32.const 1234567)))"""
#: TEST 1 and TEST 2.
PRIVATE: Final = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OTHER_PRIVATE: Final = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
OTHER_PUBLIC: Final = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Metadata is part of cycles; the copies that it keeps mapped are none of the next test's."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trust") / "unsigned.so"
    wa.pack(WAT % b"seven", path, opt_level=0)
    return path


@pytest.fixture
def signed(unsigned: Path, tmp_path: Path) -> Path:
    path = write(tmp_path / "signed.so", unsigned.read_bytes())
    wa.sign(path, PRIVATE)
    return path


def answer(artifact: wa.Artifact) -> int:
    value: int = artifact.instantiate().exports.f()
    return value


def header_fields(contents: bytes) -> tuple[int, bytes, bytes]:
    """Offset of the section, signature, key."""
    offset, size_bytes = find_section(contents)
    found = read_header(memoryview(contents)[offset : offset + size_bytes]).digests
    return offset, found["signature"], found["signing_key"]


def with_signature_of(signed: bytes, contents: bytes) -> bytes:
    """An artifact with right digests, and the signature of another."""
    _, signature, key = header_fields(signed)
    file = bytearray(contents)
    offset, size_bytes = find_section(contents)
    section = memoryview(file)[offset : offset + size_bytes]
    patch_header(section, signature=signature, signing_key=key)
    head = bytes(file[: read_header(section).numbers["head_size_bytes"]])
    patch_header(section, load_checksum=digests.load_checksum(head, section))
    return bytes(file)


# --------------------------------------------------------------------------------------------------------------------
# Signatures


def test_signing_changes_signature_key_and_checksum_and_nothing_else(unsigned: Path, signed: Path) -> None:
    before, after = unsigned.read_bytes(), signed.read_bytes()
    offset, _, key = header_fields(after)
    assert key == PUBLIC
    allowed = {
        offset + place
        for name in ("load_checksum", "signature", "signing_key")
        for place in range(*HEADER_RANGES[name])
    }
    assert len(before) == len(after)
    assert {place for place in range(len(before)) if before[place] != after[place]} <= allowed
    wa.verify(signed)
    wa.sign(signed, PRIVATE)  # again: signatures of Ed25519 are the same whenever they are made
    assert signed.read_bytes() == after


def test_openssl_checks_it_over_the_documented_message(signed: Path, tmp_path: Path) -> None:
    file = signed.read_bytes()
    (programs,) = struct.unpack_from("<Q", file, 32)
    (count,) = struct.unpack_from("<H", file, 56)
    segments = [struct.unpack_from("<IIQQQQQQ", file, programs + 56 * number) for number in range(count)]
    loaded = bytearray(file[: max(offset + size for kind, _, offset, _, _, size, _, _ in segments if kind == 1)])
    loaded[40:48], loaded[60:64] = bytes(8), bytes(4)
    offset, size_bytes = find_section(file)
    section = bytearray(file[offset : offset + size_bytes])
    signature = bytes(section[288:352])
    section[128:208], section[288:384] = bytes(80), bytes(96)
    message = b"wasmartifact signature 1\0"
    message += hashlib.blake2b(loaded, digest_size=32).digest() + hashlib.blake2b(section, digest_size=32).digest()
    assert len(message) == 89
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(signature)
    # SubjectPublicKeyInfo of Ed25519, RFC 8410.
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + PUBLIC)
    command = [find_tool("openssl"), "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
    command += ["-in", "message", "-sigfile", "signature"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in result.stdout, result.stderr


@pytest.mark.parametrize("private", [False, True])
def test_the_right_key_loads_and_another_does_not(signed: Path, private: bool) -> None:
    assert answer(wa.load(signed, key=PUBLIC, private=private)) == 1234567
    assert answer(wa.load(signed.read_bytes(), key=PUBLIC)) == 1234567
    with pytest.raises(wa.BadSignature, match=f"{signed}.*{PUBLIC.hex()}, expected {OTHER_PUBLIC.hex()}") as caught:
        wa.load(signed, key=OTHER_PUBLIC, private=private)
    assert (caught.value.found, caught.value.expected) == (PUBLIC.hex(), OTHER_PUBLIC.hex())  # type: ignore[attr-defined]
    assert str(signed) not in Path("/proc/self/maps").read_text()


def test_an_unsigned_artifact_has_no_key(unsigned: Path) -> None:
    with pytest.raises(wa.BadSignature, match="is not signed") as caught:
        wa.load(unsigned, key=PUBLIC)
    assert caught.value.found is None  # type: ignore[attr-defined]
    with pytest.raises(wa.BadSignature):
        wa.verify(unsigned, key=PUBLIC)


def test_a_signature_of_another_artifact_is_none_of_this(signed: Path, tmp_path: Path) -> None:
    """All digests are right: one byte of data differs, or another function."""
    for number, wat in enumerate((WAT % b"eight", (WAT % b"seven").replace(b"1234567", b"1234568"))):
        path = tmp_path / f"{number}.so"
        wa.pack(wat, path, opt_level=0)
        write(path, with_signature_of(signed.read_bytes(), path.read_bytes()))
        wa.verify(path)
        with pytest.raises(wa.BadSignature, match="not one of this content"):
            wa.verify(path, key=PUBLIC)


def test_every_byte_that_is_mapped_is_signed(signed: Path, tmp_path: Path) -> None:
    contents = signed.read_bytes()
    section = slice(*find_section(contents))
    places = [*range(0, section.start, 97), *range(section.start, section.start + section.stop, 61)]
    for place in places:
        changed = bytearray(contents)
        changed[place] ^= 1
        with pytest.raises((wa.ArtifactError, wa.LoadError)):
            wa.load(bytes(changed), key=PUBLIC)


def test_a_signature_that_was_changed(signed: Path) -> None:
    contents = signed.read_bytes()
    offset, signature, _ = header_fields(contents)
    for place in (0, 31, 32, 63):
        wrong = bytearray(signature)
        wrong[place] ^= 1
        changed = bytearray(contents)
        changed[offset + 288 : offset + 352] = wrong
        with pytest.raises(wa.CorruptArtifact, match="load_checksum"):
            wa.load(bytes(changed))
        with pytest.raises(wa.BadSignature, match="not one of this content"):
            wa.load(with_signature_of(bytes(changed), contents), key=PUBLIC)


@pytest.mark.parametrize("command", [["strip"], ["eu-strip"], ["llvm-strip", "--strip-all-gnu"]], ids=" ".join)
def test_strip_goes_over_it_before_or_after(unsigned: Path, signed: Path, tmp_path: Path, command: list[str]) -> None:
    subprocess.run([find_tool(command[0]), *command[1:], signed], check=True)
    assert answer(wa.load(signed, key=PUBLIC)) == 1234567
    stripped = write(tmp_path / "stripped.so", unsigned.read_bytes())
    subprocess.run([find_tool(command[0]), *command[1:], stripped], check=True)
    wa.sign(stripped, PRIVATE)
    assert answer(wa.load(stripped, key=PUBLIC)) == 1234567
    # The same is signed.
    assert header_fields(stripped.read_bytes())[1] == header_fields(signed.read_bytes())[1]


def test_what_is_not_whole_is_not_signed(unsigned: Path, tmp_path: Path) -> None:
    contents = bytearray(unsigned.read_bytes())
    offset, size_bytes = find_section(contents)
    contents[offset + size_bytes - 4096] ^= 1  # a byte of the memory image
    path = write(tmp_path / "damaged.so", bytes(contents))
    with pytest.raises(wa.CorruptArtifact, match="section_digest"):
        wa.sign(path, PRIVATE)
    with pytest.raises(wa.BadMagic, match="empty file"):
        wa.sign(write(tmp_path / "empty.so", b""), PRIVATE)
    assert path.read_bytes() == contents
    assert sorted(os.listdir(tmp_path)) == ["damaged.so", "empty.so"]


# --------------------------------------------------------------------------------------------------------------------
# Keys


def _pem(key: Any, password: bytes | None = None) -> bytes:
    if hasattr(key, "public_bytes"):
        data: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return data
    encryption: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return data


SECRET: Final = ed25519.Ed25519PrivateKey.from_private_bytes(PRIVATE)


@pytest.mark.parametrize("form", ["raw", "pem", "object", "file of pem", "file of raw"])
def test_keys_in_every_form(unsigned: Path, tmp_path: Path, form: str) -> None:
    keys: dict[str, tuple[Any, Any]] = {
        "raw": (PRIVATE, PUBLIC),
        "pem": (_pem(SECRET), _pem(SECRET.public_key())),
        "object": (SECRET, SECRET.public_key()),
    }
    private, public = keys[form.removeprefix("file of ")]
    if form.startswith("file"):
        private, public = write(tmp_path / "private", private), str(write(tmp_path / "public", public))
    path = write(tmp_path / "a.so", unsigned.read_bytes())
    wa.sign(path, private)
    assert answer(wa.load(path, key=public)) == 1234567
    assert header_fields(path.read_bytes())[2] == PUBLIC


def test_an_encrypted_key_needs_its_password(unsigned: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", unsigned.read_bytes())
    key = _pem(SECRET, b"open sesame")
    for password in (None, "wrong"):
        with pytest.raises(ValueError, match="is encrypted" if password is None else "can't be read as a key"):
            wa.sign(path, key, password=password)
    wa.sign(path, key, password="open sesame")
    wa.verify(path, key=PUBLIC)


ELLIPTIC: Final = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"", "0 bytes and can't be read"),
        (PUBLIC + b"\n", "33 bytes"),
        (_pem(SECRET), "is a private key, expected the public one"),
        (_pem(ELLIPTIC.public_key()), r"E\w*PublicKey, expected an Ed25519 key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "can't be read as a key"),
    ],
)
def test_what_is_no_public_key(signed: Path, key: bytes, words: str) -> None:
    for use in (wa.load, wa.verify):
        with pytest.raises(ValueError, match=words):
            use(signed, key=key)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"x" * 31, "31 bytes"),
        (_pem(SECRET.public_key()), "is a public key, expected the private one"),
        (_pem(ELLIPTIC), r"E\w*PrivateKey, expected an Ed25519 key"),
    ],
)
def test_what_is_no_private_key(signed: Path, key: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wa.sign(signed, key)


def test_what_holds_no_key_at_all(signed: Path, tmp_path: Path) -> None:
    wrong: Any = 7
    with pytest.raises(TypeError, match="the key is a int"):
        wa.load(signed, key=wrong)
    with pytest.raises(FileNotFoundError):
        wa.sign(signed, tmp_path / "absent.pem")


# --------------------------------------------------------------------------------------------------------------------
# Checks at load


@pytest.mark.parametrize("options", [{"verify": True}, {"key": PUBLIC}, {"verify": True, "private": True}], ids=str)
def test_damage_that_a_plain_load_does_not_look_for(signed: Path, options: dict[str, Any]) -> None:
    contents = bytearray(signed.read_bytes())
    offset, size_bytes = find_section(contents)
    contents[offset + size_bytes - 4096] ^= 1  # a byte of the memory image
    write(signed, bytes(contents))
    assert wa.load(signed).instantiate().exports.memory[0] == ord("s") ^ 1
    for source in (signed, bytes(contents)):
        with pytest.raises(wa.CorruptArtifact, match="section_digest"):
            wa.load(source, **options)


def test_what_is_bound_is_the_file_that_was_checked(
    unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after the check another file takes the name: with the same build id in its anchor, and other code."""
    contents = unsigned.read_bytes()
    path = write(tmp_path / "a.so", contents)
    constant = (1234567).to_bytes(4, "little")
    assert contents.count(constant) == 1
    other = write(tmp_path / "other.so", contents.replace(constant, (7654321).to_bytes(4, "little")))
    make: Callable[[Any], loader.Check] = loader._make_check

    def make_slow(key: Any) -> loader.Check:
        def check(fd: int, name: str | None) -> None:
            make(key)(fd, name)
            os.replace(other, path)

        return check

    monkeypatch.setattr(loader, "_make_check", make_slow)
    assert answer(wa.load(path, verify=True)) == 1234567
    assert answer(wa.load(path)) == 7654321  # what a plain load can't see


@pytest.mark.parametrize("source", ["directory", "empty", "device"])
@pytest.mark.parametrize("options", [{"verify": True}, {"private": True}], ids=str)
def test_what_is_no_file_is_told_as_ever(tmp_path: Path, source: str, options: dict[str, Any]) -> None:
    path = {"directory": tmp_path, "empty": write(tmp_path / "empty", b""), "device": Path("/dev/null")}[source]
    before = os.listdir("/proc/self/fd")
    with pytest.raises(wa.BadMagic, match="expected an artifact"):
        wa.load(path, **options)
    assert os.listdir("/proc/self/fd") == before


# --------------------------------------------------------------------------------------------------------------------
# Private copies


def _sealed_copies() -> list[int]:
    """Seals of the files in memory that this process has open for artifacts."""
    found = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            if "memfd:wasmartifact" in os.readlink(f"/proc/self/fd/{entry}"):
                found.append(fcntl.fcntl(int(entry), fcntl.F_GET_SEALS))
        except OSError:  # the descriptor that listed the directory
            continue
    return found


def test_a_private_copy_outlives_whatever_becomes_of_the_file(unsigned: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", unsigned.read_bytes())
    artifact = wa.load(path, private=True)
    assert artifact.path == str(path)
    os.truncate(path, 0)
    instance = artifact.instantiate()
    assert (instance.exports.f(), instance.exports.memory[0:5]) == (1234567, b"seven")
    assert len(artifact.metadata.exports) == 2
    path.write_bytes(bytes(unsigned.stat().st_size))  # in place, which nobody may do
    assert answer(artifact) == 1234567


def test_nobody_can_write_to_a_private_copy(unsigned: Path) -> None:
    before = _sealed_copies()
    artifact = wa.load(unsigned, private=True)
    every_seal = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    assert _sealed_copies() == [*before, every_seal]
    name = next(
        f"/proc/self/fd/{entry}"
        for entry in os.listdir("/proc/self/fd")
        if "memfd:wasmartifact" in os.path.realpath(f"/proc/self/fd/{entry}")
    )
    with open(name, "r+b", buffering=0) as file:
        for change in (lambda: file.write(b"x"), lambda: os.ftruncate(file.fileno(), 0)):
            with pytest.raises(PermissionError):
                change()
    assert answer(artifact) == 1234567


def test_where_files_in_memory_are_forbidden_the_copy_has_no_name(unsigned: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", unsigned.read_bytes())
    code = """if True:
        import os, sys, wasmartifact as wa
        from tests.support.forbid import forbid_memfd
        forbid_memfd()
        artifact = wa.load(sys.argv[1], private=True, verify=True)
        os.truncate(sys.argv[1], 0)
        print(artifact.instantiate().exports.f())"""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, str(path)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert (result.stdout, result.stderr) == ("1234567\n", "")


# --------------------------------------------------------------------------------------------------------------------
# The command line


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wasmartifact", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


def test_the_commands_sign_and_verify(unsigned: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", unsigned.read_bytes())
    private = write(tmp_path / "private.pem", _pem(SECRET, b"open sesame"))
    public = write(tmp_path / "public.pem", _pem(SECRET.public_key()))
    result = run("verify", path, "--key", public)
    assert (result.returncode, result.stdout) == (26, "") and "is not signed" in result.stderr
    result = run("sign", private, path)
    assert result.returncode == 2 and "is encrypted" in result.stderr
    password = write(tmp_path / "password", b"open sesame\n")
    result = run("sign", private, path, "--password-file", password)
    assert (result.returncode, result.stdout) == (0, f"{path}: signed with {private}\n"), result.stderr
    shown = run("inspect", path).stdout
    assert f"signing key    {PUBLIC.hex()} (not checked)\n" in shown
    assert "signing key" not in run("inspect", unsigned).stdout
    assert json.loads(run("inspect", path, "--json").stdout)["signing_key"] == PUBLIC.hex()
    result = run("verify", path, "--key", public)
    expected = f"{path}: every digest and every row is right, and it is signed with {public}\n"
    assert (result.returncode, result.stdout) == (0, expected), result.stderr
