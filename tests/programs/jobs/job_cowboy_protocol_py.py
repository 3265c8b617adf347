"""cowboy-protocol-py signs transactions: its README's calls."""

import hashlib
import json

import cowboy_protocol as cowboy
from running import run

KEY = bytes(range(1, 33))


def errors(*requests: object) -> list[str]:
    """What it answers to requests that are none."""
    answers = []
    for request in requests:
        try:
            answers.append(cowboy.signing_hash_hex(json.dumps(request)))
        except cowboy.CowboyProtocolError as problem:
            answers.append(str(problem))
    return answers


def job() -> object:
    """Addresses, signatures, errors."""
    hashes = [hashlib.sha256(bytes([i])).digest() for i in range(8)]
    return {
        "addresses": [cowboy.address_from_private_key(bytes([i]) * 32) for i in range(1, 9)],
        "signatures": [cowboy.sign(one, KEY).hex() for one in hashes],
        "errors": errors({}, {"tx": 1}, [], {"nonce": -1}),
    }


run(job)
