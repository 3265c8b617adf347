"""A policy that ships as WebAssembly, packed into the wheel: users need neither a compiler nor LLVM.

The rule stands in policy.wat; `pip wheel .` packs it. `python -m card_policy NUMBER ...` asks it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any

import wasmartifact as wa


@cache
def _exports() -> Any:
    """The policy of this process; it has no state. Loading takes the same time whatever its size."""
    with as_file(files(__name__) / "policy.wasm.so") as path:
        return wa.load(path).instantiate().exports


def allowed(number: str) -> bool:
    """Whether a card number is well-formed. Spaces don't count.

    Parameters
    ----------
    number : str
        ASCII digits, 64 KiB of them at most.
    """
    digits = number.replace(" ", "").encode()
    exports = _exports()
    exports["memory"][0 : len(digits)] = digits
    return bool(exports["allowed"](len(digits)))
