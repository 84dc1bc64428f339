"""An examination as text and as data."""

from __future__ import annotations

from typing import Dict, List, Tuple

from atlas_hpe.doctor.findings import OK, Diagnosis, Finding, Group

__all__ = ["describe_diagnosis", "diagnosis_to_dict", "next_step", "verdict_of"]

_RUN = "atlas-hpe run video.mp4 --out hands.gif"
_RUN_ON_BOARD = "atlas-hpe run video.mp4 --model hand.om --out hands.gif"
_INFORMATIVE = ("base", "back-ends")


def describe_diagnosis(diagnosis: Diagnosis) -> List[str]:
    """The report as lines: a heading per group, a line per finding, and the fix below it."""
    head = f"atlas-hpe {diagnosis.version}, Python {diagnosis.python} on {diagnosis.platform}"
    names = [item.name for group in diagnosis.groups for item in group.findings]
    width = max(map(len, names), default=0) + 2
    lines = [head]
    for group in diagnosis.groups:
        lines += ["", f"{group.name}: {group.purpose}{' (needed)' if group.needed else ''}"]
        for item in group.findings:
            lines.append(f"  {item.verdict:<9}{item.name:<{width}}{item.text}")
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
        return fixes[0]
    groups = {group.name: group for group in diagnosis.groups}
    if "board" in groups:
        lacking = groups["board"].lacking()
    else:
        host = groups["back-ends"].lacking() if "back-ends" in groups else ()
        lacking = tuple(item for item in host if item.name == "onnxruntime")
    if lacking and lacking[0].fix:
        return lacking[0].fix
    return _RUN_ON_BOARD if "board" in groups else _RUN


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
