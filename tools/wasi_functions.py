"""What the functions of WASI 0.2 take and give: tools/generate.py makes wasmartifact/component/wasi_types.py of it.

Types are what they consist of. What WASI calls a type or a parameter is left out: nobody sees it who calls a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Type:
    """Kind of a type, names of its parts where they have any, and their types; None is a part without a value."""

    kind: str
    names: tuple[str, ...] = ()
    parts: tuple[Type | None, ...] = ()


#: The types of the parameters, then that of the result, None for none.
Signature = tuple[Type | None, ...]


def own(resource: str) -> Type:
    """A handle that is handed over."""
    return Type("own", (resource,))


def borrow(resource: str) -> Type:
    """A handle that is lent for one call."""
    return Type("borrow", (resource,))


def list_of(element: Type) -> Type:
    """Any number of one type."""
    return Type("list", (), (element,))


def tuple_of(*parts: Type) -> Type:
    """One value of each type."""
    return Type("tuple", (), parts)


def option(value: Type) -> Type:
    """A value, or none."""
    return Type("option", (), (value,))


def result(ok: Type | None = None, error: Type | None = None) -> Type:
    """One of two."""
    return Type("result", (), (ok, error))


def record(parts: Mapping[str, Type]) -> Type:
    """One value under each name."""
    return Type("record", tuple(parts), tuple(parts.values()))


def variant(cases: str, values: Mapping[str, Type] | None = None) -> Type:
    """One of several cases, some of which have a value."""
    names = tuple(cases.split())
    return Type("variant", names, tuple([(values or {}).get(name) for name in names]))


def enum(cases: str) -> Type:
    """One of several names."""
    return _of_names("enum", cases)


def flags(names: str) -> Type:
    """Some of several names."""
    return _of_names("flags", names)


def _of_names(kind: str, text: str) -> Type:
    names = tuple(text.split())
    return Type(kind, names, (None,) * len(names))


def methods(resource: str, signatures: Mapping[str, Signature]) -> dict[str, Signature]:
    """Functions of a resource, which borrow it."""
    return {f"[method]{resource}.{name}": (borrow(resource), *parts) for name, parts in signatures.items()}


BOOL, STRING = Type("bool"), Type("string")
U8, U16, U32, U64 = Type("u8"), Type("u16"), Type("u32"), Type("u64")
BYTES = list_of(U8)
MAYBE_STRING, MAYBE_U32, MAYBE_U64 = option(STRING), option(U32), option(U64)
DONE = result()

# ---- streams and clocks --------------------------------------------------------------------------------------------

STREAM_ERROR = variant("last-operation-failed closed", {"last-operation-failed": own("error")})
DATETIME = record({"seconds": U64, "nanoseconds": U32})


def streamed(ok: Type | None = None) -> Type:
    """What working on a stream gives."""
    return result(ok, STREAM_ERROR)


# ---- files ---------------------------------------------------------------------------------------------------------

FILE_ERROR = enum(
    "access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence "
    "in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device "
    "no-entry no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported "
    "no-tty no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device"
)
FILE_TYPE = enum("unknown block-device character-device directory fifo symbolic-link regular-file socket")
FILE_FLAGS = flags("read write file-integrity-sync data-integrity-sync requested-write-sync mutate-directory")
PATH_FLAGS = flags("symlink-follow")
OPEN_FLAGS = flags("create directory exclusive truncate")
ADVICE = enum("normal sequential random will-need dont-need no-reuse")
NEW_TIME = variant("no-change now timestamp", {"timestamp": DATETIME})
STATUS = record(
    {
        "type": FILE_TYPE,
        "link-count": U64,
        "size": U64,
        "data-access-timestamp": option(DATETIME),
        "data-modification-timestamp": option(DATETIME),
        "status-change-timestamp": option(DATETIME),
    }
)
HASH = record({"lower": U64, "upper": U64})
ENTRY = record({"type": FILE_TYPE, "name": STRING})


def filed(ok: Type | None = None) -> Type:
    """What working on files gives."""
    return result(ok, FILE_ERROR)


# ---- HTTP ----------------------------------------------------------------------------------------------------------

FIELD_SIZE = record({"field-name": MAYBE_STRING, "field-size": MAYBE_U32})
HTTP_ERROR = variant(
    "DNS-timeout DNS-error destination-not-found destination-unavailable destination-IP-prohibited "
    "destination-IP-unroutable connection-refused connection-terminated connection-timeout connection-read-timeout "
    "connection-write-timeout connection-limit-reached TLS-protocol-error TLS-certificate-error TLS-alert-received "
    "HTTP-request-denied HTTP-request-length-required HTTP-request-body-size HTTP-request-method-invalid "
    "HTTP-request-URI-invalid HTTP-request-URI-too-long HTTP-request-header-section-size HTTP-request-header-size "
    "HTTP-request-trailer-section-size HTTP-request-trailer-size HTTP-response-incomplete "
    "HTTP-response-header-section-size HTTP-response-header-size HTTP-response-body-size "
    "HTTP-response-trailer-section-size HTTP-response-trailer-size HTTP-response-transfer-coding "
    "HTTP-response-content-coding HTTP-response-timeout HTTP-upgrade-failed HTTP-protocol-error loop-detected "
    "configuration-error internal-error",
    {
        "DNS-error": record({"rcode": MAYBE_STRING, "info-code": option(U16)}),
        "TLS-alert-received": record({"alert-id": option(U8), "alert-message": MAYBE_STRING}),
        "HTTP-request-body-size": MAYBE_U64,
        "HTTP-request-header-section-size": MAYBE_U32,
        "HTTP-request-header-size": option(FIELD_SIZE),
        "HTTP-request-trailer-section-size": MAYBE_U32,
        "HTTP-request-trailer-size": FIELD_SIZE,
        "HTTP-response-header-section-size": MAYBE_U32,
        "HTTP-response-header-size": FIELD_SIZE,
        "HTTP-response-body-size": MAYBE_U64,
        "HTTP-response-trailer-section-size": MAYBE_U32,
        "HTTP-response-trailer-size": FIELD_SIZE,
        "HTTP-response-transfer-coding": MAYBE_STRING,
        "HTTP-response-content-coding": MAYBE_STRING,
        "internal-error": MAYBE_STRING,
    },
)
HEADER_ERROR = variant("invalid-syntax forbidden immutable")
HEADERS = list_of(tuple_of(STRING, BYTES))
METHOD = variant("get head post put delete connect options trace patch other", {"other": STRING})
SCHEME = variant("HTTP HTTPS other", {"other": STRING})


def requested(ok: Type | None = None) -> Type:
    """What sending and receiving gives."""
    return result(ok, HTTP_ERROR)


def edited(ok: Type | None = None) -> Type:
    """What changing headers gives."""
    return result(ok, HEADER_ERROR)


# ---- sockets -------------------------------------------------------------------------------------------------------

SOCKET_ERROR = enum(
    "unknown access-denied not-supported invalid-argument out-of-memory timeout concurrency-conflict not-in-progress "
    "would-block invalid-state new-socket-limit address-not-bindable address-in-use remote-unreachable "
    "connection-refused connection-reset connection-aborted datagram-too-large name-unresolvable "
    "temporary-resolver-failure permanent-resolver-failure"
)
FAMILY = enum("ipv4 ipv6")
IPV4 = tuple_of(*[U8] * 4)
IPV6 = tuple_of(*[U16] * 8)
IP_ADDRESS = variant("ipv4 ipv6", {"ipv4": IPV4, "ipv6": IPV6})
SOCKET_ADDRESS = variant(
    "ipv4 ipv6",
    {
        "ipv4": record({"port": U16, "address": IPV4}),
        "ipv6": record({"port": U16, "flow-info": U32, "address": IPV6, "scope-id": U32}),
    },
)
SHUTDOWN = enum("receive send both")
RECEIVED = record({"data": BYTES, "remote-address": SOCKET_ADDRESS})
SENT = record({"data": BYTES, "remote-address": option(SOCKET_ADDRESS)})


def networked(ok: Type | None = None) -> Type:
    """What working on sockets gives."""
    return result(ok, SOCKET_ERROR)


# ---- the table -----------------------------------------------------------------------------------------------------

#: By interface, without version, and name. Constructors give the resource, and functions marked static borrow none.
FUNCTIONS: Final[Mapping[str, Mapping[str, Signature]]] = {
    "io/error": {**methods("error", {"to-debug-string": (STRING,)})},
    "io/poll": {
        **methods("pollable", {"ready": (BOOL,), "block": (None,)}),
        "poll": (list_of(borrow("pollable")), list_of(U32)),
    },
    "io/streams": {
        **methods(
            "input-stream",
            {
                "read": (U64, streamed(BYTES)),
                "blocking-read": (U64, streamed(BYTES)),
                "skip": (U64, streamed(U64)),
                "blocking-skip": (U64, streamed(U64)),
                "subscribe": (own("pollable"),),
            },
        ),
        **methods(
            "output-stream",
            {
                "check-write": (streamed(U64),),
                "write": (BYTES, streamed()),
                "blocking-write-and-flush": (BYTES, streamed()),
                "flush": (streamed(),),
                "blocking-flush": (streamed(),),
                "subscribe": (own("pollable"),),
                "write-zeroes": (U64, streamed()),
                "blocking-write-zeroes-and-flush": (U64, streamed()),
                "splice": (borrow("input-stream"), U64, streamed(U64)),
                "blocking-splice": (borrow("input-stream"), U64, streamed(U64)),
            },
        ),
    },
    "cli/environment": {
        "get-environment": (list_of(tuple_of(STRING, STRING)),),
        "get-arguments": (list_of(STRING),),
        "initial-cwd": (MAYBE_STRING,),
    },
    "cli/exit": {"exit": (DONE, None), "exit-with-code": (U8, None)},
    "cli/run": {"run": (DONE,)},
    "cli/stdin": {"get-stdin": (own("input-stream"),)},
    "cli/stdout": {"get-stdout": (own("output-stream"),)},
    "cli/stderr": {"get-stderr": (own("output-stream"),)},
    "cli/terminal-stdin": {"get-terminal-stdin": (option(own("terminal-input")),)},
    "cli/terminal-stdout": {"get-terminal-stdout": (option(own("terminal-output")),)},
    "cli/terminal-stderr": {"get-terminal-stderr": (option(own("terminal-output")),)},
    "clocks/monotonic-clock": {
        "now": (U64,),
        "resolution": (U64,),
        "subscribe-instant": (U64, own("pollable")),
        "subscribe-duration": (U64, own("pollable")),
    },
    "clocks/wall-clock": {"now": (DATETIME,), "resolution": (DATETIME,)},
    "filesystem/types": {
        **methods(
            "descriptor",
            {
                "read-via-stream": (U64, filed(own("input-stream"))),
                "write-via-stream": (U64, filed(own("output-stream"))),
                "append-via-stream": (filed(own("output-stream")),),
                "advise": (U64, U64, ADVICE, filed()),
                "sync-data": (filed(),),
                "get-flags": (filed(FILE_FLAGS),),
                "get-type": (filed(FILE_TYPE),),
                "set-size": (U64, filed()),
                "set-times": (NEW_TIME, NEW_TIME, filed()),
                "read": (U64, U64, filed(tuple_of(BYTES, BOOL))),
                "write": (BYTES, U64, filed(U64)),
                "read-directory": (filed(own("directory-entry-stream")),),
                "sync": (filed(),),
                "create-directory-at": (STRING, filed()),
                "stat": (filed(STATUS),),
                "stat-at": (PATH_FLAGS, STRING, filed(STATUS)),
                "set-times-at": (PATH_FLAGS, STRING, NEW_TIME, NEW_TIME, filed()),
                "link-at": (PATH_FLAGS, STRING, borrow("descriptor"), STRING, filed()),
                "open-at": (PATH_FLAGS, STRING, OPEN_FLAGS, FILE_FLAGS, filed(own("descriptor"))),
                "readlink-at": (STRING, filed(STRING)),
                "remove-directory-at": (STRING, filed()),
                "rename-at": (STRING, borrow("descriptor"), STRING, filed()),
                "symlink-at": (STRING, STRING, filed()),
                "unlink-file-at": (STRING, filed()),
                "is-same-object": (borrow("descriptor"), BOOL),
                "metadata-hash": (filed(HASH),),
                "metadata-hash-at": (PATH_FLAGS, STRING, filed(HASH)),
            },
        ),
        **methods("directory-entry-stream", {"read-directory-entry": (filed(option(ENTRY)),)}),
        "filesystem-error-code": (borrow("error"), option(FILE_ERROR)),
    },
    "filesystem/preopens": {"get-directories": (list_of(tuple_of(own("descriptor"), STRING)),)},
    "http/types": {
        "http-error-code": (borrow("error"), option(HTTP_ERROR)),
        "[constructor]fields": (own("fields"),),
        "[static]fields.from-list": (HEADERS, edited(own("fields"))),
        **methods(
            "fields",
            {
                "get": (STRING, list_of(BYTES)),
                "has": (STRING, BOOL),
                "set": (STRING, list_of(BYTES), edited()),
                "delete": (STRING, edited()),
                "append": (STRING, BYTES, edited()),
                "entries": (HEADERS,),
                "clone": (own("fields"),),
            },
        ),
        **methods(
            "incoming-request",
            {
                "method": (METHOD,),
                "path-with-query": (MAYBE_STRING,),
                "scheme": (option(SCHEME),),
                "authority": (MAYBE_STRING,),
                "headers": (own("fields"),),
                "consume": (result(own("incoming-body")),),
            },
        ),
        "[constructor]outgoing-request": (own("fields"), own("outgoing-request")),
        **methods(
            "outgoing-request",
            {
                "body": (result(own("outgoing-body")),),
                "method": (METHOD,),
                "set-method": (METHOD, DONE),
                "path-with-query": (MAYBE_STRING,),
                "set-path-with-query": (MAYBE_STRING, DONE),
                "scheme": (option(SCHEME),),
                "set-scheme": (option(SCHEME), DONE),
                "authority": (MAYBE_STRING,),
                "set-authority": (MAYBE_STRING, DONE),
                "headers": (own("fields"),),
            },
        ),
        "[constructor]request-options": (own("request-options"),),
        **methods(
            "request-options",
            {
                "connect-timeout": (MAYBE_U64,),
                "set-connect-timeout": (MAYBE_U64, DONE),
                "first-byte-timeout": (MAYBE_U64,),
                "set-first-byte-timeout": (MAYBE_U64, DONE),
                "between-bytes-timeout": (MAYBE_U64,),
                "set-between-bytes-timeout": (MAYBE_U64, DONE),
            },
        ),
        **methods("response-outparam", {"send-informational": (U16, own("fields"), requested())}),
        "[static]response-outparam.set": (own("response-outparam"), requested(own("outgoing-response")), None),
        **methods(
            "incoming-response",
            {"status": (U16,), "headers": (own("fields"),), "consume": (result(own("incoming-body")),)},
        ),
        **methods("incoming-body", {"stream": (result(own("input-stream")),)}),
        "[static]incoming-body.finish": (own("incoming-body"), own("future-trailers")),
        **methods(
            "future-trailers",
            {"subscribe": (own("pollable"),), "get": (option(result(requested(option(own("fields"))))),)},
        ),
        "[constructor]outgoing-response": (own("fields"), own("outgoing-response")),
        **methods(
            "outgoing-response",
            {
                "status-code": (U16,),
                "set-status-code": (U16, DONE),
                "headers": (own("fields"),),
                "body": (result(own("outgoing-body")),),
            },
        ),
        **methods("outgoing-body", {"write": (result(own("output-stream")),)}),
        "[static]outgoing-body.finish": (own("outgoing-body"), option(own("fields")), requested()),
        **methods(
            "future-incoming-response",
            {"subscribe": (own("pollable"),), "get": (option(result(requested(own("incoming-response")))),)},
        ),
    },
    "http/incoming-handler": {"handle": (own("incoming-request"), own("response-outparam"), None)},
    "http/outgoing-handler": {
        "handle": (own("outgoing-request"), option(own("request-options")), requested(own("future-incoming-response")))
    },
    "random/insecure-seed": {"insecure-seed": (tuple_of(U64, U64),)},
    "random/insecure": {"get-insecure-random-bytes": (U64, BYTES), "get-insecure-random-u64": (U64,)},
    "random/random": {"get-random-bytes": (U64, BYTES), "get-random-u64": (U64,)},
    "sockets/network": {"network-error-code": (borrow("error"), option(SOCKET_ERROR))},
    "sockets/instance-network": {"instance-network": (own("network"),)},
    "sockets/ip-name-lookup": {
        "resolve-addresses": (borrow("network"), STRING, networked(own("resolve-address-stream"))),
        **methods(
            "resolve-address-stream",
            {"resolve-next-address": (networked(option(IP_ADDRESS)),), "subscribe": (own("pollable"),)},
        ),
    },
    "sockets/tcp": {
        **methods(
            "tcp-socket",
            {
                "start-bind": (borrow("network"), SOCKET_ADDRESS, networked()),
                "finish-bind": (networked(),),
                "start-connect": (borrow("network"), SOCKET_ADDRESS, networked()),
                "finish-connect": (networked(tuple_of(own("input-stream"), own("output-stream"))),),
                "start-listen": (networked(),),
                "finish-listen": (networked(),),
                "accept": (networked(tuple_of(own("tcp-socket"), own("input-stream"), own("output-stream"))),),
                "local-address": (networked(SOCKET_ADDRESS),),
                "remote-address": (networked(SOCKET_ADDRESS),),
                "is-listening": (BOOL,),
                "address-family": (FAMILY,),
                "set-listen-backlog-size": (U64, networked()),
                "keep-alive-enabled": (networked(BOOL),),
                "set-keep-alive-enabled": (BOOL, networked()),
                "keep-alive-idle-time": (networked(U64),),
                "set-keep-alive-idle-time": (U64, networked()),
                "keep-alive-interval": (networked(U64),),
                "set-keep-alive-interval": (U64, networked()),
                "keep-alive-count": (networked(U32),),
                "set-keep-alive-count": (U32, networked()),
                "hop-limit": (networked(U8),),
                "set-hop-limit": (U8, networked()),
                "receive-buffer-size": (networked(U64),),
                "set-receive-buffer-size": (U64, networked()),
                "send-buffer-size": (networked(U64),),
                "set-send-buffer-size": (U64, networked()),
                "subscribe": (own("pollable"),),
                "shutdown": (SHUTDOWN, networked()),
            },
        )
    },
    "sockets/tcp-create-socket": {"create-tcp-socket": (FAMILY, networked(own("tcp-socket")))},
    "sockets/udp": {
        **methods(
            "udp-socket",
            {
                "start-bind": (borrow("network"), SOCKET_ADDRESS, networked()),
                "finish-bind": (networked(),),
                "stream": (
                    option(SOCKET_ADDRESS),
                    networked(tuple_of(own("incoming-datagram-stream"), own("outgoing-datagram-stream"))),
                ),
                "local-address": (networked(SOCKET_ADDRESS),),
                "remote-address": (networked(SOCKET_ADDRESS),),
                "address-family": (FAMILY,),
                "unicast-hop-limit": (networked(U8),),
                "set-unicast-hop-limit": (U8, networked()),
                "receive-buffer-size": (networked(U64),),
                "set-receive-buffer-size": (U64, networked()),
                "send-buffer-size": (networked(U64),),
                "set-send-buffer-size": (U64, networked()),
                "subscribe": (own("pollable"),),
            },
        ),
        **methods(
            "incoming-datagram-stream",
            {"receive": (U64, networked(list_of(RECEIVED))), "subscribe": (own("pollable"),)},
        ),
        **methods(
            "outgoing-datagram-stream",
            {"check-send": (networked(U64),), "send": (list_of(SENT), networked(U64)), "subscribe": (own("pollable"),)},
        ),
    },
    "sockets/udp-create-socket": {"create-udp-socket": (FAMILY, networked(own("udp-socket")))},
}
