"""Named gestures of the drawn hand, the way between them, and plausible random ones."""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.drawn_hand.skeleton import HandPosture, clamp_posture

__all__ = ["GESTURES", "blend_postures", "named_posture", "random_pose"]

_Row = Tuple[float, float, float, float]

# Degrees. Fingers: abduction, base, middle, end. Thumb: radial, opposition, base, end.
_STRAIGHT: Tuple[_Row, ...] = ((8, 3, 4, 2), (1, 3, 4, 3), (-4, 4, 5, 3), (-11, 3, 6, 4))
_CURLED: Tuple[_Row, ...] = ((0, 76, 98, 52), (0, 80, 100, 52), (0, 82, 98, 52), (0, 82, 92, 50))
_THUMB_OUT: _Row = (14, 6, 6, -4)
_THUMB_ACROSS: _Row = (-18, 24, 31, 62)


def _raised(thumb: _Row, *fingers: int) -> Tuple[_Row, ...]:
    """Rows of a posture with some fingers (1 index ... 4 little) straight, the others curled."""
    return (
        thumb,
        *(_STRAIGHT[f - 1] if f in fingers else _CURLED[f - 1] for f in range(1, 5)),
    )


_GESTURES_DEG: Dict[str, Tuple[_Row, ...]] = {
    "open": _raised(_THUMB_OUT, 1, 2, 3, 4),
    "relaxed": (
        (2, 22, 14, 16),
        (4, 20, 28, 14),
        (0, 25, 32, 16),
        (-3, 28, 34, 17),
        (-8, 30, 34, 17),
    ),
    "fist": _raised(_THUMB_ACROSS),
    "point": _raised(_THUMB_ACROSS, 1),
    "pinch": (
        (-5, 56, 9, 3),
        (-14, 48, 43, 12),
        (2, 26, 28, 14),
        (-3, 16, 22, 10),
        (-9, 10, 16, 8),
    ),
    "thumb_up": _raised((20, -6, -4, -12)),
    "grasp": (
        (4, 46, 14, 26),
        (8, 34, 42, 22),
        (1, 36, 44, 24),
        (-5, 38, 44, 24),
        (-12, 40, 42, 24),
    ),
    "flat": ((-8, 8, 8, 4), (-1, 2, 3, 2), (0, 2, 3, 2), (1, 2, 3, 2), (2, 2, 4, 3)),
    "count1": _raised(_THUMB_ACROSS, 1),
    "count2": _raised(_THUMB_ACROSS, 1, 2),
    "count3": _raised((-14, 52, 40, 40), 1, 2, 3),
    "count4": _raised((-16, 50, 34, 36), 1, 2, 3, 4),
    "count5": _raised(_THUMB_OUT, 1, 2, 3, 4),
}

#: Names that ``named_posture`` knows.
GESTURES: Tuple[str, ...] = tuple(_GESTURES_DEG)


def named_posture(name: str, *, is_right: bool = True) -> HandPosture:
    """A gesture by name.

    Args:
        name: One of ``GESTURES``.
        is_right: Whether it is an anatomical right hand.

    Raises:
        UsageError: No such gesture.
    """
    if name not in _GESTURES_DEG:
        raise UsageError(
            f"there is no gesture '{name}'", fix="use one of: " + ", ".join(sorted(GESTURES))
        )
    angles = np.deg2rad(np.array(_GESTURES_DEG[name], dtype=np.float64))
    return HandPosture(angles_rad=angles, wrist_rad=np.zeros(2), is_right=is_right)


def blend_postures(start: HandPosture, end: HandPosture, share: float) -> HandPosture:
    """The posture on the way from one to another, slow at both ends.

    Args:
        start: Posture at share 0.
        end: Posture at share 1.
        share: 0..1; values outside are clamped.

    Raises:
        UsageError: One hand is a left and the other a right one.
    """
    if start.is_right != end.is_right:
        raise UsageError(
            "a left and a right hand can't be blended", fix="use the same is_right in both"
        )
    share = min(max(share, 0.0), 1.0)
    share = share * share * (3.0 - 2.0 * share)
    return HandPosture(
        angles_rad=start.angles_rad + share * (end.angles_rad - start.angles_rad),
        wrist_rad=start.wrist_rad + share * (end.wrist_rad - start.wrist_rad),
        is_right=start.is_right,
    )


def random_pose(rng: np.random.Generator, *, is_right: bool = True) -> HandPosture:
    """A plausible random posture within the limits of the joints.

    Every finger goes its own share of the way between two gestures, then all angles get noise;
    the flexions of one finger stay coupled, as tendons couple them.

    Args:
        rng: Source of randomness.
        is_right: Whether it is an anatomical right hand.
    """
    start, end = (
        named_posture(GESTURES[index]).angles_rad for index in rng.integers(len(GESTURES), size=2)
    )
    # A Beta(0.5, 0.5) share is mostly near one gesture, sometimes between.
    common = rng.beta(0.5, 0.5)
    share = np.clip(common + rng.normal(0.0, 0.12, size=(5, 1)), 0.0, 1.0)
    angles = start + share * (end - start)
    angles[1:, 1:] *= rng.uniform(0.88, 1.12, size=(4, 1))
    angles[:, 1:] += np.deg2rad(rng.normal(0.0, 6.0, size=(5, 3)))
    angles[:, 0] += np.deg2rad(rng.normal(0.0, 4.0, size=5))
    angles[1:, 0] *= rng.uniform(0.4, 1.5)
    wrist = np.deg2rad(rng.normal(0.0, (18.0, 8.0)))
    return clamp_posture(HandPosture(angles_rad=angles, wrist_rad=wrist, is_right=is_right))
