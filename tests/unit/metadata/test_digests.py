"""Digests, recomputed with hashlib by the words of docs/FORMAT.md."""

from __future__ import annotations

import hashlib
import sys

import pytest

from tests.unit.metadata.sections import RICH_WAT, artifact_from_text
from wasmartifact.codegen import onepass
from wasmartifact.elf.read import find_section
from wasmartifact.errors import CorruptArtifact
from wasmartifact.metadata import digests
from wasmartifact.metadata.header import patch_header, read_header
from wasmartifact.metadata.xxh64 import xxh64


@pytest.fixture(scope="module", params=["x86_64", "aarch64"])
def artifact(request: pytest.FixtureRequest) -> bytes:
    return artifact_from_text(RICH_WAT, request.param)


def split(artifact: bytes) -> tuple[int, bytes, dict[str, int], dict[str, bytes]]:
    """Section offset, section, header."""
    offset, size = find_section(artifact)
    section = artifact[offset : offset + size]
    return offset, section, *read_header(memoryview(section))


def without(data: bytes, *ranges: tuple[int, int]) -> bytes:
    """Data with ranges set to zero."""
    result = bytearray(data)
    for start, end in ranges:
        result[start:end] = bytes(end - start)
    return bytes(result)


def test_file_digest(artifact: bytes) -> None:
    offset, _, _, recorded = split(artifact)
    expected = hashlib.blake2b(without(artifact, (offset + 128, offset + 208)), digest_size=32).digest()
    assert recorded["file_digest"] == expected


def test_section_digest(artifact: bytes) -> None:
    _, section, _, recorded = split(artifact)
    assert recorded["section_digest"] == hashlib.blake2b(without(section, (128, 208)), digest_size=32).digest()


@pytest.mark.parametrize("hash_", [xxh64, onepass.xxh64])
@pytest.mark.parametrize(
    ("size", "seed", "expected"),
    [
        (0, 0, 0xEF46DB3751D8E999),
        (0, 2654435761, 0xAC75FDA2929B17EF),
        (1, 0, 0xE934A84ADB052768),
        (1, 2654435761, 0x5014607643A9B4C3),
        (4, 0, 0x9136A0DCA57457EE),
        (14, 0, 0x8282DCC4994E35C8),
        (14, 2654435761, 0xC3BD6BF63DEB6DF0),
        (222, 0, 0xB641AE8CB691C174),
        (222, 2654435761, 0x20CB8AB7AE10C14A),
    ],
)
def test_xxh64_gives_the_published_values(size: int, seed: int, expected: int, hash_: digests.Hash) -> None:
    """The self-test of the xxHash library: bytes from a multiplicative generator, these lengths and seeds."""
    state, data = 2654435761, bytearray()
    for _ in range(size):
        data.append(state >> 56)
        state = state * 11400714785074694797 & (1 << 64) - 1
    assert hash_(data, seed) == expected


def test_load_checksum(artifact: bytes) -> None:
    _, section, numbers, _ = split(artifact)
    head = without(artifact[: numbers["head_size_bytes"]], (40, 48), (60, 64))
    directory = section[384 : 384 + 24 * numbers["directory_count"]]
    expected = xxh64(directory, xxh64(without(section[:384], (128, 136)), xxh64(head)))
    assert numbers["load_checksum"] == expected


def test_build_id(artifact: bytes) -> None:
    _, section, numbers, recorded = split(artifact)
    # One segment, so file offsets are virtual addresses; the text comes last.
    page, anchor = numbers["page_size_bytes"], numbers["anchor_vaddr"]
    end = numbers["text_vaddr"] + numbers["text_size_bytes"]
    assert artifact[anchor + 16 : anchor + 32] == recorded["build_id"]
    code = without(artifact[:end], (anchor + 16, anchor + 32))[numbers["head_size_bytes"] :]
    covered = code + bytes(-end % page) + without(section, (112, 208))
    assert recorded["build_id"] == hashlib.blake2b(covered, digest_size=16).digest()


def test_check_load_ignores_what_strip_changes(artifact: bytes) -> None:
    _, section, numbers, _ = split(artifact)
    head = bytearray(artifact[: numbers["head_size_bytes"]])
    head[40:48] = head[60:64] * 2
    digests.check_load(head, section)
    head[39] ^= 1
    with pytest.raises(CorruptArtifact, match="load_checksum"):
        digests.check_load(head, section)


def test_sealing_wants_the_whole_file(artifact: bytes) -> None:
    _, section, numbers, _ = split(artifact)
    with pytest.raises(ValueError, match=str(numbers["file_size_bytes"])):
        digests.seal(artifact[: numbers["head_size_bytes"]], bytearray(section), [section])


def test_patching_takes_fitting_values_only() -> None:
    section = bytearray(384)
    with pytest.raises(ValueError, match="build_id"):
        patch_header(section, build_id=b"short")
    with pytest.raises(ValueError, match="no_such_field"):
        patch_header(section, no_such_field=1)
    with pytest.raises(ValueError, match="machine"):
        patch_header(section, machine=1 << 32)


@pytest.mark.parametrize("size", [0, 8, digests._SMALL_BYTES, digests._SMALL_BYTES + 1])
@pytest.mark.parametrize("has_own", [True, False])
def test_the_digest_of_a_module(size: int, has_own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever code hashes it; some Pythons are built with OpenSSL's alone."""
    if not has_own:
        for name in ("_sha2", "_sha256"):
            monkeypatch.setitem(sys.modules, name, None)
    module = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert digests.wasm_digest(module) == hashlib.sha256(module).digest()
