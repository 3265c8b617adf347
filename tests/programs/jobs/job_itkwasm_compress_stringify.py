"""itkwasm-compress-stringify packs bytes by Zstandard, and back."""

from itkwasm_compress_stringify_wasi import compress_stringify, parse_string_decompress
from running import run

DATA = b"a text that says the same again and again, a text that says the same again and again, and ends\n" * 50


def job() -> object:
    """Bytes and text, there and back."""
    packed = [compress_stringify(DATA, stringify=text, compression_level=7) for text in (False, True)]
    back = [parse_string_decompress(one, parse_string=text) for one, text in zip(packed, (False, True), strict=True)]
    return [packed, back]


run(job)
