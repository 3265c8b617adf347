"""Targets and CPUs, resolved; the CPU probe against what LLVM's own documentation of CPU levels says."""

from __future__ import annotations

import platform
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from wasmartifact.codegen import probe
from wasmartifact.codegen.options import CodegenOptions, resolve_target
from wasmartifact.schema import BASELINE_FEATURES


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_baseline(machine: str) -> None:
    for target in (machine, f"{machine}-linux-gnu", f"{machine}-unknown-linux-gnu"):
        spec = resolve_target(target, "baseline")
        assert spec.machine == machine
        assert spec.triple == f"{machine}-unknown-linux-gnu"
        assert set(spec.cpu_features) == set(BASELINE_FEATURES[machine])


def test_no_target_is_this_host() -> None:
    assert resolve_target(None, "baseline").machine == platform.machine()


def test_named_cpus() -> None:
    # The x86-64 psABI defines the levels: v3 adds AVX2, BMI, F16C, FMA, LZCNT, MOVBE; v4 five parts of AVX-512.
    v2 = set(BASELINE_FEATURES["x86_64"])
    v3 = v2 | {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}
    v4 = v3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    assert set(resolve_target("x86_64", "x86-64-v2").cpu_features) == v2
    assert set(resolve_target("x86_64", "x86-64-v3").cpu_features) == v3
    assert set(resolve_target("x86_64", "x86-64-v4").cpu_features) == v4
    assert set(resolve_target("aarch64", "cortex-a72").cpu_features) == {"fp-armv8", "neon", "crc", "sha2", "aes"}


def test_native_uses_features_of_this_host_only() -> None:
    spec = resolve_target(None, "native")
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = next(line for line in file if line.startswith(("flags", "Features"))).split()
    spelling = {
        "sse4.1": "sse4_1",
        "sse4.2": "sse4_2",
        "lzcnt": "abm",
        "bmi": "bmi1",
        "pclmul": "pclmulqdq",
        "sha": "sha_ni",
    }
    for name in ("sse4.1", "sse4.2", "avx", "avx2", "bmi", "bmi2", "fma", "lzcnt", "pclmul", "sha", "avx512f"):
        if spec.machine == "x86_64":
            assert (name in spec.cpu_features) == (spelling.get(name, name) in flags), name


@pytest.mark.parametrize(
    ("target", "cpu", "words"),
    [
        ("riscv64", "baseline", "target is 'riscv64'"),
        ("x86_64-pc-windows-msvc", "baseline", "expected 'x86_64' or 'aarch64'"),
        ("", "baseline", "target is ''"),
        ("x86_64", "no-such-cpu", "no-such-cpu"),
        ("aarch64", "haswell", "does not know for aarch64"),
        ("x86_64", "help", "does not know"),
        ("x86_64", "", "cpu is ''"),
        ("x86_64", "x86-64,+avx2", "does not know"),
        ("aarch64" if platform.machine() == "x86_64" else "x86_64", "native", "cpu='native' means this host's"),
    ],
)
def test_bad_targets(target: str, cpu: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        resolve_target(target, cpu)


@pytest.mark.parametrize("opt_level", [-1, 4])
def test_bad_levels(opt_level: int) -> None:
    with pytest.raises(ValueError, match="expected 0, 1, 2 or 3"):
        CodegenOptions(opt_level, resolve_target(None, "baseline"))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"opt_level": "speed"}, ValueError, "opt_level is 'speed', expected 0, 1, 2 or 3"),
        ({"jobs": "4"}, ValueError, "jobs is '4', expected at least 1"),
        ({"jobs": 1.5}, ValueError, r"jobs is 1\.5, expected at least 1"),
        ({"target": 5}, TypeError, "target must be the name of a machine, or None for this one, found 5"),
    ],
)
def test_options_of_another_kind(tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str) -> None:
    for call in (partial(wa.pack, output=tmp_path / "x.so"), partial(wa.compile, cache_dir=tmp_path, tier_up=False)):
        with pytest.raises(error, match=words):
            call(b"(module)", **{"opt_level": 0, **options})


def test_who_knows_cpus_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(wa.ToolchainError, match=r"llvmlite, which is not installed.*\[pack\]', or leave out cpu="):
        probe.ask("host")
