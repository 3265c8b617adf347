"""A typed Python package for a component: `wasmartifact bindgen`. `output.py` is where it begins."""
