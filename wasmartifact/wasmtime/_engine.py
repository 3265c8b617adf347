"""Engine: what modules are compiled with, and the epoch of its stores."""

from __future__ import annotations

from wasmartifact.wasmtime._closing import Managed, check_type
from wasmartifact.wasmtime._config import Config

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Protocol
    from weakref import WeakSet

    class _Watcher(Protocol):
        def _watch_epoch(self) -> None: ...


class Engine(Managed):
    """What modules and stores have in common.

    Parameters
    ----------
    config : Config, optional
        The engine takes it over: it can't be used again.
    """

    def __init__(self, config: Config | None = None) -> None:
        if config is None:
            config = Config()
        check_type(config, Config, "Config")
        self._settings = config._consume()
        self._epoch = 0
        if self._settings.epoch_interruption:
            from _thread import RLock  # one that a signal handler may take again in the thread that has it
            from weakref import WeakSet

            self._stores: WeakSet[_Watcher] = WeakSet()
            #: Of the epoch, and of the deadlines that stores have in it.
            self._epoch_lock = RLock()

    def increment_epoch(self) -> None:
        """Begin the next epoch, from any thread: calls end in the stores whose deadline has come."""
        self._check_open()
        if not self._settings.epoch_interruption:
            return
        with self._epoch_lock:
            self._epoch += 1
            for store in list(self._stores):
                store._watch_epoch()

    def is_pulley(self) -> bool:
        """Whether code is interpreted: never."""
        return False
