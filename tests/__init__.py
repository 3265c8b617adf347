"""Tests, and what runs without pytest beside them."""

import os

# What is packed in the background would be measured, and waited for, by tests of other things.
os.environ["WASMARTIFACT_TIER_UP"] = "0"
# What one test has packed would be there for the next one, which wants to see workers, limits or times.
os.environ["WASMARTIFACT_INCREMENTAL"] = "0"
# What we emit is looked at by LLVM, too, wherever a test or a fuzzer packs.
os.environ["WASMARTIFACT_VERIFY_IR"] = "1"
