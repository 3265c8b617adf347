"""Rust's bincode and rkyv of the same metadata, and the artifact's section read in place by Rust: bench/rust/.

The program is built in a scratch directory from the crates that Debian's librust-*-dev packages install, so that no
network is needed. The numbers of docs/FORMAT.md come from the schema, as a generated source file.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.contestants import Contestant, OpenMetadata
from bench.facts import Facts, Totals
from wasmartifact import schema

PROJECT = Path(__file__).with_name("rust")
REGISTRY = Path("/usr/share/cargo/registry")
CRATES = ("bincode", "rkyv")
INSTALL = "apt-get install cargo librust-bincode-dev librust-rkyv-dev"
CARGO_CONFIG = f"""[source.crates-io]
replace-with = "debian"

[source.debian]
directory = "{REGISTRY}"
"""


class MissingToolchain(Exception):
    """There is no Rust to build with; the message says what to install."""


def missing_tools() -> str:
    """What is missing and how to install it; empty where all is there."""
    missing = [f"crate {crate}" for crate in CRATES if not any(REGISTRY.glob(f"{crate}-[0-9]*"))]
    if shutil.which("cargo") is None:
        missing.append("cargo")
    return f"no {', no '.join(missing)}: {INSTALL}" if missing else ""


def build(scratch: Path) -> Path:
    """Build the program in an empty directory; half a minute.

    Raises
    ------
    MissingToolchain
        Where cargo or a crate is missing, or the build fails.
    """
    missing = missing_tools()
    if missing:
        raise MissingToolchain(missing)
    shutil.copytree(PROJECT, scratch, dirs_exist_ok=True)
    (scratch / ".cargo").mkdir()
    (scratch / ".cargo/config.toml").write_text(CARGO_CONFIG)
    (scratch / "src/columns.rs").write_text(schema_constants())
    command = ["cargo", "build", "--release", "--offline", "--quiet", "--target-dir", "target"]
    run = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise MissingToolchain(f"cargo could not build {PROJECT}; {INSTALL}\n{run.stderr.strip()}")
    return scratch / "target/release/metabench"


def schema_constants() -> str:
    """Rust source of the numbers that a reader of the section needs."""
    offsets = schema.METADATA_HEADER.offsets()
    constants = {
        "SECTION_NAME: &[u8]": f'b"{schema.SECTION_NAME}\\0"',
        "DIRECTORY_OFFSET: usize": offsets["directory_offset"],
        "DIRECTORY_COUNT: usize": offsets["directory_count"],
        "DIRECTORY_ENTRY_BYTES: usize": schema.DIRECTORY_ENTRY.size_bytes,
        **{f"{column.name.upper()}: u32": column.id for column in schema.ALL_COLUMNS},
    }
    lines = [f"pub const {name} = {value};" for name, value in constants.items()]
    return "\n".join(["//! Generated from wasmartifact/schema.py.", "", "#![allow(dead_code)]", "", *lines, ""])


class RustContestant(Contestant):
    """A format that the Rust program reads; each call of it takes all its samples in one process.

    Parameters
    ----------
    name : str
        As in the table.
    program : Path
        What `build` returned.
    reader, file_format : str
        The program's name of the reader and of the format to write; "section" is the artifact itself.
    """

    def __init__(self, name: str, program: Path, reader: str, file_format: str) -> None:
        self.name, self._program, self._reader, self._format = name, program, reader, file_format
        self.in_place = reader != "bincode"

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        """The program takes the facts from the artifact itself."""
        if self._format == "section":
            return artifact
        path = directory / f"{artifact.stem}.{self._format}"
        self._run("write", artifact, self._format, path)
        return path

    def size_bytes(self, path: Path) -> int:
        return OpenMetadata().size_bytes(path) if self._format == "section" else super().size_bytes(path)

    def answers(self, path: Path, export: str, samples: int) -> tuple[int, list[int]]:
        answer, *durations = self._run("answer", self._reader, path, export, samples)
        return int(answer), [int(duration) for duration in durations]

    def touches(self, path: Path, samples: int) -> tuple[Totals, list[int]]:
        answer, *durations = self._run("totals", self._reader, path, samples)
        return Totals(*map(int, answer.split())), [int(duration) for duration in durations]

    def _run(self, *arguments: str | Path | int) -> list[str]:
        """Lines that the program prints; its own words where it fails."""
        run = subprocess.run([self._program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"metabench {' '.join(map(str, arguments))}: {run.stderr.strip()}")
        return run.stdout.splitlines()


def rust_contestants(program: Path) -> list[RustContestant]:
    """All that the program reads."""
    return [
        RustContestant("section in Rust", program, "section", "section"),
        RustContestant("bincode", program, "bincode", "bincode"),
        RustContestant("rkyv", program, "rkyv", "rkyv"),
        RustContestant("rkyv checked", program, "rkyv-checked", "rkyv"),
    ]
