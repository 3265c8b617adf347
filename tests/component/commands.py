"""Components that are commands, in the text format, and the command that runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.component.wasi_texts import HTTP_ERRORS, NETWORK_ERRORS


def requesting(authority: str) -> str:
    """A command that makes a request for ``/`` of a server, waits for the answer, and looks no further."""
    return f"""(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type $fields (sub resource)))
    (export "outgoing-request" (type $request (sub resource)))
    (export "request-options" (type $options (sub resource)))
    (export "future-incoming-response" (type $future (sub resource)))
    (type $own-scheme (variant (case "HTTP") (case "HTTPS") (case "other" string)))
    (export "scheme" (type $scheme (eq $own-scheme)))
    {HTTP_ERRORS}
    (export "error-code" (type (eq $own-code)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $request))))
    (export "[method]outgoing-request.set-scheme"
      (func (param "self" (borrow $request)) (param "scheme" (option $scheme)) (result (result))))
    (export "[method]outgoing-request.set-authority"
      (func (param "self" (borrow $request)) (param "authority" (option string)) (result (result))))
    (export "[method]future-incoming-response.subscribe"
      (func (param "self" (borrow $future)) (result (own $pollable))))))
  (alias export $types "outgoing-request" (type $request))
  (alias export $types "request-options" (type $options))
  (alias export $types "future-incoming-response" (type $future))
  (alias export $types "error-code" (type $code))
  (import "wasi:http/outgoing-handler@0.2.0" (instance $handler
    (export "handle" (func (param "request" (own $request)) (param "options" (option (own $options)))
      (result (result (own $future) (error $code)))))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 64) "{authority}")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $request (canon lower (func $types "[constructor]outgoing-request")))
  (core func $scheme
    (canon lower (func $types "[method]outgoing-request.set-scheme") (memory $bytes) string-encoding=utf8))
  (core func $authority
    (canon lower (func $types "[method]outgoing-request.set-authority") (memory $bytes) string-encoding=utf8))
  (core func $handle (canon lower (func $handler "handle") (memory $bytes) (realloc (core func $memory "realloc"))))
  (core func $subscribe (canon lower (func $types "[method]future-incoming-response.subscribe")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $code
    (import "m" "memory" (memory 1))
    (import "h" "fields" (func $fields (result i32)))
    (import "h" "request" (func $request (param i32) (result i32)))
    (import "h" "scheme" (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "h" "authority" (func $authority (param i32 i32 i32 i32) (result i32)))
    (import "h" "handle" (func $handle (param i32 i32 i32 i32)))
    (import "h" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "h" "block" (func $block (param i32)))
    (func (export "run") (result i32) (local $made i32)
      (local.set $made (call $request (call $fields)))
      (drop (call $scheme (local.get $made) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
      (drop (call $authority (local.get $made) (i32.const 1) (i32.const 64) (i32.const {len(authority)})))
      (call $handle (local.get $made) (i32.const 0) (i32.const 0) (i32.const 8))
      (if (i32.load8_u (i32.const 8)) (then (return (i32.const 1))))
      (call $block (call $subscribe (i32.load (i32.const 16))))
      (i32.const 0)))
  (core instance $code (instantiate $code
    (with "m" (instance $memory))
    (with "h" (instance
      (export "fields" (func $fields)) (export "request" (func $request)) (export "scheme" (func $scheme))
      (export "authority" (func $authority)) (export "handle" (func $handle)) (export "subscribe" (func $subscribe))
      (export "block" (func $block))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"""


#: A command that makes a socket of TCP; its exit code is 1 where it may not.
SOCKET = f"""(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $own-code {NETWORK_ERRORS}) (export "error-code" (type (eq $own-code)))
    (type $own-family (enum "ipv4" "ipv6")) (export "ip-address-family" (type (eq $own-family)))))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (export "create-tcp-socket" (func (param "address-family" $family) (result (result (own $socket) (error $code)))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (core func $create (canon lower (func $create "create-tcp-socket") (memory $bytes)))
  (core module $code
    (import "m" "memory" (memory 1))
    (import "h" "create" (func $create (param i32 i32)))
    (func (export "run") (result i32)
      (call $create (i32.const 0) (i32.const 8))
      (i32.load8_u (i32.const 8))))
  (core instance $code (instantiate $code
    (with "m" (instance $memory)) (with "h" (instance (export "create" (func $create))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"""


def run_command(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command ``run`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "wasmartifact", "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
