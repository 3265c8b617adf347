"""The tests on an emulated aarch64, and how their modules are packed."""
