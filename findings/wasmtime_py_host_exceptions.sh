#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): which exception a call raises depends on what other threads do, and on its class.
# Guess: what a host function raises comes out of the call that it was called by, as ctypes callbacks keep it apart by call.
# Seen: it waits in one variable of the module. Of two threads with stores of their own whose host functions raise at the same time, one
# gets the other's exception, or a WasmtimeError that says "python exception" in the place of its own. And a StopIteration comes out as
# RuntimeError, since calls go through contextlib. A server with a thread for each guest hands errors of one to another.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import threading

import wasmtime

TEXT = '(module (import "h" "f" (func $f)) (func (export "run") call $f))'
engine = wasmtime.Engine()
module = wasmtime.Module(engine, TEXT)
both = threading.Barrier(2)
got = {}


def guest(problem, wait):
    def raises():
        if wait:
            both.wait()
        raise problem

    store = wasmtime.Store(engine)
    run = wasmtime.Instance(store, module, [wasmtime.Func(store, wasmtime.FuncType([], []), raises)]).exports(store)["run"]
    try:
        run(store)
    except Exception as error:
        return error


def thread(name):
    own = ValueError(name)
    for _ in range(2000):
        if guest(own, True) is not own:
            got[name] = True


threads = [threading.Thread(target=thread, args=(name,)) for name in "ab"]
for item in threads:
    item.start()
for item in threads:
    item.join()
print("each thread got its own exception each time:", not got)
print("StopIteration comes out as", type(guest(StopIteration(), False)).__name__)
PY
python look.py > seen
expect << 'SEEN'
each thread got its own exception each time: False
StopIteration comes out as RuntimeError
SEEN
