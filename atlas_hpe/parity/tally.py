"""Running figures of a comparison: tensors are reduced at once, joints keep a number each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

import numpy as np

from atlas_hpe.geometry import apply_affine
from atlas_hpe.parity.report import JointParity, Movement, TensorParity
from atlas_hpe.parity.sample import Sample

__all__ = ["JointTally", "TensorTally", "WorstSample"]


@dataclass
class TensorTally:
    """Running figures of one output; no sample is kept."""

    max_abs: float = 0.0
    p99_abs: float = 0.0
    scale: float = 0.0
    dot: float = 0.0
    norms: Tuple[float, float] = (0.0, 0.0)
    not_finite: Tuple[int, int] = (0, 0)
    mismatched: int = 0

    def add(self, expected: np.ndarray, found: np.ndarray) -> None:
        """Count one sample; both arrays have the same shape."""
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
        """The figures so far."""
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


@dataclass(frozen=True, eq=False)
class WorstSample:
    """The sample in which most joints were lost or, of several, the one with the largest movement.

    Attributes:
        sample: The sample.
        reference: (21, 2) joints of the reference, input pixels.
        candidate: (21, 2) joints of the candidate, input pixels.
        lost: Joints that only one of the two found.
        input_px: The largest movement in it, input pixels; 0 when no joint was found by both.
    """

    sample: Sample
    reference: np.ndarray
    candidate: np.ndarray
    lost: int
    input_px: float


@dataclass
class JointTally:
    """Movements of all joints; one sample is kept, the worst."""

    input_px: List[np.ndarray] = field(default_factory=list)
    source_px: List[np.ndarray] = field(default_factory=list)
    absent: int = 0
    lost: int = 0
    worst: Optional[WorstSample] = None

    def add(self, sample: Sample, want: np.ndarray, have: np.ndarray) -> None:
        """Count one sample; both are (21, 2) in input pixels, NaN where a joint was not found."""
        has_want, has_have = np.isfinite(want).all(axis=-1), np.isfinite(have).all(axis=-1)
        lost = int((has_want != has_have).sum())
        self.lost += lost
        self.absent += int((~has_want & ~has_have).sum())
        both = has_want & has_have
        moved = np.linalg.norm(want[both] - have[both], axis=-1)
        self.input_px.append(moved)
        if sample.to_source is not None:
            there = apply_affine(sample.to_source, want[both])
            here = apply_affine(sample.to_source, have[both])
            self.source_px.append(np.linalg.norm(there - here, axis=-1))
        if not moved.size and not lost:
            return
        largest = float(moved.max()) if moved.size else 0.0
        worst = self.worst
        if worst is None or (lost, largest) > (worst.lost, worst.input_px):
            self.worst = WorstSample(sample, want, have, lost, largest)

    def result(self) -> JointParity:
        """The figures so far."""
        input_px, source_px = _summarise(self.input_px), _summarise(self.source_px)
        return JointParity(
            compared=sum(moved.size for moved in self.input_px),
            absent=self.absent,
            lost=self.lost,
            input_px=input_px,
            source_px=source_px,
            worst_sample=None if self.worst is None else self.worst.sample.name,
        )


def _summarise(parts: List[np.ndarray]) -> Optional[Movement]:
    moved = np.concatenate(parts) if parts else np.zeros(0)
    if not moved.size:
        return None
    return Movement(
        median=float(np.median(moved)),
        p99=float(np.percentile(moved, 99)),
        max=float(moved.max()),
    )
