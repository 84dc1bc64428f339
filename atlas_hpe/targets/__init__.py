"""What is known of the chips and of the releases of their software, as data.

The facts and their sources are in ``catalogue.json``. What no source says is None: nothing is
guessed.
"""

from __future__ import annotations

from atlas_hpe.targets.flags import FLAGS, Flag, has_flag
from atlas_hpe.targets.releases import (
    RELEASES,
    Release,
    drivers_for,
    find_release,
    python_fits,
    python_for,
)
from atlas_hpe.targets.socs import DEFAULT_SOC, SOCS, Soc, Target, find_soc, find_target

__all__ = [
    "DEFAULT_SOC",
    "FLAGS",
    "RELEASES",
    "SOCS",
    "Flag",
    "Release",
    "Soc",
    "Target",
    "drivers_for",
    "find_release",
    "find_soc",
    "find_target",
    "has_flag",
    "python_fits",
    "python_for",
]
