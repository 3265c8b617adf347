"""What is expected to fail, and why. This list may only shrink: a surprise pass is a failure."""

from __future__ import annotations

_SUPERSEDED = "the proposal's copy asserts limits that WebAssembly 3.0 lifted: one table, one memory, 32-bit sizes"

#: Script -> line of the command -> the reason.
COMMANDS: dict[str, dict[int, str]] = {
    "proposals/threads/imports": dict.fromkeys((310, 314, 318, 405, 409, 413), _SUPERSEDED),
    "proposals/threads/memory": dict.fromkeys((14, 15, 84, 88, 92), _SUPERSEDED),
}
