"""Versions of CANN: their order, and how to read them."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Tuple

__all__ = ["CannVersion", "compare_cann", "parse_cann"]

_FORM = re.compile(
    r"(?P<numbers>\d{1,3}(\.\d{1,3}){1,3})(\.RC(?P<candidate>\d{1,3})(\.(?P<patch>\d{1,3}))?)?"
    r"(\.(?P<stage>alpha|beta)(?P<build>\d{1,4})?)?",
    re.ASCII | re.IGNORECASE,
)
_PLACES = 4
_STAGES = {"alpha": 0, "beta": 1, None: 2}
#: The year-like numbers of 2020: 20.1 is 3.1.0 and 20.2 is 3.2.0 (ascend.md section 8.1).
_RENUMBERED, _RENUMBERED_AS = 20, 3


class CannVersion(NamedTuple):
    """A version, ordered as a tuple.

    The order, from old to new: ``5.1.RC1.alpha005``, ``5.1.RC1``, ``5.1.RC2.alpha001``,
    ``5.1.RC2``, ``5.1.RC2.1``, ``5.1.0.alpha001``, ``5.1.0``, ``5.1.0.1``, ``5.1.1``. A release
    candidate comes before the release of its number. An alpha or beta build comes before what it
    is a build of: so ``6.0.0.alpha001`` is newer than ``6.0.RC1``, as in the table of the Atlas
    200 DK, whose last entry is ``6.0.0.alpha003`` (ascend.md section 8.1). Missing places are 0:
    ``6.0`` is ``6.0.0``. ``20.1`` is ``3.1.0`` there, so all of 20.x comes before 5.0.

    Attributes:
        numbers: The leading numbers, filled up to four.
        candidate: (0, n) for RCn, (1, 0) for a release.
        patch: The number after RCn, 0 when there is none.
        stage: 0 alpha, 1 beta, 2 neither.
        build: Number of the alpha or beta.
    """

    numbers: Tuple[int, ...]
    candidate: Tuple[int, int]
    patch: int
    stage: int
    build: int

    @property
    def release(self) -> CannVersion:
        """What this is an alpha or beta build of; itself, when it is neither."""
        return self._replace(stage=_STAGES[None], build=0)


def parse_cann(text: str) -> Optional[CannVersion]:
    """Read a version, for example ``"5.0.4.alpha002"``; None when it is not one."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    candidate, stage = found["candidate"], found["stage"]
    places = [int(number) for number in found["numbers"].split(".")]
    if places[0] == _RENUMBERED:
        places[0] = _RENUMBERED_AS
    return CannVersion(
        numbers=tuple(places + [0] * (_PLACES - len(places))),
        candidate=(1, 0) if candidate is None else (0, int(candidate)),
        patch=int(found["patch"] or 0),
        stage=_STAGES[stage and stage.lower()],
        build=int(found["build"] or 0),
    )


def compare_cann(first: str, second: str) -> Optional[int]:
    """Compare two versions in the order of :class:`CannVersion`.

    The run-time must not be older than the CANN that built the .om (ascend.md section 3.3):
    ``compare_cann(runtime, built_with)`` is then -1.

    Returns:
        -1, 0 or 1: the first is older, the same, or newer; None when one of them is no version.
    """
    one, other = parse_cann(first), parse_cann(second)
    if one is None or other is None:
        return None
    return (one > other) - (one < other)
