"""What a climb of the parity ladder found, as data and as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from atlas_hpe.parity.report import Movement, ParityReport, parity_to_dict
from atlas_hpe.parity.sample import Sample
from atlas_hpe.parity.tally import WorstSample

__all__ = ["LadderReport", "RungReport", "describe_ladder", "ladder_to_dict"]


@dataclass(frozen=True, eq=False)
class RungReport:
    """One rung.

    Attributes:
        name: Name of the rung.
        what: What ran, and where, in words.
        parity: The comparison with the reference.
        worst: The worst sample, with what is needed to draw it; None without joints.
    """

    name: str
    what: str
    parity: ParityReport
    worst: Optional[WorstSample]


@dataclass(frozen=True, eq=False)
class LadderReport:
    """The result of ``run_ladder`` and of ``replay_bundle``.

    Attributes:
        reference: What was held to be right, in words.
        model: File name of the model under test.
        rungs: One entry per rung, in order.
        left_out: Rung that this model does not have -> why.
        notes: What else a person should know, a sentence each.
        first_sample: The first sample; None when the samples were not kept.
    """

    reference: str
    model: str
    rungs: Tuple[RungReport, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Tuple[str, ...] = ()
    first_sample: Optional[Sample] = None

    @property
    def example(self) -> Optional[Sample]:
        """The sample to look into: the worst of the first rung that failed, else the first."""
        worst = [rung.worst for rung in self.rungs if rung.worst and not rung.parity.passed]
        return worst[0].sample if worst else self.first_sample

    @property
    def passed(self) -> bool:
        """True when every rung passed."""
        return not self.failures

    @property
    def failures(self) -> Tuple[str, ...]:
        """Why it failed, a sentence each."""
        return tuple(
            f"{rung.name}: {failure}" for rung in self.rungs for failure in rung.parity.failures
        )

    @property
    def warnings(self) -> Tuple[str, ...]:
        """What a person should know of a ladder that proves less than it seems to."""
        found = [warning for rung in self.rungs for warning in rung.parity.warnings]
        return tuple(dict.fromkeys(found))


def ladder_to_dict(report: LadderReport) -> Dict[str, object]:
    """The report for JSON."""
    return {
        "reference": report.reference,
        "model": report.model,
        "passed": report.passed,
        "rungs": [
            {"name": rung.name, "what": rung.what, **parity_to_dict(rung.parity)}
            for rung in report.rungs
        ],
        "left_out": dict(report.left_out),
        "notes": list(report.notes),
        "warnings": list(report.warnings),
    }


def describe_ladder(report: LadderReport) -> List[str]:
    """The report as lines for a person: the verdict, a table of joints, a table of tensors."""
    first = report.rungs[0].parity
    verdict = "passed" if report.passed else "FAILED"
    lines = [
        f"parity {verdict}: {report.model} against {report.reference}, "
        f"on {first.samples} samples: {first.source}"
    ]
    if any(rung.parity.joints is not None for rung in report.rungs):
        lines += _table(_JOINT_HEAD, [row for rung in report.rungs for row in _joint_rows(rung)])
    lines += _table(_TENSOR_HEAD, [row for rung in report.rungs for row in _tensor_rows(rung)])
    lines += [f"  {rung.name}: {rung.what}" for rung in report.rungs]
    lines += [f"  left out: {name}: {why}" for name, why in report.left_out.items()]
    lines += [f"  failed: {failure}" for failure in report.failures]
    return [*lines, *(f"  note: {note}" for note in report.notes), *_warning_lines(report)]


def _warning_lines(report: LadderReport) -> List[str]:
    return [f"warning: {warning}" for warning in report.warnings]


_JOINT_HEAD = (
    *("rung", "verdict", "pixels of", "median", "p99", "max"),
    *("joints", "absent", "lost", "worst sample"),
)
_TENSOR_HEAD = ("rung", "output", "max", "p99", "cosine", "NaN+Inf: reference/model")


def _joint_rows(rung: RungReport) -> List[List[str]]:
    """A row for the pixels of the source, where they are known, and one for those of the input."""
    parity, joints = rung.parity, rung.parity.joints
    head = [rung.name, "passed" if parity.passed else "FAILED"]
    if joints is None:
        return [head + [""] * (len(_JOINT_HEAD) - len(head))]
    limits = parity.joint_limits
    rows = [_movement_cells("input", joints.input_px, limits.median_px, limits.max_px)]
    if joints.source_px is not None:
        rows.insert(0, _movement_cells("source", joints.source_px, None, None))
    counts = [str(joints.compared), str(joints.absent), str(joints.lost)]
    first = [*head, *rows[0], *counts, joints.worst_sample or "-"]
    return [first, *(["", "", *row, "", "", "", ""] for row in rows[1:])]


def _movement_cells(
    place: str,
    moved: Optional[Movement],
    median_limit: Optional[float],
    max_limit: Optional[float],
) -> List[str]:
    if moved is None:
        return [place, "-", "-", "-"]
    median, largest = _cell(moved.median, median_limit), _cell(moved.max, max_limit)
    return [place, median, _cell(moved.p99, None), largest]


def _cell(value: float, limit: Optional[float]) -> str:
    """A figure, followed by what is allowed."""
    return f"{value:.3g}" if limit is None else f"{value:.3g} (of {limit:.3g})"


def _tensor_rows(rung: RungReport) -> List[List[str]]:
    share = rung.parity.tensor_limit
    return [
        [
            rung.name,
            tensor.name,
            _cell(tensor.max_abs, None if share is None else tensor.limit(share)),
            f"{tensor.p99_abs:.3g}",
            f"{tensor.cosine:.7f}",
            f"{tensor.reference_not_finite}/{tensor.candidate_not_finite}",
        ]
        for tensor in rung.parity.tensors
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """Columns as wide as their widest cell."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (head, *rows)
    ]
