"""Does a model still say what PyTorch said? Compared in tensors and, what counts, in joints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.parity_report import JointParity, ParityReport, TensorParity
from atlas_hpe_export.tolerances import TOLERANCES, Tolerance

__all__ = ["DecodeJoints", "compare"]

Outputs = Mapping[str, np.ndarray]
#: Card and the outputs of one sample -> (21, 2) joints in input pixels, NaN where there is none.
DecodeJoints = Callable[[ModelCard, Outputs], np.ndarray]


def compare(
    reference: Callable[[Feeds], Outputs],
    candidate: Callable[[Feeds], Outputs],
    feeds: Iterable[Feeds],
    *,
    card: Optional[ModelCard] = None,
    decode_joints: Optional[DecodeJoints] = None,
    tolerance: Optional[Tolerance] = None,
    source: str = "inputs given by the caller",
) -> ParityReport:
    """Run two models on the same inputs and compare what they say.

    NaN or infinite numbers fail, in either: a network that says them says nothing. A joint that
    neither finds is the same, and one that only one finds is lost, which fails.

    Args:
        reference: Input name -> array, to output name -> array.
        candidate: The same for the model under test.
        feeds: One entry per sample; taken one at a time.
        card: The model's card; needed with ``decode_joints``.
        decode_joints: Joints from the outputs of one sample; None to compare tensors only.
        tolerance: Limits; None for ``TOLERANCES["float32"]``.
        source: What the feeds are, in words, for the report.

    Raises:
        UsageError: No feeds, or a decoder without a card.
        CheckFailedError: An output is missing, or has another shape.
    """
    if decode_joints is not None and card is None:
        raise UsageError("joints can't be decoded without a card", fix="pass card=")
    tolerance = tolerance or TOLERANCES["float32"]
    tensors: Dict[str, _TensorTally] = {}
    joints = _JointTally()
    samples = 0
    for feed in feeds:
        want, have = reference(feed), candidate(feed)
        _check_interface(want, have)
        for name, expected in want.items():
            tensors.setdefault(name, _TensorTally()).add(expected, have[name])
        if decode_joints is not None and card is not None:
            joints.add(samples, decode_joints(card, want), decode_joints(card, have))
        samples += 1
    if not samples:
        raise UsageError("there is nothing to compare on", fix="give at least one input")
    tensor_results = tuple(tally.result(name) for name, tally in tensors.items())
    joint_result = None if decode_joints is None else joints.result()
    return ParityReport(
        source=source,
        samples=samples,
        tensors=tensor_results,
        joints=joint_result,
        tensor_limit=tolerance.tensor,
        joint_limit_px=tolerance.joint_px,
        failures=_judge(tensor_results, joint_result, tolerance),
    )


def _check_interface(want: Outputs, have: Outputs) -> None:
    for name, expected in want.items():
        found = have.get(name)
        if found is None or found.shape != expected.shape:
            shape = "missing" if found is None else f"of shape {list(found.shape)}"
            raise CheckFailedError(
                f"output '{name}' of the two models can't be compared",
                why=f"the reference gives {list(expected.shape)}, in the candidate it is {shape}",
                fix="compare a model with the checkpoint that it was exported from",
            )


def _judge(
    tensors: Tuple[TensorParity, ...], joints: Optional[JointParity], tolerance: Tolerance
) -> Tuple[str, ...]:
    failures: List[str] = []
    for tensor in tensors:
        limit = tolerance.tensor * max(1.0, tensor.scale)
        if tensor.max_abs > limit:
            failures.append(
                f"output '{tensor.name}' differs by {tensor.max_abs:.3g}, {limit:.3g} is allowed"
            )
        if tensor.reference_not_finite:
            failures.append(
                f"output '{tensor.name}' is NaN or infinite in the reference, "
                f"{tensor.reference_not_finite} times"
            )
        if tensor.mismatched_not_finite:
            count = tensor.mismatched_not_finite
            failures.append(f"output '{tensor.name}' is NaN or infinite in only one, {count} times")
    if joints is not None and joints.lost:
        failures.append(f"{joints.lost} joints were found by only one of the two")
    if joints is not None and joints.max_px is not None and joints.max_px > tolerance.joint_px:
        failures.append(
            f"a joint moved by {joints.max_px:.3g} px in sample {joints.worst_sample}, "
            f"{tolerance.joint_px:g} px is allowed"
        )
    return tuple(failures)


@dataclass
class _TensorTally:
    """Running figures of one output; no sample is kept."""

    max_abs: float = 0.0
    p99_abs: float = 0.0
    scale: float = 0.0
    dot: float = 0.0
    norms: Tuple[float, float] = (0.0, 0.0)
    not_finite: Tuple[int, int] = (0, 0)
    mismatched: int = 0

    def add(self, expected: np.ndarray, found: np.ndarray) -> None:
        want, have = expected.astype(np.float64).ravel(), found.astype(np.float64).ravel()
        fine_want, fine_have = np.isfinite(want), np.isfinite(have)
        fine = fine_want & fine_have
        same_oddity = (want == have) | (np.isnan(want) & np.isnan(have))
        self.mismatched += int((~fine & ~same_oddity).sum())
        odd = int((~fine_want).sum()), int((~fine_have).sum())
        self.not_finite = self.not_finite[0] + odd[0], self.not_finite[1] + odd[1]
        want, have = want[fine], have[fine]
        if want.size:
            difference = np.abs(want - have)
            self.max_abs = max(self.max_abs, float(difference.max()))
            self.p99_abs = max(self.p99_abs, float(np.percentile(difference, 99)))
            self.scale = max(self.scale, float(np.abs(want).max()))
            self.dot += float(want @ have)
            self.norms = self.norms[0] + float(want @ want), self.norms[1] + float(have @ have)

    def result(self, name: str) -> TensorParity:
        norm = math.sqrt(self.norms[0]) * math.sqrt(self.norms[1])
        both_zero = self.norms == (0.0, 0.0)
        return TensorParity(
            name=name,
            max_abs=self.max_abs,
            p99_abs=self.p99_abs,
            scale=self.scale,
            cosine=self.dot / norm if norm > 0 else float(both_zero),
            reference_not_finite=self.not_finite[0],
            candidate_not_finite=self.not_finite[1],
            mismatched_not_finite=self.mismatched,
        )


@dataclass
class _JointTally:
    """Movements of all joints; 21 numbers per sample are kept."""

    movements: List[np.ndarray] = field(default_factory=list)
    absent: int = 0
    lost: int = 0
    worst: Tuple[float, Optional[int]] = (-1.0, None)

    def add(self, sample: int, want: np.ndarray, have: np.ndarray) -> None:
        has_want, has_have = np.isfinite(want).all(axis=-1), np.isfinite(have).all(axis=-1)
        self.lost += int((has_want != has_have).sum())
        self.absent += int((~has_want & ~has_have).sum())
        both = has_want & has_have
        moved = np.linalg.norm(want[both] - have[both], axis=-1)
        self.movements.append(moved)
        if moved.size and moved.max() > self.worst[0]:
            self.worst = float(moved.max()), sample

    def result(self) -> JointParity:
        moved = np.concatenate(self.movements)
        has_any = bool(moved.size)
        return JointParity(
            compared=int(moved.size),
            absent=self.absent,
            lost=self.lost,
            median_px=float(np.median(moved)) if has_any else None,
            p99_px=float(np.percentile(moved, 99)) if has_any else None,
            max_px=float(moved.max()) if has_any else None,
            worst_sample=self.worst[1],
        )
