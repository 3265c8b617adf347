"""What the Python and JavaScript sandboxes of hyperlight are told to run, one after another."""

PYTHON = (
    "import collections, json, math\nprint(sum(n * n for n in range(1000)), math.factorial(20))",
    "result = call_tool('add', a=20, b=22)\nprint('the tool says', result)",
    "print(sorted({'b': 1, 'a': [2, 3]}.items())); raise ValueError('on purpose')",
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nprint(fib(18))",
)
JAVASCRIPT = (
    "console.log([3, 1, 2].sort().join(), JSON.stringify({a: 1, b: [2, 3]}))",
    "console.log('the tool says', call_tool('add', {a: 20, b: 22}))",
    "throw new Error('on purpose')",
    "const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2); console.log(fib(18))",
)
