"""What a comparison found, as data and as text."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Dict, List, Optional, Tuple

__all__ = [
    "JointLimits",
    "JointParity",
    "Movement",
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

    def limit(self, share: float) -> float:
        """Largest difference that a tolerance allows here: a share of ``scale``, or of 1."""
        return share * max(1.0, self.scale)


@dataclass(frozen=True)
class Movement:
    """How far joints moved, in the pixels that the place of this says.

    Attributes:
        median: Median over all joints of all samples.
        p99: 99th percentile.
        max: Largest.
    """

    median: float
    p99: float
    max: float


@dataclass(frozen=True)
class JointParity:
    """How far joints moved.

    Attributes:
        compared: Joints that both found.
        absent: Joints that neither found.
        lost: Joints that only one of the two found.
        input_px: Movement in pixels of the network's input, which the limit is about; None when no
            joint was compared.
        source_px: The same movement in pixels of the pictures, over the samples that have one;
            None when none has.
        worst_sample: Name of the sample in which most joints were lost or, of several, of the one
            with the largest movement; None when neither found a joint anywhere.
    """

    compared: int
    absent: int
    lost: int
    input_px: Optional[Movement]
    source_px: Optional[Movement]
    worst_sample: Optional[str]


@dataclass(frozen=True)
class JointLimits:
    """How far joints may move, in pixels of the network's input.

    Attributes:
        median_px: Limit of the median, None for none.
        max_px: Limit of the largest movement, None for none.
    """

    median_px: Optional[float]
    max_px: Optional[float]


@dataclass(frozen=True)
class ParityReport:
    """The result of one comparison.

    Attributes:
        source: What was fed, in words.
        samples: Number of samples.
        tensors: One entry per output.
        joints: None when no joint decoder was given.
        tensor_limit: Largest allowed difference as a share of ``scale`` or of 1, None for no limit.
        joint_limits: Largest allowed movements.
        failures: Why it failed, a sentence each; empty when it passed.
    """

    source: str
    samples: int
    tensors: Tuple[TensorParity, ...]
    joints: Optional[JointParity]
    tensor_limit: Optional[float]
    joint_limits: JointLimits
    failures: Tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True when nothing moved more than the table of tolerances allows."""
        return not self.failures

    @property
    def warnings(self) -> Tuple[str, ...]:
        """What a person should know of a comparison that proves less than it seems to."""
        joints = self.joints
        if joints is None or joints.compared or self.failures:
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
    figures: Dict[str, float] = {"samples": float(report.samples)}
    if report.tensors:
        figures["tensor_max_abs"] = max(tensor.max_abs for tensor in report.tensors)
        figures["tensor_min_cosine"] = min(tensor.cosine for tensor in report.tensors)
    joints = report.joints
    if joints is not None:
        figures["joints_compared"] = float(joints.compared)
        if joints.input_px is not None:
            figures["joint_max_px"] = joints.input_px.max
            figures["joint_median_px"] = joints.input_px.median
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def describe_parity(report: ParityReport) -> List[str]:
    """The report as lines for a person, the verdict first."""
    verdict = "passed" if report.passed else "FAILED"
    lines = [f"parity {verdict} on {report.samples} samples: {report.source}"]
    if report.joints is not None:
        lines += _describe_joints(report.joints, report.joint_limits)
    for tensor in report.tensors:
        lines.append(
            f"  output '{tensor.name}': max {tensor.max_abs:.2g}, p99 {tensor.p99_abs:.2g}, "
            f"cosine {tensor.cosine:.7f}, "
            f"{tensor.reference_not_finite}/{tensor.candidate_not_finite} not finite"
        )
    lines += [f"  failed: {failure}" for failure in report.failures]
    return lines + [f"warning: {warning}" for warning in report.warnings]


def _describe_joints(joints: JointParity, limits: JointLimits) -> List[str]:
    lines = []
    if joints.input_px is not None:
        allowed = "" if limits.max_px is None else f", {limits.max_px:.3g} px allowed"
        moved = _describe_movement(joints.input_px)
        lines.append(f"  joints: {moved} of the network's input{allowed}")
    if joints.source_px is not None:
        lines.append(f"  joints: {_describe_movement(joints.source_px)} of the source pictures")
    worst = "" if joints.worst_sample is None else f"; worst sample: {joints.worst_sample}"
    return [
        *lines,
        f"  joints: {joints.compared} compared, {joints.absent} found by neither, "
        f"{joints.lost} found by one only{worst}",
    ]


def _describe_movement(moved: Movement) -> str:
    return f"median {moved.median:.2g} px, p99 {moved.p99:.2g} px, max {moved.max:.2g} px"
