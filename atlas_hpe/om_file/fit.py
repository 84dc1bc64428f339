"""Whether an .om fits a device and the CANN that runs it (ascend.md section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from atlas_hpe.cann import parse_cann
from atlas_hpe.errors import UsageError
from atlas_hpe.om_file.spec import OmSummary
from atlas_hpe.targets import RELEASES, find_soc

__all__ = ["Misfit", "find_misfit"]

#: How many releases of CANN later an .om is said to load still.
_WINDOW_RELEASES = 4


@dataclass(frozen=True)
class Misfit:
    """Why a file and a machine do not go together.

    Attributes:
        what: What does not fit, one sentence without a final full stop.
        why: The rule.
        fix: What to do about it.
        fatal: The device refuses such a file; else it is only not covered by the documentation.
    """

    what: str
    why: str
    fix: str
    fatal: bool = True


def find_misfit(
    summary: OmSummary, *, soc: Optional[str] = None, cann: Optional[str] = None
) -> Optional[Misfit]:
    """The first thing that keeps an .om from a device; None when nothing is known to.

    An .om is bound to its chip. The CANN that runs it must not be older than the one that built it,
    and a newer one takes it for four releases (ascend.md section 3.3). What the file or the machine
    does not say is not held against it.

    Args:
        summary: What the file says.
        soc: The device's chip, as ``acl.get_soc_name`` or ``npu-smi info`` names it.
        cann: Version of CANN on the machine.
    """
    for model in summary.models:
        misfit = None
        if soc and model.soc:
            misfit = _chip_misfit(model.soc, soc)
        if misfit is None and cann and model.cann_version:
            misfit = _release_misfit(model.cann_version, cann)
        if misfit is not None:
            return misfit
    return None


def _chip_misfit(built: str, here: str) -> Optional[Misfit]:
    built_name, built_family = _family(built)
    here_name, here_family = _family(here)
    if built_name == here_name:
        return None
    fatal = built_family != here_family
    return Misfit(
        f"the model is made for {built_name}, this device is {here_name}",
        why="an .om is bound to its chip"
        if fatal
        else "no source says that chips of one family take each other's .om",
        fix=f"convert it for this chip: atlas-hpe convert MODEL.onnx --soc {here_name}",
        fatal=fatal,
    )


def _family(name: str) -> Tuple[str, str]:
    """Name and family of a chip; a chip that is not in the catalogue is its own family."""
    try:
        soc = find_soc(name)
    except UsageError:
        return name, name
    return soc.name, soc.generation


def _release_misfit(built: str, here: str) -> Optional[Misfit]:
    built_version, here_version = parse_cann(built), parse_cann(here)
    if built_version is None or here_version is None:
        return None
    # Builds of one release are not held against each other: the rule speaks of releases.
    older, newer = built_version.release, here_version.release
    if newer < older:
        return Misfit(
            f"the model is built by CANN {built}, this machine has the older CANN {here}",
            why="CANN must not be older than the one that built the .om",
            fix=f"convert the model again with CANN {here}, or install {built} or newer here",
        )
    known = {found.release for found in map(parse_cann, RELEASES) if found is not None}
    between = sum(older < release <= newer for release in known)
    if between > _WINDOW_RELEASES:
        return Misfit(
            f"the model is built by CANN {built}, {between} releases before the {here} of this "
            "machine",
            why=f"an .om is said to load up to {_WINDOW_RELEASES} releases later",
            fix=f"if it does not load, convert it again with CANN {here}",
            fatal=False,
        )
    return None
