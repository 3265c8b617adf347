"""Running WASI programs: `run`, and what the command line shares with it."""

from __future__ import annotations

import os
import sys

from wasmartifact import _types as types
from wasmartifact.constants import ELF_MAGIC
from wasmartifact.loader import load

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from wasmartifact._types import Instance
    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasi.threads import Threads

#: What a component that is a command exports, up to the last number of the version.
COMMAND_INTERFACE = "wasi:cli/run@0.2."


def run(path: str | os.PathLike[str] | bytes, args: Sequence[str | bytes] = (), **wasi: Any) -> int:
    """Run a WASI command to its end.

    Parameters
    ----------
    path : str | os.PathLike | bytes
        A packed artifact, or a .wasm or .wat module or component, which `compile` packs into the cache on first use;
        bytes are the contents of one, not a path, as for `load` and `compile`.
    args : sequence
        Arguments of the program. Its name, the last part of the path or "program", is put before them.
    **wasi
        As for `Wasi`: ``env``, ``preopens``, ``stdin``, ``stdout``, ``stderr``, ``http``, ``network``, and ``limits``,
        which are those of its store, too. The three streams are those of this
        process unless they are given; everything else the program has only if it is given.

    Returns
    -------
    int
        The exit code: what the program gave to ``proc_exit``, or 0 where it returned. A component's is 1 where its
        ``run`` gives an error, and what it gave to ``exit`` or ``exit-with-code``. The first of its threads that
        gives one ends a program that was built for wasi-threads; so do a trap of any thread and the main one's return.

    Raises
    ------
    ValueError
        The module or component is no command: a reactor, whose functions are to be called one by one, or no WASI
        module; or its ``_start`` is no function without parameters, or one of WASI itself. An environment variable has
        no name. The module starts threads, but exports no ``wasi_thread_start`` for them.
    Trap
        The program trapped.

    Examples
    --------
    >>> wa.run("hello.wat", stdout=None)
    3
    """
    source = bytes(path) if isinstance(path, bytes | bytearray | memoryview) else os.fsdecode(path)
    program = source if isinstance(source, str) else "program"
    if is_artifact(source):
        artifact = load(source)
    else:
        from wasmartifact.cache import compile

        artifact = compile(source)
    if artifact._is_component:
        return run_component(artifact, program, args, **wasi)
    return start(*instantiate(artifact, program, args, **wasi), program)


def is_artifact(source: str | bytes) -> bool:
    """Whether a file, or contents, can only be an artifact and no module: it is an ELF file."""
    if isinstance(source, bytes):
        return source.startswith(ELF_MAGIC)
    with open(source, "rb", buffering=0) as file:
        try:
            return file.read(len(ELF_MAGIC)) == ELF_MAGIC
        except OSError as problem:
            problem.filename = source
            raise


def instantiate(
    artifact: Artifact, program: str, args: Sequence[str | bytes], entry: str = "_start", **wasi: Any
) -> tuple[Instance, Threads | None]:
    """An instance with WASI: the program's name before its arguments, this process's streams unless told otherwise.

    And its threads, where it was built for them.

    Raises ValueError where ``entry``, or ``_initialize`` before it, can't be called from outside.
    """
    from wasmartifact.wasi.host import Wasi

    imports = Wasi(args=(os.path.basename(program), *_arguments(args)), **(_own_streams(wasi) | wasi)).imports()
    limits = wasi.get("limits")
    threads = None
    try:
        instance = artifact.instantiate(imports, store=None if limits is None else types.Store(limits=limits))
    except Exception as problem:
        threads = _threads(problem, artifact, imports, limits)
        if threads is None:
            raise
        instance = threads.instantiate()
    for name in ("_initialize", entry):
        if name in instance.exports:
            _check_entry(instance.exports[name], name, program, imports)
    return instance, threads


def _arguments(args: Any) -> tuple[Any, ...]:
    """What comes behind the program's name; TypeError for a text, whose characters would be taken one by one."""
    if isinstance(args, tuple | list):
        return tuple(args)
    from wasmartifact.arguments import words_of

    return words_of("args", args)


def _own_streams(given: Mapping[str, Any]) -> dict[str, Any]:
    """The streams of this process, but for those that are given."""
    streams: dict[str, Any] = {"stdin": None, "stdout": None, "stderr": None}
    # Python's names are None where a stream was closed from the start: its number may be any other file's by now.
    for number, name, stream in (
        (0, "stdin", sys.__stdin__),
        (1, "stdout", sys.__stdout__),
        (2, "stderr", sys.__stderr__),
    ):
        if stream is not None and name not in given:
            streams[name] = number
            if number and not stream.closed:
                stream.flush()
    return streams


def instantiate_component(component: Artifact, program: str, args: Sequence[str | bytes], **wasi: Any) -> Any:
    """An instance of a component with WASI 0.2, likewise."""
    from wasmartifact.wasi.host import Wasi

    host = Wasi(args=(os.path.basename(program), *_arguments(args)), **(_own_streams(wasi) | wasi))
    limits = wasi.get("limits")
    return component.instantiate(host.imports(), store=None if limits is None else types.Store(limits=limits))


def run_component(component: Artifact, program: str, args: Sequence[str | bytes], **wasi: Any) -> int:
    """Call the ``run`` of a command; returns its exit code: 0, 1 where it gave an error, or what it exited with."""
    from wasmartifact.runtime.component_types import Err

    def call() -> None:
        instance = instantiate_component(component, program, args, **wasi)
        name = next((name for name in instance if name.startswith(COMMAND_INTERFACE)), None)
        if name is None:
            raise ValueError(
                f"{program} is no command: it exports {', '.join(instance) or 'nothing'}, but no {COMMAND_INTERFACE}x; "
                "instantiate it with wa.Wasi(...), and call its functions one by one"
            )
        instance[name]["run"]()

    try:
        return exit_code(call, None)
    except Err:
        return 1


def _threads(
    problem: Exception, artifact: Artifact, imports: Mapping[str, Mapping[str, types.Func]], limits: Any
) -> Threads | None:
    """The threads of a module that could not be instantiated without them; None for others."""
    from wasmartifact.errors import UnlinkableModule

    if not isinstance(problem, UnlinkableModule):
        return None
    from wasmartifact.wasi.threads import Threads, is_threaded

    return Threads(artifact, imports, limits) if is_threaded(artifact) else None


def _check_entry(found: Any, name: str, program: str, imports: Mapping[str, Mapping[str, types.Func]]) -> None:
    """Refuse an export that can't be called as a program's start, or at all."""
    for module, functions in imports.items():
        for function in functions.values():
            if found is function:
                raise ValueError(
                    f"{program} exports {module}.{function.name}, which it imports, as {name}; that function works on "
                    "the memory of the instance that calls it: export a function that calls it"
                )
    if name in {"_start", "_initialize"} and (not isinstance(found, types.Func) or found.type.params):
        what = (
            f"a function of {', '.join(found.type.params)}" if isinstance(found, types.Func) else type(found).__name__
        )
        raise ValueError(f"{program} exports {name} as {what}, expected a function without parameters")


def initialize(instance: Instance) -> None:
    """Call ``_initialize`` of a reactor, which comes before any other function. A snapshot has that behind it."""
    if "_initialize" in instance.exports and not instance.artifact.metadata.is_snapshot:
        instance.exports["_initialize"]()


def start(instance: Instance, threads: Threads | None, name: str) -> int:
    """Call ``_start`` of a command; returns its exit code."""
    exports = instance.exports
    if "_start" not in exports:
        what = "a reactor: it exports _initialize" if "_initialize" in exports else "no WASI program: it exports"
        raise ValueError(
            f"{name} is {what}, but no _start; call its functions one by one (run --invoke NAME, or instantiate it "
            "with wa.Wasi(...).imports())"
        )
    return exit_code(exports["_start"], threads)


def exit_code(call: Callable[[], object], threads: Threads | None) -> int:
    """Call what may end with ``proc_exit``, by any of its threads; returns the exit code."""
    try:
        if threads is None:
            call()
        else:
            threads.run(call)
    except Exception as problem:
        from wasmartifact.errors import Exit

        if not isinstance(problem, Exit):
            raise
        return problem.code
    return 0
