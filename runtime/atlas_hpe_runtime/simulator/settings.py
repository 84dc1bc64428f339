"""What is simulated: which board, which generation of its software, and what fails."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe.targets import DEFAULT_SOC, SOCS, find_soc
from atlas_hpe_runtime.simulator.faults import FaultPlan

__all__ = ["GENERATIONS", "MODES", "SimulatorSettings"]

#: Generations of CANN, oldest first.
GENERATIONS: Tuple[str, ...] = ("5.0", "6.0", "7.0")
MODES: Tuple[str, ...] = ("rc", "ep")
_PREFIX = "ATLAS_HPE_SIM_"
_MAX_DEVICES = 64
_MAX_MEMORY_MB = 1 << 20


@dataclass(frozen=True)
class SimulatorSettings:
    """What is simulated.

    Attributes:
        mode: ``"rc"``: the program runs on the board itself, and host and device share one memory
            (Atlas 200 DK); ``"ep"``: the device is a PCIe card with a memory of its own.
        cann: Generation of the software. ``"5.0"`` has the NumPy forms of the pointer helpers
            only, ``"6.0"`` has both forms, and in ``"7.0"`` the NumPy forms warn on every call and
            are gone on Python before 3.8 (ascend.md sections 1.4 and 1.9).
        soc: Name of the chip, a key of ``atlas_hpe.targets.SOCS``; ``acl.get_soc_name`` gives it.
        devices: How many devices there are.
        memory_mb: Memory of the device, MiB; several devices share it.
        fail: Faults on order, see FaultPlan.parse.

    Raises:
        UsageError: An impossible value.
    """

    mode: str = "rc"
    cann: str = "6.0"
    soc: str = DEFAULT_SOC
    devices: int = 1
    memory_mb: int = 8192
    fail: str = ""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise _bad("mode", self.mode, "one of " + ", ".join(MODES))
        if self.cann not in GENERATIONS:
            raise _bad("cann", self.cann, "one of " + ", ".join(GENERATIONS))
        if self.soc not in SOCS:
            raise _bad("soc", self.soc, "one of " + ", ".join(SOCS))
        if not 1 <= self.devices <= _MAX_DEVICES:
            raise _bad("devices", self.devices, f"1 to {_MAX_DEVICES}")
        if not 1 <= self.memory_mb <= _MAX_MEMORY_MB:
            raise _bad("memory_mb", self.memory_mb, f"1 to {_MAX_MEMORY_MB}")
        FaultPlan.parse(self.fail)

    @classmethod
    def from_environment(cls, environment: Optional[Mapping[str, str]] = None) -> SimulatorSettings:
        """Read ``ATLAS_HPE_SIM_MODE``, and so on: a variable for each attribute.

        The chip may have any name that :func:`atlas_hpe.targets.find_soc` takes.

        Args:
            environment: Where to read; None takes the one of the process.

        Raises:
            UsageError: An impossible value.
        """
        known = os.environ if environment is None else environment
        return cls(
            mode=known.get(_PREFIX + "MODE", cls.mode),
            cann=known.get(_PREFIX + "CANN", cls.cann),
            soc=find_soc(known.get(_PREFIX + "SOC", cls.soc), option=f"--soc, {_PREFIX}SOC").name,
            devices=_integer(known, "DEVICES", cls.devices),
            memory_mb=_integer(known, "MEMORY_MB", cls.memory_mb),
            fail=known.get(_PREFIX + "FAIL", cls.fail),
        )

    def to_environment(self) -> Mapping[str, str]:
        """The variables that make another process simulate the same."""
        return {
            _PREFIX + "MODE": self.mode,
            _PREFIX + "CANN": self.cann,
            _PREFIX + "SOC": self.soc,
            _PREFIX + "DEVICES": str(self.devices),
            _PREFIX + "MEMORY_MB": str(self.memory_mb),
            _PREFIX + "FAIL": self.fail,
        }

    def has(self, since: Optional[str], until: Optional[str]) -> bool:
        """Whether this generation lies from ``since`` to ``until``, both included; None is open."""
        now = GENERATIONS.index(self.cann)
        first = 0 if since is None else GENERATIONS.index(since)
        last = len(GENERATIONS) - 1 if until is None else GENERATIONS.index(until)
        return first <= now <= last


def _integer(known: Mapping[str, str], name: str, default: int) -> int:
    text = known.get(_PREFIX + name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise _bad(name.lower(), text, "a whole number above 0")
    return int(text)


def _bad(name: str, value: object, allowed: str) -> UsageError:
    return UsageError(
        f"the simulator can't have {name} '{value}'",
        where=f"--{name.replace('_', '-')}, {_PREFIX}{name.upper()}",
        fix=f"give {allowed}",
    )
