"""The exceptions of wasmtime-py, and which of them stands for each of ours."""

from __future__ import annotations

from wasmartifact.errors import Exit, UnlinkableModule, WasmArtifactError, WasmException
from wasmartifact.errors import Trap as NativeTrap
from wasmartifact.wasmtime._closing import Managed, check_type

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

    from wasmartifact.errors import Frame as NativeFrame
    from wasmartifact.wasmtime._trapcode import TrapCode

#: Where wasmtime has other words for a trap than the spec suite, which ours follow.
_WORDS: Final = {
    "unreachable": "wasm `unreachable` instruction executed",
    "undefined_element": "undefined element: out of bounds table access",
    "null_function_reference": "null reference",
    "null_exception_reference": "null reference",
    "interrupted": "interrupt",
    "deadline_exceeded": "interrupt",
    "out_of_fuel": "all fuel consumed by WebAssembly",
}


class WasmtimeError(Exception, Managed):
    """What wasmtime-py raises for all that is no trap: compiling, linking, wrong use.

    Parameters
    ----------
    message : str
    """

    def __init__(self, message: str) -> None:
        check_type(message, str, "a str")
        super().__init__(message)
        self._message = message

    def __str__(self) -> str:
        return self._message


class ExitTrap(WasmtimeError):
    """A WASI program ended itself.

    Attributes
    ----------
    code : int
        Its exit status.
    """

    code: int


class Trap(Exception, Managed):
    """WebAssembly trapped, or a host function raised this to end the guest.

    Parameters
    ----------
    message : str

    Attributes
    ----------
    message : str
    frames : list[Frame]
        What was running, innermost first; empty for one that Python made.
    trap_code : TrapCode | None
        Why; None for one that Python made, and for an exception that nothing caught.
    """

    def __init__(self, message: str) -> None:
        check_type(message, str, "a str")
        super().__init__(message)
        self._message = message
        self._frames: tuple[NativeFrame, ...] = ()
        self._name: str | None = None

    @property
    def message(self) -> str:
        """What happened, with the backtrace of the guest."""
        self._check_open()
        return self._message

    @property
    def frames(self) -> list[Frame]:
        """What was running, innermost first."""
        return [Frame(frame) for frame in self._frames]

    @property
    def trap_code(self) -> TrapCode | None:
        """Why it happened; None for one that Python made."""
        if self._name is None:
            return None
        from wasmartifact.wasmtime._trapcode import TRAP_CODES

        return TRAP_CODES.get(self._name)

    def __str__(self) -> str:
        return self._message


class Frame(Managed):
    """A function that was running when a trap happened.

    Attributes
    ----------
    func_index : int
        In the function index space of the module.
    func_name : str | None
        From the name section.
    module_name : str | None
        From the name section.
    module_offset, func_offset : int
        Of the instruction, in bytes from the start of the module and of the function's body.
    """

    def __init__(self, frame: NativeFrame) -> None:
        self._frame = frame

    @property
    def func_index(self) -> int:
        """Which function, in the index space of the module."""
        return self._frame.func_index

    @property
    def func_name(self) -> str | None:
        """Its name from the name section, or None. (The package's frames have that of an export, too.)"""
        return own_name(self._frame)

    @property
    def module_name(self) -> str | None:
        """Name of the module from the name section, or None."""
        return self._frame.module_name

    @property
    def module_offset(self) -> int:
        """Bytes from the start of the module to the instruction; 0 where unknown."""
        return self._frame.wasm_offset or 0

    @property
    def func_offset(self) -> int:
        """Bytes from the start of the function's body to the instruction; 0 where unknown."""
        return self._frame.func_offset or 0


def own_name(frame: NativeFrame) -> str | None:
    """Name of a function from the name section: wasmtime does not look among the exports."""
    return None if frame.is_export_name else frame.func_name


def translated(problem: Exception) -> Exception:
    """What wasmtime-py raises where the package raises this; exceptions of others stay what they are."""
    if isinstance(problem, NativeTrap):
        return _trap(problem, f"wasm trap: {_WORDS.get(problem.code, problem.message)}")
    if isinstance(problem, WasmException):
        return _trap(problem, "thrown Wasm exception")
    if isinstance(problem, Exit):
        made = ExitTrap(f"Exited with i32 exit status {problem.code}")
        made.code = problem.code
        return made
    if isinstance(problem, UnlinkableModule) and problem.module is not None:
        place = f"`{problem.module}::{problem.name}`"
        if problem.found is None:
            return WasmtimeError(f"unknown import: {place} has not been defined")
        return WasmtimeError(f"incompatible import type for {place}\n\nCaused by:\n    {problem.message}\n")
    if isinstance(problem, WasmArtifactError):
        return WasmtimeError(problem.message)
    return problem


def component_error(problem: Exception) -> Exception:
    """What wasmtime-py raises for a component: there, a trap is a WasmtimeError."""
    found = translated(problem)
    return WasmtimeError(str(found)) if isinstance(problem, NativeTrap | WasmException) else found


def _trap(problem: NativeTrap | WasmException, words: str) -> Trap:
    frames: tuple[NativeFrame, ...] = getattr(problem, "frames", ())
    made = Trap(f"{_backtrace(frames)}\n\nCaused by:\n    {words}\n")
    made._frames = frames
    made._name = getattr(problem, "code", None)
    return made


def _backtrace(frames: tuple[NativeFrame, ...]) -> str:
    """The lines that wasmtime puts before the cause."""
    lines = ["error while executing at wasm backtrace:"]
    for number, frame in enumerate(frames):
        name = own_name(frame)
        name = f"<wasm function {frame.func_index}>" if name is None else name
        offset = "<unknown>" if frame.wasm_offset is None else f"{frame.wasm_offset:#8x}"
        lines.append(f"{number:5}: {offset} - {frame.module_name or '<unknown>'}!{name}")
    return "\n".join(lines)
