"""Makes system calls fail in this process and its children, by seccomp, as profiles of containers do."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

#: Numbers of system calls by machine.
MEMFD_CREATE: Final = {"x86_64": 319, "aarch64": 279}
MMAP: Final = {"x86_64": 9, "aarch64": 222}
MAP_SHARED: Final = 1
MMAP_FLAGS_ARGUMENT: Final = 3

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_RET_ALLOW, _RET_ERRNO = 0x7FFF0000, 0x50000
#: struct seccomp_data: the number of the call, then its machine and address, then the arguments.
_NUMBER_OFFSET, _ARGUMENTS_OFFSET = 0, 16
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06


def forbid(call: dict[str, int], error: int, *, argument: int | None = None, bits: int = 0) -> None:
    """Let a system call fail from now on; with ``argument``, where that argument has one of the bits."""
    number = call[os.uname().machine]
    if argument is None:
        rules = [(_LOAD_WORD, 0, 0, _NUMBER_OFFSET), (_JUMP_IF_EQUAL, 1, 0, number)]
    else:
        rules = [
            (_LOAD_WORD, 0, 0, _NUMBER_OFFSET),
            (_JUMP_IF_EQUAL, 0, 2, number),
            (_LOAD_WORD, 0, 0, _ARGUMENTS_OFFSET + 8 * argument),
            (_JUMP_IF_SET, 1, 0, bits),
        ]
    rules += [(_RETURN, 0, 0, _RET_ALLOW), (_RETURN, 0, 0, _RET_ERRNO | error)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def forbid_memfd(error: int = errno.EPERM) -> None:
    """As container profiles of older days have it."""
    forbid(MEMFD_CREATE, error)


def forbid_shared_mappings() -> None:
    """As FUSE with direct_io has it."""
    forbid(MMAP, errno.ENODEV, argument=MMAP_FLAGS_ARGUMENT, bits=MAP_SHARED)
