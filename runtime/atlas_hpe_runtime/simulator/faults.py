"""Faults on order: which call of a run fails, and with which code."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import Dict, Mapping, Optional, Tuple

from atlas_hpe.errors import UsageError

__all__ = ["FaultPlan"]

# The digits are bounded: int() of a very long text is an error of its own.
_ENTRY = re.compile(r"(acl(?:\.[A-Za-z_][A-Za-z0-9_]*)+)(?:@([0-9]{1,9}))?=([0-9]{1,9})", re.ASCII)


class FaultPlan:
    """Counts the calls of a run and says which of them fail.

    Args:
        faults: Return code by (call, number of that call in the run from 1; None means each one).
    """

    def __init__(self, faults: Mapping[Tuple[str, Optional[int]], int]) -> None:
        self._faults = dict(faults)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """Read ``"acl.mdl.execute@3=507011,acl.rt.malloc=200000"``.

        ``name@n=code`` makes the n-th call of that name fail, ``name=code`` every one; where both
        are given for one name, the n-th call has its own code.

        Raises:
            UsageError: An entry that does not read so, a count or code of 0, a repeated entry.
        """
        faults: Dict[Tuple[str, Optional[int]], int] = {}
        for entry in text.split(",") if text.strip() else ():
            match = _ENTRY.fullmatch(entry.strip())
            if match is None:
                raise _bad(entry, "it does not read like name=code or name@n=code")
            name, count, code = match.group(1), match.group(2), int(match.group(3))
            key = (name, None if count is None else int(count))
            if key[1] == 0 or code == 0:
                raise _bad(entry, "calls are counted from 1, and the code 0 means success")
            if key in faults:
                raise _bad(entry, "it is given twice")
            faults[key] = code
        return cls(faults)

    def names(self) -> Tuple[str, ...]:
        """The calls that are to fail, sorted."""
        return tuple(sorted({name for name, _ in self._faults}))

    def next(self, call: str) -> Optional[int]:
        """Count one call; the code that it fails with, or None."""
        with self._lock:
            self._counts[call] += 1
            count = self._counts[call]
        every = self._faults.get((call, None))
        return self._faults.get((call, count), every)

    def counts(self) -> Dict[str, int]:
        """How often each call came so far, by name."""
        with self._lock:
            return dict(self._counts)


def _bad(entry: str, why: str) -> UsageError:
    return UsageError(
        f"the fault '{entry.strip()[:80]}' can't be planned",
        where="--fail, ATLAS_HPE_SIM_FAIL",
        why=why,
        fix="for example acl.mdl.execute@3=507011,acl.rt.malloc=207001",
    )
