"""The docstrings of all public names: numpydoc finds nothing missing, and their examples run."""

from __future__ import annotations

import doctest
import gc
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import wasmartifact as wa
from wasmartifact.metadata import ExportRows, rows

ROOT = Path(__file__).parents[2]
#: What an example may rely on: these files, `wa` and `io`.
FILES: Final = {
    "module.wat": """
        (module
          (import "env" "log" (func $log (param i32)))
          (memory (export "memory") 1)
          (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
    """,
    "hello.wat": r"""
        (module
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
          (func (export "_start")
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            (call $proc_exit (i32.const 3))))
    """,
}
#: What numpydoc's validation finds is an error, but for the style of sentences: the first one of a docstring stands in
#: its first line, may be long, and may name what a thing is instead of what it does.
STYLE: Final = {"GL01", "GL02", "GL03", "ES01", "SA01", "SS03", "SS05", "SS06", "PR08", "PR09", "RT02", "RT03", "RT04"}
#: What takes the arguments that there are not, for an error that says what there is instead.
NOT_SAID: Final = "Parameters {'**unknown'} not documented"
#: Classes that come from a function, a method or a list of members, whose example shows them.
MADE_BY_CALLS: Final = {
    "Artifact",
    "Exports",
    "Instance",
    "Linked",
    "PackReport",
    "ExportRows",
    "Frame",
    "ValType",
    "Component",
    "ComponentInstance",
}
NAMES: Final = sorted(set(wa.__all__) - {"__version__"})


def documented() -> Iterator[tuple[str, Any]]:
    """Every public object with words of its own: the names of the package, their methods and properties."""
    owners = [(f"wasmartifact.{name}", getattr(wa, name)) for name in NAMES]
    owners += [(f"wasmartifact.metadata.{ExportRows.__name__}", ExportRows)]
    for name, value in owners:
        yield name, value
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                if not attribute.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{attribute}", member


ALL: Final = dict(documented())


@pytest.mark.parametrize("name", sorted(ALL))
def test_docstring_has_all_sections(name: str) -> None:
    """Parameters, returns and raises as the signature has them, in NumPy's order and form."""
    validate = pytest.importorskip("numpydoc.validate").validate
    value = ALL[name]
    ignored = set(STYLE)
    if inspect.isclass(value) and (issubclass(value, Exception) or value.__name__ in MADE_BY_CALLS):
        ignored |= {"PR01", "PR02", "EX01"}  # nobody makes one; the root of the errors says what all of them take
    if name.count(".") > 1:
        ignored |= {"EX01"}  # the class has the example
    found = [(code, words) for code, words in validate(name)["errors"] if code not in ignored]
    assert [(code, words) for code, words in found if words != NOT_SAID] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files, and `module.wasm.so`."""
    made = tmp_path_factory.mktemp("examples")
    for name, text in FILES.items():
        (made / name).write_text(text)
    wa.pack(made / "module.wat", made / "module.wasm.so", opt_level=0)
    return made


def examples() -> Iterator[doctest.DocTest]:
    """Docstrings with examples."""
    parser = doctest.DocTestParser()
    for name, value in ALL.items():
        found = parser.get_doctest(
            inspect.getdoc(value) or "",
            {"wa": wa, "wasmartifact": wa, "io": io} | {name: getattr(wa, name) for name in NAMES},
            name,
            None,
            None,
        )
        if found.examples:
            yield found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_example_runs(example: doctest.DocTest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = io.StringIO()
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(
        example, out=report.write, clear_globs=False
    )
    example.globs.clear()  # artifacts that no other test expects to be loaded
    gc.collect()
    assert not failed, report.getvalue()


def test_every_public_name_is_in_the_reference() -> None:
    """And every kind of row."""
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    listed = set(re.findall(r"^.. auto(?:class|function|exception):: (\w+)", pages, re.MULTILINE))
    assert set(NAMES) <= listed
    for name, value in vars(rows).items():
        if inspect.isclass(value) and name.endswith("Row") and value.__module__ == rows.__name__:
            assert name in pages
