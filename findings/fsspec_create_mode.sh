#!/usr/bin/env bash
# fsspec 2026.9.0 (PyPI): `mode="create"`, which makes an object only where none is, holds or not by the layer and by
# the call.
# Guess: a layer hands the mode to the file system beneath it, or refuses what it doesn't have.
# Seen: pipe_file of simplecache forgets it and overwrites what the memory file system beneath would have kept;
# filecache, of which simplecache is a subclass, hands it on, and so does simplecache's own put_file. The local file
# system has it for pipe_file, and forgets it for put_file. No error tells. Who makes a lock of an object that only one
# can create asks the innermost file system, by pipe_file.
. "$(dirname "$0")/lib/scratch.sh"
install fsspec==2026.9.0
cat > look.py << 'PY'
from pathlib import Path

import fsspec


def twice(fs, path, make):
    """What two attempts to create the same say, and what is there afterwards."""
    said = []
    for contents in (b"first", b"second"):
        try:
            make(fs, path, contents)
            said.append("made")
        except FileExistsError:
            said.append("refused")
    found = fs.cat_file(path).decode() if fs.exists(path) else "nothing"
    return f"{', '.join(said)}: {found}"


def pipe(fs, path, contents):
    fs.pipe_file(path, contents, mode="create")


def exclusive(fs, path, contents):
    with fs.open(path, "xb") as file:
        file.write(contents)


def put(fs, path, contents):
    Path("source").write_bytes(contents)
    fs.put_file("source", path, mode="create")


for url in ("memory://box", "file://box", "simplecache::memory://box", "filecache::memory://box"):
    fs, root = fsspec.core.url_to_fs(url, **({url.split(":")[0]: {"cache_storage": "cache"}} if "::" in url else {}))
    fs.makedirs(root, exist_ok=True)
    for make in (pipe, exclusive, put):
        path = f"{root}/{url.split(':')[0]}-{make.__name__}"
        print(f"{url} {make.__name__}: {twice(fs, path, make)}")
PY
python look.py > seen
expect << 'SEEN'
memory://box pipe: made, refused: first
memory://box exclusive: made, refused: first
memory://box put: made, refused: first
file://box pipe: made, refused: first
file://box exclusive: made, refused: first
file://box put: made, made: second
simplecache::memory://box pipe: made, made: second
simplecache::memory://box exclusive: made, refused: first
simplecache::memory://box put: made, refused: first
filecache::memory://box pipe: made, refused: first
filecache::memory://box exclusive: made, refused: first
filecache::memory://box put: made, refused: first
SEEN
