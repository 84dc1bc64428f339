"""An examination as text and as data."""

from __future__ import annotations

from textwrap import wrap
from typing import Dict, List, Sequence, Tuple

from atlas_hpe.doctor.findings import ASK_BOARD, CONTAINER, OK, Diagnosis, Finding, Group

__all__ = ["describe_diagnosis", "diagnosis_to_dict", "next_step", "verdict_of"]

_WIDTH = 80
_RUN = "atlas-hpe run video.mp4 --out hands.gif"
_RUN_ON_BOARD = "atlas-hpe run video.mp4 --model hand.om --out hands.gif"
_COMPILE = "atlas-hpe convert MODEL.onnx"
_INFORMATIVE = ("base", "back-ends")


def describe_diagnosis(diagnosis: Diagnosis) -> List[str]:
    """The report as lines: a heading per group, a finding and below it the fix.

    Texts are wrapped for a terminal of 80 columns; a fix is not, so that it can be copied.
    """
    head = f"atlas-hpe {diagnosis.version}, Python {diagnosis.python} on {diagnosis.platform}"
    lines = [head]
    for group in diagnosis.groups:
        lines += ["", f"{group.name}: {group.purpose}{' (needed)' if group.needed else ''}"]
        width = max((len(item.name) for item in group.findings), default=0) + 2
        for item in group.findings:
            start = f"  {item.verdict:<9}{item.name:<{width}}"
            lines += wrap(
                start + item.text,
                _WIDTH,
                subsequent_indent=" " * len(start),
                break_long_words=False,
                break_on_hyphens=False,
            )
            if item.fix:
                lines.append(f"{'':<11}fix: {item.fix}")
    return lines


def verdict_of(diagnosis: Diagnosis) -> str:
    """One line: what this machine is ready for."""
    failing = [item.name for group in diagnosis.groups for item in group.counted()]
    if failing:
        return "not ready: " + ", ".join(failing)
    told = [group for group in diagnosis.groups if group.name not in _INFORMATIVE]
    lists = {
        "ready for": [group.name for group in told if not _unfit(group)],
        "with warnings": [_name(group) for group in told if _unfit(group) and not group.lacking()],
        "not for": [_name(group) for group in told if group.lacking()],
    }
    parts = [f"{label}: {', '.join(names)}" for label, names in lists.items() if names]
    return "; ".join(parts)


def _unfit(group: Group) -> Tuple[Finding, ...]:
    return tuple(item for item in group.findings if item.verdict != OK)


def _name(group: Group) -> str:
    return f"{group.name} ({', '.join(item.name for item in group.lacking() or _unfit(group))})"


def next_step(diagnosis: Diagnosis) -> str:
    """What to do or type next."""
    fixes = [item.fix for group in diagnosis.groups for item in group.counted() if item.fix]
    if fixes:
        return _first_of(fixes)
    groups = {group.name: group for group in diagnosis.groups}
    if "compiler" in groups and groups["compiler"].needed:
        unfit = _unfit(groups["compiler"])
        return (unfit[0].fix if unfit else None) or _COMPILE
    if "board" in groups:
        lacking = groups["board"].lacking()
    else:
        host = groups["back-ends"].lacking() if "back-ends" in groups else ()
        lacking = tuple(item for item in host if item.name == "onnxruntime")
    fixes = [item.fix for item in lacking if item.fix]
    if fixes:
        return _first_of(fixes)
    return _RUN_ON_BOARD if "board" in groups else _RUN


def _first_of(fixes: Sequence[str]) -> str:
    """The first fix; if it is an option of the container, all of them in one line to type."""
    if not fixes[0].startswith(CONTAINER):
        return fixes[0]
    options = dict.fromkeys(fix[len(CONTAINER) :] for fix in fixes if fix.startswith(CONTAINER))
    return f"docker run --rm {' '.join(options)} IMAGE {ASK_BOARD}"


def diagnosis_to_dict(diagnosis: Diagnosis) -> Dict[str, object]:
    """The report for a program."""
    return {
        "version": diagnosis.version,
        "python": diagnosis.python,
        "platform": diagnosis.platform,
        "groups": [
            {
                "name": group.name,
                "purpose": group.purpose,
                "needed": group.needed,
                "findings": [
                    {
                        "name": item.name,
                        "verdict": item.verdict,
                        "text": item.text,
                        "fix": item.fix,
                    }
                    for item in group.findings
                ],
            }
            for group in diagnosis.groups
        ],
        "verdict": verdict_of(diagnosis),
        "next": next_step(diagnosis),
        "exit_code": diagnosis.exit_code,
    }
