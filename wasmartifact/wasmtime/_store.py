"""Store: what instances live in, with its fuel, epoch, limits and WASI program."""

from __future__ import annotations

from wasmartifact import _types as native
from wasmartifact.limits import Limits
from wasmartifact.wasmtime._closing import Managed, check_type, wasmtime_error
from wasmartifact.wasmtime._engine import Engine

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any, Final

    from wasmartifact.wasi.host import Wasi
    from wasmartifact.wasmtime._wasi import WasiConfig

#: The largest amount that the package takes; wasmtime's largest one is twice that.
_MAX_FUEL: Final = 2**63 - 1
#: With limits, if none yet, so that they can be set later.
_UNLIMITED = Limits()


class Store(Managed):
    """What instances live in. Any thread may use and drop it; one at a time is inside.

    Parameters
    ----------
    engine : Engine, optional
    data : object, optional
        What `data` gives.

    Attributes
    ----------
    engine : Engine
    native : wasmartifact.Store
        The store of the package, for what wasmtime-py has no names for: ``with store.native.deadline(seconds):``.
    """

    #: What every Storelike has: whether it can't be used any more.
    _ended = False

    def __init__(self, engine: Engine | None = None, data: Any | None = None) -> None:
        if engine is None:
            engine = Engine()
        check_type(engine, Engine, "an Engine")
        engine._check_open()
        settings = engine._settings
        self.engine = engine
        self._data = data
        self._limits: dict[str, int] = {}
        self._counts = {"tables": 0, "memories": 0}
        self._program: Wasi | None = None
        self._http: Any = None
        stack_bytes = settings.max_wasm_stack
        self.native = native.Store(limits=_UNLIMITED if stack_bytes is None else Limits(stack_bytes=stack_bytes))
        self._fuel_added = 0
        if settings.consume_fuel:
            self.native.fuel = 0
        self._over: AbstractContextManager[object] | None = None
        if settings.epoch_interruption:
            self._epoch_deadline = 0
            with engine._epoch_lock:
                self._watch_epoch()
                engine._stores.add(self)

    def close(self) -> None:
        """End its use, and that of what is in it."""
        super().close()
        self._ended = True

    def data(self) -> Any | None:
        """What the store was made with; None for what is false."""
        self._check_open()
        return self._data or None

    def gc(self) -> None:
        """Nothing: references are counted, and Python's collector sees through stores."""
        self._check_open()

    # ---- fuel

    def set_fuel(self, fuel: int) -> None:
        """Set what is left of the fuel; WasmtimeError where the engine's Config does not count any."""
        self._check_fuel()
        check_type(fuel, int, "an int")
        self.native.fuel = min(fuel % 2**64, _MAX_FUEL)

    def get_fuel(self) -> int:
        """What is left of the fuel; WasmtimeError where the engine's Config does not count any."""
        self._check_fuel()
        return self.native.fuel or 0

    # What versions before 15 had in place of both: fuel is added, and counted from the start.

    def add_fuel(self, fuel: int) -> None:
        """Add to what is left of the fuel; of older versions."""
        self.set_fuel(self.get_fuel() + fuel)
        self._fuel_added += fuel

    def fuel_consumed(self) -> int:
        """How much of what `add_fuel` added is gone; of older versions."""
        return self._fuel_added - self.get_fuel()

    def consume_fuel(self, fuel: int) -> int:
        """Take from the fuel, and say what is left; WasmtimeError where there is less; of older versions, too."""
        left = self.get_fuel() - fuel
        if left < 0:
            raise wasmtime_error("not enough fuel remaining in store")
        self.set_fuel(left)
        return left

    def _check_fuel(self) -> None:
        self._check_open()
        if not self.engine._settings.consume_fuel:
            raise wasmtime_error("fuel is not configured in this store")

    # ---- epochs

    def set_epoch_deadline(self, ticks_after_current: int) -> None:
        """Let calls end once the engine's epoch was incremented so often from now on."""
        self._check_open()
        check_type(ticks_after_current, int, "an int")
        if not self.engine._settings.epoch_interruption:
            return
        with self.engine._epoch_lock:
            self._epoch_deadline = self.engine._epoch + ticks_after_current
            over, self._over = self._over, None
            if over is not None:
                over.__exit__(None, None, None)
            self._watch_epoch()

    def _watch_epoch(self) -> None:
        """End what runs, and what will be called, where the deadline has come: a deadline of no seconds does both."""
        if self._over is None and self.engine._epoch >= self._epoch_deadline and not self._closed:
            self._over = self.native.deadline(0)
            self._over.__enter__()

    # ---- limits

    def set_limits(
        self,
        memory_size: int = -1,
        table_elements: int = -1,
        instances: int = -1,
        tables: int = -1,
        memories: int = -1,
    ) -> None:
        """Bound what the guests take; negative numbers change nothing.

        Parameters
        ----------
        memory_size : int
            Bytes of all memories of the store together (wasmtime: of each).
        table_elements : int
            Elements of all tables of the store together (wasmtime: of each).
        instances, tables, memories : int
            How many the store has at most.
        """
        self._check_open()
        given = {"memory_size": memory_size, "table_elements": table_elements, "instances": instances}
        given |= {"tables": tables, "memories": memories}
        for name, number in given.items():
            check_type(number, int, f"an int for {name}")
            if number >= 0:
                self._limits[name] = number
        self.native.limits = Limits(
            memory_bytes=self._limits.get("memory_size"),
            table_elements=self._limits.get("table_elements"),
            instances=self._limits.get("instances"),
            stack_bytes=self.engine._settings.max_wasm_stack,
        )

    def _count(self, what: str, number: int) -> None:
        """Take so many tables or memories more; WasmtimeError where that is over the limit."""
        count = self._counts[what] + number
        limit = self._limits.get(what)
        if limit is not None and count > limit:
            words = {"tables": "table", "memories": "memory"}[what]
            raise wasmtime_error(f"resource limit exceeded: {words} count too high at {count}")
        self._counts[what] = count

    # ---- WASI

    def set_wasi(self, wasi: WasiConfig) -> None:
        """Give the guests a WASI program's surroundings, which the store takes over."""
        self._check_open()
        check_type(wasi, _wasi_config(), "a WasiConfig")
        self._program = wasi._consume()
        self._program._give_http(self._http)
        native.set_program(self.native, self._program)

    def set_wasi_http(self, client: Any = True) -> None:
        """Let components that are instantiated from now on make requests, where the linker has HTTP.

        Parameters
        ----------
        client : urllib3.PoolManager, optional
            Sends them, which wasmtime does itself. By default it is a ``urllib3.PoolManager()``, which reaches whatever
            this process does; a component that calls it ends by an ImportError where urllib3 is not installed.
        """
        self._check_open()
        self._http = client
        if self._program is not None:
            self._program._give_http(client)


def _wasi_config() -> type:
    from wasmartifact.wasmtime._wasi import WasiConfig

    return WasiConfig


class StoreContext:
    """What stands for the store within a host function of a component, until that returns."""

    _ended = False
    _native: native.Store | None = None
    _program: Wasi | None = None

    @classmethod
    def _within(cls, store: native.Store | None, program: Wasi | None) -> StoreContext:
        made = cls.__new__(cls)
        made._native = store
        made._program = program
        return made
