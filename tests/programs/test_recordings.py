"""Modules of Dart, Kotlin and OCaml say to their host what they say to it under node."""

from __future__ import annotations

import pytest

import wasmartifact as wa
from tests.programs.packages import module_path
from tests.programs.recordings import RECORDINGS, read_recording
from tests.programs.replay import Replay
from tests.programs.scenario import read_scenarios
from tests.programs.support import artifacts_folder, available

#: The others take LLVM a quarter of an hour.
LEVELS = [("ocaml", 0), ("ocaml", 2), ("dart", 0), ("kotlin", 0)]


@pytest.mark.large
@pytest.mark.parametrize(("name", "opt_level"), LEVELS)
def test_the_guest_says_what_it_says_under_node(name: str, opt_level: int) -> None:
    recording = RECORDINGS[name]
    path = available(module_path, read_scenarios()[0][recording.module])
    artifact = wa.compile(path, opt_level=opt_level, cache_dir=artifacts_folder(), tier_up=False)
    count = sum(1 for _ in read_recording(name))
    replay = Replay(artifact, read_recording(name), recording.given(), recording.constants)
    replay.run()
    assert replay.count == count > 300
