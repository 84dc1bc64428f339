"""What a comparison found, as data and as text."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Dict, List, Optional, Tuple

__all__ = [
    "JointParity",
    "ParityReport",
    "TensorParity",
    "describe_parity",
    "parity_figures",
    "parity_to_dict",
]


@dataclass(frozen=True)
class TensorParity:
    """How one output differs over all samples.

    Attributes:
        name: Name of the output.
        max_abs: Largest difference of an element.
        p99_abs: 99th percentile of the differences within a sample, in the worst sample.
        scale: Largest magnitude in the reference.
        cosine: Cosine of the angle between the two outputs; 1.0 when both are all zero.
        reference_not_finite: Number of NaN and infinite elements in the reference.
        candidate_not_finite: The same in the candidate.
        mismatched_not_finite: Elements that are NaN or infinite in only one, or infinite with
            another sign.
    """

    name: str
    max_abs: float
    p99_abs: float
    scale: float
    cosine: float
    reference_not_finite: int
    candidate_not_finite: int
    mismatched_not_finite: int


@dataclass(frozen=True)
class JointParity:
    """How far joints moved, in pixels of the network's input.

    Attributes:
        compared: Joints that both found.
        absent: Joints that neither found.
        lost: Joints that only one of the two found.
        median_px: Median movement; None when no joint was compared, as for the next three.
        p99_px: 99th percentile.
        max_px: Largest movement.
        worst_sample: Index of the sample with the largest movement.
    """

    compared: int
    absent: int
    lost: int
    median_px: Optional[float]
    p99_px: Optional[float]
    max_px: Optional[float]
    worst_sample: Optional[int]


@dataclass(frozen=True)
class ParityReport:
    """The result of ``compare``.

    Attributes:
        source: What was fed, in words.
        samples: Number of samples.
        tensors: One entry per output.
        joints: None when no joint decoder was given.
        tensor_limit: Largest allowed share of ``scale``.
        joint_limit_px: Largest allowed movement.
        failures: Why it failed, a sentence each; empty when it passed.
    """

    source: str
    samples: int
    tensors: Tuple[TensorParity, ...]
    joints: Optional[JointParity]
    tensor_limit: float
    joint_limit_px: float
    failures: Tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True when nothing moved more than the table of tolerances allows."""
        return not self.failures

    @property
    def warnings(self) -> Tuple[str, ...]:
        """What a person should know of a comparison that proves less than it seems to."""
        joints = self.joints
        if joints is None or joints.compared or joints.lost:
            return ()
        return (
            "no joint was compared, the network found no hand in the inputs: compare on "
            "photographs of hands with atlas-hpe parity --images",
        )


def parity_to_dict(report: ParityReport) -> Dict[str, object]:
    """The report for JSON."""
    return {**asdict(report), "passed": report.passed, "warnings": list(report.warnings)}


def parity_figures(report: ParityReport) -> Dict[str, float]:
    """The figures that go into a model card; a figure that does not exist is left out."""
    figures: Dict[str, float] = {
        "samples": float(report.samples),
        "tensor_max_abs": max(tensor.max_abs for tensor in report.tensors),
        "tensor_min_cosine": min(tensor.cosine for tensor in report.tensors),
    }
    joints = report.joints
    if joints is not None:
        figures["joints_compared"] = float(joints.compared)
        if joints.max_px is not None and joints.median_px is not None:
            figures.update(joint_max_px=joints.max_px, joint_median_px=joints.median_px)
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def describe_parity(report: ParityReport) -> List[str]:
    """The report as lines for a person, the verdict first."""
    verdict = "passed" if report.passed else "FAILED"
    lines = [f"parity {verdict} on {report.samples} samples: {report.source}"]
    joints = report.joints
    if joints is not None and joints.compared:
        lines.append(
            f"  joints: median {joints.median_px:.2g} px, p99 {joints.p99_px:.2g} px, "
            f"max {joints.max_px:.2g} px of the network's input "
            f"(sample {joints.worst_sample}; {report.joint_limit_px:g} px allowed)"
        )
    if joints is not None:
        lines.append(
            f"  joints: {joints.compared} compared, {joints.absent} found by neither, "
            f"{joints.lost} found by one only"
        )
    for tensor in report.tensors:
        lines.append(
            f"  output '{tensor.name}': max {tensor.max_abs:.2g}, p99 {tensor.p99_abs:.2g}, "
            f"cosine {tensor.cosine:.7f}, "
            f"{tensor.reference_not_finite}/{tensor.candidate_not_finite} not finite"
        )
    lines += [f"  failed: {failure}" for failure in report.failures]
    return lines + [f"warning: {warning}" for warning in report.warnings]
