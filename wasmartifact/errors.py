"""Every exception of the package, with the exit code that the command line gives for it.

The names follow the assertions of the WebAssembly spec suite. A message says where, what was found, what was expected
and what to do; the facts that it states are attributes of the exception too.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a program that meets no error should not pay for typing
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any, ClassVar, TypeVar

    from wasmartifact.externtypes import ExternType
    from wasmartifact.runtime.entities import Tag

    ErrorT = TypeVar("ErrorT", bound=BaseException)


def printable(text: str) -> str:
    """A text as it may stand in a line of a terminal or a log: what could move the cursor, hide or forge is escaped.

    Names of a guest may hold anything. Messages come through here; attributes keep the exact name.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else char.encode("unicode_escape").decode() for char in text])


class WasmArtifactError(Exception):
    """Root of all errors of this package.

    Parameters
    ----------
    message : str
        What happened, complete for a reader who sees nothing else. `printable` goes over it: it may quote the guest.
    **facts : object
        The facts that the message states; each becomes an attribute.

    Attributes
    ----------
    exit_code : int
        What the command line exits with.
    """

    exit_code: ClassVar[int] = 10

    def __init__(self, message: str, **facts: Any) -> None:
        message = printable(message)
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel from worker processes to the packer: keep the facts.
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(cls: type[WasmArtifactError], message: str, facts: dict[str, Any]) -> WasmArtifactError:
    return cls(message, **facts)


def with_path(problem: ErrorT, path: str | os.PathLike[str] | None) -> ErrorT:
    """An error about an artifact with the file's path before its message, and among its attributes.

    Any other error, one that has a path, and one about contents without a name (None) stay what they are.
    """
    if path is None or not isinstance(problem, ArtifactError) or "path" in problem.facts:
        return problem
    from os import fsdecode

    name = fsdecode(path)
    return type(problem)(f"{name}: {problem.message}", **problem.facts, path=name)


class MalformedModule(WasmArtifactError):
    """The input is not a WebAssembly module (spec sections 5 and 6).

    Attributes
    ----------
    wasm_offset : int
        Of a binary module: the byte where that showed.
    line, column : int | None
        Of a module in the text format: where that showed, from 1; None where unknown.
    excerpt : str
        Of a module in the text format: the lines around that place, which ``str()`` gives below the message.
    """

    exit_code = 11

    def __str__(self) -> str:
        lines: list[str] = self.facts.get("excerpt", "").split("\n")
        return "\n".join([self.message, *map(printable, lines[1:])])


class InvalidModule(WasmArtifactError):
    """A module that fails validation (spec section 3).

    Attributes
    ----------
    wasm_offset : int | None
        The byte where that showed, None where unknown.
    func_index : int | None
        The function that holds it, None outside of functions.
    """

    exit_code = 12


class UnsupportedModule(WasmArtifactError):
    """A valid module that needs something that this version does not compile.

    Attributes
    ----------
    feature : str
        What: a name of ``schema.WASM_FEATURES``, or of a proposal ("component-model", "stack-switching", ...).
    wasm_offset : int | None
        The byte where that showed, None where unknown.
    func_index : int | None
        The function that uses it, where an instruction does; else None, or no such attribute.
    """

    exit_code = 13


class ToolchainError(WasmArtifactError):
    """The code generator or the writer failed, or a package of the extra ``pack`` is missing: never the module's fault.

    Attributes
    ----------
    package : str
        What to install, where a package is missing or broken.
    func_index : int
        The function whose compilation failed, where that is known; ``func_name`` is its name or None.
    findings : list[str]
        What a check of the finished file found, where one failed.
    """

    exit_code = 14


class ArtifactError(WasmArtifactError):
    """A file that should be an artifact but can't be used. `load`, `open_metadata` and `verify` tell it alike.

    Attributes
    ----------
    path : str
        The file, where it has a name.
    """

    exit_code = 20


class BadMagic(ArtifactError):
    """The file is not an artifact of this project.

    Attributes
    ----------
    found, expected : int
        The first bytes of the file or section as a number, where these tell.
    """

    exit_code = 21


class VersionMismatch(ArtifactError):
    """The artifact's format or runtime ABI is another than this version reads: pack the module again.

    Attributes
    ----------
    found, expected : int
        Version of the artifact, and the one that is read.
    """

    exit_code = 22


class CorruptArtifact(ArtifactError):
    """A digest, offset, size or row of the artifact is wrong: the file was damaged, rewritten or tampered with.

    Attributes
    ----------
    found, expected : object
        The value, and what it should be (a value or words).
    what, field, entry, column, row : object
        Where: ``what`` names a part of the ELF structure, ``field`` a field of the metadata header, ``entry`` (with
        ``what``) a number in the directory, ``column`` and ``row`` a value. Those that apply are there.
    """

    exit_code = 23


class BadSignature(ArtifactError):
    """The artifact is not signed, or not by the key that was asked for, or its content is not what was signed.

    Attributes
    ----------
    found : str | None
        The public key that the artifact names, as hexadecimal digits; None where it is not signed.
    expected : str
        The key that was asked for.
    """

    exit_code = 26


class LoadError(WasmArtifactError):
    """The artifact is sound but could not be loaded here."""

    exit_code = 24


class IncompatibleHost(LoadError):
    """This machine lacks what the artifact needs: architecture, CPU features, address space."""

    exit_code = 25


class UnlinkableModule(WasmArtifactError):
    """An import is missing or has another type (spec section 4.5.4).

    Attributes
    ----------
    module, name : str | None
        The import; None where it is about two stores that were made by hand.
    kind : str | None
        What it asks for: "func", "table", "memory", "global" or "tag".
    expected : FuncType | TableType | MemoryType | GlobalType | TagType | None
        The type that it asks for.
    found : FuncType | TableType | MemoryType | GlobalType | TagType | str | None
        The type of what was given, or the name of its Python class where it has none; None where nothing was given.
    """

    exit_code = 30
    module: str | None
    name: str | None
    kind: str | None
    expected: ExternType | None
    found: ExternType | str | None

    def __init__(
        self,
        message: str,
        *,
        module: str | None = None,
        name: str | None = None,
        kind: str | None = None,
        expected: ExternType | None = None,
        found: ExternType | str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, module=module, name=name, kind=kind, expected=expected, found=found, **facts)


class SnapshotError(WasmArtifactError):
    """An instance holds something that no artifact can hold, so that there can be no snapshot of it.

    Attributes
    ----------
    what : str
        Where: "import", "table", "global", "element segment", "descriptor", "rights", "call" (one is running), "exit"
        (the program ended itself); of a component, "handle" of an object of the host, "instance" (it trapped), "error"
        (the function that was to be called before gave one).
    index : int | None
        Which one, in its index space or by its number; of a handle, its resource; None where there is only one.
    found : str
        What it is or holds, in words.
    """

    exit_code = 31
    what: str
    index: int | None
    found: str

    def __init__(self, message: str, *, what: str, index: int | None = None, found: str, **facts: Any) -> None:
        super().__init__(message, what=what, index=index, found=found, **facts)


class Frame:
    """One WebAssembly function on the stack at the time of a trap.

    Attributes
    ----------
    func_index : int
        Index in the function index space of the module.
    func_name : str | None
        Name from the name section, else that of an export, or None.
    wasm_offset : int | None
        Byte offset in the module of the instruction, or None where unknown.
    module_name : str | None
        Name from the name section, or None.
    source_file : str | None
        Path of the source file as the compiler wrote it, or None where the module has no debug information.
    source_line : int | None
        Line in the source file, or None.
    func_offset : int | None
        Byte offset of the instruction in the function's body, or None where unknown.
    is_export_name : bool
        Whether ``func_name`` is that of an export, for want of one in the name section.
    """

    __slots__ = (
        "func_index", "func_name", "func_offset", "is_export_name", "module_name", "source_file", "source_line",
        "wasm_offset",
    )  # fmt: skip

    def __init__(
        self,
        func_index: int,
        func_name: str | None,
        wasm_offset: int | None,
        module_name: str | None = None,
        source_file: str | None = None,
        source_line: int | None = None,
        func_offset: int | None = None,
        is_export_name: bool = False,
    ) -> None:
        self.func_index = func_index
        self.func_name = func_name
        self.wasm_offset = wasm_offset
        self.module_name = module_name
        self.source_file = source_file
        self.source_line = source_line
        self.func_offset = func_offset
        self.is_export_name = is_export_name

    def _facts(self) -> tuple[int, str | None, int | None, str | None, str | None, int | None, int | None, bool]:
        return (
            self.func_index,
            self.func_name,
            self.wasm_offset,
            self.module_name,
            self.source_file,
            self.source_line,
            self.func_offset,
            self.is_export_name,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Frame, self._facts()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        return f"Frame({', '.join(map(repr, self._facts()))})"

    def __str__(self) -> str:
        name = self.func_name if self.func_name is not None else f"func[{self.func_index}]"
        place = "" if self.wasm_offset is None else f"wasm offset {self.wasm_offset:#x}"
        if self.source_line is not None:
            place = f"{self.source_file or '?'}:{self.source_line}" + (f" ({place})" if place else "")
        place = f" at {place}" if place else ""
        return printable((f"{self.module_name}!" if self.module_name else "") + name + place)


class Trap(WasmArtifactError):
    """WebAssembly execution trapped.

    Attributes
    ----------
    code : str
        Name of the trap, one of ``schema.TRAP_CODES``.
    frames : tuple[Frame, ...]
        The WebAssembly functions that were running, innermost first.
    """

    exit_code = 40
    code: str
    frames: tuple[Frame, ...]

    def __init__(self, message: str, *, code: str, frames: tuple[Frame, ...] = (), **facts: Any) -> None:
        super().__init__(message, code=code, frames=tuple(frames), **facts)

    def __str__(self) -> str:
        return "\n  at ".join([self.message, *map(str, self.frames)])


class DeadlineExceeded(Trap):
    """A call ran in a store when a ``store.deadline`` was over, or began later. ``code``: "deadline_exceeded"."""

    exit_code = 44


class Interrupted(Trap):
    """``store.interrupt()``, a cancelled ``call_async`` or a signal ended the call. ``code`` is "interrupted"."""

    exit_code = 45


class OutOfFuel(Trap):
    """The store's fuel does not pay for the next block of code; ``store.fuel`` is 0, and may be set again."""

    exit_code = 46


class WasmException(WasmArtifactError):
    """A WebAssembly exception (spec section 4.4.9): one that no handler caught, or one for a host function to raise.

    A host function that raises it throws it in the guest, which may catch it. Other Python exceptions pass through the
    guest unseen, like traps.

    Parameters
    ----------
    tag : Tag
        What kind of exception it is; handlers compare its identity.
    values : iterable
        One value for each of ``tag.params``, with the types that a call of a function takes. A value of type exnref is
        another WasmException, or None.
    message : str | None
        What ``str()`` gives; None for a description.

    Attributes
    ----------
    tag : Tag
        What kind of exception it is: compare it with ``is``.
    values : tuple
        One value for each of ``tag.params``.
    """

    exit_code = 41
    tag: Tag
    values: tuple[Any, ...]

    def __init__(self, tag: Tag, values: Iterable[Any] = (), *, message: str | None = None) -> None:
        values = tuple(values)
        if message is None:
            # An exception among the values is not spelled out: quotes within quotes double at each level.
            words = ["WasmException(...)" if isinstance(value, WasmException) else repr(value) for value in values]
            listed = f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
            message = f"WebAssembly exception with the values {listed}" if values else "WebAssembly exception"
        super().__init__(message, tag=tag, values=values)


class Exit(WasmArtifactError):
    """A WASI program called ``proc_exit``; ``code`` is its exit code."""

    exit_code = 42
    code: int

    def __init__(self, message: str, *, code: int, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)


class LimitExceeded(WasmArtifactError):
    """More than `Limits` of a store or of a WASI program allow, or `PackLimits` of packing.

    Attributes
    ----------
    which : str
        Which of the limits, by its name: "memory_bytes", "instances", "seconds", ...
    limit : int | float
        What it allows.
    wanted : int | float
        What it would have come to, or had come to.
    """

    exit_code = 43
    which: str
    limit: float
    wanted: float
