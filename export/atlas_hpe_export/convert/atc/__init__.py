"""The compiler: where it is, what it needs, and how it is run, here or in a container."""

from __future__ import annotations

from atlas_hpe_export.convert.atc.script import convert_script
from atlas_hpe_export.convert.atc.toolchain import Toolchain, find_toolchain, run_atc

__all__ = ["Toolchain", "convert_script", "find_toolchain", "run_atc"]
