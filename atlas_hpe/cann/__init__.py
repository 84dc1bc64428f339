"""CANN, the software of the Ascend chips: where it is, its versions, and what atc needs."""

from __future__ import annotations

from atlas_hpe.cann.environment import atc_environment
from atlas_hpe.cann.installs import CannInstall, driver_version, find_atc, find_installs
from atlas_hpe.cann.memory import available_kb, check_memory
from atlas_hpe.cann.runtime import find_runtime
from atlas_hpe.cann.versions import CannVersion, compare_cann, parse_cann

__all__ = [
    "CannInstall",
    "CannVersion",
    "atc_environment",
    "available_kb",
    "check_memory",
    "compare_cann",
    "driver_version",
    "find_atc",
    "find_installs",
    "find_runtime",
    "parse_cann",
]
