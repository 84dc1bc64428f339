"""What an examination comes to: findings with a verdict and a fix, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

__all__ = [
    "ASK_BOARD",
    "CONTAINER",
    "FAULT",
    "MISSING",
    "OK",
    "WARNING",
    "Diagnosis",
    "Finding",
    "Group",
]

OK = "ok"
WARNING = "warning"
MISSING = "missing"
FAULT = "fault"

#: What to type again once the board is mended, or to type there.
ASK_BOARD = "atlas-hpe doctor --need board"
#: Start of the fixes that are options of ``docker run``.
CONTAINER = "start the container with: "

_NEEDS_LIBRARY = 3
_NEEDS_DEVICE = 4


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        verdict: ``"ok"``, ``"warning"``: works, with something to know; ``"missing"``: not there;
            ``"fault"``: there, and does not work.
        text: What was found.
        fix: What to do about it, None when nothing is to be done.
    """

    name: str
    verdict: str
    text: str
    fix: Optional[str] = None


@dataclass(frozen=True)
class Group:
    """Findings that serve one purpose.

    Attributes:
        name: For example ``"board"``, as in ``--need``.
        purpose: What it is for.
        needed: What is missing counts.
        findings: In the order in which they are to be mended.
        libraries: It is about Python packages, and not about a device or its toolchain.
    """

    name: str
    purpose: str
    needed: bool
    findings: Tuple[Finding, ...]
    libraries: bool = False

    def counted(self) -> Tuple[Finding, ...]:
        """What makes the examination fail: faults, and what is missing of what is needed."""
        counting = (FAULT, MISSING) if self.needed else (FAULT,)
        return tuple(item for item in self.findings if item.verdict in counting)

    def lacking(self) -> Tuple[Finding, ...]:
        """What keeps the group from its purpose, needed or not."""
        return tuple(item for item in self.findings if item.verdict in (FAULT, MISSING))


@dataclass(frozen=True)
class Diagnosis:
    """The whole examination.

    Attributes:
        version: Version of this distribution.
        python: Version of the interpreter.
        platform: Operating system and processor.
        groups: What was looked at.
    """

    version: str
    python: str
    platform: str
    groups: Tuple[Group, ...]

    @property
    def exit_code(self) -> int:
        """0: fine; 3: a Python package is missing; 4: something of a device or toolchain is."""
        failing = [group for group in self.groups if group.counted()]
        if not failing:
            return 0
        return _NEEDS_LIBRARY if all(group.libraries for group in failing) else _NEEDS_DEVICE
