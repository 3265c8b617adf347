"""The command `run`: a WASI program, or one exported function of any module.

Its arguments are parsed by hand: what follows the program belongs to the guest and may look like an option, and
importing argparse takes longer than loading and starting the program.
"""

from __future__ import annotations

import os
import sys

from wasmartifact.cli.common import BYTES, STDIN, UsageError, parse_amount, standard_input
from wasmartifact.cli.progress import ProgressBar
from wasmartifact.loader import load
from wasmartifact.program import (
    exit_code,
    initialize,
    instantiate,
    instantiate_component,
    is_artifact,
    run_component,
    start,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final, NoReturn

    from wasmartifact._types import Instance
    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.wasi.threads import Threads

HELP: Final = """\
usage: wasmartifact run [OPTIONS] PROGRAM [--] [ARGS ...]

Run a WASI program. Standard streams are those of this process; of everything else it sees what the options give.

  PROGRAM              an artifact, or a .wasm or .wat module or component, which is packed into the cache on first
                       use; - for standard input
  ARGS                 arguments of the program, or of the function of --invoke
  --dir HOST[::GUEST]  directory that the program may use, by the name GUEST (default: HOST); may be repeated
  --ro-dir HOST[::GUEST]  the same, without leave to change anything in it
  --env NAME[=VALUE]   environment variable, without =VALUE as it is in this process; may be repeated
  --http               let a component make requests by HTTP, to whatever this process reaches; needs urllib3
  --network            let a component have sockets, to whatever this process reaches
  --invoke NAME        call this exported function with ARGS instead, of a component INTERFACE#NAME, too; results one
                       per line. A component takes and gives JSON for what is no number, bool or string
  --max-memory BYTES   most memory that it may have, as in 500M
  --max-stack BYTES    most of the stack that it may use
  --max-descriptors N  most descriptors that it may have open, streams and directories among them
  --max-values BYTES   most bytes that the values of one call of a component may take
  --max-handles N      most handles that an instance of a component may have
  --opt-level N        0 to 3, for a module that is to be packed: 0 packs fastest (default 2)
  --no-tier-up         wait until a module is packed at that level; else level 0 runs until that is there
  -h, --help           show this and exit

The exit code is the program's. $WASMARTIFACT_CACHE_SIZE_BYTES limits the cache in $XDG_CACHE_HOME/wasmartifact (2 GB).
"""
#: Option -> the one of `Limits` that it sets, and its units.
LIMIT_OPTIONS: Final = {
    "--max-memory": ("memory_bytes", BYTES),
    "--max-stack": ("stack_bytes", BYTES),
    "--max-descriptors": ("descriptors", {"": 1}),
    "--max-values": ("value_bytes", BYTES),
    "--max-handles": ("handles", {"": 1}),
}
VALUE_OPTIONS: Final = ("--dir", "--ro-dir", "--env", "--invoke", "--opt-level", *LIMIT_OPTIONS)
INTEGER_BITS: Final = {"i32": 32, "i64": 64}


class Options:
    """What the command line of `run` says."""

    def __init__(self) -> None:
        self.program: str | None = None
        self.arguments: list[str] = []
        self.env: dict[str, str] = {}
        self.preopens: dict[str, Any] = {}
        self.http = False
        self.network = False
        self.invoke: str | None = None
        self.opt_level = 2
        self.tier_up = True
        self.limits: dict[str, int] = {}
        self.output: str | None = None
        self.shows_help = False


def run(tokens: Sequence[str], *, owns_process: bool) -> int:
    """Run the command; returns the exit code of the program, or 0 after ``--invoke``."""
    options = parse(tokens)
    if options.shows_help:
        print(HELP, end="")
        return 0
    if options.program is None:
        raise UsageError("run needs a program: an artifact or a module")
    artifact = open_program(options.program, options)
    if owns_process:
        _behave_natively()
    start_it = _start_component if artifact._is_component else _start
    code = start_it(artifact, options.program, options) if options.invoke is None else _invoke(artifact, options)
    if owns_process:
        _leave(code)
    return code


def parse(tokens: Sequence[str], command: str = "run", more_options: Sequence[str] = ()) -> Options:
    """Read ``[OPTIONS] PROGRAM [OPTIONS] [--] ARGS...``; what is no option of ours after the program is the guest's."""
    options, rest = Options(), list(tokens)
    while rest:
        token = rest.pop(0)
        name, has_value, value = token.partition("=") if token.startswith("--") else (token, "", "")
        if token == "--":
            if options.program is not None:
                break
            options.program = rest.pop(0) if rest else None
            break
        elif options.program is None and token in {"-h", "--help"}:
            options.shows_help = True
            return options
        elif token == "--no-tier-up":
            options.tier_up = False
        elif token == "--http":
            options.http = True
        elif token == "--network":
            options.network = True
        elif name in VALUE_OPTIONS or name in more_options:
            if not has_value:
                if not rest:
                    raise UsageError(f"{name} needs a value")
                value = rest.pop(0)
            _set(options, name, value)
        elif options.program is None:
            if token.startswith("-") and token != STDIN:
                raise UsageError(f"{command} has no option {token}")
            options.program = token
        else:
            rest.insert(0, token)
            break
    options.arguments = rest
    return options


def _set(options: Options, name: str, value: str) -> None:
    """Take an option with its value."""
    if name == "--invoke":
        options.invoke = value
    elif name == "--env":
        variable, has_value, text = value.partition("=")
        if has_value:
            options.env[variable] = text
        elif variable in os.environ:
            options.env[variable] = os.environ[variable]
    elif name in {"-o", "--output"}:
        options.output = value
    elif name == "--opt-level":
        if value not in {"0", "1", "2", "3"}:
            raise UsageError(f"{name} is {value!r}, expected 0, 1, 2 or 3")
        options.opt_level = int(value)
    elif name in LIMIT_OPTIONS:
        limit, units = LIMIT_OPTIONS[name]
        options.limits[limit] = parse_amount(value, units, name)
    else:
        host, has_guest, guest = value.partition("::")
        options.preopens[guest if has_guest else host] = _read_only(host) if name == "--ro-dir" else host


def _read_only(host: str) -> Any:
    from wasmartifact.wasi.host import ReadOnly

    return ReadOnly(host)


def open_program(program: str, options: Options) -> Artifact:
    """The program's artifact. A module is packed with a progress bar; that there is no cache is said in our words."""
    source = _read_standard_input() if program == STDIN else program
    if is_artifact(source):
        return load(source)
    from wasmartifact.cache import compile

    with ProgressBar() as progress:
        try:
            return compile(source, tier_up=options.tier_up, progress=progress, opt_level=options.opt_level, warn=_warn)
        except ValueError as problem:  # of the environment: options were looked at
            raise UsageError(str(problem)) from None


def _read_standard_input() -> bytes:
    from wasmartifact.host.input import read_input

    return read_input(standard_input(), "standard input", may_be_artifact=True)


def _warn(message: str) -> None:
    print(f"wasmartifact: warning: {message}", file=sys.stderr)


def _behave_natively() -> None:
    """Die of Ctrl-C and of closed pipes as a native program does, not through exceptions of Python."""
    import _signal as signal  # type: ignore[import-not-found]  # what lies under the module signal, without the enumerations that it makes

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored: nohup, a shell's background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _leave(code: int) -> NoReturn:
    """End the process at once: there is nothing to clear up, and Python would take longer for it than for starting."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code & 0xFF)


def _start(artifact: Artifact, program: str, options: Options) -> int:
    """Run a WASI command."""
    instance, threads = make_instance(artifact, program, options.arguments, "_start", options)
    try:
        return start(instance, threads, program)
    except ValueError as problem:  # no command
        raise UsageError(str(problem)) from None


def _start_component(component: Artifact, program: str, options: Options) -> int:
    """Run a WASI 0.2 command."""
    try:
        return run_component(component, program, options.arguments, **_given(options))
    except ValueError as problem:  # no command, or a variable has no name
        raise UsageError(str(problem)) from None
    except (NotImplementedError, ImportError) as problem:  # it called what was not given, or is not here
        raise UsageError(f"{program}: {problem}") from None


def _given(options: Options) -> dict[str, Any]:
    """What the options give a program."""
    given: dict[str, Any] = {"env": options.env, "preopens": options.preopens}
    given |= {"http": options.http, "network": options.network}
    if options.limits:
        from wasmartifact.limits import Limits

        given["limits"] = Limits(**options.limits)
    return given


def make_instance(
    artifact: Artifact, program: str, arguments: Sequence[str], entry: str, options: Options, **streams: Any
) -> tuple[Instance, Threads | None]:
    """An instance with what the options give it, and this process's streams unless others are given; its threads."""
    try:
        return instantiate(artifact, program, arguments, entry, **_given(options), **streams)
    except ValueError as problem:  # what is to be called can't be, or a variable has no name
        raise UsageError(str(problem)) from None


def _invoke(artifact: Artifact, options: Options) -> int:
    """Call one function and print its results; a reactor is initialised first."""
    program, name = options.program or "", options.invoke or ""
    if artifact._is_component:
        return _invoke_component(artifact, program, options)
    values, types = read_call(artifact, options)
    instance, threads = make_instance(artifact, program, (), name, options)
    returned: list[Any] = []

    def call() -> None:
        initialize(instance)
        returned.append(instance.exports[name](*values))

    code = exit_code(call, threads)
    for value in returned[0] if len(types) > 1 and returned else returned[: len(types)]:
        print(value_text(value))
    return code


def _invoke_component(component: Artifact, program: str, options: Options) -> int:
    """Call one function of a component and print its result; 1 where that is an error."""
    from wasmartifact.cli.common import EXIT_OS_ERROR
    from wasmartifact.cli.component_call import ComponentCall
    from wasmartifact.errors import printable
    from wasmartifact.runtime.component_types import Err

    call = ComponentCall(component, program, options.invoke or "", options.arguments)  # type: ignore[arg-type]
    instance = make_component_instance(component, program, (), options)
    texts: list[str | None] = []
    try:
        code = exit_code(lambda: texts.append(call.text(call.run(instance))), None)
    except Err as problem:
        print(f"wasmartifact: {call.name} gave an error: {printable(call.error_text(problem.value))}", file=sys.stderr)
        return EXIT_OS_ERROR
    for text in texts:
        if text is not None:
            print(text)
    return code


def make_component_instance(
    component: Artifact, program: str, arguments: Sequence[str], options: Options, **streams: Any
) -> Any:
    """An instance of a component, likewise."""
    try:
        return instantiate_component(component, program, arguments, **_given(options), **streams)
    except ValueError as problem:  # a variable has no name
        raise UsageError(str(problem)) from None


def read_call(artifact: Artifact, options: Options) -> tuple[list[Any], Sequence[str]]:
    """Arguments for the function of ``--invoke``, and the types of its results."""
    from wasmartifact.externtypes import FuncType

    row = artifact.metadata.exports.find(options.invoke or "")
    if row is None or not isinstance(row.type, FuncType):
        found = "no such export" if row is None else f"a {row.kind}"
        raise UsageError(f"{options.program} exports no function {options.invoke!r}: found {found}")
    return parse_values(options.arguments, row.type.params), row.type.results


# ---- values --------------------------------------------------------------------------------------------------------


def parse_values(texts: Sequence[str], types: Sequence[str]) -> list[Any]:
    """Arguments of a function from text, by its parameter types."""
    if len(texts) != len(types):
        raise UsageError(
            f"the function takes {len(types)} arguments ({', '.join(types) or 'none'}), found {len(texts)}"
        )
    return [parse_value(text, type_) for text, type_ in zip(texts, types, strict=True)]


def parse_value(text: str, type_: str) -> Any:
    """One argument: integers in any base Python writes, floats also in hexadecimal, v128 as 32 hex digits, ``null``."""
    try:
        if type_ in INTEGER_BITS:
            bits, value = INTEGER_BITS[type_], int(text, 0)
            if not -(1 << bits - 1) <= value < 1 << bits:
                raise UsageError(f"{text} does not fit into {type_}")
            return value
        if type_ in {"f32", "f64"}:
            return float.fromhex(text) if "0x" in text.lower() else float(text)
        if type_ == "v128" and len(text.removeprefix("0x")) == 32:
            return int(text, 16).to_bytes(16, "little")
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is not a value of type {type_}") from None
    if "ref" in type_ and text == "null":
        return None
    expected = "32 hex digits" if type_ == "v128" else "null"
    raise UsageError(f"{text!r} is not a value of type {type_}, expected {expected}")


def value_text(value: Any) -> str:
    """A result as text; what it prints for numbers and vectors, ``parse_value`` reads."""
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"0x{int.from_bytes(value, 'little'):032x}"
    return str(value)
