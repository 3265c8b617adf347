"""Published components that compress arrays give what they give under wasmtime-py, both ways."""

from __future__ import annotations

import importlib
import json
import zlib
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.codecs import EXPECTED, SHAPE, Codec, Ours, read_codecs, told, under_wasmtime
from tests.programs.packages import module_path
from tests.programs.support import artifacts_folder, available

CODECS = [pytest.param(codec, id=codec.name, marks=[pytest.mark.large] * codec.is_large) for codec in read_codecs()]


def load(codec: Codec, opt_level: int) -> wa.Component:
    path = available(module_path, codec.source)
    loaded = wa.compile(path, opt_level=opt_level, cache_dir=artifacts_folder(), tier_up=False)
    assert isinstance(loaded, wa.Component)
    return loaded


def expected(codec: Codec) -> list[dict[str, Any]]:
    """The values encoded, and that decoded."""
    found: list[dict[str, Any]] = json.loads(EXPECTED.read_text())[codec.name]
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_arrays_are_encoded_as_under_wasmtime(codec: Codec) -> None:
    guest = Ours(codec, load(codec, opt_level=0))
    encoded = guest.encode(codec.dtype, codec.values, SHAPE)
    decoded = guest.decode(*encoded)
    assert [told(*encoded), told(*decoded)] == expected(codec)
    if codec.is_lossless:
        assert bytes(decoded[1]) == codec.values.tobytes()


@pytest.mark.parametrize("codec", CODECS)
def test_a_program_for_wasmtime_encodes_alike(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    face = importlib.import_module("wasmartifact.wasmtime")
    importlib.import_module("wasmartifact.wasmtime.component")
    monkeypatch.setenv("XDG_CACHE_HOME", str(artifacts_folder()))
    monkeypatch.setenv("WASMARTIFACT_TIER_UP", "0")
    found = under_wasmtime(codec, available(module_path, codec.source), face)
    assert [told(*one) for one in found] == expected(codec)


def test_the_default_level_encodes_alike() -> None:
    codec = next(codec for codec in read_codecs() if codec.name == "zlib")
    encoded = Ours(codec, load(codec, opt_level=2)).encode(codec.dtype, codec.values, SHAPE)
    assert told(*encoded) == expected(codec)[0]
    assert codec.values.tobytes() in _inflated(bytes(encoded[1]))


def _inflated(data: bytes) -> bytes:
    """What a stream of zlib's within the data holds, behind the codec's own header."""
    return zlib.decompress(data[data.index(b"\x78\x9c") :])


def test_a_wrong_configuration_is_an_error_of_the_codec() -> None:
    codec = next(codec for codec in read_codecs() if codec.name == "asinh")
    wrong: dict[str, Any] = {"linear_width": "wide"}
    with pytest.raises(wa.Err) as raised:
        Ours(Codec("asinh", codec.version, codec.sha256, codec.dtype, wrong), load(codec, opt_level=0))
    assert "wide" in raised.value.value.message + "".join(raised.value.value.chain)
