/* The numbers of WASI preview 1.
 * Generated from wasmartifact/wasi/abi.py by tools/generate.py: change that file and run the tool. */

#ifndef WA_WASI_ABI_H
#define WA_WASI_ABI_H

#define WA_WASI_ESUCCESS 0
#define WA_WASI_E2BIG 1
#define WA_WASI_EACCES 2
#define WA_WASI_EADDRINUSE 3
#define WA_WASI_EADDRNOTAVAIL 4
#define WA_WASI_EAFNOSUPPORT 5
#define WA_WASI_EAGAIN 6
#define WA_WASI_EALREADY 7
#define WA_WASI_EBADF 8
#define WA_WASI_EBADMSG 9
#define WA_WASI_EBUSY 10
#define WA_WASI_ECANCELED 11
#define WA_WASI_ECHILD 12
#define WA_WASI_ECONNABORTED 13
#define WA_WASI_ECONNREFUSED 14
#define WA_WASI_ECONNRESET 15
#define WA_WASI_EDEADLK 16
#define WA_WASI_EDESTADDRREQ 17
#define WA_WASI_EDOM 18
#define WA_WASI_EDQUOT 19
#define WA_WASI_EEXIST 20
#define WA_WASI_EFAULT 21
#define WA_WASI_EFBIG 22
#define WA_WASI_EHOSTUNREACH 23
#define WA_WASI_EIDRM 24
#define WA_WASI_EILSEQ 25
#define WA_WASI_EINPROGRESS 26
#define WA_WASI_EINTR 27
#define WA_WASI_EINVAL 28
#define WA_WASI_EIO 29
#define WA_WASI_EISCONN 30
#define WA_WASI_EISDIR 31
#define WA_WASI_ELOOP 32
#define WA_WASI_EMFILE 33
#define WA_WASI_EMLINK 34
#define WA_WASI_EMSGSIZE 35
#define WA_WASI_EMULTIHOP 36
#define WA_WASI_ENAMETOOLONG 37
#define WA_WASI_ENETDOWN 38
#define WA_WASI_ENETRESET 39
#define WA_WASI_ENETUNREACH 40
#define WA_WASI_ENFILE 41
#define WA_WASI_ENOBUFS 42
#define WA_WASI_ENODEV 43
#define WA_WASI_ENOENT 44
#define WA_WASI_ENOEXEC 45
#define WA_WASI_ENOLCK 46
#define WA_WASI_ENOLINK 47
#define WA_WASI_ENOMEM 48
#define WA_WASI_ENOMSG 49
#define WA_WASI_ENOPROTOOPT 50
#define WA_WASI_ENOSPC 51
#define WA_WASI_ENOSYS 52
#define WA_WASI_ENOTCONN 53
#define WA_WASI_ENOTDIR 54
#define WA_WASI_ENOTEMPTY 55
#define WA_WASI_ENOTRECOVERABLE 56
#define WA_WASI_ENOTSOCK 57
#define WA_WASI_ENOTSUP 58
#define WA_WASI_ENOTTY 59
#define WA_WASI_ENXIO 60
#define WA_WASI_EOVERFLOW 61
#define WA_WASI_EOWNERDEAD 62
#define WA_WASI_EPERM 63
#define WA_WASI_EPIPE 64
#define WA_WASI_EPROTO 65
#define WA_WASI_EPROTONOSUPPORT 66
#define WA_WASI_EPROTOTYPE 67
#define WA_WASI_ERANGE 68
#define WA_WASI_EROFS 69
#define WA_WASI_ESPIPE 70
#define WA_WASI_ESRCH 71
#define WA_WASI_ESTALE 72
#define WA_WASI_ETIMEDOUT 73
#define WA_WASI_ETXTBSY 74
#define WA_WASI_EXDEV 75
#define WA_WASI_ENOTCAPABLE 76

/* X(errno of Linux, errno of WASI) */
#define WA_WASI_ERRNOS(X) \
    X(E2BIG, WA_WASI_E2BIG) \
    X(EACCES, WA_WASI_EACCES) \
    X(EADDRINUSE, WA_WASI_EADDRINUSE) \
    X(EADDRNOTAVAIL, WA_WASI_EADDRNOTAVAIL) \
    X(EAFNOSUPPORT, WA_WASI_EAFNOSUPPORT) \
    X(EAGAIN, WA_WASI_EAGAIN) \
    X(EALREADY, WA_WASI_EALREADY) \
    X(EBADF, WA_WASI_EBADF) \
    X(EBADMSG, WA_WASI_EBADMSG) \
    X(EBUSY, WA_WASI_EBUSY) \
    X(ECANCELED, WA_WASI_ECANCELED) \
    X(ECHILD, WA_WASI_ECHILD) \
    X(ECONNABORTED, WA_WASI_ECONNABORTED) \
    X(ECONNREFUSED, WA_WASI_ECONNREFUSED) \
    X(ECONNRESET, WA_WASI_ECONNRESET) \
    X(EDEADLK, WA_WASI_EDEADLK) \
    X(EDESTADDRREQ, WA_WASI_EDESTADDRREQ) \
    X(EDOM, WA_WASI_EDOM) \
    X(EDQUOT, WA_WASI_EDQUOT) \
    X(EEXIST, WA_WASI_EEXIST) \
    X(EFAULT, WA_WASI_EFAULT) \
    X(EFBIG, WA_WASI_EFBIG) \
    X(EHOSTUNREACH, WA_WASI_EHOSTUNREACH) \
    X(EIDRM, WA_WASI_EIDRM) \
    X(EILSEQ, WA_WASI_EILSEQ) \
    X(EINPROGRESS, WA_WASI_EINPROGRESS) \
    X(EINTR, WA_WASI_EINTR) \
    X(EINVAL, WA_WASI_EINVAL) \
    X(EIO, WA_WASI_EIO) \
    X(EISCONN, WA_WASI_EISCONN) \
    X(EISDIR, WA_WASI_EISDIR) \
    X(ELOOP, WA_WASI_ELOOP) \
    X(EMFILE, WA_WASI_EMFILE) \
    X(EMLINK, WA_WASI_EMLINK) \
    X(EMSGSIZE, WA_WASI_EMSGSIZE) \
    X(EMULTIHOP, WA_WASI_EMULTIHOP) \
    X(ENAMETOOLONG, WA_WASI_ENAMETOOLONG) \
    X(ENETDOWN, WA_WASI_ENETDOWN) \
    X(ENETRESET, WA_WASI_ENETRESET) \
    X(ENETUNREACH, WA_WASI_ENETUNREACH) \
    X(ENFILE, WA_WASI_ENFILE) \
    X(ENOBUFS, WA_WASI_ENOBUFS) \
    X(ENODEV, WA_WASI_ENODEV) \
    X(ENOENT, WA_WASI_ENOENT) \
    X(ENOEXEC, WA_WASI_ENOEXEC) \
    X(ENOLCK, WA_WASI_ENOLCK) \
    X(ENOLINK, WA_WASI_ENOLINK) \
    X(ENOMEM, WA_WASI_ENOMEM) \
    X(ENOMSG, WA_WASI_ENOMSG) \
    X(ENOPROTOOPT, WA_WASI_ENOPROTOOPT) \
    X(ENOSPC, WA_WASI_ENOSPC) \
    X(ENOSYS, WA_WASI_ENOSYS) \
    X(ENOTCONN, WA_WASI_ENOTCONN) \
    X(ENOTDIR, WA_WASI_ENOTDIR) \
    X(ENOTEMPTY, WA_WASI_ENOTEMPTY) \
    X(ENOTRECOVERABLE, WA_WASI_ENOTRECOVERABLE) \
    X(ENOTSOCK, WA_WASI_ENOTSOCK) \
    X(EOPNOTSUPP, WA_WASI_ENOTSUP) \
    X(ENOTTY, WA_WASI_ENOTTY) \
    X(ENXIO, WA_WASI_ENXIO) \
    X(EOVERFLOW, WA_WASI_EOVERFLOW) \
    X(EOWNERDEAD, WA_WASI_EOWNERDEAD) \
    X(EPERM, WA_WASI_EPERM) \
    X(EPIPE, WA_WASI_EPIPE) \
    X(EPROTO, WA_WASI_EPROTO) \
    X(EPROTONOSUPPORT, WA_WASI_EPROTONOSUPPORT) \
    X(EPROTOTYPE, WA_WASI_EPROTOTYPE) \
    X(ERANGE, WA_WASI_ERANGE) \
    X(EROFS, WA_WASI_EROFS) \
    X(ESPIPE, WA_WASI_ESPIPE) \
    X(ESRCH, WA_WASI_ESRCH) \
    X(ESTALE, WA_WASI_ESTALE) \
    X(ETIMEDOUT, WA_WASI_ETIMEDOUT) \
    X(ETXTBSY, WA_WASI_ETXTBSY) \
    X(EXDEV, WA_WASI_EXDEV)

#define WA_WASI_CLOCK_REALTIME 0
#define WA_WASI_CLOCK_MONOTONIC 1
#define WA_WASI_CLOCK_PROCESS_CPUTIME 2
#define WA_WASI_CLOCK_THREAD_CPUTIME 3
#define WA_WASI_FILETYPE_UNKNOWN 0
#define WA_WASI_FILETYPE_BLOCK_DEVICE 1
#define WA_WASI_FILETYPE_CHARACTER_DEVICE 2
#define WA_WASI_FILETYPE_DIRECTORY 3
#define WA_WASI_FILETYPE_REGULAR_FILE 4
#define WA_WASI_FILETYPE_SOCKET_DGRAM 5
#define WA_WASI_FILETYPE_SOCKET_STREAM 6
#define WA_WASI_FILETYPE_SYMBOLIC_LINK 7
#define WA_WASI_EVENT_CLOCK 0
#define WA_WASI_EVENT_FD_READ 1
#define WA_WASI_EVENT_FD_WRITE 2
#define WA_WASI_ADVICE_NORMAL 0
#define WA_WASI_ADVICE_SEQUENTIAL 1
#define WA_WASI_ADVICE_RANDOM 2
#define WA_WASI_ADVICE_WILLNEED 3
#define WA_WASI_ADVICE_DONTNEED 4
#define WA_WASI_ADVICE_NOREUSE 5

#define WA_WASI_FDFLAG_APPEND 1
#define WA_WASI_FDFLAG_DSYNC 2
#define WA_WASI_FDFLAG_NONBLOCK 4
#define WA_WASI_FDFLAG_RSYNC 8
#define WA_WASI_FDFLAG_SYNC 16
#define WA_WASI_OFLAG_CREAT 1
#define WA_WASI_OFLAG_DIRECTORY 2
#define WA_WASI_OFLAG_EXCL 4
#define WA_WASI_OFLAG_TRUNC 8
#define WA_WASI_LOOKUP_SYMLINK_FOLLOW 1
#define WA_WASI_FST_ATIM 1
#define WA_WASI_FST_ATIM_NOW 2
#define WA_WASI_FST_MTIM 4
#define WA_WASI_FST_MTIM_NOW 8
#define WA_WASI_CLOCK_ABSTIME 1
#define WA_WASI_EVENT_RW_HANGUP 1
#define WA_WASI_RI_PEEK 1
#define WA_WASI_RI_WAITALL 2
#define WA_WASI_RO_DATA_TRUNCATED 1
#define WA_WASI_SHUT_RD 1
#define WA_WASI_SHUT_WR 2
#define WA_WASI_RIGHT_FD_DATASYNC 1
#define WA_WASI_RIGHT_FD_READ 2
#define WA_WASI_RIGHT_FD_SEEK 4
#define WA_WASI_RIGHT_FD_FDSTAT_SET_FLAGS 8
#define WA_WASI_RIGHT_FD_SYNC 16
#define WA_WASI_RIGHT_FD_TELL 32
#define WA_WASI_RIGHT_FD_WRITE 64
#define WA_WASI_RIGHT_FD_ADVISE 128
#define WA_WASI_RIGHT_FD_ALLOCATE 256
#define WA_WASI_RIGHT_PATH_CREATE_DIRECTORY 512
#define WA_WASI_RIGHT_PATH_CREATE_FILE 1024
#define WA_WASI_RIGHT_PATH_LINK_SOURCE 2048
#define WA_WASI_RIGHT_PATH_LINK_TARGET 4096
#define WA_WASI_RIGHT_PATH_OPEN 8192
#define WA_WASI_RIGHT_FD_READDIR 16384
#define WA_WASI_RIGHT_PATH_READLINK 32768
#define WA_WASI_RIGHT_PATH_RENAME_SOURCE 0x10000
#define WA_WASI_RIGHT_PATH_RENAME_TARGET 0x20000
#define WA_WASI_RIGHT_PATH_FILESTAT_GET 0x40000
#define WA_WASI_RIGHT_PATH_FILESTAT_SET_SIZE 0x80000
#define WA_WASI_RIGHT_PATH_FILESTAT_SET_TIMES 0x100000
#define WA_WASI_RIGHT_FD_FILESTAT_GET 0x200000
#define WA_WASI_RIGHT_FD_FILESTAT_SET_SIZE 0x400000
#define WA_WASI_RIGHT_FD_FILESTAT_SET_TIMES 0x800000
#define WA_WASI_RIGHT_PATH_SYMLINK 0x1000000
#define WA_WASI_RIGHT_PATH_REMOVE_DIRECTORY 0x2000000
#define WA_WASI_RIGHT_PATH_UNLINK_FILE 0x4000000
#define WA_WASI_RIGHT_POLL_FD_READWRITE 0x8000000
#define WA_WASI_RIGHT_SOCK_SHUTDOWN 0x10000000
#define WA_WASI_RIGHT_SOCK_ACCEPT 0x20000000

/* X(name, parameters, results, is in wasi_unstable, digest of the type) */
#define WA_WASI_FUNCTIONS(X) \
    X(args_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(args_sizes_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(environ_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(environ_sizes_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(clock_res_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(clock_time_get, "ili", "i", 1, "\x84\x8d\xbb\x8e\xb3\x35\x01\x4d\x6b\x48\xa1\x94\xbc\xd1\x62\x75") \
    X(fd_advise, "illi", "i", 1, "\x09\x54\x9f\xee\xce\x01\xe4\x94\xfe\x14\x64\xe4\x53\xb7\x69\x35") \
    X(fd_allocate, "ill", "i", 1, "\x56\x9d\x1c\x0b\xc8\xe2\x56\x92\xfb\x1f\x56\x1d\x48\xd7\x9b\x8d") \
    X(fd_close, "i", "i", 1, "\x84\xb4\xef\x59\xe4\xfa\xd3\x15\xf0\xe2\x16\xb7\x22\x55\xbc\x59") \
    X(fd_datasync, "i", "i", 1, "\x84\xb4\xef\x59\xe4\xfa\xd3\x15\xf0\xe2\x16\xb7\x22\x55\xbc\x59") \
    X(fd_fdstat_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_fdstat_set_flags, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_fdstat_set_rights, "ill", "i", 1, "\x56\x9d\x1c\x0b\xc8\xe2\x56\x92\xfb\x1f\x56\x1d\x48\xd7\x9b\x8d") \
    X(fd_filestat_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_filestat_set_size, "il", "i", 1, "\x19\xe2\x4f\x20\x24\xf6\xd6\x4a\x5e\x55\x1f\x5d\xfc\x6c\x2d\xb6") \
    X(fd_filestat_set_times, "illi", "i", 1, "\x09\x54\x9f\xee\xce\x01\xe4\x94\xfe\x14\x64\xe4\x53\xb7\x69\x35") \
    X(fd_pread, "iiili", "i", 1, "\x53\x70\xd1\xd3\xf4\xa2\x12\x5b\x9a\x1d\x9f\xe7\x71\x95\xbf\x67") \
    X(fd_prestat_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_prestat_dir_name, "iii", "i", 1, "\x0e\x62\xc3\xa7\x69\x81\xcf\x0e\x16\x7b\x67\xc0\xcc\xc5\x27\x5e") \
    X(fd_pwrite, "iiili", "i", 1, "\x53\x70\xd1\xd3\xf4\xa2\x12\x5b\x9a\x1d\x9f\xe7\x71\x95\xbf\x67") \
    X(fd_read, "iiii", "i", 1, "\x6e\x1b\xeb\xbb\xbb\x62\xac\x5c\x3b\x2e\x54\x94\x5a\x64\x0c\x87") \
    X(fd_readdir, "iiili", "i", 1, "\x53\x70\xd1\xd3\xf4\xa2\x12\x5b\x9a\x1d\x9f\xe7\x71\x95\xbf\x67") \
    X(fd_renumber, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_seek, "ilii", "i", 1, "\x67\x87\x26\xea\x3d\x85\x0b\x9e\x80\xec\x64\x73\xe8\x65\x0b\x5a") \
    X(fd_sync, "i", "i", 1, "\x84\xb4\xef\x59\xe4\xfa\xd3\x15\xf0\xe2\x16\xb7\x22\x55\xbc\x59") \
    X(fd_tell, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(fd_write, "iiii", "i", 1, "\x6e\x1b\xeb\xbb\xbb\x62\xac\x5c\x3b\x2e\x54\x94\x5a\x64\x0c\x87") \
    X(path_create_directory, "iii", "i", 1, "\x0e\x62\xc3\xa7\x69\x81\xcf\x0e\x16\x7b\x67\xc0\xcc\xc5\x27\x5e") \
    X(path_filestat_get, "iiiii", "i", 1, "\x5b\x2a\x6b\xe6\x91\xea\x80\xd8\x06\x7f\x8e\x5c\x20\xd8\x59\x9a") \
    X(path_filestat_set_times, "iiiilli", "i", 1, "\x8c\x6d\x10\x97\x3f\xa8\xbc\xf6\x4b\xab\xc5\x4f\xd2\x91\x25\x69") \
    X(path_link, "iiiiiii", "i", 1, "\xed\xc0\x82\xdc\x4a\xd4\x0e\x8e\x24\x94\x87\x08\x68\x1e\x7a\x24") \
    X(path_open, "iiiiillii", "i", 1, "\x5a\x16\xb9\xd9\xcf\xe0\x15\x35\xb5\xb4\x40\xe3\xe7\x3b\x8b\x3d") \
    X(path_readlink, "iiiiii", "i", 1, "\xe5\xd0\xc9\x1c\x83\x5f\x26\xbe\x8c\x18\xef\xcb\x26\x51\xb9\x27") \
    X(path_remove_directory, "iii", "i", 1, "\x0e\x62\xc3\xa7\x69\x81\xcf\x0e\x16\x7b\x67\xc0\xcc\xc5\x27\x5e") \
    X(path_rename, "iiiiii", "i", 1, "\xe5\xd0\xc9\x1c\x83\x5f\x26\xbe\x8c\x18\xef\xcb\x26\x51\xb9\x27") \
    X(path_symlink, "iiiii", "i", 1, "\x5b\x2a\x6b\xe6\x91\xea\x80\xd8\x06\x7f\x8e\x5c\x20\xd8\x59\x9a") \
    X(path_unlink_file, "iii", "i", 1, "\x0e\x62\xc3\xa7\x69\x81\xcf\x0e\x16\x7b\x67\xc0\xcc\xc5\x27\x5e") \
    X(poll_oneoff, "iiii", "i", 1, "\x6e\x1b\xeb\xbb\xbb\x62\xac\x5c\x3b\x2e\x54\x94\x5a\x64\x0c\x87") \
    X(proc_exit, "i", "", 1, "\xe5\x4f\x47\xc9\x68\x3e\xa1\xeb\xcb\xbb\x7d\xd9\x53\x1a\x64\x8b") \
    X(proc_raise, "i", "i", 1, "\x84\xb4\xef\x59\xe4\xfa\xd3\x15\xf0\xe2\x16\xb7\x22\x55\xbc\x59") \
    X(random_get, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e") \
    X(sched_yield, "", "i", 1, "\xa8\x11\xb9\xed\xb8\x6b\xea\x41\xe5\x6e\xc9\xbd\xc1\xe6\x00\x26") \
    X(sock_accept, "iii", "i", 0, "\x0e\x62\xc3\xa7\x69\x81\xcf\x0e\x16\x7b\x67\xc0\xcc\xc5\x27\x5e") \
    X(sock_recv, "iiiiii", "i", 1, "\xe5\xd0\xc9\x1c\x83\x5f\x26\xbe\x8c\x18\xef\xcb\x26\x51\xb9\x27") \
    X(sock_send, "iiiii", "i", 1, "\x5b\x2a\x6b\xe6\x91\xea\x80\xd8\x06\x7f\x8e\x5c\x20\xd8\x59\x9a") \
    X(sock_shutdown, "ii", "i", 1, "\xdd\x7c\xba\x8d\x3c\x78\xad\x9c\x17\xde\xe6\x96\x09\x89\xa7\x3e")

/* Likewise, those that no guest imports */
#define WA_WASI_EMBEDDER_FUNCTIONS(X) \
    X(fd_append, "iiii", "i", 0, "\x6e\x1b\xeb\xbb\xbb\x62\xac\x5c\x3b\x2e\x54\x94\x5a\x64\x0c\x87")

/* X(function, position of a descriptor, right that it must have) */
#define WA_WASI_NEEDED_RIGHTS(X) \
    X(fd_advise, 0, WA_WASI_RIGHT_FD_ADVISE) \
    X(fd_allocate, 0, WA_WASI_RIGHT_FD_ALLOCATE) \
    X(fd_datasync, 0, WA_WASI_RIGHT_FD_DATASYNC) \
    X(fd_fdstat_set_flags, 0, WA_WASI_RIGHT_FD_FDSTAT_SET_FLAGS) \
    X(fd_filestat_get, 0, WA_WASI_RIGHT_FD_FILESTAT_GET) \
    X(fd_filestat_set_size, 0, WA_WASI_RIGHT_FD_FILESTAT_SET_SIZE) \
    X(fd_filestat_set_times, 0, WA_WASI_RIGHT_FD_FILESTAT_SET_TIMES) \
    X(fd_read, 0, WA_WASI_RIGHT_FD_READ) \
    X(fd_readdir, 0, WA_WASI_RIGHT_FD_READDIR) \
    X(fd_seek, 0, WA_WASI_RIGHT_FD_SEEK) \
    X(fd_sync, 0, WA_WASI_RIGHT_FD_SYNC) \
    X(fd_tell, 0, WA_WASI_RIGHT_FD_TELL) \
    X(fd_write, 0, WA_WASI_RIGHT_FD_WRITE) \
    X(path_create_directory, 0, WA_WASI_RIGHT_PATH_CREATE_DIRECTORY) \
    X(path_filestat_get, 0, WA_WASI_RIGHT_PATH_FILESTAT_GET) \
    X(path_filestat_set_times, 0, WA_WASI_RIGHT_PATH_FILESTAT_SET_TIMES) \
    X(path_open, 0, WA_WASI_RIGHT_PATH_OPEN) \
    X(path_readlink, 0, WA_WASI_RIGHT_PATH_READLINK) \
    X(path_remove_directory, 0, WA_WASI_RIGHT_PATH_REMOVE_DIRECTORY) \
    X(path_unlink_file, 0, WA_WASI_RIGHT_PATH_UNLINK_FILE) \
    X(sock_accept, 0, WA_WASI_RIGHT_SOCK_ACCEPT) \
    X(sock_shutdown, 0, WA_WASI_RIGHT_SOCK_SHUTDOWN) \
    X(fd_append, 0, WA_WASI_RIGHT_FD_WRITE) \
    X(fd_pread, 0, WA_WASI_RIGHT_FD_READ) \
    X(fd_pread, 0, WA_WASI_RIGHT_FD_SEEK) \
    X(fd_pwrite, 0, WA_WASI_RIGHT_FD_WRITE) \
    X(fd_pwrite, 0, WA_WASI_RIGHT_FD_SEEK) \
    X(path_link, 0, WA_WASI_RIGHT_PATH_LINK_SOURCE) \
    X(path_link, 4, WA_WASI_RIGHT_PATH_LINK_TARGET) \
    X(path_rename, 0, WA_WASI_RIGHT_PATH_RENAME_SOURCE) \
    X(path_rename, 3, WA_WASI_RIGHT_PATH_RENAME_TARGET) \
    X(path_symlink, 2, WA_WASI_RIGHT_PATH_SYMLINK) \
    X(sock_recv, 0, WA_WASI_RIGHT_FD_READ) \
    X(sock_send, 0, WA_WASI_RIGHT_FD_WRITE)

#endif
