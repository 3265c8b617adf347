"""THE numbers of WASI preview 1: errnos, functions with their signatures, flags, rights, file types.

``tools/generate.py`` turns them into ``native/include/wa_wasi_abi.h``, which the C side compiles against, and
``wasmartifact/wasi/numbers.py``, which serves WASI 0.2 without the import of this file.
"""

from __future__ import annotations

from typing import Final

from wasmartifact.dataclass import dataclass

#: Import modules: the second is what modules before preview 1 (snapshot 0) import; some layouts differ there.
MODULE: Final = "wasi_snapshot_preview1"
UNSTABLE_MODULE: Final = "wasi_unstable"

#: Errnos in order of their numbers. Each is Linux's E... of the same name, where there is one.
ERRNOS: Final = (
    "success", "2big", "acces", "addrinuse", "addrnotavail", "afnosupport", "again", "already", "badf",
    "badmsg", "busy", "canceled", "child", "connaborted", "connrefused", "connreset", "deadlk", "destaddrreq",
    "dom", "dquot", "exist", "fault", "fbig", "hostunreach", "idrm", "ilseq", "inprogress", "intr", "inval",
    "io", "isconn", "isdir", "loop", "mfile", "mlink", "msgsize", "multihop", "nametoolong", "netdown",
    "netreset", "netunreach", "nfile", "nobufs", "nodev", "noent", "noexec", "nolck", "nolink", "nomem",
    "nomsg", "noprotoopt", "nospc", "nosys", "notconn", "notdir", "notempty", "notrecoverable", "notsock",
    "notsup", "notty", "nxio", "overflow", "ownerdead", "perm", "pipe", "proto", "protonosupport", "prototype",
    "range", "rofs", "spipe", "srch", "stale", "timedout", "txtbsy", "xdev", "notcapable",
)  # fmt: skip
#: Their names where Linux has another one.
LINUX_NAMES: Final = {"canceled": "ECANCELED", "notsup": "EOPNOTSUPP"}
#: Errnos that Linux lacks.
WASI_ONLY: Final = ("success", "notcapable")


@dataclass(frozen=True)
class Function:
    """A function of WASI: ``params`` has a letter each, i i32, l i64; the result is an errno (``proc_exit``: none)."""

    name: str
    params: str
    results: str = "i"
    in_unstable: bool = True


FUNCTIONS: Final = (
    Function("args_get", "ii"),
    Function("args_sizes_get", "ii"),
    Function("environ_get", "ii"),
    Function("environ_sizes_get", "ii"),
    Function("clock_res_get", "ii"),
    Function("clock_time_get", "ili"),
    Function("fd_advise", "illi"),
    Function("fd_allocate", "ill"),
    Function("fd_close", "i"),
    Function("fd_datasync", "i"),
    Function("fd_fdstat_get", "ii"),
    Function("fd_fdstat_set_flags", "ii"),
    Function("fd_fdstat_set_rights", "ill"),
    Function("fd_filestat_get", "ii"),
    Function("fd_filestat_set_size", "il"),
    Function("fd_filestat_set_times", "illi"),
    Function("fd_pread", "iiili"),
    Function("fd_prestat_get", "ii"),
    Function("fd_prestat_dir_name", "iii"),
    Function("fd_pwrite", "iiili"),
    Function("fd_read", "iiii"),
    Function("fd_readdir", "iiili"),
    Function("fd_renumber", "ii"),
    Function("fd_seek", "ilii"),
    Function("fd_sync", "i"),
    Function("fd_tell", "ii"),
    Function("fd_write", "iiii"),
    Function("path_create_directory", "iii"),
    Function("path_filestat_get", "iiiii"),
    Function("path_filestat_set_times", "iiiilli"),
    Function("path_link", "iiiiiii"),
    Function("path_open", "iiiiillii"),
    Function("path_readlink", "iiiiii"),
    Function("path_remove_directory", "iii"),
    Function("path_rename", "iiiiii"),
    Function("path_symlink", "iiiii"),
    Function("path_unlink_file", "iii"),
    Function("poll_oneoff", "iiii"),
    Function("proc_exit", "i", ""),
    Function("proc_raise", "i"),
    Function("random_get", "ii"),
    Function("sched_yield", ""),
    Function("sock_accept", "iii", in_unstable=False),
    Function("sock_recv", "iiiiii"),
    Function("sock_send", "iiiii"),
    Function("sock_shutdown", "ii"),
)

#: What WASI 0.2 needs beyond these: no guest imports them. fd_append writes at the end of a file, whatever its flags.
EMBEDDER_FUNCTIONS: Final = (Function("fd_append", "iiii", in_unstable=False),)

#: What the descriptors that a function gets must have the right to: (function, position of the descriptor, right).
NEEDED_RIGHTS: Final = (
    *((right, 0, right) for right in (
        "fd_advise", "fd_allocate", "fd_datasync", "fd_fdstat_set_flags", "fd_filestat_get", "fd_filestat_set_size",
        "fd_filestat_set_times", "fd_read", "fd_readdir", "fd_seek", "fd_sync", "fd_tell", "fd_write",
        "path_create_directory", "path_filestat_get", "path_filestat_set_times", "path_open", "path_readlink",
        "path_remove_directory", "path_unlink_file", "sock_accept", "sock_shutdown",
    )),
    ("fd_append", 0, "fd_write"),
    ("fd_pread", 0, "fd_read"),
    ("fd_pread", 0, "fd_seek"),
    ("fd_pwrite", 0, "fd_write"),
    ("fd_pwrite", 0, "fd_seek"),
    ("path_link", 0, "path_link_source"),
    ("path_link", 4, "path_link_target"),
    ("path_rename", 0, "path_rename_source"),
    ("path_rename", 3, "path_rename_target"),
    ("path_symlink", 2, "path_symlink"),
    ("sock_recv", 0, "fd_read"),
    ("sock_send", 0, "fd_write"),
)  # fmt: skip

#: Enumerations and bit sets: group -> names; the number is the position (enumerations) or the bit (bit sets).
ENUMERATIONS: Final = {
    "clock": ("realtime", "monotonic", "process_cputime", "thread_cputime"),
    "filetype": (
        "unknown", "block_device", "character_device", "directory", "regular_file", "socket_dgram", "socket_stream",
        "symbolic_link",
    ),
    "event": ("clock", "fd_read", "fd_write"),
    "advice": ("normal", "sequential", "random", "willneed", "dontneed", "noreuse"),
}  # fmt: skip
BIT_SETS: Final = {
    "fdflag": ("append", "dsync", "nonblock", "rsync", "sync"),
    "oflag": ("creat", "directory", "excl", "trunc"),
    "lookup": ("symlink_follow",),
    "fst": ("atim", "atim_now", "mtim", "mtim_now"),
    "clock": ("abstime",),
    "event_rw": ("hangup",),
    "ri": ("peek", "waitall"),
    "ro": ("data_truncated",),
    "shut": ("rd", "wr"),
    "right": (
        "fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell", "fd_write", "fd_advise",
        "fd_allocate", "path_create_directory", "path_create_file", "path_link_source", "path_link_target", "path_open",
        "fd_readdir", "path_readlink", "path_rename_source", "path_rename_target", "path_filestat_get",
        "path_filestat_set_size", "path_filestat_set_times", "fd_filestat_get", "fd_filestat_set_size",
        "fd_filestat_set_times", "path_symlink", "path_remove_directory", "path_unlink_file", "poll_fd_readwrite",
        "sock_shutdown", "sock_accept",
    ),
}  # fmt: skip

# ---- WASI 0.2 ------------------------------------------------------------------------------------------------------

#: The error-code of wasi:filesystem for each errno that has one; the others are "io". Too many descriptors have no code
#: of their own.
ERROR_CODES: Final = {
    "2big": "invalid", "acces": "access", "again": "would-block", "already": "already", "badf": "bad-descriptor",
    "busy": "busy", "deadlk": "deadlock", "dquot": "quota", "exist": "exist", "fbig": "file-too-large",
    "ilseq": "illegal-byte-sequence", "inprogress": "in-progress", "intr": "interrupted", "inval": "invalid",
    "io": "io", "isdir": "is-directory", "loop": "loop", "mfile": "insufficient-memory", "mlink": "too-many-links",
    "msgsize": "message-size", "nametoolong": "name-too-long", "nfile": "insufficient-memory", "nodev": "no-device",
    "noent": "no-entry", "nolck": "no-lock", "nomem": "insufficient-memory", "nospc": "insufficient-space",
    "nosys": "unsupported", "notcapable": "not-permitted", "notdir": "not-directory", "notempty": "not-empty",
    "notrecoverable": "not-recoverable", "notsup": "unsupported", "notty": "no-tty", "nxio": "no-such-device",
    "overflow": "overflow", "perm": "not-permitted", "pipe": "pipe", "rofs": "read-only", "spipe": "invalid-seek",
    "txtbsy": "text-file-busy", "xdev": "cross-device",
}  # fmt: skip
#: The descriptor-type of wasi:filesystem for each file type, in their order.
DESCRIPTOR_TYPES: Final = (
    "unknown", "block-device", "character-device", "directory", "regular-file", "socket", "socket", "symbolic-link",
)  # fmt: skip
#: Functions and sets of bits that WASI 0.2 uses.
USED_FUNCTIONS: Final = (
    "fd_advise", "fd_append", "fd_datasync", "fd_fdstat_get", "fd_filestat_get", "fd_filestat_set_size",
    "fd_filestat_set_times", "fd_pread", "fd_pwrite", "fd_read", "fd_readdir", "fd_sync", "fd_write",
    "path_create_directory", "path_filestat_get", "path_filestat_set_times", "path_link", "path_open", "path_readlink",
    "path_remove_directory", "path_rename", "path_symlink", "path_unlink_file", "poll_oneoff",
)  # fmt: skip
USED_BITS: Final = {
    "fdflag": ("dsync", "rsync", "sync"),
    "oflag": ("trunc",),
    "fst": ("atim", "atim_now", "mtim", "mtim_now"),
    "right": ("fd_read", "fd_readdir", "fd_write", "path_create_directory"),
}
