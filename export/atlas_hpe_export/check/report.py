"""What a check found, as data and as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Dict, List, Mapping, Tuple

from atlas_hpe.text import printable
from atlas_hpe_export.check.finding import BLOCKER, SEVERITIES, Finding

__all__ = ["CheckReport", "check_to_dict", "describe_check"]

_SHOWN = 3


@dataclass(frozen=True)
class CheckReport:
    """One model against one chip and one release of its compiler.

    Attributes:
        model: Path of the file, or the name of the graph in memory.
        soc: soc_version of atc.
        cann: CANN release.
        opset: Opset of ONNX's own operators; 0 when the graph has none.
        nodes: Number of nodes, bodies of If and Loop included.
        operators: Operator -> number of nodes; those of other domains as ``domain::operator``.
        samples: Number of sample inputs whose ranges were measured; 0 for none.
        findings: Blockers first, then warnings, then notes; in the order of the graph.
    """

    model: str
    soc: str
    cann: str
    opset: int
    nodes: int
    operators: Mapping[str, int]
    samples: int
    findings: Tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found that stops the model."""
        return not self.of(BLOCKER)

    @property
    def is_mendable(self) -> bool:
        """Whether ``atlas-hpe export`` mends a blocker or a warning."""
        return any(item.rewrite and item.severity in SEVERITIES[:2] for item in self.findings)

    def of(self, severity: str) -> Tuple[Finding, ...]:
        """Findings of one severity."""
        return tuple(item for item in self.findings if item.severity == severity)


def check_to_dict(report: CheckReport) -> Dict[str, object]:
    """The report for JSON, every finding on its own."""
    return {
        "model": report.model,
        "soc": report.soc,
        "cann": report.cann,
        "opset": report.opset,
        "nodes": report.nodes,
        "operators": dict(report.operators),
        "samples": report.samples,
        "passed": report.passed,
        "counts": {severity: len(report.of(severity)) for severity in SEVERITIES},
        "findings": [asdict(item) for item in report.findings],
    }


def describe_check(report: CheckReport) -> List[str]:
    """The report as lines for a person: the verdict, then what was found, alike things together."""
    blockers, warnings, notes = (
        _count(len(report.of(severity)), severity) if report.of(severity) else f"no {severity}"
        for severity in SEVERITIES
    )
    lines = [
        f"{report.model}: {blockers} ({report.soc}, CANN {report.cann}, opset {report.opset}, "
        f"{_count(report.nodes, 'node')}), {warnings}, {notes}"
    ]
    for severity in SEVERITIES:
        for group in _groups(report.of(severity)):
            lines += _describe_group(group)
    if report.samples:
        lines.append(
            f"ranges: {_count(report.samples, 'sample')}, computed in float32 on this machine; "
            "estimated for the board, not measured on one"
        )
    return [printable(line) for line in lines]


def _groups(findings: Tuple[Finding, ...]) -> List[List[Finding]]:
    """Findings of one rule that ask for the same thing."""
    groups: Dict[Tuple[str, str, str], List[Finding]] = {}
    for item in findings:
        groups.setdefault((item.rule, item.why, item.fix), []).append(item)
    return list(groups.values())


def _describe_group(group: List[Finding]) -> List[str]:
    first = group[0]
    times = f" ({len(group)} places)" if len(group) > 1 else ""
    code = f" [{first.code}]" if first.code else ""
    lines = [f"{first.severity}: {first.what}{times}{code}"]
    operators = Counter(item.op_type for item in group)
    if len(operators) > 1:
        counted = (f"{name} x{count}" for name, count in operators.most_common())
        lines.append(f"  operators: {', '.join(counted)}")
    places = [_place(item) for item in group if item.node is not None]
    if places:
        more = f", and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        lines.append(f"  where: {', '.join(places[:_SHOWN])}{more}")
    lines += [f"  why: {first.why}", f"  fix: {first.fix}"]
    return [*lines, f"  rule: {first.rule} ({first.source})"]


def _place(item: Finding) -> str:
    return f"{item.node} (module {item.module})" if item.module else f"{item.node}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
