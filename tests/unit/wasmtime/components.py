"""Components in the text format for the tests of ``wasmtime.component``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

REALLOC = """
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (global.get $end)
    (global.set $end (i32.add (global.get $end) (local.get 3))))"""


def echo(type_: str, flat: str, *, in_memory: bool) -> str:
    """A component with a function that gives its argument to an imported one, and returns what that gives.

    Parameters
    ----------
    type_ : str
        The type of the argument.
    flat : str
        Types of the core values that it becomes.
    in_memory : bool
        Whether results of the type go through memory.
    """
    given = " ".join(f"(local.get {place})" for place in range(len(flat.split())))
    answer, result = ("i32", "i32") if in_memory else ("", flat)
    call = f"(call $x {given} (i32.const 16)) (i32.const 16)" if in_memory else f"(call $x {given})"
    return f"""(component
      (type $own {type_}) (import "t" (type $t (eq $own)))
      (import "x" (func $x (param "x" $t) (result $t)))
      (core module $libc (memory (export "memory") 1) (global $end (mut i32) (i32.const 1024)) {REALLOC})
      (core instance $libc (instantiate $libc))
      (alias core export $libc "memory" (core memory $memory))
      (alias core export $libc "realloc" (core func $realloc))
      (core func $lower (canon lower (func $x) (memory $memory) (realloc $realloc)))
      (core module $code
        (import "" "x" (func $x (param {flat} {answer}) {"" if in_memory else f"(result {flat})"}))
        (func (export "x") (param {flat}) (result {result}) {call}))
      (core instance $code (instantiate $code (with "" (instance (export "x" (func $lower))))))
      (func (export "x") (param "x" $t) (result $t)
        (canon lift (core func $code "x") (memory $memory) (realloc $realloc))))"""


#: A resource of the host: dropped, given back, given on, lent.
HOST_RESOURCE = """(component
  (import "t" (type $t (sub resource)))
  (import "give" (func $give (param "x" (own $t))))
  (import "lend" (func $lend (param "x" (borrow $t))))
  (import "make" (func $make (result (own $t))))
  (core func $drop (canon resource.drop $t))
  (core func $give (canon lower (func $give)))
  (core func $lend (canon lower (func $lend)))
  (core func $make (canon lower (func $make)))
  (core module $code
    (import "" "drop" (func $drop (param i32)))
    (import "" "give" (func $give (param i32)))
    (import "" "lend" (func $lend (param i32)))
    (import "" "make" (func $make (result i32)))
    (func (export "drop") (param i32) (call $drop (local.get 0)))
    (func (export "pass") (param i32) (result i32) (local.get 0))
    (func (export "give") (param i32) (call $give (local.get 0)))
    (func (export "make") (result i32) (call $make))
    (func (export "lend") (param i32) (call $lend (local.get 0)) (call $drop (local.get 0))))
  (core instance $code (instantiate $code (with "" (instance
    (export "drop" (func $drop)) (export "give" (func $give)) (export "lend" (func $lend))
    (export "make" (func $make))))))
  (func (export "drop") (param "x" (own $t)) (canon lift (core func $code "drop")))
  (func (export "pass") (param "x" (own $t)) (result (own $t)) (canon lift (core func $code "pass")))
  (func (export "give") (param "x" (own $t)) (canon lift (core func $code "give")))
  (func (export "make") (result (own $t)) (canon lift (core func $code "make")))
  (func (export "lend") (param "x" (borrow $t)) (canon lift (core func $code "lend"))))"""

#: A resource of the guest, in an interface, with a constructor, a method and a static function; what ends is counted.
GUEST_RESOURCE = """(component
  (core module $state
    (global $ended (mut i32) (i32.const 0))
    (func (export "end") (param i32) (global.set $ended (i32.add (global.get $ended) (local.get 0))))
    (func (export "ended") (result i32) (global.get $ended)))
  (core instance $state (instantiate $state))
  (type $r (resource (rep i32) (dtor (core func $state "end"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $code
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "id") (param i32) (result i32) (local.get 0))
    (func (export "drop") (param i32) (call $drop (local.get 0))))
  (core instance $code (instantiate $code (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (component $inner
    (import "r" (type $r (sub resource)))
    (import "new" (func $new (param "rep" u32) (result (own $r))))
    (import "id" (func $id (param "self" (borrow $r)) (result u32)))
    (import "drop" (func $drop (param "x" (own $r))))
    (export $exported "blob" (type $r))
    (export "[constructor]blob" (func $new) (func (param "rep" u32) (result (own $exported))))
    (export "[method]blob.id" (func $id) (func (param "self" (borrow $exported)) (result u32)))
    (export "[static]blob.drop" (func $drop) (func (param "x" (own $exported)))))
  (func $new (param "rep" u32) (result (own $r)) (canon lift (core func $code "new")))
  (func $id (param "self" (borrow $r)) (result u32) (canon lift (core func $code "id")))
  (func $drop (param "x" (own $r)) (canon lift (core func $code "drop")))
  (instance $blobs (instantiate $inner
    (with "r" (type $r)) (with "new" (func $new)) (with "id" (func $id)) (with "drop" (func $drop))))
  (export "test:blobs/blobs@1.2.0" (instance $blobs))
  (func (export "ended") (result u32) (canon lift (core func $state "ended"))))"""

#: A program of WASI 0.2 that writes, tells how many arguments it has, and exits.
PROGRAM = f"""(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error (type $outer))
    (export "error" (type $error (eq $outer)))
    (type $problem (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $problem)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $output (eq $outer)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
  (core module $libc (memory (export "memory") 1) (global $end (mut i32) (i32.const 1024)) {REALLOC}
    (data (i32.const 64) "hello"))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $drop (canon resource.drop $output))
  (core func $arguments (canon lower (func $environment "get-arguments") (memory $memory) (realloc $realloc)))
  (core func $leave (canon lower (func $exit "exit")))
  (core module $code
    (import "" "memory" (memory 1))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "arguments" (func $arguments (param i32)))
    (import "" "leave" (func $leave (param i32)))
    (func (export "hello") (local $stream i32)
      (local.set $stream (call $get))
      (call $write (local.get $stream) (i32.const 64) (i32.const 5) (i32.const 16))
      (call $drop (local.get $stream)))
    (func (export "count") (result i32) (call $arguments (i32.const 16)) (i32.load (i32.const 20)))
    (func (export "leave") (param i32) (call $leave (local.get 0))))
  (core instance $code (instantiate $code (with "" (instance
    (export "memory" (memory $memory)) (export "write" (func $write)) (export "get" (func $get))
    (export "drop" (func $drop)) (export "arguments" (func $arguments)) (export "leave" (func $leave))))))
  (func (export "hello") (canon lift (core func $code "hello")))
  (func (export "count") (result u32) (canon lift (core func $code "count")))
  (func (export "leave") (param "x" u32) (canon lift (core func $code "leave"))))"""


def component_api(w: ModuleType) -> Any:
    """``wasmtime.component`` of either."""
    import importlib

    return importlib.import_module(f"{w.__name__}.component")


def run_echo(w: ModuleType, text: str, values: list[Any], seen: list[Any] | None = None) -> list[Any]:
    """What comes back of each value; ``seen`` gets what the host saw."""
    c = component_api(w)
    store = w.Store()
    linker = c.Linker(store.engine)

    def host(_store: Any, value: Any) -> Any:
        if seen is not None:
            seen.append(value)
        return value

    with linker.root() as root:
        root.add_func("x", host)
    func = linker.instantiate(store, c.Component(store.engine, text)).get_func(store, "x")
    return [func(store, value) for value in values]


def check_echo(w: ModuleType, text: str, values: list[Any], bad: type[Exception]) -> None:
    """Each value comes back as it is, and what is no value of the type is an error."""
    seen: list[Any] = []
    assert run_echo(w, text, values, seen) == values
    assert seen == values
    with pytest.raises(bad):
        run_echo(w, text, [object()])
