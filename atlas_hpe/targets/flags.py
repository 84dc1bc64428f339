"""Flags of atc, and which releases have them (ascend.md section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.cann.versions import parse_cann
from atlas_hpe.targets.catalogue import read_table

__all__ = ["FLAGS", "Flag", "has_flag"]

#: Releases before it are in no list.
_FIRST_MAJOR = 5


@dataclass(frozen=True)
class Flag:
    """A flag of atc.

    Attributes:
        name: Without the two hyphens.
        since: ``"5.x"``: CANN 5.x has it; ``"newer"``: CANN 5.x does not have it, and some later
            release does.
        until: ``"5.x"``: replaced some time after CANN 5.x; None: still there in 2026.
        values: Values that it takes in CANN 5.x; None when no closed list is known.
        newer_values: Values that only later releases take.
        default: Its value when it is not given, None when that is nothing or not known.
        note: What else is to be known.
    """

    name: str
    since: str
    until: Optional[str]
    values: Optional[Tuple[str, ...]]
    newer_values: Tuple[str, ...]
    default: Optional[str]
    note: Optional[str]


#: Name -> flag.
FLAGS: Dict[str, Flag] = {
    flag.name: flag
    for flag in (Flag(**row) for row in read_table("flags"))  # type: ignore[arg-type]
}


def has_flag(name: str, cann: str, *, value: Optional[str] = None) -> Optional[bool]:
    """Whether the atc of a CANN version has a flag, or takes a value of it.

    Args:
        name: Without the two hyphens.
        cann: Version of CANN.
        value: Ask about this value of the flag.

    Returns:
        None when no source says. Two lists are known, that of CANN 5.x and that of 2026. For a
        release in between, what both say is taken for certain.
    """
    flag, version = FLAGS.get(name), parse_cann(cann)
    if flag is None or version is None or version.numbers[0] < _FIRST_MAJOR:
        return None
    answers = {_in_5x(flag, value)}
    if version.numbers[0] > _FIRST_MAJOR:
        answers.add(_in_2026(flag, value))
    return answers.pop() if len(answers) == 1 else None


def _in_5x(flag: Flag, value: Optional[str]) -> Optional[bool]:
    if flag.since != "5.x" or value is None:
        return flag.since == "5.x"
    return None if flag.values is None else value in flag.values


def _in_2026(flag: Flag, value: Optional[str]) -> Optional[bool]:
    if flag.until is not None or value is None:
        return flag.until is None
    # The newer manuals have more values than the ones that were noted.
    return True if value in (flag.values or ()) else None
