"""The command `cache`: what `run` and `wa.compile` have packed on this machine, and removing it."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any, Final

from wasmartifact import tier
from wasmartifact.cli.common import BYTES, UsageError, parse_amount
from wasmartifact.errors import ArtifactError, printable
from wasmartifact.host.cache_folder import DEFAULT_SIZE_BYTES, SIZE_VARIABLE, default_folder, open_folder, size_limit
from wasmartifact.host.cache_upkeep import clear, list_artifacts, sweep
from wasmartifact.verifier import open_metadata

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_parser(commands: Any) -> None:
    """The grammar of ``cache``."""
    parser = commands.add_parser("cache", help="list or remove what `run` and `compile` have packed on this machine")
    parser.add_argument("--dir", help="folder of the cache (default: $XDG_CACHE_HOME/wasmartifact)")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show every artifact, the last used first, and what is being packed")
    listing.add_argument("--json", action="store_true", help="everything, as JSON")
    listing.set_defaults(command=run_list)
    prune = actions.add_parser("prune", help="remove what was not used for the longest time; what is loaded goes on")
    limit = f"{DEFAULT_SIZE_BYTES // 10**9}G, or ${SIZE_VARIABLE}"
    prune.add_argument("--size", metavar="BYTES", help=f"largest size that stays, as in 500M (default: {limit})")
    prune.add_argument("--age", metavar="TIME", help="remove what was not used for so long, too, as in 30d or 12h")
    prune.set_defaults(command=run_prune)
    actions.add_parser("clear", help="remove all of it; what is loaded goes on").set_defaults(command=run_clear)


def run_list(options: argparse.Namespace) -> int:
    """``cache list``."""
    folder = _folder(options)
    rows = [] if folder is None else [row | _facts(row["path"]) for row in list_artifacts(folder)]
    builds = [] if folder is None else tier.list_builds(folder)
    if options.json:
        print(json.dumps({"folder": folder, "artifacts": rows, "builds": builds}, indent=2))
        return 0
    now = time.time()
    for row in rows:
        name = ", ".join(row["sources"]) or row["module_name"] or os.path.basename(row["path"])
        used = _age_text(now - row["last_used"])
        print(f"{size_text(row['size_bytes']):>10}  level {row['opt_level']}  used {used:>12}  {printable(name)}")
    for build in builds:
        print(f"{build['state']:>10}  level {build['level']}  {_build_text(build):>17}  {_build_name(build)}")
    print(
        f"{len(rows):,} artifacts, {size_text(sum(row['size_bytes'] for row in rows))}, in {folder or 'no cache yet'}"
    )
    return 0


def run_prune(options: argparse.Namespace) -> int:
    """``cache prune``."""
    try:
        size_bytes = size_limit(None) if options.size is None else parse_amount(options.size, BYTES, "--size")
    except ValueError as problem:  # of the environment
        raise UsageError(str(problem)) from None
    max_age_s = None if options.age is None else parse_amount(options.age, _SECONDS, "--age")
    folder = _folder(options)
    return _report([] if folder is None else sweep(folder, size_bytes, max_age_s=max_age_s))


def run_clear(options: argparse.Namespace) -> int:
    """``cache clear``."""
    folder = _folder(options)
    return _report([] if folder is None else clear(folder))


def _report(removed: list[str]) -> int:
    print(f"{len(removed):,} artifacts removed")
    return 0


def _folder(options: argparse.Namespace) -> str | None:
    """The cache; None where there is none yet, which is not made for a look."""
    folder = default_folder() if options.dir is None else options.dir
    return open_folder(folder) if os.path.lexists(folder) else None


def _facts(path: str) -> dict[str, str | None]:
    """What an artifact says of itself; None where it is damaged, or was evicted meanwhile."""
    try:
        with open_metadata(path) as metadata:
            info = metadata.info
    except (ArtifactError, OSError):
        info = {}
    return {"opt_level": info.get("opt_level"), "module_name": info.get("module_name")}


def _build_text(build: dict[str, Any]) -> str:
    """How far packing in the background is, or when it began."""
    if build.get("total"):
        return f"{build['done']:,} of {build['total']:,}"
    return f"began {_age_text(time.time() - build['started'])}"


def _build_name(build: dict[str, Any]) -> str:
    problem = build.get("problem")
    return printable((build["source"] or os.path.basename(build["path"])) + (f": {problem}" if problem else ""))


def size_text(size_bytes: int) -> str:
    """``1.2 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} B"


def _age_text(seconds: float) -> str:
    """``3 h ago``; a use within an hour of the last one is not recorded."""
    for unit, factor in (("d", 86400), ("h", 3600)):
        if seconds >= factor:
            return f"{seconds // factor:.0f} {unit} ago"
    return "recently"
