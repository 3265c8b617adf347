"""Packs the policy when a wheel is built, and gives the wheel the tag of the machine that its code is for."""

import sysconfig
from pathlib import Path

import setuptools
from setuptools.command.bdist_wheel import bdist_wheel

import wasmartifact as wa

HERE = Path(__file__).parent
wa.pack(HERE / "policy.wat", HERE / "src/card_policy/policy.wasm.so")


class MachineWheel(bdist_wheel):
    """Any Python 3, but this machine alone: setuptools would say `any`, since it compiled nothing itself."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")


setuptools.setup(cmdclass={"bdist_wheel": MachineWheel})
