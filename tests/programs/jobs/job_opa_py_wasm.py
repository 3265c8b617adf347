"""opa-py-wasm decides by a policy, from several threads; the policy is one that an npm package has compiled."""

import sys
from concurrent.futures import ThreadPoolExecutor

from opapywasm import OpaWasmPolicy, PolicyConfig
from running import run

INPUTS = [
    {"content": "FROM node:20\nUSER node\nCMD node"},
    {"content": "FROM node:latest\nUSER root\nENV PASSWORD=secret"},
    {"content": "apiVersion: v1\nkind: Pod\nspec:\n  privileged: true\n  hostNetwork: true"},
    {"content": ""},
    {},
]
policy = OpaWasmPolicy.from_wasm_file(sys.argv[1], config=PolicyConfig(pool_size=2, eval_timeout_seconds=30.0))


def job() -> object:
    """Every input by every entry point."""
    with ThreadPoolExecutor(2) as threads:
        return {
            name: list(threads.map(lambda value, name=name: policy.evaluate(value, entrypoint=name), INPUTS))
            for name in sorted(policy.entrypoints)
        } | {"builtins": sorted(policy.builtins), "version": policy.abi_version}


run(job)
