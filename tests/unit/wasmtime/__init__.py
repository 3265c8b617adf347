"""The face of wasmtime-py."""
