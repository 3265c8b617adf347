"""Yosys, the largest program that is measured: 46,000 functions. Downloaded once, where there is a network."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.programs import packages
from tests.programs.scenario import read_scenarios


def module_path() -> Path | None:
    """Path of yosys.wasm; None, with a word on standard error, where it can't be had."""
    try:
        return packages.module_path(read_scenarios()[0]["yosys"])
    except packages.NotAvailableError as problem:
        print(f"without yosys: {problem}", file=sys.stderr)
        return None
