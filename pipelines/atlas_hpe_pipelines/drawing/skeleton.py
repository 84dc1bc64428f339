"""A skeleton on a picture: fingers by their colours, hands by their outlines."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.hands import BONES, FINGER_JOINTS, NUM_JOINTS

__all__ = ["FINGER_COLOURS_BGR", "Colour", "draw_skeleton", "extent_px", "fixed", "outline_bgr"]

Colour = Tuple[int, int, int]

#: Thumb, index, middle, ring, little: five hues that colour-blind viewers tell apart
#: (after the qualitative palette of Okabe and Ito, 2008).
FINGER_COLOURS_BGR: Tuple[Colour, ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (167, 121, 204),
)
_JOINT_COLOURS: Tuple[Colour, ...] = (
    (255, 255, 255),
    *(colour for colour in FINGER_COLOURS_BGR for _ in range(4)),
)
#: Outlines of the first hand, the second, ...: dark, light, then two more hues of that palette.
_OUTLINES_BGR: Tuple[Colour, ...] = ((25, 25, 25), (255, 255, 255), (178, 114, 0), (0, 94, 213))
_UNSURE_BGR = (110, 110, 110)
_WIDTH_SHARE = 0.018  # of a bone over the hand's extent
_SHIFT = 4  # OpenCV draws with 4 fractional bits, so that a slow hand does not jump by pixels


def outline_bgr(track_id: Optional[int]) -> Colour:
    """The colour of a hand's outlines; of one that is not followed that of the first."""
    return _OUTLINES_BGR[(track_id or 0) % len(_OUTLINES_BGR)]


def extent_px(joints: np.ndarray, size_px: Tuple[int, int]) -> float:
    """Longer side of the hand's box, within bounds that keep lines visible and sane.

    Args:
        joints: (21, 2) in pixels of the picture, NaN where not found.
        size_px: Width and height of the picture.
    """
    found = joints[np.isfinite(joints).all(axis=1)]
    largest = float(max(size_px))
    if not len(found):
        return largest
    return float(np.clip(np.ptp(found, axis=0).max(), 0.05 * largest, largest))


def draw_skeleton(
    picture: np.ndarray,
    joints: np.ndarray,
    outline: Colour,
    scores: Optional[np.ndarray] = None,
) -> None:
    """Draw one hand into a picture.

    Args:
        picture: (H, W, 3) uint8, BGR; drawn on.
        joints: (21, 2) in continuous pixels of the picture; a joint that is not finite is left out
            together with its bones.
        outline: Colour around bones and joints.
        scores: (21,) confidence in [0, 1] to show: unsure joints are smaller and greyer, and so
            are their bones; None shows all alike.
    """
    extent = extent_px(joints, (picture.shape[1], picture.shape[0]))
    width_px = max(1, round(_WIDTH_SHARE * extent))
    outline_px = width_px + 2 * max(1, width_px // 3)
    points, found = fixed(joints), np.isfinite(joints).all(axis=1)
    chains = [_runs(points, found, (0, *finger)) for finger in FINGER_JOINTS]
    around = [run for chain in chains for run in chain]
    cv2.polylines(picture, around, False, outline, outline_px, cv2.LINE_AA, _SHIFT)
    if scores is None:
        for chain, colour in zip(chains, FINGER_COLOURS_BGR):
            cv2.polylines(picture, chain, False, colour, width_px, cv2.LINE_AA, _SHIFT)
        sure = [1.0] * NUM_JOINTS
    else:
        sure = np.clip(np.nan_to_num(scores), 0, 1).tolist()
        _draw_bones(picture, points, found, sure, width_px)
    for joint in np.flatnonzero(found).tolist():
        radius_px = width_px * (0.4 + 0.6 * sure[joint])
        colour = _fade(_JOINT_COLOURS[joint], sure[joint])
        _draw_disc(picture, points[joint], radius_px + 0.25 * width_px + 1, outline)
        _draw_disc(picture, points[joint], radius_px, colour)


def fixed(points: np.ndarray) -> np.ndarray:
    """Continuous pixels to OpenCV's fixed point, which has pixel centres at integers.

    Bounded, because OpenCV overflows on points far outside the picture.

    Args:
        points: (..., 2); what is not finite becomes 0.

    Returns:
        (..., 2) int32.
    """
    bounded = np.clip(np.nan_to_num(points) - 0.5, -8192, 8192)
    return np.asarray(np.rint(bounded * (1 << _SHIFT)), np.int32)


def _runs(points: np.ndarray, found: np.ndarray, chain: Sequence[int]) -> List[np.ndarray]:
    """The parts of a chain without a gap, of two joints or more."""
    runs: List[List[int]] = [[]]
    for joint in chain:
        if found[joint]:
            runs[-1].append(joint)
        else:
            runs.append([])
    return [points[run] for run in runs if len(run) > 1]


def _draw_bones(
    picture: np.ndarray, points: np.ndarray, found: np.ndarray, sure: List[float], width_px: int
) -> None:
    """Each bone as sure as the less sure of its two joints."""
    for start, end in BONES:
        if found[start] and found[end]:
            colour = _fade(_JOINT_COLOURS[end], min(sure[start], sure[end]))
            bone = [points[[start, end]]]
            cv2.polylines(picture, bone, False, colour, width_px, cv2.LINE_AA, _SHIFT)


def _draw_disc(picture: np.ndarray, place: np.ndarray, radius_px: float, colour: Colour) -> None:
    centre = (int(place[0]), int(place[1]))
    radius = round(radius_px * (1 << _SHIFT))
    cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA, _SHIFT)


def _fade(colour: Colour, sure: float) -> Colour:
    blue, green, red = (round(grey + sure * (own - grey)) for own, grey in zip(colour, _UNSURE_BGR))
    return blue, green, red
