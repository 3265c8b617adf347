"""Components that keep handles.

That of `keeper` keeps what WASI 0.2 gave it: streams, what waits for them, the directories that it may use. ``keep()``
gets hold of them, once; ``say``, ``ask`` and ``read`` use them later. ``hold(what)`` gets hold of one more.
"""

from __future__ import annotations

from typing import Final

from tests.component.libc import LIBC
from tests.component.wasi_texts import FILE_ERRORS

#: Two components, of which one has handles of the other's resources, and a table, globals and a start function.
PAIR: Final = """(component
  (component $makes
    (core module $m
      (global $made (mut i32) (i32.const 0))
      (global $ended (mut i32) (i32.const 0))
      (func (export "end") (param i32) (global.set $ended (i32.add (global.get $ended) (local.get 0))))
      (func (export "next") (result i32)
        (global.set $made (i32.add (global.get $made) (i32.const 100))) (global.get $made))
      (func (export "value") (param i32) (result i32) (local.get 0))
      (func (export "ended") (result i32) (global.get $ended)))
    (core instance $i (instantiate $m))
    (type $thing (resource (rep i32) (dtor (core func $i "end"))))
    (core func $new (canon resource.new $thing))
    (core module $n
      (import "" "new" (func $new (param i32) (result i32))) (import "" "next" (func $next (result i32)))
      (func (export "make") (result i32) (call $new (call $next))))
    (core instance $j (instantiate $n (with "" (instance (export "new" (func $new)) (export "next" (func $i "next"))))))
    (export $thing' "thing" (type $thing))
    (func (export "make") (result (own $thing')) (canon lift (core func $j "make")))
    (func (export "value") (param "it" (borrow $thing')) (result u32) (canon lift (core func $i "value")))
    (func (export "ended") (result u32) (canon lift (core func $i "ended"))))
  (instance $makes (instantiate $makes))
  (component $keeps
    (import "makes" (instance $makes
      (export "thing" (type $thing (sub resource)))
      (export "make" (func (result (own $thing))))
      (export "value" (func (param "it" (borrow $thing)) (result u32)))))
    (alias export $makes "thing" (type $thing))
    (core func $make (canon lower (func $makes "make")))
    (core func $value (canon lower (func $makes "value")))
    (core func $drop (canon resource.drop $thing))
    (core module $m
      (import "" "make" (func $make (result i32)))
      (import "" "value" (func $value (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (type $unary (func (param i32) (result i32)))
      (table $table 4 funcref)
      (elem (i32.const 0) func $value $twice)
      (global $started (mut i32) (i32.const 0))
      (func $twice (param i32) (result i32) (i32.mul (call $value (local.get 0)) (i32.const 2)))
      (func $start (global.set $started (i32.add (global.get $started) (i32.const 1))))
      (start $start)
      (func (export "keep") (result i32) (call $make))
      (func (export "drop") (param i32) (call $drop (local.get 0)))
      (func (export "swap") (table.set (i32.const 0) (table.get (i32.const 1))))
      (func (export "value") (param i32) (result i32) (call_indirect (type $unary) (local.get 0) (i32.const 0)))
      (func (export "started") (result i32) (global.get $started)))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "value" (func $value)) (export "drop" (func $drop))))))
    (func (export "keep") (result u32) (canon lift (core func $i "keep")))
    (func (export "drop") (param "handle" u32) (canon lift (core func $i "drop")))
    (func (export "swap") (canon lift (core func $i "swap")))
    (func (export "value") (param "handle" u32) (result u32) (canon lift (core func $i "value")))
    (func (export "started") (result u32) (canon lift (core func $i "started"))))
  (instance $keeps (instantiate $keeps (with "makes" (instance $makes))))
  (export "makes" (instance $makes))
  (export "keeps" (instance $keeps)))"""

#: What `hold` takes.
FILE, FILE_STREAM, LISTING, TIMER, TIMER_OVER, STDIN_POLL, STDOUT_POLL = range(7)

_TYPES: Final = f"""
  (import "wasi:io/error@0.2.6" (instance $error' (export "error" (type (sub resource)))))
  (alias export $error' "error" (type $error))
  (import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.6" (instance $streams
    (alias outer 1 $error (type $error'')) (export "error" (type $error (eq $error'')))
    (alias outer 1 $pollable (type $pollable'')) (export "pollable" (type $pollable (eq $pollable'')))
    (type $failure' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $failure (eq $failure')))
    (export "input-stream" (type $input (sub resource))) (export "output-stream" (type $output (sub resource)))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $failure)))))
    (export "[method]input-stream.subscribe" (func (param "self" (borrow $input)) (result (own $pollable))))
    (export "[method]output-stream.subscribe" (func (param "self" (borrow $output)) (result (own $pollable))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $failure)))))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (alias outer 1 $pollable (type $pollable'')) (export "pollable" (type $pollable (eq $pollable'')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:cli/stdin@0.2.6" (instance $stdin
    (alias outer 1 $input (type $in)) (export "input-stream" (type $input (eq $in)))
    (export "get-stdin" (func (result (own $input))))))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output (type $out)) (export "output-stream" (type $output (eq $out)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/stderr@0.2.6" (instance $stderr
    (alias outer 1 $output (type $out)) (export "output-stream" (type $output (eq $out)))
    (export "get-stderr" (func (result (own $output))))))
  (import "wasi:cli/terminal-output@0.2.6" (instance $terminal (export "terminal-output" (type (sub resource)))))
  (alias export $terminal "terminal-output" (type $terminal-output))
  (import "wasi:cli/terminal-stdout@0.2.6" (instance $terminal-stdout
    (alias outer 1 $terminal-output (type $out)) (export "terminal-output" (type $output (eq $out)))
    (export "get-terminal-stdout" (func (result (option (own $output)))))))
  (import "wasi:sockets/network@0.2.6" (instance $network' (export "network" (type (sub resource)))))
  (alias export $network' "network" (type $network))
  (import "wasi:sockets/instance-network@0.2.6" (instance $instance-network
    (alias outer 1 $network (type $net)) (export "network" (type $network (eq $net)))
    (export "instance-network" (func (result (own $network))))))
  (import "wasi:filesystem/types@0.2.6" (instance $types
    (alias outer 1 $input (type $in)) (export "input-stream" (type $input (eq $in)))
    (type $code' {FILE_ERRORS})
    (export "error-code" (type $code (eq $code')))
    (type $flags' (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $flags')))
    (type $open' (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $open (eq $open')))
    (type $path' (flags "symlink-follow")) (export "path-flags" (type $path (eq $path')))
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $listing (sub resource)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor)) (param "path-flags" $path)
      (param "path" string) (param "open-flags" $open) (param "flags" $flags)
      (result (result (own $descriptor) (error $code)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $descriptor)) (param "length" u64)
      (param "offset" u64) (result (result (tuple (list u8) bool) (error $code)))))
    (export "[method]descriptor.get-flags" (func (param "self" (borrow $descriptor))
      (result (result $flags (error $code)))))
    (export "[method]descriptor.read-directory" (func (param "self" (borrow $descriptor))
      (result (result (own $listing) (error $code)))))
    (export "[method]descriptor.read-via-stream" (func (param "self" (borrow $descriptor)) (param "offset" u64)
      (result (result (own $input) (error $code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (alias export $types "directory-entry-stream" (type $listing))
  (import "wasi:filesystem/preopens@0.2.6" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $descriptor (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))"""

#: Name in the core module, parameters, result, instance, name.
_LOWERED: Final = (
    ("read", "i32 i64 i32", "", "streams", "[method]input-stream.blocking-read"),
    ("write", "i32 i32 i32 i32", "", "streams", "[method]output-stream.blocking-write-and-flush"),
    ("poll_input", "i32", "i32", "streams", "[method]input-stream.subscribe"),
    ("poll_output", "i32", "i32", "streams", "[method]output-stream.subscribe"),
    ("ready", "i32", "i32", "poll", "[method]pollable.ready"),
    ("after", "i64", "i32", "clock", "subscribe-duration"),
    ("stdin", "", "i32", "stdin", "get-stdin"),
    ("stdout", "", "i32", "stdout", "get-stdout"),
    ("stderr", "", "i32", "stderr", "get-stderr"),
    ("terminal", "i32", "", "terminal-stdout", "get-terminal-stdout"),
    ("network", "", "i32", "instance-network", "instance-network"),
    ("open", "i32 i32 i32 i32 i32 i32 i32", "", "types", "[method]descriptor.open-at"),
    ("pread", "i32 i64 i64 i32", "", "types", "[method]descriptor.read"),
    ("flags", "i32 i32", "", "types", "[method]descriptor.get-flags"),
    ("list", "i32 i32", "", "types", "[method]descriptor.read-directory"),
    ("via_stream", "i32 i64 i32", "", "types", "[method]descriptor.read-via-stream"),
    ("directories", "i32", "", "preopens", "get-directories"),
)
_DROPS: Final = ("descriptor", "listing", "pollable", "input")

_BODY: Final = """
    (import "" "memory" (memory 1))
    (global $in (mut i32) (i32.const 0)) (global $out (mut i32) (i32.const 0)) (global $err (mut i32) (i32.const 0))
    (global $poll (mut i32) (i32.const 0)) (global $first (mut i32) (i32.const 0))
    (global $second (mut i32) (i32.const 0)) (global $held (mut i32) (i32.const 0))
    (func (export "keep")
      (global.set $in (call $stdin)) (global.set $out (call $stdout)) (global.set $err (call $stderr))
      (global.set $poll (call $poll_input (global.get $in)))
      (drop (call $poll_output (global.get $out)))
      (call $terminal (i32.const 8)) (drop (call $network))
      (call $directories (i32.const 8))
      (if (i32.ge_u (i32.load (i32.const 12)) (i32.const 1))
        (then (global.set $first (i32.load (i32.load (i32.const 8))))))
      (if (i32.ge_u (i32.load (i32.const 12)) (i32.const 2))
        (then (global.set $second (i32.load offset=12 (i32.load (i32.const 8)))))))
    (func (export "say") (param i32 i32 i32)
      (call $write (select (global.get $err) (global.get $out) (local.get 2)) (local.get 0) (local.get 1) (i32.const 8))
      (if (i32.load8_u (i32.const 8)) (then unreachable)))
    (func (export "ask") (param i64) (result i32)
      (call $read (global.get $in) (local.get 0) (i32.const 8))
      (if (i32.load8_u (i32.const 8)) (then unreachable))
      (i32.const 12))
    (func (export "is_ready") (result i32) (call $ready (global.get $poll)))
    (func $open_it (param i32 i32 i32) (result i32)
      (call $open (select (global.get $second) (global.get $first) (local.get 2)) (i32.const 0)
        (local.get 0) (local.get 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (if (i32.load8_u (i32.const 8)) (then unreachable))
      (i32.load (i32.const 12)))
    (func (export "read") (param i32 i32 i32) (result i32) (local $file i32)
      (local.set $file (call $open_it (local.get 0) (local.get 1) (local.get 2)))
      (call $pread (local.get $file) (i64.const 1000) (i64.const 0) (i32.const 8))
      (if (i32.load8_u (i32.const 8)) (then unreachable))
      (call $drop_descriptor (local.get $file))
      (i32.const 12))
    (func (export "mutable") (param i32) (result i32)
      (call $flags (select (global.get $second) (global.get $first) (local.get 0)) (i32.const 8))
      (i32.shr_u (i32.load8_u (i32.const 9)) (i32.const 5)))
    (func (export "hold") (param i32 i32 i32) (local $file i32)
      (block $end (block $out (block $in (block $over (block $timer (block $listing (block $stream (block $file
        (br_table $file $stream $listing $timer $over $in $out (local.get 0)))
        (global.set $held (call $open_it (local.get 1) (local.get 2) (i32.const 0))) (br $end))
        (local.set $file (call $open_it (local.get 1) (local.get 2) (i32.const 0)))
        (call $via_stream (local.get $file) (i64.const 0) (i32.const 8))
        (call $drop_descriptor (local.get $file)) (global.set $held (i32.load (i32.const 12))) (br $end))
        (call $list (global.get $first) (i32.const 8)) (global.set $held (i32.load (i32.const 12))) (br $end))
        (global.set $held (call $after (i64.const 1000000000000))) (br $end))
        (global.set $held (call $after (i64.const 0))) (br $end))
        (global.set $held (call $poll_input (global.get $in))) (br $end))
        (global.set $held (call $poll_output (global.get $out)))))
    (func (export "held") (result i32) (call $ready (global.get $held)))
    (func (export "let_go") (param i32)
      (if (i32.eq (local.get 0) (i32.const 0)) (then (call $drop_descriptor (global.get $held)) (return)))
      (if (i32.eq (local.get 0) (i32.const 1)) (then (call $drop_input (global.get $held)) (return)))
      (if (i32.eq (local.get 0) (i32.const 2)) (then (call $drop_listing (global.get $held)) (return)))
      (call $drop_pollable (global.get $held)))
    (func (export "trap") unreachable)"""

#: Name, type, core name, whether memory is needed.
_LIFTED: Final = (
    ("keep", "", "keep"),
    ("say", '(param "text" string) (param "to-stderr" bool)', "say"),
    ("ask", '(param "most" u64) (result (list u8))', "ask"),
    ("is-ready", "(result bool)", "is_ready"),
    ("read", '(param "path" string) (param "in-second" bool) (result (list u8))', "read"),
    ("mutable", '(param "second" bool) (result bool)', "mutable"),
    ("hold", '(param "what" u32) (param "path" string)', "hold"),
    ("held", "(result bool)", "held"),
    ("let-go", '(param "what" u32)', "let_go"),
    ("trap", "", "trap"),
)


def keeper() -> str:
    """The text of it."""
    options = "(memory $memory) (realloc $realloc)"
    lowered, imported, given, lifted = [], [], [], []
    for core, params, result, instance, name in _LOWERED:
        lowered.append(f'(core func ${core} (canon lower (func ${instance} "{name}") {options}))')
        types = f"(param {params})" + (f" (result {result})" if result else "")
        imported.append(f'(import "" "{core}" (func ${core} {types}))')
        given.append(f'(export "{core}" (func ${core}))')
    for name in _DROPS:
        lowered.append(f"(core func $drop_{name} (canon resource.drop ${name}))")
        imported.append(f'(import "" "drop_{name}" (func $drop_{name} (param i32)))')
        given.append(f'(export "drop_{name}" (func $drop_{name}))')
    for name, types, core in _LIFTED:
        lifted.append(f'(func (export "{name}") {types} (canon lift (core func $i "{core}") {options}))')
    parts = "\n  ".join
    return f"""(component {_TYPES}
  {LIBC}
  {parts(lowered)}
  (core module $m {parts(imported)} {_BODY})
  (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory)) {parts(given)}))))
  {parts(lifted)})"""
