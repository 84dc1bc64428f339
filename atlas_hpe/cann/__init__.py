"""CANN, the software of the Ascend chips: where it is installed, and its versions."""

from __future__ import annotations

from atlas_hpe.cann.installs import CannInstall, driver_version, find_atc, find_installs
from atlas_hpe.cann.runtime import find_runtime
from atlas_hpe.cann.versions import CannVersion, compare_cann, parse_cann

__all__ = [
    "CannInstall",
    "CannVersion",
    "compare_cann",
    "driver_version",
    "find_atc",
    "find_installs",
    "find_runtime",
    "parse_cann",
]
