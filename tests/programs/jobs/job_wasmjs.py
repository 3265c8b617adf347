"""wasmjs evaluates JavaScript in QuickJS, whose values it boxes and unboxes itself, in numbers of 64 bits and more."""

from running import run
from wasmjs import jsvalueutil, wasmjs

EXPRESSIONS = [
    "1 + 2", "'a string'.toUpperCase()", "3 / 2", "-5e-324", "10 ** 100", "String(10n ** 30n)", "`${-111n * 5n}`",
    "({a: [1, null]})", "1 / 0", "function f(a, b) { return a * b }; f(6, 7)", "JSON.parse('[')", "undefinedName",
    "[...'déjà vu'].length",
]  # fmt: skip
VALUES = [0, 1.5, -2.5, 5e-324, 1e100, -0.0, float("inf"), 2**31, -(2**52), 2**70, "text", True, None, [1, {"a": 2}]]


def job() -> object:
    """Expressions, generators, and values that go there and come back."""
    js = wasmjs.WasmJS()
    found: list[object] = []
    for expression in EXPRESSIONS:
        try:
            found.append(str(js.eval(expression)))
        except wasmjs.JSError as error:
            found.append([error.name, str(error)])
    found.append(list(js.eval("(function* () { yield 1; yield* ['two', 3n + 'n'] })()")))
    for value in VALUES:
        with jsvalueutil.JSValue.encode(js._inst, value) as boxed:
            found.append([boxed.tag.name, boxed.to_string(), str(boxed.decode())])
    return found


run(job)
