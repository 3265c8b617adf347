"""Config: the settings of an engine. Those that mean nothing here are taken, those that can't be kept are refused."""

from __future__ import annotations

import os

from wasmartifact.wasmtime._closing import Managed, SetOnly, WrongType, check_type, wasmtime_error

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final, NoReturn

#: Switch -> what modules must not use while it is off, by the name in ``schema.WASM_FEATURES``.
_FEATURES: Final = {
    "wasm_threads": "threads",
    "wasm_tail_call": "tail-call",
    "wasm_reference_types": "reference-types",
    "wasm_simd": "simd",
    "wasm_relaxed_simd": "relaxed-simd",
    "wasm_bulk_memory": "bulk-memory",
    "wasm_multi_value": "multi-value",
    "wasm_multi_memory": "multi-memory",
    "wasm_memory64": "memory64",
    "wasm_exceptions": "exceptions",
    "wasm_function_references": "function-references",
    "wasm_gc": "gc",
    "wasm_wide_arithmetic": "wide-arithmetic",
    "wasm_custom_page_sizes": "custom-page-sizes",
}
#: opt levels of Cranelift -> ours.
_LEVELS: Final = {"none": 0, "speed": 2, "speed_and_size": 2}


class Settings:
    """What an engine keeps of a Config."""

    __slots__ = (
        "consume_fuel", "epoch_interruption", "forbidden", "max_wasm_stack", "opt_level", "parallel_compilation",
        "shared_memory",
    )  # fmt: skip

    def __init__(self) -> None:
        self.consume_fuel = False
        self.epoch_interruption = False
        self.forbidden: frozenset[str] = frozenset()
        self.max_wasm_stack: int | None = None
        self.opt_level = 2
        self.parallel_compilation = True
        self.shared_memory = False


class _Setting(SetOnly):
    """An attribute of Config."""

    def _refuse(self, value: object, why: str) -> NoReturn:
        raise wasmtime_error(f"Config.{self._name} = {value!r} can't be kept: {why}")


class _Switch(_Setting):
    """A setting that is true or false.

    Parameters
    ----------
    refused : bool | None
        The value that can't be kept, and ``why``.
    """

    def __init__(self, refused: bool | None = None, why: str = "") -> None:
        self._refused, self._why = refused, why

    def __set__(self, config: Config, value: bool) -> None:
        check_type(value, bool, "a bool")
        config._check_open()
        if value is self._refused:
            self._refuse(value, self._why)
        settings = config._settings
        if self._name in _FEATURES:
            feature = {_FEATURES[self._name]}
            settings.forbidden = settings.forbidden - feature if value else settings.forbidden | feature
        elif self._name in Settings.__slots__:
            setattr(settings, self._name, value)


class _Size(_Setting):
    """A setting that is a number of bytes."""

    def __set__(self, config: Config, value: int) -> None:
        check_type(value, int, "an int")
        config._check_open()
        if self._name in Settings.__slots__:
            if value < 0:
                raise wasmtime_error(f"Config.{self._name} must be 0 or more, found {value}")
            setattr(config._settings, self._name, value)


class _Choice(_Setting):
    """A setting that is one of some words."""

    def __init__(self, what: str, *words: str) -> None:
        self._what, self._words = what, words

    def __set__(self, config: Config, value: str) -> None:
        config._check_open()
        if value not in self._words:
            raise wasmtime_error(f"unknown {self._what}: {value}; expected one of {', '.join(self._words)}")
        if self._name == "cranelift_opt_level":
            config._settings.opt_level = _LEVELS[value]


class _Truth(_Setting):
    """A setting that takes anything for true or false, as wasmtime-py does for this one."""

    def __set__(self, config: Config, value: object) -> None:
        config._check_open()
        setattr(config._settings, self._name, bool(value))


class _Cache(_Setting):
    """Whether compiled code is kept. It always is; what wasmtime's TOML file says is of no account."""

    def __set__(self, config: Config, value: bool | str) -> None:
        config._check_open()
        if isinstance(value, str):
            try:
                open(value, "rb").close()
            except OSError as problem:
                raise wasmtime_error(f"failed to read the cache configuration {value}: {problem.strerror}") from None
        elif not isinstance(value, bool):
            raise WrongType("string or bool", value)
        elif not value:
            raise wasmtime_error("caching cannot be explicitly disabled")


class _Target(_Setting):
    """What code is made for: this machine."""

    def __set__(self, config: Config, value: str) -> None:
        check_type(value, str, "a str")
        config._check_open()
        machine, _, rest = value.partition("-")
        if machine != os.uname().machine or "linux" not in rest:
            self._refuse(
                value, f"modules run on this machine, {os.uname().machine} with Linux; wa.pack packs for others"
            )


class Config(Managed):
    """Settings of an Engine; attributes can be set, not read.

    Switches of WebAssembly's features: a module that uses what is off is refused. All are on that the package knows.
    """

    wasm_threads = _Switch()
    wasm_tail_call = _Switch()
    wasm_reference_types = _Switch()
    wasm_simd = _Switch()
    wasm_relaxed_simd = _Switch()
    wasm_relaxed_simd_deterministic = _Switch()
    wasm_bulk_memory = _Switch()
    wasm_multi_value = _Switch()
    wasm_multi_memory = _Switch()
    wasm_memory64 = _Switch()
    wasm_exceptions = _Switch()
    wasm_function_references = _Switch()
    wasm_gc = _Switch()
    wasm_wide_arithmetic = _Switch()
    wasm_custom_page_sizes = _Switch()
    wasm_stack_switching = _Switch()  # modules that use it are refused by name
    wasm_component_model = _Switch()
    wasm_component_model_map = _Switch()
    wasm_component_model_implements = _Switch()

    #: Whether code counts fuel, and stores start without any.
    consume_fuel = _Switch()
    #: Whether stores have a deadline in epochs; costs nothing here.
    epoch_interruption = _Truth()
    #: Whether SharedMemory can be made.
    shared_memory = _Switch()
    #: Whether a pack uses all CPUs.
    parallel_compilation = _Switch()
    #: How much of a thread's stack guests use at most, in bytes; by default what the thread has.
    max_wasm_stack = _Size()
    #: "none": what is packed at once is all; else better code is packed in the background.
    cranelift_opt_level = _Choice("opt level", "none", "speed", "speed_and_size")
    cache = _Cache()
    target = _Target()
    cranelift_nan_canonicalization = _Switch(True, "NaNs are those that the CPU makes")
    signals_based_traps = _Switch(False, "traps of memory accesses are page faults")

    # Of no account: they name parts of wasmtime that have no counterpart, or what is always so.
    debug_info = _Switch()
    strategy = _Choice("strategy", "auto", "cranelift", "winch")
    cranelift_debug_verifier = _Switch()
    profiler = _Choice("profiler", "none", "jitdump", "vtune", "perfmap")
    gc_support = _Switch()
    memory_may_move = _Switch()
    memory_reservation = _Size()
    memory_guard_size = _Size()
    memory_reservation_for_growth = _Size()
    native_unwind_info = _Switch()
    macos_use_mach_ports = _Switch()
    memory_init_cow = _Switch()

    def __init__(self) -> None:
        self._settings = Settings()

    def cranelift_flag_enable(self, flag: str) -> None:
        """Nothing: there is no Cranelift."""
        self._check_open()
        check_type(flag, str, "a str")

    def cranelift_flag_set(self, key: str, value: str) -> None:
        """Nothing: there is no Cranelift."""
        self._check_open()
        check_type(key, str, "a str for key")
        check_type(value, str, "a str for value")

    def _consume(self) -> Settings:
        """Give what is set; the Config can't be used afterwards."""
        self._check_open()
        self.close()
        return self._settings
