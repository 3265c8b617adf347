"""Numbers of WASI that WASI 0.2 is made of. Generated from abi.py by tools/generate.py; do not edit."""

# Functions, by their numbers in the C runtime
FD_ADVISE = 6
FD_APPEND = 46
FD_DATASYNC = 9
FD_FDSTAT_GET = 10
FD_FILESTAT_GET = 13
FD_FILESTAT_SET_SIZE = 14
FD_FILESTAT_SET_TIMES = 15
FD_PREAD = 16
FD_PWRITE = 19
FD_READ = 20
FD_READDIR = 21
FD_SYNC = 24
FD_WRITE = 26
PATH_CREATE_DIRECTORY = 27
PATH_FILESTAT_GET = 28
PATH_FILESTAT_SET_TIMES = 29
PATH_LINK = 30
PATH_OPEN = 31
PATH_READLINK = 32
PATH_REMOVE_DIRECTORY = 33
PATH_RENAME = 34
PATH_SYMLINK = 35
PATH_UNLINK_FILE = 36
POLL_ONEOFF = 37

# Sets of bits
FDFLAG_DSYNC = 2
FDFLAG_RSYNC = 8
FDFLAG_SYNC = 16
OFLAG_TRUNC = 8
FST_ATIM = 1
FST_ATIM_NOW = 2
FST_MTIM = 4
FST_MTIM_NOW = 8
RIGHT_FD_READ = 2
RIGHT_FD_READDIR = 16384
RIGHT_FD_WRITE = 64
RIGHT_PATH_CREATE_DIRECTORY = 512

# Errnos
ESUCCESS = 0
EINVAL = 28
EOVERFLOW = 61

#: The error-code of wasi:filesystem for each errno
ERROR_CODES = (
    "io",
    "invalid",
    "access",
    "io",
    "io",
    "io",
    "would-block",
    "already",
    "bad-descriptor",
    "io",
    "busy",
    "io",
    "io",
    "io",
    "io",
    "io",
    "deadlock",
    "io",
    "io",
    "quota",
    "exist",
    "io",
    "file-too-large",
    "io",
    "io",
    "illegal-byte-sequence",
    "in-progress",
    "interrupted",
    "invalid",
    "io",
    "io",
    "is-directory",
    "loop",
    "insufficient-memory",
    "too-many-links",
    "message-size",
    "io",
    "name-too-long",
    "io",
    "io",
    "io",
    "insufficient-memory",
    "io",
    "no-device",
    "no-entry",
    "io",
    "no-lock",
    "io",
    "insufficient-memory",
    "io",
    "io",
    "insufficient-space",
    "unsupported",
    "io",
    "not-directory",
    "not-empty",
    "not-recoverable",
    "io",
    "unsupported",
    "no-tty",
    "no-such-device",
    "overflow",
    "io",
    "not-permitted",
    "pipe",
    "io",
    "io",
    "io",
    "io",
    "read-only",
    "invalid-seek",
    "io",
    "io",
    "io",
    "text-file-busy",
    "cross-device",
    "not-permitted",
)
#: The descriptor-type of wasi:filesystem for each file type
DESCRIPTOR_TYPES = (
    "unknown",
    "block-device",
    "character-device",
    "directory",
    "regular-file",
    "socket",
    "socket",
    "symbolic-link",
)
