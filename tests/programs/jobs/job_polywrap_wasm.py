"""polywrap-wasm invokes wrappers, which ask for the name of the method and its arguments: one of ours."""

from polywrap_core import Uri, WrapError
from polywrap_msgpack import msgpack_decode
from polywrap_wasm import WasmWrapper
from running import run

#: Gives the arguments back; a method with a name of one letter is an error, one of two an abort, one of three a trap.
WRAPPER = """
(module
  (import "env" "memory" (memory 1))
  (import "wrap" "__wrap_invoke_args" (func $args (param i32 i32)))
  (import "wrap" "__wrap_invoke_result" (func $result (param i32 i32)))
  (import "wrap" "__wrap_invoke_error" (func $error (param i32 i32)))
  (import "wrap" "__wrap_abort" (func $abort (param i32 i32 i32 i32 i32 i32)))
  (import "wrap" "__wrap_load_env" (func $env (param i32)))
  (func (export "_wrap_invoke") (param $method i32) (param $args i32) (param $env i32) (result i32)
    (call $args (i32.const 1024) (i32.const 4096))
    (call $env (i32.const 8192))
    (if (i32.eq (local.get $method) (i32.const 1)) (then (call $error (i32.const 1024) (local.get $method))))
    (if (i32.eq (local.get $method) (i32.const 2))
      (then (call $abort (i32.const 1024) (i32.const 2) (i32.const 1024) (i32.const 1) (i32.const 3) (i32.const 4))))
    (if (i32.eq (local.get $method) (i32.const 3)) (then unreachable))
    (call $result (i32.const 4096) (local.get $args))
    (i32.const 1)))
"""


def job() -> object:
    """Each kind of answer."""
    import wasmtime

    wasm = bytes(wasmtime.wat2wasm(WRAPPER))
    wrapper = WasmWrapper(None, wasm, None)
    found: list[object] = []
    for method in ("method", "e", "ab", "tra"):
        for args in ({"text": "é", "list": [1, 2.5, None]}, {"number": 2**40}):
            try:
                result = wrapper.invoke(Uri.from_str("wrap://test/uri"), method, args, {"key": "value"})
                found.append(msgpack_decode(result.result))
            except WrapError as error:
                found.append([type(error).__name__, str(error)])
            except wasmtime.Trap as trap:
                found.append(trap.trap_code.name)
    return found


run(job)
