"""wa.Wasi: what a WASI program gets to see, and the functions that it imports."""

from __future__ import annotations

import os
from fcntl import F_DUPFD_CLOEXEC, fcntl

from wasmartifact import _types as types
from wasmartifact.wasi.functions import Functions
from wasmartifact.wasi.streams import as_stream

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final, Never, Self

    from wasmartifact.limits import Limits
    from wasmartifact.wasi.streams import Input, Output

    Text = str | bytes
    HostPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


#: What a mapping holds that a Wasi is given, for who gave something else.
_MAPPINGS: Final = {"env": "{'LANG': 'C'}", "preopens": "{'/guest': 'host'}"}

#: Descriptors 0 to 2, which every program has.
STREAMS: Final = 3


class ReadOnly:
    """A directory of the host that a WASI program can't change: ``preopens={"/data": wa.ReadOnly("host/dir")}``.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        The directory on the host.

    Examples
    --------
    >>> wa.Wasi(args=["prog"], preopens={"/data": wa.ReadOnly("."), "/work": "."})
    <wasmartifact...Wasi object at ...>
    """

    __slots__ = ("path",)

    def __init__(self, path: HostPath) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"ReadOnly({self.path!r})"


class Wasi(types.WasiHost):
    """WASI preview 1 for one program, which sees nothing but what is given here; its instance takes `imports`.

    Parameters
    ----------
    args : iterable of str
        Arguments; ``args[0]`` is the program's name.
    env : mapping of str to str
        Environment variables.
    preopens : mapping of str to str, bytes, os.PathLike or ReadOnly
        Directories that the program may use, by the name that it knows them by; `ReadOnly` around a path keeps it
        from changing anything. They stay open as long as the Wasi or an instance that uses it lives.
    stdin, stdout, stderr : int, file object, callable or None
        None is an empty input, a discarded output. A number or an object with ``fileno()`` is used directly, by a
        duplicate (what Python had buffered for output is written before). Other file objects, binary or text (UTF-8),
        are read with ``read(size)`` and written with ``write(data)``; a callable is called likewise. What these raise
        passes through the program.
    sockets : iterable of int or socket
        Open sockets, which get the numbers after the preopened directories, the first of which is 3. Duplicated.
    http : urllib3.PoolManager or bool, optional
        Sends the requests of components by wasi:http; without one they can't make any. They reach what it reaches, and
        True is a ``urllib3.PoolManager()``, which reaches whatever this process does.
    network : bool or callable, optional
        Whether components may have sockets of TCP and UDP, and look names up. A callable is asked for each address:
        ``network(use, host, port)`` says whether they may; ``use`` is ``tcp-bind``, ``tcp-connect``, ``udp-bind``,
        ``udp-connect``, ``udp-send`` or ``name-lookup``, for which ``host`` is the name and ``port`` 0.
    limits : Limits, optional
        ``descriptors`` is how many the program may have open at a time. The other limits are for its `Store`.

    Raises
    ------
    LimitExceeded
        The streams, preopened directories and sockets are more descriptors than that.
    OSError
        A directory can't be opened, a descriptor is none.
    TypeError, ValueError
        Arguments of the wrong kind; strings with a zero character; a variable's name with ``=``.

    Examples
    --------
    >>> output = io.BytesIO()
    >>> wasi = wa.Wasi(args=["hello"], stdout=output)
    >>> instance = wa.compile("hello.wat").instantiate(wasi.imports())
    >>> try:
    ...     instance.exports["_start"]()
    ... except wa.Exit as end:
    ...     print(end.code, output.getvalue())
    3 b'hello\\n'
    """

    __slots__ = ("_files", "_given", "_http", "_interfaces", "_network", "_streams")
    _files: list[Any]
    _streams: list[Any]
    _given: tuple[Any, ...]
    _http: Any
    _network: Callable[[str, str, int], object] | None
    _interfaces: Any

    def __new__(
        cls,
        args: Iterable[Text] = (),
        env: Mapping[Text, Text] | None = None,
        preopens: Mapping[Text, HostPath | ReadOnly] | None = None,
        stdin: Input = None,
        stdout: Output = None,
        stderr: Output = None,
        *,
        sockets: Iterable[Any] = (),
        http: Any = None,
        network: bool | Callable[[str, str, int], object] | None = None,
        limits: Limits | None = None,
        **unknown: Never,
    ) -> Self:
        """See the class."""
        if unknown:
            from wasmartifact.hints import unknown_argument

            raise unknown_argument("Wasi", *unknown)
        args = tuple(args) if isinstance(args, tuple | list) else _words("args", args)
        _check_mapping("env", env)
        _check_mapping("preopens", preopens)
        self = super().__new__(cls, _strings("args", args), _strings("env", _variables(env)) if env else b"")
        self._files = []
        directories = {guest: isinstance(path, ReadOnly) for guest, path in (preopens or {}).items()}
        self._given = (args, dict(env or {}), directories)
        self._network = _network(network)
        self._interfaces = None
        self._give_http(http)
        self._streams = []
        sockets = tuple(sockets) if isinstance(sockets, tuple | list) else _sockets(sockets)
        if limits is not None:
            self._limit(limits, given=STREAMS + len(preopens or ()) + len(sockets))
        for name, stream, writes in (("stdin", stdin, False), ("stdout", stdout, True), ("stderr", stderr, True)):
            self._give_stream(name, stream, writes)
        for guest_path, host_path in (preopens or {}).items():
            self._give_directory(_bytes("preopens", guest_path), host_path)
        for socket in sockets:
            number = socket if isinstance(socket, int) else _socket_number(socket)
            self._give_descriptor(number, types.WASI_INPUT | types.WASI_OUTPUT)
        return self

    def imports(self) -> dict[str, dict[str, types.Func]]:
        """Give the functions that a program imports, for `Artifact.instantiate`.

        Returns
        -------
        dict
            The import modules ``wasi_snapshot_preview1`` and ``wasi_unstable``, each a dictionary of Funcs by name; a
            Func is made when it is first asked for. Components find the interfaces of WASI 0.2 by these, too.
            Functions of other modules can be added: ``wasi.imports() | {"env": {...}}``.
        """
        for file in self._files:  # what Python wrote before the program starts comes first
            if not file.closed:
                file.flush()
        return {
            "wasi_snapshot_preview1": Functions(self, is_unstable=False),
            "wasi_unstable": Functions(self, is_unstable=True),
        }

    def _serves(self, interface: str) -> bool:
        """Whether an interface is one of WASI 0.2."""
        from wasmartifact.wasi.preview2 import serves

        return serves(interface)

    def _component_interfaces(self) -> Any:
        """The interfaces of WASI 0.2, with the same arguments, variables and streams."""
        return self._interfaces_with(self._http)

    def _interfaces_with(self, client: Any) -> Any:
        """The same, their requests sent by a client: kept for components that have that one."""
        if self._interfaces is not None and self._interfaces.http is client:
            return self._interfaces
        from wasmartifact.wasi.preview2 import Preview2

        args, env, directories = self._given
        variables = [(_text(name), _text(value)) for name, value in env.items()]
        self._interfaces = Preview2(
            self,
            [*map(_text, args)],
            variables,
            tuple(self._streams),
            dict(enumerate(((_text(name), is_read_only) for name, is_read_only in directories.items()), STREAMS)),
            client,
            self._network,
        )
        return self._interfaces

    def _renew(self, kind: str, name: str) -> object:
        """What the component of a snapshot has, one of `HOST_OBJECT_KINDS`. Raises UnlinkableModule."""
        from wasmartifact.wasi.component_kept import renew

        return renew(self._component_interfaces(), kind, name)

    def _give_http(self, client: Any) -> None:
        """Have requests of components that are instantiated from now on sent by a client; None, False: by nobody."""
        if client is not None and not isinstance(client, bool) and not callable(getattr(client, "request", None)):
            raise TypeError(f"http must be a urllib3.PoolManager, or True for one, found {type(client).__name__}")
        self._http = client or None

    def _limit(self, limits: Limits, given: int) -> None:
        from wasmartifact.limits import Limits

        if not isinstance(limits, Limits):
            raise TypeError(f"limits must be Limits, found {type(limits).__name__}")
        if limits.descriptors is None:
            return
        if given > limits.descriptors:
            from wasmartifact.errors import LimitExceeded

            raise LimitExceeded(
                f"a WASI program is given {given} descriptors ({STREAMS} streams, directories, sockets), its limits "
                f"allow {limits.descriptors} (descriptors); raise them, or give it less",
                which="descriptors",
                limit=limits.descriptors,
                wanted=given,
            )
        self._limit_descriptors(min(limits.descriptors, 2**32 - 1))

    def _give_stream(self, name: str, stream: Any, writes: bool) -> None:
        direction = types.WASI_OUTPUT if writes else types.WASI_INPUT
        found = None if stream is None else as_stream(name, stream, writes)
        self._streams.append(found)
        if isinstance(found, int):
            self._give_descriptor(found, direction)
            if writes and hasattr(stream, "flush") and hasattr(stream, "closed"):
                self._files.append(stream)
        else:
            self._add_stream(found, direction)

    def _give_descriptor(self, descriptor: int, direction: int) -> int:
        """Duplicated: the number may mean another file when the program uses it."""
        own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        try:
            return self._add_fd(own, direction)
        except OSError:
            os.close(own)
            raise

    def _give_directory(self, guest_path: bytes, host_path: HostPath | ReadOnly) -> None:
        is_read_only = isinstance(host_path, ReadOnly)
        path = host_path.path if isinstance(host_path, ReadOnly) else host_path
        own = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._add_directory(own, guest_path, is_read_only)
        except OSError:
            os.close(own)
            raise


def _sockets(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | bytes) or not hasattr(type(given), "__iter__"):
        from wasmartifact.arguments import wrong_type

        raise wrong_type("sockets", given, "an iterable of sockets or descriptors")
    return tuple(given)


def _socket_number(socket: Any) -> int:
    if not hasattr(socket, "fileno"):
        from wasmartifact.arguments import wrong_type

        raise wrong_type("sockets", socket, "sockets or descriptors")
    number: int = socket.fileno()
    return number


def _network(given: Any) -> Callable[[str, str, int], object] | None:
    """What says of an address whether sockets may use it; None where there are none."""
    if given is None or given is False:
        return None
    if given is True:
        return lambda use, host, port: True
    if not callable(given):
        raise TypeError(f"network must be True, or a callable of use, host and port, found {type(given).__name__}")
    found: Callable[[str, str, int], object] = given
    return found


def _text(text: Text) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def _bytes(name: str, text: Text) -> bytes:
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    elif not isinstance(text, bytes):
        raise TypeError(f"{name}: expected a string, found {type(text).__name__}")
    if b"\0" in text:
        raise ValueError(f"{name}: {text!r} has a zero character, which would end it early for the program")
    return text


def _words(name: str, words: Any) -> tuple[Any, ...]:
    from wasmartifact.arguments import words_of

    return words_of(name, words)


def _strings(name: str, texts: Iterable[Text]) -> bytes:
    return b"".join(_bytes(name, text) + b"\0" for text in texts)


def _check_mapping(name: str, given: object) -> None:
    """What has no items is a slip of its own: lists of pairs and of folders are what other packages take."""
    if given is not None and not hasattr(given, "items"):
        raise TypeError(f"{name}: expected a mapping such as {_MAPPINGS[name]}, found {type(given).__name__}")


def _variables(env: Mapping[Text, Text]) -> Iterable[bytes]:
    for key, value in env.items():
        name = _bytes("env", key)
        if not name or b"=" in name:
            raise ValueError(f"env: {key!r} is no name of a variable")
        yield name + b"=" + _bytes("env", value)
