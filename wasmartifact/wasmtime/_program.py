"""Runs what ``python -m wasmartifact.wasmtime`` names as Python would: in a ``__main__`` that stays to the end.

Threads and exit handlers of a program outlive its last line and look names up in ``__main__``, pickle for one; runpy
lends that name only while the program's own code runs.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, ModuleType, TracebackType

from wasmartifact._types import compile_source

TYPE_CHECKING = False  # importing typing costs more than a start
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Final, NoReturn

#: Files whose frames a traceback begins with: of runpy, and of what it runs.
_STARTERS: Final = ("<frozen runpy>", os.path.join(os.path.dirname(__file__), "__main__.py"), __file__)


def print_exception(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """As Python does, without the frames that started the program: Python shows none of its own either."""
    while trace is not None and trace.tb_frame.f_code.co_filename in _STARTERS:
        trace = trace.tb_next
    sys.__excepthook__(kind, problem.with_traceback(trace), trace)


def run_code(text: str) -> None:
    """As ``python -c`` does."""
    _come_first("")
    code = compile_source(text, "<string>")
    if sys.version_info >= (3, 13):  # from there on tracebacks show these lines, too
        import linecache

        lines = [f"{line}\n" for line in text.splitlines()]
        linecache.cache["<string>"] = (len(text), None, lines, "<string>")
    _run(code, ModuleType("__main__"))


def run_module(name: str) -> None:
    """As ``python -m`` does, packages by their ``__main__``."""
    from importlib.util import find_spec

    _come_first(os.getcwd())
    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{name}.__main__")
    if spec is None:
        _give_up(f"No module named {name}", 1)
    sys.argv[0] = spec.origin or name
    _run_found(spec)


def run_script(path: str) -> None:
    """As ``python PATH`` does: a file, ``-`` for standard input, or a folder or zip file with a ``__main__``."""
    from importlib.machinery import PathFinder

    if path == "-":
        _come_first("")
        _run_source(sys.stdin.buffer.read(), "<stdin>")
        return
    name = os.path.join(os.getcwd(), path)
    found = PathFinder.find_spec("__main__", [name])
    if found is not None:
        sys.path.insert(0, name) if sys.flags.safe_path else _come_first(name)
        _run_found(found)
        return
    try:
        with open(name, "rb") as file:
            source = file.read()
    except OSError as problem:
        _give_up(f"can't open file {name!r}: [Errno {problem.errno}] {problem.strerror}", 2)
    _come_first(os.path.dirname(os.path.realpath(path)))
    _run_source(source, name)


def _come_first(folder: str) -> None:
    """Where the program finds its own modules first, in the place of where this package was started."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _run_source(source: bytes, name: str) -> None:
    """Run what is no module: it has no spec, and children of multiprocessing take its file."""
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader

    is_compiled = name.endswith(".pyc")
    loader = (SourcelessFileLoader if is_compiled else SourceFileLoader)("__main__", name)
    code = loader.get_code("__main__") if is_compiled else compile_source(source, name)
    module = ModuleType("__main__")
    module.__file__ = name
    module.__loader__ = loader
    _run(code, module)


def _run_found(spec: ModuleSpec) -> None:
    """Run a module that was found by its name."""
    from importlib.util import module_from_spec

    find_code = getattr(spec.loader, "get_code", None)  # an extension module may have none
    module = module_from_spec(spec)
    module.__name__ = "__main__"
    _run(None if find_code is None else find_code(spec.name), module)


def _run(code: CodeType | None, module: ModuleType) -> None:
    import builtins

    if code is None:
        _give_up(f"No code object available for {getattr(module, '__file__', sys.argv[0])}", 1)
    sys.modules["__main__"] = module
    vars(module)["__builtins__"] = builtins  # elsewhere it is a dictionary
    exec(code, vars(module))


def _give_up(words: str, status: int) -> NoReturn:
    print(f"{sys.executable}: {words}", file=sys.stderr)
    sys.exit(status)
