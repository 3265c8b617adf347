"""binmod calls modules with values in JSON, and gives them functions: two modules of ours that speak its protocol."""

import asyncio

from binmod import Module, ModuleConfig, ModuleEnv, ModuleLimits
from running import run

#: ``echo`` passes its input to the host's function, ``size`` is what that gives for a memory that grew, ``stop`` traps.
GUEST = b"""
(module
  (import "env" "tell" (func $tell (param i64) (result i64)))
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 1024))
  (data (i32.const 16) "{\\22object\\22: \\22error\\22, \\22type\\22: \\22Broken\\22,"
    " \\22message\\22: \\22of the guest\\22}")
  (func (export "guest_alloc") (param i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get 0))))
  (func (export "guest_dealloc") (param i32 i32))
  (func (export "echo") (param i32 i32) (result i64)
    (call $tell (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))
  (func (export "fails") (param i32 i32) (result i64)
    (i64.or (i64.const 0x1000000000) (i64.const 64)))
  (func (export "stop") (param i32 i32) (result i64) unreachable)
  (func (export "spin") (param i32 i32) (result i64) (loop $again (br $again)) (i64.const 0)))
"""


def tell(*args: object, **kwargs: object) -> object:
    if "raise" in kwargs:
        raise ValueError(str(kwargs))
    return {"args": args, "kwargs": kwargs}


def attempt(call: object, *args: object, **kwargs: object) -> object:
    try:
        return call(*args, **kwargs)  # type: ignore[operator]
    except Exception as error:
        return [type(error).__name__, str(error).splitlines()[0], "unreachable" in str(error), "fuel" in str(error)]


def job() -> object:
    """Values, errors of both sides, a trap, fuel, the asynchronous way."""
    env = ModuleEnv(args=["program"], env={"KEY": "value"})
    module = Module(
        GUEST, "guest", environment=env, host_fns={"tell": tell}, limits=ModuleLimits(memory_size=1 << 20)
    ).instantiate()
    api = module.api
    found = [
        attempt(api.echo, 1, "two", [3.5, None], key={"a": True}),
        attempt(api.echo, **{"raise": 1}),
        attempt(api.fails),
        attempt(api.stop),
        attempt(api.missing),
        asyncio.run(module.async_api.echo("later")),
    ]
    config = ModuleConfig(consume_fuel=True)
    counted = Module(
        GUEST, "counted", environment=env, host_fns={"tell": tell}, config=config, fuel=100_000
    ).instantiate()
    return [*found, attempt(counted.api.echo, "counted"), counted.get_fuel(), attempt(counted.api.spin)]


run(job)
