"""A host with plug-ins: they call the host's functions, and errors of the host are exceptions that a plug-in can catch.

The host lends a key-value store. A missing key is a WebAssembly exception with the host's tag: the plug-in `lenient`
catches it and goes on, `strict` does not, and the host gets its own exception back. Other Python exceptions pass
through a plug-in unseen.
"""

from __future__ import annotations

import wasmartifact as wa

TAG = wa.Tag(["i32"])

#: Adds what the host holds under three keys; %s is how the plug-in looks one up.
PLUGIN = """
(module
  (import "host" "missing" (tag $missing (param i32)))
  (import "host" "get" (func $get (param i32) (result i32)))
  (import "host" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "sum is ready")
  (func $look_up (param $key i32) (result i32) %s)
  (func (export "sum") (result i32)
    (i32.add (i32.add (call $look_up (i32.const 1)) (call $look_up (i32.const 2))) (call $look_up (i32.const 3)))
    (call $log (i32.const 0) (i32.const 12))))
"""
STRICT = "(call $get (local.get $key))"
#: A missing key counts as 0.
LENIENT = """
  (block $caught (result i32)
    (try_table (catch $missing $caught) (return (call $get (local.get $key))))
    (unreachable))
  (drop) (i32.const 0)
"""


class Host:
    """What plug-ins may use."""

    def __init__(self, values: dict[int, int]) -> None:
        self.values = values
        self.log: list[str] = []

    def get(self, key: int) -> int:
        """The value under a key; where there is none, an exception in the plug-in."""
        if key not in self.values:
            raise wa.WasmException(TAG, [key])
        return self.values[key]

    def write_log(self, plugin: wa.Instance, address: int, size: int) -> None:
        """Text from the memory of the plug-in that calls."""
        self.log.append(plugin.exports["memory"][address : address + size].decode())

    def load(self, wat: str) -> wa.Instance:
        """A plug-in with this host's functions."""
        write_log = wa.Func(self.write_log, ["i32", "i32"], caller=True)
        return wa.compile(wat.encode()).instantiate({"host": {"missing": TAG, "get": self.get, "log": write_log}})


def main() -> None:
    """Both plug-ins, with all keys and with one missing."""
    host = Host({1: 10, 2: 20, 3: 12})
    strict, lenient = host.load(PLUGIN % STRICT), host.load(PLUGIN % LENIENT)
    print("strict:", strict.exports.sum())
    del host.values[2]
    print("lenient:", lenient.exports.sum())
    try:
        strict.exports.sum()
    except wa.WasmException as exception:
        print("strict: no key", *exception.values)
    print("log:", *host.log, sep="\n  ")


if __name__ == "__main__":
    main()
