"""confidence-openfeature-provider resolves flags and collects events in two modules."""

import importlib.resources
import logging
import re

from confidence.event_tracker import _UnsafeEventWasmTracker as EventTracker
from confidence.local_resolver import LocalResolver
from confidence.proto.confidence.events.wasm.v1 import wasm_api_pb2 as events
from confidence.proto.confidence.wasm import wasm_api_pb2 as flags
from running import run

logging.disable(logging.CRITICAL)


def module(name: str) -> bytes:
    return importlib.resources.files("confidence").joinpath("wasm", name).read_bytes()


def attempt(call: object, *args: object) -> object:
    try:
        return call(*args)  # type: ignore[operator]
    except RuntimeError as error:
        return str(error)


def job() -> object:
    """A state that is none, an empty one, a request for nothing, metrics; events there and back."""
    resolver = LocalResolver(module("confidence_resolver.wasm"))
    found = [
        attempt(resolver.set_resolver_state, b"\xff\xff", "account"),
        attempt(resolver.set_resolver_state, b"", "account"),
        attempt(resolver.resolve_process, flags.ResolveProcessRequest()),
        re.sub(r'resolver_id="\d+"', "", str(resolver.prometheus_snapshot())),
    ]
    tracker = EventTracker(module("confidence_event_engine.wasm"))
    for number in range(3):
        request = events.TrackEventRequest(event_name=f"eventDefinitions/{number}")
        request.event_time.FromSeconds(1_700_000_000 + number)
        request.data.update({"text": "é" * number})  # fields of a map come in any order
        tracker.track_event(request)
    return [*found, *(tracker.flush_events().SerializeToString() for _ in range(2))]


run(job)
