"""Runs C threads: a module as Emscripten's `-pthread` builds it asks its host for threads, which a pool gives it.

All instances share one memory and hold nothing else in common: globals, tables and the stack of each are its own. So
they run in parallel, in stores of their own; the guest's locks and condition variables wait and wake by atomic
instructions, without the GIL. Here the guest is written by hand, with the imports and exports that such a module has.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import wasmartifact as wa

WAT = b"""
(module
  (import "env" "memory" (memory 2 16 shared))
  ;; pthread_create, the part of the host: thread, attributes, start routine and its argument.
  (import "env" "__pthread_create_js" (func $create (param i32 i32 i32 i32) (result i32)))
  (table (export "__indirect_function_table") 2 funcref)
  (elem (i32.const 1) $worker)
  (global $stack (mut i32) (i32.const 65536))
  ;; What a new thread does first: it gets a stack of its own.
  (func (export "_emscripten_stack_restore") (param $stack i32) (global.set $stack (local.get $stack)))

  ;; In memory: 16 the next number to look at, 20 what was found, 24 threads that are at work.
  (func $is_prime (param $number i32) (result i32) (local $divisor i32)
    (local.set $divisor (i32.const 2))
    (loop $next
      (if (i32.gt_u (i32.mul (local.get $divisor) (local.get $divisor)) (local.get $number))
        (then (return (i32.gt_u (local.get $number) (i32.const 1)))))
      (if (i32.eqz (i32.rem_u (local.get $number) (local.get $divisor))) (then (return (i32.const 0))))
      (local.set $divisor (i32.add (local.get $divisor) (i32.const 1)))
      (br $next))
    (unreachable))
  ;; The start routine: takes a hundred numbers at a time until there are no more.
  (func $worker (param $limit i32) (result i32) (local $number i32) (local $end i32) (local $found i32)
    (block $done
      (loop $take
        (local.set $number (i32.atomic.rmw.add (i32.const 16) (i32.const 100)))
        (br_if $done (i32.ge_u (local.get $number) (local.get $limit)))
        (local.set $end (i32.add (local.get $number) (i32.const 100)))
        (loop $next
          (if (i32.lt_u (local.get $number) (local.get $limit))
            (then (local.set $found (i32.add (local.get $found) (call $is_prime (local.get $number))))))
          (br_if $next (i32.lt_u (local.tee $number (i32.add (local.get $number) (i32.const 1))) (local.get $end))))
        (br $take)))
    (drop (i32.atomic.rmw.add (i32.const 20) (local.get $found)))
    (if (i32.eq (i32.atomic.rmw.sub (i32.const 24) (i32.const 1)) (i32.const 1))
      (then (drop (memory.atomic.notify (i32.const 24) (i32.const 1)))))
    (local.get $found))
  ;; Starts the threads, and waits for the last one.
  (func (export "count_primes") (param $limit i32) (param $threads i32) (result i32) (local $left i32)
    (i32.atomic.store (i32.const 24) (local.get $threads))
    (loop $start
      (if (call $create (local.get $threads) (i32.const 0) (i32.const 1) (local.get $limit)) (then unreachable))
      (br_if $start (local.tee $threads (i32.sub (local.get $threads) (i32.const 1)))))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.tee $left (i32.atomic.load (i32.const 24)))))
        (drop (memory.atomic.wait32 (i32.const 24) (local.get $left) (i64.const -1)))
        (br $again)))
    (i32.atomic.load (i32.const 20))))
"""
STACK_BYTES = 4096


class Program:
    """An instance of the module for the main thread, and one for each thread that it asks for."""

    def __init__(self, threads: int) -> None:
        memory = wa.Memory(2, 16, shared=True)
        create = wa.Func(self._create_thread, ["i32", "i32", "i32", "i32"], ["i32"])
        self._linked = wa.compile(WAT).link({"env": {"memory": memory, "__pthread_create_js": create}})
        self._pool = ThreadPoolExecutor(threads)
        self._running: list[Future[int]] = []
        self.exports = self._linked.instantiate().exports

    def _create_thread(self, thread: int, _attributes: int, start: int, argument: int) -> int:
        """Runs in the main thread's call, which goes on when this returns; 0 is success."""
        self._running.append(self._pool.submit(self._run_thread, thread, start, argument))
        return 0

    def _run_thread(self, thread: int, start: int, argument: int) -> int:
        """Runs in a thread of the pool, in an instance of its own."""
        exports = self._linked.instantiate().exports
        exports["_emscripten_stack_restore"](65536 + STACK_BYTES * thread)
        found: int = exports["__indirect_function_table"][start](argument)
        return found

    def count_primes(self, limit: int, threads: int) -> tuple[int, int]:
        """How many primes there are below the limit: by the main thread, and as the sum of what all threads say."""
        total: int = self.exports["count_primes"](limit, threads)
        return total, sum(thread.result() for thread in self._running)


def main() -> None:
    """The primes below 100,000, on four threads."""
    total, of_threads = Program(threads=4).count_primes(100_000, threads=4)
    print(f"{total} primes, {of_threads} of them found by threads")


if __name__ == "__main__":
    main()
