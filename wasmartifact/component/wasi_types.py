"""The types of WASI 0.2's functions.

Generated from tools/wasi_functions.py by tools/generate.py: change that and run the tool.
"""

# ruff: noqa: E501
# fmt: off

#: Kind, names and parts of each type; parts by their place, which counts from 1, 0 is none.
TYPES: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (
    ("borrow", ("error",), ()),  # 1
    ("string", (), ()),  # 2
    ("borrow", ("pollable",), ()),  # 3
    ("bool", (), ()),  # 4
    ("list", (), (3,)),  # 5
    ("u32", (), ()),  # 6
    ("list", (), (6,)),  # 7
    ("borrow", ("input-stream",), ()),  # 8
    ("u64", (), ()),  # 9
    ("u8", (), ()),  # 10
    ("list", (), (10,)),  # 11
    ("own", ("error",), ()),  # 12
    ("variant", ("last-operation-failed", "closed"), (12, 0)),  # 13
    ("result", (), (11, 13)),  # 14
    ("result", (), (9, 13)),  # 15
    ("own", ("pollable",), ()),  # 16
    ("borrow", ("output-stream",), ()),  # 17
    ("result", (), (0, 13)),  # 18
    ("tuple", (), (2, 2)),  # 19
    ("list", (), (19,)),  # 20
    ("list", (), (2,)),  # 21
    ("option", (), (2,)),  # 22
    ("result", (), (0, 0)),  # 23
    ("own", ("input-stream",), ()),  # 24
    ("own", ("output-stream",), ()),  # 25
    ("own", ("terminal-input",), ()),  # 26
    ("option", (), (26,)),  # 27
    ("own", ("terminal-output",), ()),  # 28
    ("option", (), (28,)),  # 29
    ("record", ("seconds", "nanoseconds"), (9, 6)),  # 30
    ("borrow", ("descriptor",), ()),  # 31
    ("enum", ("access", "would-block", "already", "bad-descriptor", "busy", "deadlock", "quota", "exist", "file-too-large", "illegal-byte-sequence", "in-progress", "interrupted", "invalid", "io", "is-directory", "loop", "too-many-links", "message-size", "name-too-long", "no-device", "no-entry", "no-lock", "insufficient-memory", "insufficient-space", "not-directory", "not-empty", "not-recoverable", "unsupported", "no-tty", "no-such-device", "overflow", "not-permitted", "pipe", "read-only", "invalid-seek", "text-file-busy", "cross-device"), (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),  # 32
    ("result", (), (24, 32)),  # 33
    ("result", (), (25, 32)),  # 34
    ("enum", ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse"), (0, 0, 0, 0, 0, 0)),  # 35
    ("result", (), (0, 32)),  # 36
    ("flags", ("read", "write", "file-integrity-sync", "data-integrity-sync", "requested-write-sync", "mutate-directory"), (0, 0, 0, 0, 0, 0)),  # 37
    ("result", (), (37, 32)),  # 38
    ("enum", ("unknown", "block-device", "character-device", "directory", "fifo", "symbolic-link", "regular-file", "socket"), (0, 0, 0, 0, 0, 0, 0, 0)),  # 39
    ("result", (), (39, 32)),  # 40
    ("variant", ("no-change", "now", "timestamp"), (0, 0, 30)),  # 41
    ("tuple", (), (11, 4)),  # 42
    ("result", (), (42, 32)),  # 43
    ("result", (), (9, 32)),  # 44
    ("own", ("directory-entry-stream",), ()),  # 45
    ("result", (), (45, 32)),  # 46
    ("option", (), (30,)),  # 47
    ("record", ("type", "link-count", "size", "data-access-timestamp", "data-modification-timestamp", "status-change-timestamp"), (39, 9, 9, 47, 47, 47)),  # 48
    ("result", (), (48, 32)),  # 49
    ("flags", ("symlink-follow",), (0,)),  # 50
    ("flags", ("create", "directory", "exclusive", "truncate"), (0, 0, 0, 0)),  # 51
    ("own", ("descriptor",), ()),  # 52
    ("result", (), (52, 32)),  # 53
    ("result", (), (2, 32)),  # 54
    ("record", ("lower", "upper"), (9, 9)),  # 55
    ("result", (), (55, 32)),  # 56
    ("borrow", ("directory-entry-stream",), ()),  # 57
    ("record", ("type", "name"), (39, 2)),  # 58
    ("option", (), (58,)),  # 59
    ("result", (), (59, 32)),  # 60
    ("option", (), (32,)),  # 61
    ("tuple", (), (52, 2)),  # 62
    ("list", (), (62,)),  # 63
    ("u16", (), ()),  # 64
    ("option", (), (64,)),  # 65
    ("record", ("rcode", "info-code"), (22, 65)),  # 66
    ("option", (), (10,)),  # 67
    ("record", ("alert-id", "alert-message"), (67, 22)),  # 68
    ("option", (), (9,)),  # 69
    ("option", (), (6,)),  # 70
    ("record", ("field-name", "field-size"), (22, 70)),  # 71
    ("option", (), (71,)),  # 72
    ("variant", ("DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited", "destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout", "connection-read-timeout", "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error", "TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied", "HTTP-request-length-required", "HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long", "HTTP-request-header-section-size", "HTTP-request-header-size", "HTTP-request-trailer-section-size", "HTTP-request-trailer-size", "HTTP-response-incomplete", "HTTP-response-header-section-size", "HTTP-response-header-size", "HTTP-response-body-size", "HTTP-response-trailer-section-size", "HTTP-response-trailer-size", "HTTP-response-transfer-coding", "HTTP-response-content-coding", "HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error", "internal-error"), (0, 66, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 68, 0, 0, 69, 0, 0, 0, 70, 72, 70, 71, 0, 70, 71, 69, 70, 71, 22, 22, 0, 0, 0, 0, 0, 22)),  # 73
    ("option", (), (73,)),  # 74
    ("own", ("fields",), ()),  # 75
    ("tuple", (), (2, 11)),  # 76
    ("list", (), (76,)),  # 77
    ("variant", ("invalid-syntax", "forbidden", "immutable"), (0, 0, 0)),  # 78
    ("result", (), (75, 78)),  # 79
    ("borrow", ("fields",), ()),  # 80
    ("list", (), (11,)),  # 81
    ("result", (), (0, 78)),  # 82
    ("borrow", ("incoming-request",), ()),  # 83
    ("variant", ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch", "other"), (0, 0, 0, 0, 0, 0, 0, 0, 0, 2)),  # 84
    ("variant", ("HTTP", "HTTPS", "other"), (0, 0, 2)),  # 85
    ("option", (), (85,)),  # 86
    ("own", ("incoming-body",), ()),  # 87
    ("result", (), (87, 0)),  # 88
    ("own", ("outgoing-request",), ()),  # 89
    ("borrow", ("outgoing-request",), ()),  # 90
    ("own", ("outgoing-body",), ()),  # 91
    ("result", (), (91, 0)),  # 92
    ("own", ("request-options",), ()),  # 93
    ("borrow", ("request-options",), ()),  # 94
    ("borrow", ("response-outparam",), ()),  # 95
    ("result", (), (0, 73)),  # 96
    ("own", ("response-outparam",), ()),  # 97
    ("own", ("outgoing-response",), ()),  # 98
    ("result", (), (98, 73)),  # 99
    ("borrow", ("incoming-response",), ()),  # 100
    ("borrow", ("incoming-body",), ()),  # 101
    ("result", (), (24, 0)),  # 102
    ("own", ("future-trailers",), ()),  # 103
    ("borrow", ("future-trailers",), ()),  # 104
    ("option", (), (75,)),  # 105
    ("result", (), (105, 73)),  # 106
    ("result", (), (106, 0)),  # 107
    ("option", (), (107,)),  # 108
    ("borrow", ("outgoing-response",), ()),  # 109
    ("borrow", ("outgoing-body",), ()),  # 110
    ("result", (), (25, 0)),  # 111
    ("borrow", ("future-incoming-response",), ()),  # 112
    ("own", ("incoming-response",), ()),  # 113
    ("result", (), (113, 73)),  # 114
    ("result", (), (114, 0)),  # 115
    ("option", (), (115,)),  # 116
    ("own", ("incoming-request",), ()),  # 117
    ("option", (), (93,)),  # 118
    ("own", ("future-incoming-response",), ()),  # 119
    ("result", (), (119, 73)),  # 120
    ("tuple", (), (9, 9)),  # 121
    ("enum", ("unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout", "concurrency-conflict", "not-in-progress", "would-block", "invalid-state", "new-socket-limit", "address-not-bindable", "address-in-use", "remote-unreachable", "connection-refused", "connection-reset", "connection-aborted", "datagram-too-large", "name-unresolvable", "temporary-resolver-failure", "permanent-resolver-failure"), (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),  # 122
    ("option", (), (122,)),  # 123
    ("own", ("network",), ()),  # 124
    ("borrow", ("network",), ()),  # 125
    ("own", ("resolve-address-stream",), ()),  # 126
    ("result", (), (126, 122)),  # 127
    ("borrow", ("resolve-address-stream",), ()),  # 128
    ("tuple", (), (10, 10, 10, 10)),  # 129
    ("tuple", (), (64, 64, 64, 64, 64, 64, 64, 64)),  # 130
    ("variant", ("ipv4", "ipv6"), (129, 130)),  # 131
    ("option", (), (131,)),  # 132
    ("result", (), (132, 122)),  # 133
    ("borrow", ("tcp-socket",), ()),  # 134
    ("record", ("port", "address"), (64, 129)),  # 135
    ("record", ("port", "flow-info", "address", "scope-id"), (64, 6, 130, 6)),  # 136
    ("variant", ("ipv4", "ipv6"), (135, 136)),  # 137
    ("result", (), (0, 122)),  # 138
    ("tuple", (), (24, 25)),  # 139
    ("result", (), (139, 122)),  # 140
    ("own", ("tcp-socket",), ()),  # 141
    ("tuple", (), (141, 24, 25)),  # 142
    ("result", (), (142, 122)),  # 143
    ("result", (), (137, 122)),  # 144
    ("enum", ("ipv4", "ipv6"), (0, 0)),  # 145
    ("result", (), (4, 122)),  # 146
    ("result", (), (9, 122)),  # 147
    ("result", (), (6, 122)),  # 148
    ("result", (), (10, 122)),  # 149
    ("enum", ("receive", "send", "both"), (0, 0, 0)),  # 150
    ("result", (), (141, 122)),  # 151
    ("borrow", ("udp-socket",), ()),  # 152
    ("option", (), (137,)),  # 153
    ("own", ("incoming-datagram-stream",), ()),  # 154
    ("own", ("outgoing-datagram-stream",), ()),  # 155
    ("tuple", (), (154, 155)),  # 156
    ("result", (), (156, 122)),  # 157
    ("borrow", ("incoming-datagram-stream",), ()),  # 158
    ("record", ("data", "remote-address"), (11, 137)),  # 159
    ("list", (), (159,)),  # 160
    ("result", (), (160, 122)),  # 161
    ("borrow", ("outgoing-datagram-stream",), ()),  # 162
    ("record", ("data", "remote-address"), (11, 153)),  # 163
    ("list", (), (163,)),  # 164
    ("own", ("udp-socket",), ()),  # 165
    ("result", (), (165, 122)),  # 166
)
#: By interface and name: the types of the parameters, then that of the result.
FUNCTIONS: dict[str, dict[str, tuple[int, ...]]] = {
    "io/error": {
        "[method]error.to-debug-string": (1, 2),
    },
    "io/poll": {
        "[method]pollable.ready": (3, 4),
        "[method]pollable.block": (3, 0),
        "poll": (5, 7),
    },
    "io/streams": {
        "[method]input-stream.read": (8, 9, 14),
        "[method]input-stream.blocking-read": (8, 9, 14),
        "[method]input-stream.skip": (8, 9, 15),
        "[method]input-stream.blocking-skip": (8, 9, 15),
        "[method]input-stream.subscribe": (8, 16),
        "[method]output-stream.check-write": (17, 15),
        "[method]output-stream.write": (17, 11, 18),
        "[method]output-stream.blocking-write-and-flush": (17, 11, 18),
        "[method]output-stream.flush": (17, 18),
        "[method]output-stream.blocking-flush": (17, 18),
        "[method]output-stream.subscribe": (17, 16),
        "[method]output-stream.write-zeroes": (17, 9, 18),
        "[method]output-stream.blocking-write-zeroes-and-flush": (17, 9, 18),
        "[method]output-stream.splice": (17, 8, 9, 15),
        "[method]output-stream.blocking-splice": (17, 8, 9, 15),
    },
    "cli/environment": {
        "get-environment": (20,),
        "get-arguments": (21,),
        "initial-cwd": (22,),
    },
    "cli/exit": {
        "exit": (23, 0),
        "exit-with-code": (10, 0),
    },
    "cli/run": {
        "run": (23,),
    },
    "cli/stdin": {
        "get-stdin": (24,),
    },
    "cli/stdout": {
        "get-stdout": (25,),
    },
    "cli/stderr": {
        "get-stderr": (25,),
    },
    "cli/terminal-stdin": {
        "get-terminal-stdin": (27,),
    },
    "cli/terminal-stdout": {
        "get-terminal-stdout": (29,),
    },
    "cli/terminal-stderr": {
        "get-terminal-stderr": (29,),
    },
    "clocks/monotonic-clock": {
        "now": (9,),
        "resolution": (9,),
        "subscribe-instant": (9, 16),
        "subscribe-duration": (9, 16),
    },
    "clocks/wall-clock": {
        "now": (30,),
        "resolution": (30,),
    },
    "filesystem/types": {
        "[method]descriptor.read-via-stream": (31, 9, 33),
        "[method]descriptor.write-via-stream": (31, 9, 34),
        "[method]descriptor.append-via-stream": (31, 34),
        "[method]descriptor.advise": (31, 9, 9, 35, 36),
        "[method]descriptor.sync-data": (31, 36),
        "[method]descriptor.get-flags": (31, 38),
        "[method]descriptor.get-type": (31, 40),
        "[method]descriptor.set-size": (31, 9, 36),
        "[method]descriptor.set-times": (31, 41, 41, 36),
        "[method]descriptor.read": (31, 9, 9, 43),
        "[method]descriptor.write": (31, 11, 9, 44),
        "[method]descriptor.read-directory": (31, 46),
        "[method]descriptor.sync": (31, 36),
        "[method]descriptor.create-directory-at": (31, 2, 36),
        "[method]descriptor.stat": (31, 49),
        "[method]descriptor.stat-at": (31, 50, 2, 49),
        "[method]descriptor.set-times-at": (31, 50, 2, 41, 41, 36),
        "[method]descriptor.link-at": (31, 50, 2, 31, 2, 36),
        "[method]descriptor.open-at": (31, 50, 2, 51, 37, 53),
        "[method]descriptor.readlink-at": (31, 2, 54),
        "[method]descriptor.remove-directory-at": (31, 2, 36),
        "[method]descriptor.rename-at": (31, 2, 31, 2, 36),
        "[method]descriptor.symlink-at": (31, 2, 2, 36),
        "[method]descriptor.unlink-file-at": (31, 2, 36),
        "[method]descriptor.is-same-object": (31, 31, 4),
        "[method]descriptor.metadata-hash": (31, 56),
        "[method]descriptor.metadata-hash-at": (31, 50, 2, 56),
        "[method]directory-entry-stream.read-directory-entry": (57, 60),
        "filesystem-error-code": (1, 61),
    },
    "filesystem/preopens": {
        "get-directories": (63,),
    },
    "http/types": {
        "http-error-code": (1, 74),
        "[constructor]fields": (75,),
        "[static]fields.from-list": (77, 79),
        "[method]fields.get": (80, 2, 81),
        "[method]fields.has": (80, 2, 4),
        "[method]fields.set": (80, 2, 81, 82),
        "[method]fields.delete": (80, 2, 82),
        "[method]fields.append": (80, 2, 11, 82),
        "[method]fields.entries": (80, 77),
        "[method]fields.clone": (80, 75),
        "[method]incoming-request.method": (83, 84),
        "[method]incoming-request.path-with-query": (83, 22),
        "[method]incoming-request.scheme": (83, 86),
        "[method]incoming-request.authority": (83, 22),
        "[method]incoming-request.headers": (83, 75),
        "[method]incoming-request.consume": (83, 88),
        "[constructor]outgoing-request": (75, 89),
        "[method]outgoing-request.body": (90, 92),
        "[method]outgoing-request.method": (90, 84),
        "[method]outgoing-request.set-method": (90, 84, 23),
        "[method]outgoing-request.path-with-query": (90, 22),
        "[method]outgoing-request.set-path-with-query": (90, 22, 23),
        "[method]outgoing-request.scheme": (90, 86),
        "[method]outgoing-request.set-scheme": (90, 86, 23),
        "[method]outgoing-request.authority": (90, 22),
        "[method]outgoing-request.set-authority": (90, 22, 23),
        "[method]outgoing-request.headers": (90, 75),
        "[constructor]request-options": (93,),
        "[method]request-options.connect-timeout": (94, 69),
        "[method]request-options.set-connect-timeout": (94, 69, 23),
        "[method]request-options.first-byte-timeout": (94, 69),
        "[method]request-options.set-first-byte-timeout": (94, 69, 23),
        "[method]request-options.between-bytes-timeout": (94, 69),
        "[method]request-options.set-between-bytes-timeout": (94, 69, 23),
        "[method]response-outparam.send-informational": (95, 64, 75, 96),
        "[static]response-outparam.set": (97, 99, 0),
        "[method]incoming-response.status": (100, 64),
        "[method]incoming-response.headers": (100, 75),
        "[method]incoming-response.consume": (100, 88),
        "[method]incoming-body.stream": (101, 102),
        "[static]incoming-body.finish": (87, 103),
        "[method]future-trailers.subscribe": (104, 16),
        "[method]future-trailers.get": (104, 108),
        "[constructor]outgoing-response": (75, 98),
        "[method]outgoing-response.status-code": (109, 64),
        "[method]outgoing-response.set-status-code": (109, 64, 23),
        "[method]outgoing-response.headers": (109, 75),
        "[method]outgoing-response.body": (109, 92),
        "[method]outgoing-body.write": (110, 111),
        "[static]outgoing-body.finish": (91, 105, 96),
        "[method]future-incoming-response.subscribe": (112, 16),
        "[method]future-incoming-response.get": (112, 116),
    },
    "http/incoming-handler": {
        "handle": (117, 97, 0),
    },
    "http/outgoing-handler": {
        "handle": (89, 118, 120),
    },
    "random/insecure-seed": {
        "insecure-seed": (121,),
    },
    "random/insecure": {
        "get-insecure-random-bytes": (9, 11),
        "get-insecure-random-u64": (9,),
    },
    "random/random": {
        "get-random-bytes": (9, 11),
        "get-random-u64": (9,),
    },
    "sockets/network": {
        "network-error-code": (1, 123),
    },
    "sockets/instance-network": {
        "instance-network": (124,),
    },
    "sockets/ip-name-lookup": {
        "resolve-addresses": (125, 2, 127),
        "[method]resolve-address-stream.resolve-next-address": (128, 133),
        "[method]resolve-address-stream.subscribe": (128, 16),
    },
    "sockets/tcp": {
        "[method]tcp-socket.start-bind": (134, 125, 137, 138),
        "[method]tcp-socket.finish-bind": (134, 138),
        "[method]tcp-socket.start-connect": (134, 125, 137, 138),
        "[method]tcp-socket.finish-connect": (134, 140),
        "[method]tcp-socket.start-listen": (134, 138),
        "[method]tcp-socket.finish-listen": (134, 138),
        "[method]tcp-socket.accept": (134, 143),
        "[method]tcp-socket.local-address": (134, 144),
        "[method]tcp-socket.remote-address": (134, 144),
        "[method]tcp-socket.is-listening": (134, 4),
        "[method]tcp-socket.address-family": (134, 145),
        "[method]tcp-socket.set-listen-backlog-size": (134, 9, 138),
        "[method]tcp-socket.keep-alive-enabled": (134, 146),
        "[method]tcp-socket.set-keep-alive-enabled": (134, 4, 138),
        "[method]tcp-socket.keep-alive-idle-time": (134, 147),
        "[method]tcp-socket.set-keep-alive-idle-time": (134, 9, 138),
        "[method]tcp-socket.keep-alive-interval": (134, 147),
        "[method]tcp-socket.set-keep-alive-interval": (134, 9, 138),
        "[method]tcp-socket.keep-alive-count": (134, 148),
        "[method]tcp-socket.set-keep-alive-count": (134, 6, 138),
        "[method]tcp-socket.hop-limit": (134, 149),
        "[method]tcp-socket.set-hop-limit": (134, 10, 138),
        "[method]tcp-socket.receive-buffer-size": (134, 147),
        "[method]tcp-socket.set-receive-buffer-size": (134, 9, 138),
        "[method]tcp-socket.send-buffer-size": (134, 147),
        "[method]tcp-socket.set-send-buffer-size": (134, 9, 138),
        "[method]tcp-socket.subscribe": (134, 16),
        "[method]tcp-socket.shutdown": (134, 150, 138),
    },
    "sockets/tcp-create-socket": {
        "create-tcp-socket": (145, 151),
    },
    "sockets/udp": {
        "[method]udp-socket.start-bind": (152, 125, 137, 138),
        "[method]udp-socket.finish-bind": (152, 138),
        "[method]udp-socket.stream": (152, 153, 157),
        "[method]udp-socket.local-address": (152, 144),
        "[method]udp-socket.remote-address": (152, 144),
        "[method]udp-socket.address-family": (152, 145),
        "[method]udp-socket.unicast-hop-limit": (152, 149),
        "[method]udp-socket.set-unicast-hop-limit": (152, 10, 138),
        "[method]udp-socket.receive-buffer-size": (152, 147),
        "[method]udp-socket.set-receive-buffer-size": (152, 9, 138),
        "[method]udp-socket.send-buffer-size": (152, 147),
        "[method]udp-socket.set-send-buffer-size": (152, 9, 138),
        "[method]udp-socket.subscribe": (152, 16),
        "[method]incoming-datagram-stream.receive": (158, 9, 161),
        "[method]incoming-datagram-stream.subscribe": (158, 16),
        "[method]outgoing-datagram-stream.check-send": (162, 147),
        "[method]outgoing-datagram-stream.send": (162, 164, 147),
        "[method]outgoing-datagram-stream.subscribe": (162, 16),
    },
    "sockets/udp-create-socket": {
        "create-udp-socket": (145, 166),
    },
}
