"""WASI 0.2 for components: the same arguments, variables and streams that preview 1 has, as interfaces.

An interface is an object whose attributes are its functions and resources, by their Python names.
What is not here is named when it is called.
"""

from __future__ import annotations

import os
import time

from wasmartifact.runtime.component_types import Err
from wasmartifact.wasi.component_io import (
    CallableInput,
    CallableOutput,
    DescriptorInput,
    DescriptorOutput,
    InputStream,
    IoError,
    OutputStream,
    Pollable,
    datetime,
    wait,
)

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

    from wasmartifact import _types as types
    from wasmartifact.runtime.component_imports import Wanted

_LAST_INSTANT: Final = 2**64 - 1
#: So many functions that components want are remembered.
_MOST_CALLABLES: Final = 10_000
#: Functions of resources that belong to no object; there are no others, whatever a component imports.
_STATIC: Final = frozenset((
    "[constructor]fields", "[constructor]outgoing-request", "[constructor]request-options", "[static]fields.from-list",
    "[static]incoming-body.finish", "[static]outgoing-body.finish",
))  # fmt: skip
#: What the memory of a component can hold.
_MOST_BYTES: Final = 2**32


class Terminal:
    """wasi:cli/terminal-input and -output: says that a stream is one."""


class Network:
    """wasi:sockets/network: leads nowhere."""


class _Interface:
    """Functions of an interface, or of a resource in it; one that is not here is named when it is called."""

    def __init__(self, name: str, **items: Any) -> None:
        self._name = name
        self.__dict__.update(items)

    def _has_of_wasi(self, name: str) -> bool:
        """For those who link: all of it is this package's."""
        return True

    def __getattr__(self, name: str) -> _Interface:
        if name.startswith("__"):
            raise AttributeError(name)
        made = self.__dict__[name] = _Interface(f"{self._name}.{name}")
        return made

    def __call__(self, *arguments: object) -> NoReturn:
        place, _, name = self._name.rpartition(".")
        hint = ", or let it make requests: wa.Wasi(http=True), run --http" if place.startswith("wasi:http/") else ""
        raise NotImplementedError(f"{place} has no {name} here; give the interface to instantiate yourself{hint}")


def _denied(*_: object) -> NoReturn:
    raise Err("access-denied")


def _nothing(*_: object) -> None:
    return None


def _exit(code: int) -> NoReturn:
    from wasmartifact.runtime.native_errors import make_exit

    raise make_exit(code)


def _random_bytes(size_bytes: int) -> bytes:
    if size_bytes > _MOST_BYTES:
        raise ValueError(f"wasi:random: {size_bytes} bytes fit into no component's memory")
    return os.urandom(size_bytes)


def _random_u64() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _is_in_wit(name: str, found: object) -> bool:
    """Whether what a name leads to is a function of WASI: classes of Python have more than those."""
    if name.startswith(("[constructor]", "[static]")):
        return name in _STATIC
    return not name.startswith("[") or (getattr(found, "__module__", None) or "").startswith("wasmartifact.")


def serves(name: str) -> bool:
    """Whether an interface is one of WASI 0.2."""
    space, _, rest = name.partition(":")
    package, _, version = rest.partition("@")
    return space == "wasi" and version.startswith("0.2.") and package.partition("/")[0] in _PACKAGES


class Preview2:
    """The interfaces of WASI 0.2 for one program.

    Parameters
    ----------
    host : WasiHost
        Its descriptors: three streams, then the preopened directories.
    args, env : list
        Arguments, and variables as pairs.
    streams : tuple
        Input, output and error output, as `streams.as_stream` gives them.
    directories : dict
        Each preopened directory by its descriptor: what the program calls it, and whether it may change nothing in it.
    http : urllib3.PoolManager | True | None
        Sends requests.
    network : callable | None
        Says of each address whether sockets may use it; None: there are no sockets.
    """

    def __init__(
        self,
        host: types.WasiHost,
        args: list[str],
        env: list[tuple[str, str]],
        streams: tuple[Any, Any, Any],
        directories: dict[int, tuple[str, bool]],
        http: Any,
        network: Callable[[str, str, int], object] | None,
    ) -> None:
        self._host = host
        self._args = args
        self._env = env
        self._streams = streams
        self._directories = directories
        self.http = http
        self._network = network
        self._sockets_made: Any = None
        self._known: dict[str, object] = {}
        self._callables: dict[Wanted, Callable[..., Any]] = {}

    def _input(self) -> InputStream:
        stream = self._streams[0]
        return DescriptorInput(self._host, 0) if isinstance(stream, int) else CallableInput(self._host, stream)

    def _output(self, number: int) -> OutputStream:
        stream = self._streams[number]
        if isinstance(stream, int):
            return DescriptorOutput(self._host, number)
        return CallableOutput(self._host, number, stream)

    def _terminal(self, number: int) -> Terminal | None:
        stream = self._streams[number]
        return Terminal() if isinstance(stream, int) and os.isatty(stream) else None

    def interface(self, name: str) -> object:
        """An interface by its name, whatever its version; None where WASI 0.2 has none of this name."""
        if not serves(name):
            return None
        stem = name.removeprefix("wasi:").partition("@")[0]
        if stem not in self._known:
            make = getattr(self, "_" + stem.replace("/", "_").replace("-", "_"), None)
            self._known[stem] = _Interface(name, **(make() if make is not None else {}))
        return self._known[stem]

    def callable_of(self, wanted: Wanted) -> Callable[..., Any]:
        """The function that a component imports: it stays the same. Raises NotImplementedError where it is not here."""
        found = self._callables.get(wanted)
        if found is None:
            interface = wanted.interface or ""
            found = wanted.find(self.interface(interface))
            if not callable(found) or not _is_in_wit(wanted.name, found):
                found = _Interface(f"{interface}.{wanted.name}")
            if len(self._callables) >= _MOST_CALLABLES:
                self._callables.clear()  # of components that may be gone
            self._callables[wanted] = found
        return found

    def _io_error(self) -> dict[str, Any]:
        return {"Error": IoError}

    def _io_poll(self) -> dict[str, Any]:
        return {"Pollable": Pollable, "poll": lambda pollables: wait(self._host, pollables)}

    def _io_streams(self) -> dict[str, Any]:
        return {"InputStream": InputStream, "OutputStream": OutputStream}

    def _cli_environment(self) -> dict[str, Any]:
        return {
            "get_environment": lambda: self._env,
            "get_arguments": lambda: self._args,
            "initial_cwd": _nothing,
        }

    def _cli_exit(self) -> dict[str, Any]:
        return {"exit": lambda status: _exit(int(isinstance(status, Err))), "exit_with_code": _exit}

    def _cli_stdin(self) -> dict[str, Any]:
        return {"get_stdin": self._input}

    def _cli_stdout(self) -> dict[str, Any]:
        return {"get_stdout": lambda: self._output(1)}

    def _cli_stderr(self) -> dict[str, Any]:
        return {"get_stderr": lambda: self._output(2)}

    def _cli_terminal_stdin(self) -> dict[str, Any]:
        return {"get_terminal_stdin": lambda: self._terminal(0)}

    def _cli_terminal_stdout(self) -> dict[str, Any]:
        return {"get_terminal_stdout": lambda: self._terminal(1)}

    def _cli_terminal_stderr(self) -> dict[str, Any]:
        return {"get_terminal_stderr": lambda: self._terminal(2)}

    def _clocks_monotonic_clock(self) -> dict[str, Any]:
        return {
            "now": time.monotonic_ns,
            "resolution": lambda: 1,
            "subscribe_instant": lambda due: Pollable(self._host, due),
            "subscribe_duration": self._after,
        }

    def _after(self, nanoseconds: int) -> Pollable:
        return Pollable(self._host, min(time.monotonic_ns() + nanoseconds, _LAST_INSTANT))

    def _clocks_wall_clock(self) -> dict[str, Any]:
        return {"now": lambda: datetime(time.time_ns()), "resolution": lambda: datetime(1)}

    def _random_random(self) -> dict[str, Any]:
        return {"get_random_bytes": _random_bytes, "get_random_u64": _random_u64}

    def _random_insecure(self) -> dict[str, Any]:
        return {"get_insecure_random_bytes": _random_bytes, "get_insecure_random_u64": _random_u64}

    def _random_insecure_seed(self) -> dict[str, Any]:
        return {"insecure_seed": lambda: (_random_u64(), _random_u64())}

    def _filesystem_preopens(self) -> dict[str, Any]:
        from wasmartifact.wasi.component_files import preopened

        def directories() -> list[tuple[Any, str]]:
            return [
                (preopened(self._host, number, is_read_only), name)
                for number, (name, is_read_only) in self._directories.items()
            ]

        return {"get_directories": directories}

    def _filesystem_types(self) -> dict[str, Any]:
        from wasmartifact.wasi.component_files import Descriptor, DirectoryEntryStream, error_code

        return {
            "Descriptor": Descriptor,
            "DirectoryEntryStream": DirectoryEntryStream,
            "filesystem_error_code": error_code,
        }

    def _http_types(self) -> dict[str, Any]:
        if self.http is None:
            return {}
        from wasmartifact.wasi.component_http import interface

        return interface(self._host)

    def _http_outgoing_handler(self) -> dict[str, Any]:
        if self.http is None:
            return {}
        from wasmartifact.wasi.component_http import Sender

        return {"handle": Sender(self._host, self.http).handle}

    def _sockets(self) -> Any:
        """The functions of sockets, where there is a network; made once."""
        if self._network is not None and self._sockets_made is None:
            from wasmartifact.wasi.component_sockets import Sockets

            self._sockets_made = Sockets(self._host, self._network)
        return self._sockets_made

    def _sockets_network(self) -> dict[str, Any]:
        if self._network is None:
            return {"Network": Network, "network_error_code": _nothing}
        from wasmartifact.wasi.component_sockets import network_error_code

        return {"Network": Network, "network_error_code": network_error_code}

    def _sockets_instance_network(self) -> dict[str, Any]:
        return {"instance_network": Network}

    def _sockets_tcp_create_socket(self) -> dict[str, Any]:
        sockets = self._sockets()
        return {"create_tcp_socket": _denied if sockets is None else sockets.create_tcp_socket}

    def _sockets_udp_create_socket(self) -> dict[str, Any]:
        sockets = self._sockets()
        return {"create_udp_socket": _denied if sockets is None else sockets.create_udp_socket}

    def _sockets_ip_name_lookup(self) -> dict[str, Any]:
        if self._network is None:
            return {"resolve_addresses": _denied}
        from wasmartifact.wasi.component_sockets import ResolveAddressStream

        return {"resolve_addresses": self._sockets().resolve_addresses, "ResolveAddressStream": ResolveAddressStream}

    def _sockets_tcp(self) -> dict[str, Any]:
        if self._network is None:
            return {}
        from wasmartifact.wasi.component_sockets import TcpSocket

        return {"TcpSocket": TcpSocket}

    def _sockets_udp(self) -> dict[str, Any]:
        if self._network is None:
            return {}
        from wasmartifact.wasi.component_sockets import IncomingDatagramStream, OutgoingDatagramStream, UdpSocket

        return {
            "IncomingDatagramStream": IncomingDatagramStream,
            "OutgoingDatagramStream": OutgoingDatagramStream,
            "UdpSocket": UdpSocket,
        }


_PACKAGES: Final = frozenset(("io", "cli", "clocks", "random", "filesystem", "sockets", "http"))
