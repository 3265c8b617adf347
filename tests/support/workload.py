"""A module with something of everything, large enough for several groups of functions and two worker processes."""

from __future__ import annotations

from functools import cache

import wasmtime

#: More than 64 functions make several groups; more than 32 KiB of code is worth a second worker process.
FUNCTIONS = 340
#: What the guest names in its own text; debuggers must show the same names.
NAMES = (*(f"step_{index}" for index in range(FUNCTIONS)), "divide", "indirect")

_STEP = """(func $step_{index} (type $step) (local $i i32) (local $x f64)
  (local.set $i (i32.const {rounds}))
  (local.set $x (f64.const {index}.25))
  (loop $again
    (i32.store offset={address} (i32.const 64) (i32.xor (i32.load offset={address} (i32.const 64)) (local.get 0)))
    (local.set 0 (i32.add (i32.mul (local.get 0) (i32.const {factor})) (local.get $i)))
    (local.set $x (f64.add (f64.mul (local.get $x) (f64.const 1.0625)) (f64.convert_i32_s (local.get 0))))
    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
    (br_if $again (local.get $i)))
  (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
  (i32.add
    (i32.add (local.get 0) (i32.trunc_sat_f64_s (local.get $x)))
    {next}))"""


@cache
def workload_wat() -> str:
    """The module as text: ``run(i32) -> i32`` goes through all functions, ``divide`` traps for 0."""
    steps = [
        _STEP.format(
            index=index,
            rounds=index % 7 + 2,
            address=index % 200 * 4,
            factor=index * 2 + 3,
            next=f"(call $step_{index - 1} (local.get 0))" if index else "(i32.const 0)",
        )
        for index in range(FUNCTIONS)
    ]
    return f"""(module $workload
      (type $step (func (param i32) (result i32)))
      (memory (export "memory") 3 16)
      (global $calls (export "calls") (mut i64) (i64.const 0))
      (table $steps (export "steps") {FUNCTIONS} funcref)
      (elem (i32.const 0) func {" ".join(f"$step_{index}" for index in range(FUNCTIONS))})
      (data (i32.const 64) "{"workload" * 200}")
      (data (i32.const 131072) "last page")
      {" ".join(steps)}
      (func $divide (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1000) (local.get 0)))
      (func $indirect (export "indirect") (param i32 i32) (result i32)
        (call_indirect (type $step) (local.get 1) (local.get 0)))
      (export "run" (func $step_{FUNCTIONS - 1})))"""


@cache
def workload_wasm() -> bytes:
    """The module as bytes."""
    return bytes(wasmtime.wat2wasm(workload_wat()))


@cache
def workload_results(arguments: tuple[int, ...]) -> tuple[int, ...]:
    """What ``run`` of a fresh instance gives for each argument in turn, according to wasmtime."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, workload_wasm()), [])
    run = instance.exports(store)["run"]
    assert isinstance(run, wasmtime.Func)
    return tuple(run(store, argument) for argument in arguments)
