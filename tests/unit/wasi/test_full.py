"""Files where nothing fits any more: an errno for each call that needs room, and the guest goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.unit.wasi.guest import ERRNO, RESULT, RIGHTS, ours

ROOT: Final = Path(__file__).resolve().parents[3]
#: A command behind these words runs where it may mount things, and its mounts vanish with it.
WITH_MOUNTS: Final = ("unshare", "--user", "--map-root-user", "--mount")

#: A file system of 64 KiB and 12 inodes, which the guest fills with bytes, then with names.
FILL: Final = """
import subprocess, sys
from tests.unit.wasi.guest import CREAT, ERRNO, RESULT, RIGHTS, ours
folder = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=12", "none", folder], check=True)
guest, nospc = ours(folder), ERRNO["nospc"]
both = RIGHTS["fd_read"] | RIGHTS["fd_write"]

assert guest.open(3, "file", CREAT, both) == (0, 4)
assert guest.write(4, b"a" * 40_000) == (0, 40_000)
assert guest.write(4, b"b" * 40_000) == (0, 25_536)  # what still fits
assert guest.write(4, b"c") == (nospc, None)
assert guest.call("fd_pwrite", 4, *guest.vectors(1), 100_000, RESULT) == nospc
assert guest.call("fd_allocate", 4, 0, 100_000) == nospc
assert guest.filestat(4)[1]["size"] == 65_536
assert guest.seek(4, 39_999, 0) == (0, 39_999)
assert guest.read(4, 3) == (0, b"abb")
assert guest.open(3, "second", CREAT, both) == (0, 5)  # a name needs no block
assert guest.write(5, b"x") == (nospc, None)
assert guest.call("fd_filestat_set_size", 4, 4096) == 0
assert guest.write(5, b"x") == (0, 1)

made = 0
while (errno := guest.with_path("path_create_directory", 3, f"folder{made}")) == 0:
    made += 1
assert (errno, 0 < made < 12) == (nospc, True)
assert guest.open(3, "third", CREAT, both) == (nospc, None)
assert guest.symlink("file", 3, "link") == nospc
assert guest.with_path("path_remove_directory", 3, "folder0") == 0
assert guest.symlink("file", 3, "link") == 0
print("full")
"""


def test_a_device_that_is_full() -> None:
    """/dev/full below a preopened directory; test_wasi_streams has it as standard output."""
    guest = ours(Path("/dev"))
    assert guest.open(3, "full", rights=RIGHTS["fd_read"] | RIGHTS["fd_write"]) == (0, 4)
    assert guest.write(4, b"x") == (ERRNO["nospc"], None)
    assert guest.call("fd_pwrite", 4, *guest.vectors(3), 0, RESULT) == ERRNO["nospc"]
    assert guest.read(4, 3) == (0, bytes(3))


def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    """Skipped, with the system's words, where users may not mount anything."""
    if shutil.which(WITH_MOUNTS[0]) is None:
        pytest.skip("a full file system was not tested: there is no unshare")
    probe = [*WITH_MOUNTS, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    allowed = subprocess.run(probe, capture_output=True, text=True, check=False)
    if allowed.returncode:
        pytest.skip(f"a full file system was not tested: {allowed.stderr.strip()}")
    command = [*WITH_MOUNTS, sys.executable, "-c", FILL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("full\n", 0), done.stderr
    assert list(tmp_path.iterdir()) == []  # the mount was the child's own
