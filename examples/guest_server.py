"""A server for programs of strangers: each request has an instance, a store with limits, and a deadline of its own.

Some loop for ever, some take all memory, recurse, throw or exit. Each gets its answer, and so do all others, in time.
A request is a line, ``PROGRAM NUMBER``; the answer is another one.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import wasmartifact as wa

PROGRAMS = {
    "sum": """
        (module (func (export "handle") (param $n i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (i32.add (local.get $sum) (local.get $n)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum)))""",
    "loop": """
        (module (func (export "handle") (param i32) (result i32) (loop $more (br $more)) (unreachable)))""",
    "start": """
        (module (func $main (loop $more (br $more))) (start $main)
          (func (export "handle") (param i32) (result i32) (local.get 0)))""",
    "grow": """
        (module (memory (export "memory") 1) (func (export "handle") (param i32) (result i32)
          (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
          (memory.size)))""",
    "large": """
        (module (memory 1000) (func (export "handle") (param i32) (result i32) (local.get 0)))""",
    "recurse": """
        (module (func $handle (export "handle") (param i32) (result i32)
          (i32.add (call $handle (local.get 0)) (i32.const 1))))""",
    "throw": """
        (module (tag $failed (param i32)) (func (export "handle") (param i32) (result i32)
          (throw $failed (local.get 0))))""",
    "exit": """
        (module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
          (func (export "handle") (param i32) (result i32) (call $exit (local.get 0)) (unreachable)))""",
}
#: What strangers may take when their programs are packed, and when they run.
PACK_LIMITS = wa.PackLimits(memory_bytes=10**9, seconds=60)
LIMITS = wa.Limits(memory_bytes=4 * 2**20, table_elements=1000, instances=1, descriptors=3, stack_bytes=2**18)
SECONDS = 3.0
#: More than requests that run at the same time: who waits for a thread waits for those who have one.
THREADS = 32


def run(artifact: wa.Artifact, number: int) -> str:
    """One request, on a thread. A start function is the program's, too: it runs before the deadline or not at all."""
    store = wa.Store(limits=LIMITS)
    imports = wa.Wasi(limits=LIMITS).imports()
    try:
        with store.deadline(SECONDS):
            return str(artifact.instantiate(imports, store=store).exports["handle"](number))
    except wa.Trap as trap:
        return f"trap: {trap.code}"
    except wa.WasmException as thrown:
        return f"exception with {thrown.values}"
    except wa.Exit as end:
        return f"exit code {end.code}"
    except wa.LimitExceeded as refused:
        return f"too much: {refused.which}"


async def serve(
    artifacts: dict[str, wa.Artifact],
    threads: ThreadPoolExecutor,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """One connection."""
    program, number = (await reader.readline()).decode().split()
    answer = await asyncio.get_running_loop().run_in_executor(threads, run, artifacts[program], int(number))
    writer.write(f"{answer}\n".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def ask(port: int, program: str, number: int) -> tuple[str, float]:
    """A client: the answer, and when it came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{program} {number}\n".encode())
    answer = (await reader.readline()).decode().strip()
    writer.close()
    await writer.wait_closed()
    return answer, time.monotonic()


async def main() -> None:
    """Strangers first, then those whose answers must not wait for them."""
    artifacts = {name: wa.compile(text.encode(), opt_level=0, limits=PACK_LIMITS) for name, text in PROGRAMS.items()}
    with ThreadPoolExecutor(THREADS) as threads:
        server = await asyncio.start_server(partial(serve, artifacts, threads), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            strangers = {name: ask(port, name, 7) for name in PROGRAMS if name != "sum"}
            strangers |= {f"loop {number}": ask(port, "loop", number) for number in range(4)}
            waiting = asyncio.gather(*strangers.values())
            await asyncio.sleep(0.1)
            sums = await asyncio.gather(*(ask(port, "sum", number) for number in range(1, 101)))
            answers = dict(zip(strangers, await waiting, strict=True))
    for name, (answer, _) in answers.items():
        print(f"{name}: {answer}")
    print("sums:", sum(int(answer) for answer, _ in sums))
    endless = [when for answer, when in answers.values() if answer == "trap: deadline_exceeded"]
    in_time = max(when for _, when in sums) < min(endless)
    print(f"all sums came before the {len(endless)} endless programs ended:", in_time)


if __name__ == "__main__":
    asyncio.run(main())
