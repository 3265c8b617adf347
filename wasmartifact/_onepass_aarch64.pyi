"""The one-pass compiler: see native/onepass/onepass.h."""

from typing import Any

ffi: Any
lib: Any
