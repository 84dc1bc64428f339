"""The machine that a figure was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atlas_hpe.version import __version__

__all__ = ["Machine", "read_machine"]

_CPU_INFO = Path("/proc/cpuinfo")
_BOARD_MODEL = Path("/proc/device-tree/model")  # Linux on Arm tells the board here


@dataclass(frozen=True)
class Machine:
    """What a reader must know of a machine to judge its figures.

    Attributes:
        processor: Its name, as the system tells it.
        cores: Processor cores that this process may use.
        system: Operating system and instruction set.
        python: Version of Python.
        numpy: Version of NumPy.
        atlas_hpe: Version of this toolkit.
    """

    processor: str
    cores: int
    system: str
    python: str
    numpy: str
    atlas_hpe: str


def read_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        processor=_name_processor(),
        cores=_count_cores(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        atlas_hpe=__version__,
    )


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name_processor() -> str:
    try:
        if _BOARD_MODEL.is_file():
            return _BOARD_MODEL.read_text(errors="replace").strip("\0\n ")
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:  # no Linux, or a container that hides it
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()
