"""What code is generated for: optimisation level, machine and CPU, resolved to what LLVM and the metadata need."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

from wasmartifact.dataclass import dataclass, replace
from wasmartifact.errors import ToolchainError
from wasmartifact.host import libllvm
from wasmartifact.host.packages import require
from wasmartifact.schema import BASELINE_FEATURES, CPU_FEATURES, MAX_CPU_LEVELS

#: Triples handed to LLVM. Everything else about the target is in the feature list.
TRIPLES: Final = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
#: What Debian, Docker, macOS, Windows and manuals call the same machines.
_ALIASES: Final = {"x86-64": "x86_64", "amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
#: The CPU name whose features are the floor of a machine; all others are turned on one by one.
FLOOR_CPUS: Final = {"x86_64": "x86-64", "aarch64": "generic"}
BASELINE_NAMES: Final = {"x86_64": "x86-64-v2", "aarch64": "armv8-a"}
OPT_LEVELS: Final = range(4)
_FUNCTION_LEVELS: Final = (1, 2)


def llvmlite_version() -> str:
    """Version of the code generator; importing the package alone costs 1 ms. Raises ToolchainError without it."""
    version: str = require("llvmlite", "generating code").__version__
    return version


@dataclass(frozen=True)
class TargetSpec:
    """A machine and the CPU features that code for it may use.

    Attributes
    ----------
    machine : str
        Key of ``schema.MACHINES``.
    triple : str
        LLVM target triple.
    cpu_name : str
        The CPU, for people.
    cpu_features : tuple[str, ...]
        Those of ``schema.CPU_FEATURES[machine]`` that the code may need.
    llvm_cpu, tune_cpu : str
        LLVM CPU whose features are the floor, and the one that instructions are scheduled for.
    llvm_features : str
        Features on top of the floor: each of ``schema.CPU_FEATURES`` on or off, as ``cpu_features`` says.
    """

    machine: str
    triple: str
    cpu_name: str
    cpu_features: tuple[str, ...]
    llvm_cpu: str
    tune_cpu: str
    llvm_features: str


@dataclass(frozen=True)
class CodegenOptions:
    """How to compile: ``opt_level`` 0 to 3, the resolved target, and whether code counts fuel.

    ``libllvm`` is the path of LLVM's own library where that generates the code, in llvmlite's place.

    Raises
    ------
    ValueError
        ``opt_level`` is out of range.
    """

    opt_level: int
    target: TargetSpec
    fuel: bool = False
    libllvm: str = ""

    @property
    def generator(self) -> str:
        """What generates code with LLVM, by name and version. Raises ToolchainError without llvmlite."""
        return f"llvmlite {llvmlite_version()}" + (f" libllvm {libllvm.VERSION}" if self.libllvm else "")

    @property
    def splits_groups(self) -> bool:
        """Whether a group becomes an object for each function: where no pass looks beyond a function."""
        return self.opt_level in _FUNCTION_LEVELS

    def __post_init__(self) -> None:
        if self.opt_level not in OPT_LEVELS or type(self.opt_level) is not int:
            raise ValueError(f"opt_level is {self.opt_level!r}, expected 0, 1, 2 or 3")


def codegen_options(opt_level: int, target: TargetSpec, *, fuel: bool = False) -> CodegenOptions:
    """The options, with LLVM's own library where there is one for this machine.

    Raises
    ------
    ToolchainError
        The environment variable that names it is wrong.
    """
    path = libllvm.find_libllvm() if opt_level in OPT_LEVELS[1:] and target.machine in libllvm.MACHINES else ""
    if path and not os.path.exists(path):
        raise ToolchainError(
            f"{libllvm.VARIABLE} is {path!r}, which is no file; name LLVM's library, version {libllvm.VERSION}, "
            "or set it to 0 to use llvmlite"
        )
    return CodegenOptions(opt_level, target, fuel, path)


@cache
def host_machine() -> str:
    """The machine of this process, a key of ``TRIPLES`` where artifacts can run here."""
    return _known_name(os.uname().machine)


def _known_name(target: str) -> str:
    """A machine or triple with the name of the machine that ``TRIPLES`` has, whatever other systems call it."""
    name = target.lower()
    for alias, machine in _ALIASES.items():
        if name == alias or name.startswith(f"{alias}-"):
            return machine + name[len(alias) :]
    return name


def resolve_target(target: str | None, cpu: str) -> TargetSpec:
    """Find out what machine and features ``target`` and ``cpu`` stand for.

    Parameters
    ----------
    target : str | None
        ``"x86_64"``, ``"aarch64"`` or a Linux triple of one of them (``"x86_64-linux-gnu"``); ``"amd64"``, ``"x86-64"``
        and ``"arm64"`` are the same machines. None for this host.
    cpu : str
        ``"baseline"`` (x86-64-v2, armv8-a), ``"native"`` (this host's CPU) or the name of a CPU that LLVM knows.

    Raises
    ------
    ValueError
        Another target, a CPU that LLVM doesn't know, ``"native"`` with a foreign target.
    """
    machine = _parse_machine(target)
    if cpu == "baseline":
        # Intel's and AMD's recent cores agree on what "generic" tuning does.
        return _spec(machine, BASELINE_NAMES[machine], "generic", BASELINE_FEATURES[machine])
    if cpu == "native":
        if machine != host_machine():
            raise ValueError(
                f"cpu='native' means this host's {host_machine()}, but the target is {machine}; "
                "give cpu='baseline' or the name of a CPU of the target"
            )
        name, features = _host_cpu(machine)
        return _spec(machine, name, name, features)
    return _spec(machine, cpu, cpu, _named_cpu(machine, cpu))


def resolve_levels(target: str | None, cpu: str | Sequence[str]) -> tuple[TargetSpec, ...]:
    """What ``target`` and each name of ``cpu`` stand for, the CPU with the fewest features first.

    Names for the same features count once. Instructions are scheduled for one CPU in all levels, the first: otherwise
    code would differ where no feature is used.

    Raises
    ------
    ValueError
        As for `resolve_target`; no name, or too many; of two levels, neither has all features of the other.
    """
    if isinstance(cpu, str):
        return (resolve_target(target, cpu),)
    names = tuple(cpu)
    if not all(isinstance(name, str) for name in names) or not 1 <= len(names) <= MAX_CPU_LEVELS:
        raise ValueError(f"cpu is {cpu!r}, expected the name of a CPU, or 1 to {MAX_CPU_LEVELS} names")
    by_features: dict[tuple[str, ...], TargetSpec] = {}
    for name in names:
        spec = resolve_target(target, name)
        by_features.setdefault(spec.cpu_features, spec)
    levels = sorted(by_features.values(), key=lambda spec: len(spec.cpu_features))
    for below, spec in pairwise(levels):
        missing = set(below.cpu_features) - set(spec.cpu_features)
        if missing:
            raise ValueError(
                f"cpu has {spec.cpu_name}, which lacks {', '.join(sorted(missing))} of {below.cpu_name}; give CPUs of "
                "which each has all features of those that have fewer"
            )
    return tuple(replace(spec, tune_cpu=levels[0].tune_cpu) for spec in levels)


def _parse_machine(target: str | None) -> str:
    if not isinstance(target, str | None):
        raise TypeError(f"target must be the name of a machine, or None for this one, found {target!r}")
    machine, *rest = (host_machine() if target is None else _known_name(target)).split("-")
    if machine not in TRIPLES or rest not in ([], ["linux", "gnu"], ["unknown", "linux", "gnu"]):
        expected = " or ".join(f"{name!r}" for name in TRIPLES)
        what = "this host" if target is None else "target"
        raise ValueError(f"{what} is {target or machine!r}, expected {expected}, or a -linux-gnu triple of one of them")
    return machine


@lru_cache
def _spec(machine: str, cpu_name: str, tune_cpu: str, features: tuple[str, ...]) -> TargetSpec:
    names = CPU_FEATURES[machine]
    missing = [name for name in names if name not in features]
    return TargetSpec(
        machine=machine,
        triple=TRIPLES[machine],
        cpu_name=cpu_name,
        cpu_features=tuple(name for name in names if name in features),
        llvm_cpu=FLOOR_CPUS[machine],
        tune_cpu=tune_cpu,
        # LLVM applies these in order, and "+avx2" also means "+avx": what must stay off comes last.
        llvm_features=",".join([f"+{name}" for name in features] + [f"-{name}" for name in missing]),
    )


@lru_cache
def _host_cpu(machine: str) -> tuple[str, tuple[str, ...]]:
    """LLVM's name of this host's CPU, and those of its features that the loader can test."""
    from wasmartifact.codegen import probe  # with processes, which "baseline" needs none of

    name, available = probe.ask("host")
    return name, tuple(feature for feature in CPU_FEATURES[machine] if feature in available)


@lru_cache
def _named_cpu(machine: str, cpu: str) -> tuple[str, ...]:
    """Features of a CPU that LLVM knows by name."""
    from wasmartifact.codegen import probe  # as above

    # Names are plain words; anything else could be an option list to LLVM.
    known = cpu.replace("-", "").replace("_", "").replace(".", "").isalnum() and cpu.isascii()
    answer = probe.ask("cpu", TRIPLES[machine], cpu, *CPU_FEATURES[machine]) if known else None
    if not answer:
        raise ValueError(
            f"cpu is {cpu!r}, which LLVM does not know for {machine}; give 'baseline', 'native' or an LLVM CPU name"
        )
    return tuple(answer[1])
