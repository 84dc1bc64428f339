"""Releases of CANN: what each takes and needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.cann.versions import CannVersion, parse_cann
from atlas_hpe.targets.catalogue import read_table

__all__ = ["RELEASES", "Release", "drivers_for", "find_release", "python_fits", "python_for"]


@dataclass(frozen=True)
class Release:
    """A release of CANN. Alpha and beta builds belong to the release that they lead to.

    Attributes:
        version: For example ``"5.1.RC2"``; ``"2026"`` stands for the open sources of that year.
        opsets: First and last ONNX opset that atc takes; None when no source says.
        opsets_source: Where that is from, None without it.
        python: Pairs of the first and last Python version, both included (``"3.10"`` covers all
            of 3.10); empty when not known.
        drivers: Driver packages of the Atlas 200 DK that some build of it is listed with.
        socs: Chips that the sources name for it; empty when they name none.
        source: Where the rest is from.
    """

    version: str
    opsets: Optional[Tuple[int, int]]
    opsets_source: Optional[str]
    python: Tuple[Tuple[str, str], ...]
    drivers: Tuple[str, ...]
    socs: Tuple[str, ...]
    source: str


@dataclass(frozen=True)
class _PythonRow:
    first: str
    before: Optional[str]
    versions: Tuple[Tuple[str, str], ...]
    complete: bool
    source: str


@dataclass(frozen=True)
class _DriverRow:
    driver: str
    cann: Tuple[str, ...]
    source: str


_PYTHON = [_PythonRow(**row) for row in read_table("python")]  # type: ignore[arg-type]
_DRIVERS = [_DriverRow(**row) for row in read_table("drivers")]  # type: ignore[arg-type]


def find_release(version: str) -> Optional[Release]:
    """The release that a version belongs to: ``"5.0.4.alpha002"`` and ``"5.0.4.6"`` are 5.0.4.

    None when nothing is known of it.
    """
    if version in RELEASES:
        return RELEASES[version]
    wanted = parse_cann(version)
    return None if wanted is None else _BY_BASE.get(_base(wanted))


def python_for(cann: str) -> Tuple[Tuple[str, str], ...]:
    """Python versions of a release, as ``Release.python``, for versions without an entry too."""
    row = _python_row(cann)
    return () if row is None else row.versions


def python_fits(python: str, cann: str) -> Optional[bool]:
    """Whether a release of CANN takes a version of Python (ascend.md section 8.3).

    Args:
        python: Version of Python with three places, for example ``"3.7.16"``.
        cann: Version of CANN.

    Returns:
        None when no source says: the release is not in the table, one of the two is no version, or
        guides name a version without saying that others are refused (CANN before 5.1).
    """
    row, given = _python_row(cann), re.match(r"(\d+)\.(\d+)\.(\d+)", python)
    if row is None or given is None:
        return None
    asked = tuple(map(int, given.groups()))
    for first, last in row.versions:
        low, high = _places(first), _places(last)
        if asked >= low and asked[: len(high)] <= high:
            return True
    return False if row.complete else None


def drivers_for(cann: str) -> Tuple[str, ...]:
    """Driver packages of the Atlas 200 DK that are listed for a CANN version, empty for none.

    Only listed pairs are supported (ascend.md section 8.1). The list has single builds: for a
    build that is not in it, the drivers of its release count.
    """
    wanted = parse_cann(cann)
    if wanted is None:
        return ()
    listed = [(row.driver, build) for row in _DRIVERS for build in map(_version, row.cann)]
    exact = tuple(driver for driver, build in listed if build == wanted)
    return exact or tuple(
        {driver: None for driver, build in listed if _base(build) == _base(wanted)}
    )


def _version(text: str) -> CannVersion:
    """A version of the catalogue."""
    version = parse_cann(text)
    if version is None:
        raise ValueError(text)
    return version


def _base(version: CannVersion) -> CannVersion:
    """The release: a fourth place, a patch, alpha and beta don't count."""
    return version.release._replace(numbers=(*version.numbers[:3], 0), patch=0)


def _python_row(cann: str) -> Optional[_PythonRow]:
    wanted = parse_cann(cann)
    if wanted is None:
        return None
    asked = wanted.release
    for row in _PYTHON:
        if _version(row.first) <= asked and (row.before is None or asked < _version(row.before)):
            return row
    return None


def _places(text: str) -> Tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _release(row: Dict[str, object]) -> Release:
    version = str(row["version"])
    known = {"python": python_for(version), "drivers": drivers_for(version)}
    return Release(**row, **known)  # type: ignore[arg-type]


#: Version -> release, the oldest first.
RELEASES: Dict[str, Release] = {
    release.version: release for release in map(_release, read_table("releases"))
}
_BY_BASE = {
    _base(version): release
    for version, release in ((parse_cann(name), one) for name, one in RELEASES.items())
    if version is not None
}
