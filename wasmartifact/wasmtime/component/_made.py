"""Made: base of the classes of which only the package makes objects."""

from __future__ import annotations

from wasmartifact.wasmtime._errors import WasmtimeError


class Made:
    """Refuses to be constructed; the package makes objects by ``_of``."""

    def __init__(self) -> None:
        name = type(self).__name__
        raise WasmtimeError(f"Cannot directly construct a{'n' if name[0] in 'AEIOU' else ''} `{name}`")
