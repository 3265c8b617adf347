"""Where jobs of packages run: under wasmtime-py, as the reference, or under this tree's wasmartifact in its place."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.programs.packages import NotAvailableError, folder
from tests.programs.scenario import FOLDER, Outcome, describe, describe_folder

ROOT = FOLDER.parents[1]
JOBS = FOLDER / "jobs"
#: A job that takes longer hangs.
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class PackageJob:
    """What a program does that was written for wasmtime-py: a script, and the packages that it needs.

    Attributes
    ----------
    name : str
        Of the job; ``jobs/job_NAME.py`` is the script.
    requires : tuple of str
        Everything that is installed, pinned; wasmtime is left out.
    wasmtime : str
        The version that the results were recorded with: the newest one that the package allows.
    modules : tuple of str
        Names of modules in scenarios.toml, whose paths the script gets as arguments.
    is_large : bool
        ``make test`` leaves it out.
    """

    name: str
    requires: tuple[str, ...]
    wasmtime: str
    modules: tuple[str, ...] = ()
    is_large: bool = False

    @property
    def script(self) -> Path:
        """Path of the script."""
        return JOBS / f"job_{self.name.replace('-', '_')}.py"

    @property
    def expected(self) -> Path:
        """Where its outcome is recorded."""
        return FOLDER / "expected" / "packages" / f"{self.name}.json"


def read_jobs() -> list[PackageJob]:
    """All jobs of packages.toml."""
    content = tomllib.loads((FOLDER / "packages.toml").read_text(encoding="utf-8"))
    return [
        PackageJob(
            name,
            requires=tuple(entry["requires"]),
            wasmtime=entry["wasmtime"],
            modules=tuple(entry.get("modules", ())),
            is_large=entry.get("is_large", False),
        )
        for name, entry in content.items()
    ]


def command(
    job: PackageJob, modules: Iterable[Path], *, ours: bool, with_llvm: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Command of a job and its environment, but for the folders of `private_folders`.

    Packages are downloaded and installed on first use. Ours is the command for programs that nobody may edit, where
    there is no wasmtime to import; without LLVM modules stay at level 0.

    Raises
    ------
    NotAvailableError
        A package can't be downloaded; the message says why.
    """
    if ours:
        engine = [_tree(), installed(_needed(with_llvm=with_llvm))]
    else:
        engine = [installed((f"wasmtime=={job.wasmtime}",), with_needed=True)]
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(map(str, (installed(job.requires), *engine))),
    }
    start = ["-m", "wasmartifact.wasmtime"] if ours else []
    return [str(_python()), *start, str(job.script), *map(str, modules)], environment


def private_folders(parent: Path, artifacts: Path | None = None) -> dict[str, str]:
    """Environment variables for a home and caches in a folder; of our caches, ``artifacts`` outlives it."""
    caches = parent / "home" / ".cache"
    caches.mkdir(parents=True, exist_ok=True)
    if artifacts is not None:
        artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
        (caches / "wasmartifact").symlink_to(artifacts)
    return {"HOME": str(caches.parent), "XDG_CACHE_HOME": str(caches)}


def run_job(job: PackageJob, modules: Sequence[Path], *, ours: bool, artifacts: Path | None = None) -> Outcome:
    """What a job leaves that starts in an empty folder, with nothing cached but ``artifacts``.

    Raises what `command` does.
    """
    arguments, environment = command(job, modules, ours=ours)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary) / "work"
        work.mkdir()
        environment |= private_folders(Path(temporary), artifacts)
        result = subprocess.run(
            arguments, cwd=work, env=environment, capture_output=True, check=False, timeout=TIMEOUT_SECONDS
        )
        return Outcome(result.returncode, describe(result.stdout), describe(result.stderr), describe_folder(work, {}))


def finds_wasmtime(job: PackageJob) -> bool:
    """Whether a job that runs under ours could import wasmtime, or finds it installed."""
    arguments, environment = command(job, (), ours=True)
    script = (
        "import importlib.util as u, importlib.metadata as m; "
        "print(bool(u.find_spec('wasmtime')) or any(d.name == 'wasmtime' for d in m.distributions()))"
    )
    result = subprocess.run([arguments[0], "-c", script], env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip() == "True"


@lru_cache
def _python() -> Path:
    """Of an environment of this Python that has no packages."""
    path = folder() / f"python-{sys.version_info.major}.{sys.version_info.minor}"
    if not path.exists():
        venv.create(path, symlinks=True)
    return path / "bin" / "python"


@lru_cache
def _tree() -> Path:
    """A folder that has nothing but the package of this tree in it."""
    path = folder() / f"tree-{_digest([str(ROOT)])}"
    path.mkdir(parents=True, exist_ok=True)
    link = path / "wasmartifact"
    if not link.is_symlink():
        link.symlink_to(ROOT / "wasmartifact")
    return path


@lru_cache
def _needed(*, with_llvm: bool) -> tuple[str, ...]:
    """What pip installs with wasmartifact, or ``wasmartifact[pack]``, at the versions that it is tested with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {_name(one) for one in (*project["dependencies"], *(extras["pack"] if with_llvm else ()))}
    return tuple(one for one in extras["dev"] if _name(one) in needed)


def _name(requirement: str) -> str:
    return requirement.split("=", maxsplit=1)[0].split(">", maxsplit=1)[0].split("<", maxsplit=1)[0]


@lru_cache
def installed(requirements: tuple[str, ...], *, with_needed: bool = False) -> Path:
    """A folder with these packages, and with_needed what they need; where that can't be made, there is none."""
    path = folder() / "packages" / _digest([sys.implementation.cache_tag, *sorted(requirements)])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
            target = Path(temporary) / "packages"
            arguments = ["--quiet", "--disable-pip-version-check", "--target", str(target)]
            arguments += [] if with_needed else ["--no-deps"]
            result = subprocess.run(
                [sys.executable, "-m", "pip", "install", *arguments, *requirements],
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
            )
            if result.returncode:
                raise NotAvailableError(f"{' '.join(requirements)}: {result.stderr.strip()}")
            target.rename(path)
    return path


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
