"""Config and Engine: which options there are, what each takes, and what becomes of a Config in an Engine."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from .harness import engine_with, store_with

SWITCHES = [
    "debug_info",
    "wasm_threads",
    "wasm_tail_call",
    "wasm_reference_types",
    "wasm_simd",
    "wasm_bulk_memory",
    "wasm_multi_value",
    "wasm_multi_memory",
    "wasm_memory64",
    "wasm_relaxed_simd",
    "wasm_relaxed_simd_deterministic",
    "wasm_component_model",
    "wasm_component_model_map",
    "wasm_component_model_implements",
    "wasm_exceptions",
    "wasm_function_references",
    "wasm_gc",
    "wasm_wide_arithmetic",
    "wasm_custom_page_sizes",
    "wasm_stack_switching",
    "cranelift_debug_verifier",
    "consume_fuel",
    "parallel_compilation",
    "shared_memory",
    "gc_support",
    "memory_may_move",
    "native_unwind_info",
    "macos_use_mach_ports",
    "memory_init_cow",
]
SIZES = ["max_wasm_stack", "memory_reservation", "memory_guard_size", "memory_reservation_for_growth"]
CHOICES = {
    "strategy": ["auto", "cranelift"],
    "cranelift_opt_level": ["none", "speed", "speed_and_size"],
    "profiler": ["none", "jitdump", "vtune", "perfmap"],
}


@pytest.mark.core
@pytest.mark.parametrize("name", SWITCHES)
def test_switch_takes_a_bool_and_nothing_else(w: ModuleType, name: str) -> None:
    config = w.Config()
    setattr(config, name, True)
    setattr(config, name, False)
    for other in (1, "yes", None):
        with pytest.raises(TypeError):
            setattr(config, name, other)


@pytest.mark.core
@pytest.mark.differs("what can't be kept is refused by name: NaNs are the CPU's, and traps of memories are page faults")
@pytest.mark.parametrize(("name", "value"), [("cranelift_nan_canonicalization", True), ("signals_based_traps", False)])
def test_switch_that_the_face_refuses(w: ModuleType, name: str, value: bool) -> None:
    setattr(w.Config(), name, not value)
    with pytest.raises(TypeError):
        setattr(w.Config(), name, 1)
    setattr(w.Config(), name, value)


@pytest.mark.parametrize("name", SIZES)
def test_size_takes_an_int_and_nothing_else(w: ModuleType, name: str) -> None:
    config = w.Config()
    setattr(config, name, 1 << 20)
    for other in ("1", 1.5, None):
        with pytest.raises(TypeError):
            setattr(config, name, other)


@pytest.mark.core
@pytest.mark.parametrize("name", CHOICES)
def test_choice_takes_the_words_that_exist(w: ModuleType, name: str) -> None:
    config = w.Config()
    for word in CHOICES[name]:
        setattr(config, name, word)
    for other in ("fastest", "", None, 3):
        with pytest.raises(w.WasmtimeError, match="unknown"):
            setattr(config, name, other)


@pytest.mark.parametrize("name", [*SWITCHES, *SIZES, *CHOICES, "cache", "epoch_interruption", "target"])
def test_option_cannot_be_read(w: ModuleType, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(w.Config(), name)


def test_epoch_interruption_takes_whatever_is_true(w: ModuleType) -> None:
    config = w.Config()
    for value in (True, 1, "yes", None):
        config.epoch_interruption = value


@pytest.mark.core
def test_cache_can_be_on(w: ModuleType) -> None:
    w.Config().cache = True


@pytest.mark.core
def test_cache_of_a_missing_file_is_an_error(w: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Config().cache = str(tmp_path / "missing.toml")


def test_cache_cannot_be_turned_off(w: ModuleType) -> None:
    with pytest.raises(w.WasmtimeError, match="disabled"):
        w.Config().cache = False


def test_cache_takes_no_number(w: ModuleType) -> None:
    with pytest.raises(TypeError):
        w.Config().cache = 3


def test_target_that_does_not_exist_is_an_error(w: ModuleType) -> None:
    with pytest.raises(w.WasmtimeError):
        w.Config().target = "no-such-machine"
    with pytest.raises(TypeError):
        w.Config().target = 3


def test_cranelift_flags_are_text(w: ModuleType) -> None:
    config = w.Config()
    with pytest.raises(TypeError):
        config.cranelift_flag_enable(3)
    with pytest.raises(TypeError):
        config.cranelift_flag_set(3, "true")
    with pytest.raises(TypeError):
        config.cranelift_flag_set("opt_level", 3)


@pytest.mark.core
def test_engine_with_and_without_a_config(w: ModuleType) -> None:
    w.Engine()
    w.Engine(None)
    w.Engine(w.Config())


@pytest.mark.core
def test_engine_takes_only_a_config(w: ModuleType) -> None:
    for other in (3, "config", w.Engine()):
        with pytest.raises(TypeError):
            w.Engine(other)


@pytest.mark.core
def test_engine_takes_its_config_over(w: ModuleType) -> None:
    config = w.Config()
    w.Engine(config)
    with pytest.raises(ValueError, match="already closed"):
        w.Engine(config)
    with pytest.raises(ValueError, match="already closed"):
        config.debug_info = True


def test_engine_counts_epochs(w: ModuleType) -> None:
    assert w.Engine().increment_epoch() is None


def test_engine_runs_native_code(w: ModuleType) -> None:
    assert w.Engine().is_pulley() is False


#: A module that takes one proposal, and which options leave it out.
PROPOSALS = {
    "wasm_multi_memory": ("(module (memory 1) (memory 1))", ["wasm_multi_memory"]),
    "wasm_memory64": ("(module (memory i64 1))", ["wasm_memory64"]),
    "wasm_tail_call": ("(module (func return_call 0))", ["wasm_tail_call"]),
    "wasm_bulk_memory": (
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        ["wasm_bulk_memory"],
    ),
    "wasm_multi_value": ("(module (func (result i32 i32) i32.const 1 i32.const 2))", ["wasm_multi_value"]),
    "wasm_threads": ("(module (memory 1 1 shared))", ["wasm_threads"]),
    "wasm_relaxed_simd": (
        "(module (func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0)))))",
        ["wasm_relaxed_simd"],
    ),
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_proposal_that_is_off_makes_a_module_invalid(w: ModuleType, name: str) -> None:
    text, off = PROPOSALS[name]
    w.Module(w.Engine(), text)
    engine = engine_with(w, **dict.fromkeys(off, False))
    with pytest.raises(w.WasmtimeError):
        w.Module(engine, text)
    with pytest.raises(w.WasmtimeError):
        w.Module.validate(engine, bytes(w.wat2wasm(text)))


def test_max_wasm_stack_bounds_recursion(w: ModuleType) -> None:
    """Twice the stack lets calls go about twice as deep."""
    text = """
        (module
          (global $depth (export "depth") (mut i32) (i32.const 0))
          (func $f (export "f")
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            call $f))"""
    depths = []
    for size in (1 << 17, 1 << 18):
        store = store_with(w, max_wasm_stack=size)
        exports = w.Instance(store, w.Module(store.engine, text), []).exports(store)
        with pytest.raises(w.Trap) as caught:
            exports["f"](store)
        assert caught.value.trap_code is w.TrapCode.STACK_OVERFLOW
        depths.append(exports["depth"].value(store))
    assert 1.5 < depths[1] / depths[0] < 3


def test_config_can_be_closed(w: ModuleType) -> None:
    with w.Config() as config:
        config.debug_info = True
    with pytest.raises(ValueError, match="already closed"):
        config.debug_info = True
    config.close()
