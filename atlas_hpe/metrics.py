"""How far joints lie from their labels: NME, PCK, and which found hand is which labelled one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

__all__ = [
    "DETECTED_BELOW",
    "Matching",
    "box_side_px",
    "joint_errors",
    "match_hands",
    "nme",
    "pck",
    "pck_curve",
]

#: A labelled hand is detected when the hand found for it has an NME below this. Half of the
#: reference length is what PCKh@0.5 allows a joint (Andriluka et al., "2D human pose estimation",
#: CVPR 2014); beyond it the joints lie on something else.
DETECTED_BELOW = 0.5


def box_side_px(joints: np.ndarray, visible: Optional[np.ndarray] = None) -> float:
    """The longer side of the box around the labelled joints, in the unit of the joints.

    Args:
        joints: (J, 2) labelled joints.
        visible: (J,) bool, which of them count; None for all.
    """
    counted = joints if visible is None else joints[visible]
    return float(np.ptp(counted, axis=0).max()) if len(counted) else 0.0


def joint_errors(
    found: np.ndarray, labelled: np.ndarray, visible: Optional[np.ndarray] = None
) -> np.ndarray:
    """The distance of each joint from its label, over the longer side of the labelled joint box.

    Args:
        found: (J, 2) joints of a model; NaN for a joint that it did not find.
        labelled: (J, 2) labelled joints, in the same pixels.
        visible: (J,) bool, which labels count; None for all.

    Returns:
        (J,): NaN where the label does not count, infinite where the joint was not found.

    Raises:
        ValueError: The labels that count span no box.
    """
    side = box_side_px(labelled, visible)
    if not side > 0:
        raise ValueError("the labelled joints span no box")
    distances = np.linalg.norm(found - labelled, axis=1) / side
    errors: np.ndarray = np.where(np.isfinite(found).all(axis=1), distances, np.inf)
    return errors if visible is None else np.where(visible, errors, np.nan)


def nme(errors: np.ndarray) -> Optional[float]:
    """Normalised mean error: the mean over the joints that are labelled and were found.

    Args:
        errors: What ``joint_errors`` returns, of any shape.

    Returns:
        The mean as a share of the box's side, None without such a joint.
    """
    counted = errors[np.isfinite(errors)]
    return float(counted.mean()) if len(counted) else None


def pck(errors: np.ndarray, threshold: float) -> Optional[float]:
    """Percentage of correct keypoints, as a share: labelled joints at most ``threshold`` away.

    A joint that was not found is not correct (Yang and Ramanan, "Articulated human detection with
    flexible mixtures of parts", PAMI 2013, with the joint box as the reference).

    Args:
        errors: What ``joint_errors`` returns, of any shape.
        threshold: As a share of the box's side.

    Returns:
        In [0, 1]; None where no joint is labelled.
    """
    counted = errors[~np.isnan(errors)]
    return float((counted <= threshold).mean()) if len(counted) else None


def pck_curve(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """PCK at each of the thresholds, (T,); NaN where no joint is labelled."""
    counted = np.sort(errors[~np.isnan(errors)])
    if not len(counted):
        return np.full(len(thresholds), np.nan)
    shares: np.ndarray = np.searchsorted(counted, thresholds, side="right") / len(counted)
    return shares


@dataclass(frozen=True)
class Matching:
    """Found hands held against labelled ones.

    Attributes:
        found_of: Index of a labelled hand -> index of the found hand that is it.
        missed: Labelled hands that nothing was found for.
        false_alarms: Found hands that are no labelled hand.
    """

    found_of: Dict[int, int]
    missed: Tuple[int, ...]
    false_alarms: Tuple[int, ...]


def match_hands(
    found: Sequence[np.ndarray],
    labelled: Sequence[np.ndarray],
    visible: Sequence[np.ndarray],
    *,
    below: float = DETECTED_BELOW,
) -> Matching:
    """Pair found hands with labelled ones, one to one, the closest pair first.

    Greedy like the matching of COCO's evaluation (Lin et al., "Microsoft COCO", ECCV 2014), with
    the NME as the distance.

    Args:
        found: (J, 2) joints of each found hand; NaN for a joint that was not found.
        labelled: (J, 2) joints of each labelled hand.
        visible: (J,) bool for each labelled hand, which joints count.
        below: A pair must have an NME below this.
    """
    pairs: List[Tuple[float, int, int]] = []
    for index, (label, counted) in enumerate(zip(labelled, visible)):
        for number, joints in enumerate(found):
            error = nme(joint_errors(joints, label, counted))
            if error is not None and error < below:
                pairs.append((error, index, number))
    found_of: Dict[int, int] = {}
    for _, index, number in sorted(pairs):
        if index not in found_of and number not in found_of.values():
            found_of[index] = number
    taken = set(found_of.values())
    return Matching(
        found_of=found_of,
        missed=tuple(index for index in range(len(labelled)) if index not in found_of),
        false_alarms=tuple(number for number in range(len(found)) if number not in taken),
    )
