"""What this process holds: mappings, descriptors, reserved address space. Read from /proc."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path


def mappings(name: str | Path, *, executable_only: bool = False) -> list[str]:
    """Lines of /proc/self/maps of a file; ``name`` is its path or a part of it."""
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(name) in line]
    return [line for line in lines if "x" in line.split()[1]] if executable_only else lines


def descriptors() -> list[str]:
    """What the open descriptors refer to, sorted, once garbage no longer holds any."""
    gc.collect()
    targets = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{entry}"))
        except FileNotFoundError:  # the listing's own descriptor
            continue
    return sorted(targets)


def reserved_gib() -> int:
    """Address space that is reserved and not accessible, rounded; neighbours are one mapping, so only the sum tells."""
    total = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, protection, *_ = line.split()
        if protection.startswith("---"):
            start, end = (int(address, 16) for address in addresses.split("-"))
            total += end - start
    return round(total / (1 << 30))


@dataclass(frozen=True)
class Holdings:
    """What a process holds of artifacts and memories."""

    descriptors: tuple[str, ...]
    reserved_gib: int
    artifacts: tuple[str, ...]


def holdings(folder: Path) -> Holdings:
    """What is held now, after a collection; artifacts: those of the folder, and those that were loaded from bytes."""
    gc.collect()
    return Holdings(tuple(descriptors()), reserved_gib(), (*mappings(folder), *mappings("memfd:wasmartifact")))
