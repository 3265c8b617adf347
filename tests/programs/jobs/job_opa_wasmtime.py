"""opa-wasmtime decides by a policy, one that an npm package has compiled."""

import sys

from opa_wasmtime import OPAPolicy
from running import run

INPUTS = [
    {"content": "FROM node:latest\nUSER root\nENV PASSWORD=secret"},
    {"content": "kind: Pod\nprivileged: true"},
    {},
]
policy = OPAPolicy(sys.argv[1])
policy.set_data({"company": "ACME"})


def job() -> object:
    """Every input by every entry point."""
    return {name: [policy.evaluate(value, entrypoint=name) for value in INPUTS] for name in policy.entrypoints}


run(job)
