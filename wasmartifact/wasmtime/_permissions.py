"""DirPerms and FilePerms, which `WasiConfig.preopen_dir` of older versions of wasmtime-py takes."""

from __future__ import annotations

from enum import IntFlag


class DirPerms(IntFlag):
    """What a program may do in a directory."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3


class FilePerms(IntFlag):
    """What a program may do with a directory's files."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3
