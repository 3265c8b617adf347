"""componentize-py makes a component of a Python program, which then counts, digests and calculates."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import wasmtime
from running import digest, run
from wasmtime.component import Component, Linker

WIT = """package example:words;

world words {
  record count { word: string, times: u32 }
  import shout: func(text: string) -> string;
  export frequencies: func(text: string, most: u32) -> list<count>;
  export digest: func(data: list<u8>) -> list<u8>;
  export solve: func(expression: string) -> result<f64, string>;
}
"""
#: Modules that are first imported at run time are not there: heapq is for most_common.
PROGRAM = """import collections, hashlib, heapq, math

import wit_world
from componentize_py_types import Err
from wit_world import Count, shout


class WitWorld(wit_world.WitWorld):
    def frequencies(self, text, most):
        counter = collections.Counter(text.split())
        return [Count(word=shout(word), times=times) for word, times in counter.most_common(most)]

    def digest(self, data):
        return hashlib.sha256(data).digest()

    def solve(self, expression):
        try:
            return float(eval(expression, {"__builtins__": {}}, vars(math)))
        except Exception as problem:
            raise Err(f"{type(problem).__name__}: {problem}")
"""
ARGUMENTS = ("-d", "words.wit", "-w", "words", "componentize", "program", "-o", "../words.wasm")
TEXT = "the cat and the dog and the bird"

work = Path("made")
work.mkdir()
(work / "words.wit").write_text(WIT)
(work / "program.py").write_text(PROGRAM)
subprocess.run(
    (sys.executable, "-c", "import componentize_py; componentize_py.script()", *ARGUMENTS),
    cwd=work,
    check=True,
    stdout=subprocess.DEVNULL,
)
engine = wasmtime.Engine()
store = wasmtime.Store(engine)
store.set_wasi(wasmtime.WasiConfig())
linker = Linker(engine)
linker.add_wasip2()
with linker.root() as root:
    root.add_func("shout", lambda _store, text: text.upper())
instance = linker.instantiate(store, Component.from_file(engine, "words.wasm"))


def call(name: str, *arguments: object) -> object:
    """An export."""
    function = instance.get_func(store, name)
    found = function(store, *arguments)
    function.post_return(store)
    return found


def job() -> object:
    """Every export."""
    data = bytes(range(256)) * 50
    hashed = call("digest", data)
    assert hashed == hashlib.sha256(data).digest()
    return [
        [[item.word, item.times] for item in call("frequencies", TEXT, 2)],
        digest(hashed),
        [str(call("solve", expression)) for expression in ("sqrt(2) * 3", "1 / 0", "nothing")],
    ]


run(job)
shutil.rmtree(work)
Path("words.wasm").unlink()
