"""quickjs-rs runs JavaScript: its README's examples."""

import asyncio
import posixpath

from quickjs_rs import JSError, Runtime
from running import run

SOURCES = {
    "config": "export const MAX_RETRIES = 3;",
    "utils": "export { slugify } from './strings.js';",
    "strings.js": "export const slugify = s => s.toLowerCase().replace(/ /g, '-');",
    "typed.ts": "export enum Kind { A = 4, B }; export const twice = (x: number): number => x * 2;",
}


async def modules(runtime: Runtime) -> object:
    """What needs an event loop: modules, functions of the host that wait."""
    runtime.set_module_loader(normalize=lambda base, name: posixpath.normpath(name), load=SOURCES.get)
    with runtime.new_context() as context:

        @context.function
        async def fetch(name: str) -> str:
            await asyncio.sleep(0)
            return f"{name} of Python"

        return [
            await context.eval_async("await fetch('text')"),
            await context.eval_async(
                "const { slugify } = await import('utils'); const { MAX_RETRIES } = await import('config');"
                "slugify('Hello World') + '/' + MAX_RETRIES"
            ),
            await context.eval_async("const { Kind, twice } = await import('typed.ts'); twice(Kind.B)"),
        ]


def job() -> object:
    """Values of every kind, calls back, errors, modules."""
    with Runtime() as runtime:
        with runtime.new_context() as context:

            @context.function
            def greet(name: str) -> str:
                return f"hi {name}"

            found = [
                context.eval(code) for code in ("1 + 2", "greet('world')", "[1, 'a', null, {b: [true]}]", "2n ** 70n")
            ]
            try:
                context.eval("null.x")
            except JSError as problem:
                found.append([problem.name, problem.message])
        found.append(asyncio.run(modules(runtime)))
    return found


run(job)
