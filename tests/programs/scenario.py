"""What `scenarios.toml` says: modules with their packages, scenarios with their steps, and the outcome of a run."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected"
#: Output up to this size is recorded as text, so that differences can be read.
TEXT_BYTES = 4_000


@dataclass(frozen=True)
class ModuleSource:
    """A .wasm file of a package.

    Attributes
    ----------
    registry : str
        "pypi" or "npm".
    package, version, path : str
        Where it is: the path is inside of the package.
    sha256 : str
        Of the file.
    share : tuple of str
        Patterns of further files of the package, below a folder named "share": the guest finds them below /share.
    root : str
        Folder of the package with the files that belong to it.
    waits_for : str | None
        The feature without which it can't be packed yet.
    """

    registry: str
    package: str
    version: str
    path: str
    sha256: str
    share: tuple[str, ...] = ()
    root: str = ""
    waits_for: str | None = None


@dataclass(frozen=True)
class Step:
    """One run of a module: as a command, or as ``driver`` says, a function of drivers.py."""

    module: str
    args: tuple[str, ...] = ()
    stdin: str = ""
    env: dict[str, str] = field(default_factory=dict)
    driver: str | None = None


@dataclass(frozen=True)
class Scenario:
    """Steps that share a folder, which holds ``files`` at first and which the guest knows as ``guest_folder``.

    ``reference`` is the engine that says what is right: "wasmtime", or "node" for what that does not run. With
    ``has_tmp``, every step finds an empty folder as /tmp.
    """

    name: str
    is_large: bool
    reference: str
    has_tmp: bool
    guest_folder: str
    files: dict[str, str]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Outcome:
    """What a step left: exit code, both outputs, and a description of each file that is new or another."""

    exit_code: int
    stdout: str
    stderr: str
    files: dict[str, str]


def describe(contents: bytes) -> str:
    """Short text for contents: themselves, or size and digest where they are binary or long."""
    try:
        text = contents.decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(text) <= TEXT_BYTES and "\0" not in text:
        return text
    return f"{len(contents)} bytes, SHA-256 {hashlib.sha256(contents).hexdigest()}"


def describe_folder(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """Description of every file in a folder, by relative path, but for ``files`` that are as they were."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): describe(path.read_bytes()) for path in paths}
    gone = {name: "gone" for name in files if name not in found}
    return gone | {name: text for name, text in found.items() if files.get(name) != text}


def read_scenarios() -> tuple[dict[str, ModuleSource], list[Scenario]]:
    """Modules by name, and all scenarios."""
    content = tomllib.loads((FOLDER / "scenarios.toml").read_text(encoding="utf-8"))
    modules = {
        name: ModuleSource(**entry | {"share": tuple(entry.get("share", ()))})
        for name, entry in content["modules"].items()
    }
    scenarios = [
        Scenario(
            name,
            is_large=entry.get("is_large", False),
            reference=entry.get("reference", "wasmtime"),
            has_tmp=entry.get("has_tmp", False),
            guest_folder=entry.get("guest_folder", "/here"),
            files=entry.get("files", {}),
            steps=tuple(map(_step, entry["steps"])),
        )
        for name, entry in content["scenarios"].items()
    ]
    return modules, scenarios


def _step(entry: dict[str, Any]) -> Step:
    return Step(**entry | {"args": tuple(entry.get("args", ()))})


def expected_path(scenario: Scenario) -> Path:
    """Where the outcomes of a scenario's steps are recorded."""
    return EXPECTED / f"{scenario.name}.json"


def read_expected(scenario: Scenario) -> list[Outcome]:
    """The recorded outcomes of a scenario."""
    return read_outcomes(expected_path(scenario))


def read_outcomes(path: Path) -> list[Outcome]:
    """Outcomes of a file."""
    return [Outcome(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def write_expected(scenario: Scenario, outcomes: list[Outcome]) -> None:
    """Record the outcomes of a scenario."""
    write_outcomes(expected_path(scenario), outcomes)


def write_outcomes(path: Path, outcomes: list[Outcome]) -> None:
    """Write outcomes into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(outcome) for outcome in outcomes], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
