"""Finds the programs that tests need: missing ones fail the test under CI and skip it, with words, elsewhere."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.aarch64.packing import COMMAND_VARIABLE

#: Debian package of each program that tests may ask for; .ci/run installs them all, where it can those for aarch64.
PACKAGES = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "cc": "gcc",
    "clang": "clang",
    "eu-elflint": "elfutils",
    "eu-strip": "elfutils",
    "gdb": "gdb",
    "ld.lld": "lld",
    "ldd": "libc-bin",
    "llvm-strip": "llvm",
    "nm": "binutils",
    "objdump": "binutils",
    "openssl": "openssl",
    "qemu-aarch64": "qemu-user",
    "readelf": "binutils",
    "strip": "binutils",
}


def find_tool(name: str) -> str:
    """Path of a program. Fails the running test where it is missing under CI=true, else skips it.

    Parameters
    ----------
    name : str
        A key of PACKAGES.
    """
    if name == "cc" and COMMAND_VARIABLE in os.environ:  # emulated: what it compiles is loaded here
        name = "aarch64-linux-gnu-gcc"
    path = shutil.which(name)
    if path is not None:
        return path
    words = f"{name} is missing; apt-get install {PACKAGES[name]}"
    if os.environ.get("CI") == "true" and "aarch64" not in name:
        pytest.fail(words)
    pytest.skip(words)
