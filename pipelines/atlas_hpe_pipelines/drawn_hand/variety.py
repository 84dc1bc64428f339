"""Postures and views for training: whatever a hand can do, seen from everywhere."""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np

from atlas_hpe_pipelines.drawn_hand.camera import turn
from atlas_hpe_pipelines.drawn_hand.poses import random_pose
from atlas_hpe_pipelines.drawn_hand.skeleton import (
    HandPosture,
    HandShape,
    PosedHand,
    clamp_posture,
    pose_skeleton,
)

__all__ = ["GRIPS_DEG", "overlap_share", "vary_posture", "vary_rotation"]

_Row = Tuple[float, float, float, float]

# Degrees, as in poses.py. Fingers: abduction, base, middle, end. Thumb: radial, opposition, base,
# end.
_CURLED: Tuple[_Row, ...] = ((0, 76, 98, 52), (0, 80, 100, 52), (0, 82, 98, 52), (0, 82, 92, 50))
_THUMB_OVER: _Row = (-9, 31, 17, 80)  # on the middle bones of the curled fingers
_POSTURES_DEG: Dict[str, Tuple[_Row, ...]] = {
    "fist": (_THUMB_OVER, *_CURLED),
    "fist, thumb in": (
        (22, 63, 59, 82), (0, 60, 82, 42), (0, 66, 89, 43), (0, 70, 90, 43), (0, 72, 90, 48)),
    "fist, thumb beside": ((-20, 6, 12, 22), *_CURLED),
    "point": (_THUMB_OVER, (1, 3, 4, 2), *_CURLED[1:]),
    "two": (_THUMB_OVER, (9, 3, 4, 2), (-5, 3, 4, 3), *_CURLED[2:]),
    "ok": ((-5, 56, 9, 3), (-14, 48, 43, 12), (3, 8, 10, 5), (-5, 4, 6, 4), (-13, 2, 5, 4)),
    "crossed": ((-11, 35, 39, 66), (-12, 4, 10, 4), (14, 22, 24, 10), *_CURLED[2:]),
    "together": ((-16, 8, 6, 4), (-3, 2, 3, 2), (0, 2, 3, 2), (3, 2, 3, 2), (7, 3, 4, 3)),
    "spread": ((28, 4, 0, -8), (18, -6, 3, 2), (3, -6, 3, 2), (-11, -5, 4, 2), (-24, -4, 4, 3)),
    "hook": ((10, 8, 8, 6), (2, 4, 92, 48), (0, 4, 94, 48), (-2, 4, 92, 48), (-6, 6, 88, 46)),
    "claw": ((16, 30, 18, 34), (10, 8, 52, 34), (2, 8, 54, 34), (-6, 8, 54, 34), (-16, 8, 50, 32)),
    "bunched": (
        (-8, 58, 14, 8), (-12, 52, 34, 14), (-2, 54, 30, 12), (6, 56, 30, 12), (11, 58, 34, 14)),
    "table": ((-8, 30, 8, 6), (0, 82, 6, 4), (0, 84, 6, 4), (0, 84, 6, 4), (0, 84, 8, 4)),
    "horns": ((-16, 16, 37, 79), (6, 3, 4, 2), *_CURLED[1:3], (-14, 3, 6, 4)),
    "telephone": ((26, 2, 0, -8), *_CURLED[:3], (-16, 3, 6, 4)),
    "gun": ((18, 2, 2, -4), (2, 3, 4, 2), *_CURLED[1:]),
    "three": ((-7, 26, 30, 34), (-10, 57, 50, 20), (2, 4, 5, 3), (-6, 4, 5, 3), (-14, 4, 6, 4)),
}  # fmt: skip
#: How a hand holds things; things fit what room the fingers leave.
GRIPS_DEG: Dict[str, Tuple[_Row, ...]] = {
    "cylinder": (
        (8, 50, 12, 24), (5, 38, 46, 26), (0, 42, 48, 28), (-3, 44, 48, 28), (-7, 46, 46, 28)),
    "ball": (
        (16, 46, 10, 22), (14, 26, 42, 24), (3, 28, 44, 24), (-8, 30, 44, 24), (-20, 32, 42, 24)),
    "pinch": (
        (3, 47, 3, 3), (-12, 53, 43, 12), (0, 55, 47, 16), (-3, 47, 49, 20), (-8, 43, 49, 22)),
    "pen": (
        (-8, 55, -4, 10), (-10, 51, 46, 6), (0, 55, 53, 14), (0, 61, 62, 22), (-2, 65, 65, 24)),
    "slab": ((-8, 59, 10, -2), (4, 44, 34, 6), (0, 46, 34, 6), (-3, 46, 34, 6), (-8, 46, 34, 6)),
}  # fmt: skip
_TRIES = 8
# Cosine between the forearm and the way from the camera: 30 degrees off straight at the camera.
_ELBOW_LIMIT = -0.87
# Flesh yields: bones may come as near as this share of their radii together.
_TOUCH_SHARE = 0.55


def vary_posture(
    rng: np.random.Generator, shape: HandShape, *, is_right: bool, grip: str = ""
) -> HandPosture:
    """A random posture in which no finger runs through another or through the palm.

    Args:
        rng: Source of randomness.
        shape: Sizes of the hand, which decide what runs through what.
        is_right: Whether it is an anatomical right hand.
        grip: One of ``GRIPS_DEG``; empty for any posture of an empty hand.
    """
    tried = []
    for _ in range(_TRIES):
        posture = _draw_posture(rng, is_right, grip)
        share = overlap_share(pose_skeleton(posture, shape).joints_m, shape.radii_m)
        tried.append((share, posture))
        if share >= _TOUCH_SHARE:
            break
    return max(tried, key=lambda pair: pair[0])[1]


def vary_rotation(rng: np.random.Generator, hand: PosedHand) -> np.ndarray:
    """A random view: palm, back, edge, fingers at the camera or away from it, from below.

    In the picture the hand stands upright within 20 degrees, or anyhow in a quarter of the views.
    The forearm does not come straight at the camera, where it would hide the hand.

    Args:
        rng: Source of randomness.
        hand: The hand; wrist and middle knuckle tell what is upright.

    Returns:
        (3, 3) hand to camera, a proper rotation.
    """
    rotation = _draw_view(rng)
    elbow = _unit(hand.elbow_m)
    while float(rotation[2] @ elbow) < _ELBOW_LIMIT:
        rotation = _draw_view(rng)
    knuckle = hand.joints_m[9]
    x, y, _ = (float(value) for value in rotation @ knuckle)
    # A hand seen end on has no upright; its roll then is whatever the turn gave.
    is_flat = np.hypot(x, y) > 0.25 * np.linalg.norm(knuckle)
    upright = -float(np.arctan2(x, -y)) if is_flat else 0.0
    limit = np.pi if rng.random() < 0.25 else np.deg2rad(20.0)
    roll = upright + float(rng.uniform(-limit, limit))
    cos, sin = np.cos(roll), np.sin(roll)
    about_z = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_z @ rotation)


def _draw_view(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) rotation: palm or back within 50 degrees, fingers at the camera, or any."""
    kind = rng.random()
    if kind < 0.45:
        yaw, pitch = np.deg2rad(rng.uniform(-50.0, 50.0, size=2))
        return turn(float(yaw), float(pitch), back=bool(rng.random() < 0.5))
    if kind < 0.60:
        yaw, pitch = np.deg2rad(rng.normal((0.0, 80.0), (25.0, 22.0)))
        return turn(float(yaw), float(pitch), back=bool(rng.random() < 0.5))
    return _turn_anyhow(rng)


def _turn_anyhow(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) rotation, all equally likely (the quaternion of four normal numbers)."""
    w, x, y, z = (float(value) for value in _unit(rng.standard_normal(4)))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _draw_posture(rng: np.random.Generator, is_right: bool, grip: str) -> HandPosture:
    """One posture, its fingers perhaps inside each other."""
    if grip:
        angles = np.deg2rad(np.array(GRIPS_DEG[grip], dtype=np.float64))
        # A hand closes more or less around thick things; the tips that hold a thin one must meet.
        least, most, noise = (
            (0.75, 1.25, 4.0) if grip in ("cylinder", "ball") else (0.94, 1.05, 2.0)
        )
        angles[1:, 1:] *= rng.uniform(least, most)
        return _loosen(rng, angles, noise, is_right)
    kind = rng.random()
    if kind < 0.30:
        return random_pose(rng, is_right=is_right)
    if kind < 0.70:
        rows = list({**_POSTURES_DEG, **GRIPS_DEG}.values())
        angles = np.deg2rad(np.array(rows[int(rng.integers(len(rows)))], dtype=np.float64))
        angles[1:, 1:] *= rng.uniform(0.85, 1.15, size=(4, 1))
        return _loosen(rng, angles, 5.0, is_right)
    return _loosen(rng, _draw_free_angles(rng), 3.0, is_right)


def _draw_free_angles(rng: np.random.Generator) -> np.ndarray:
    """(5, 4) angles of fingers that each do something else, as far as tendons let them."""
    angles = np.empty((5, 4))
    base, middle = rng.uniform((-12.0, 0.0), (88.0, 105.0), size=(4, 2)).T
    # Middle, ring and little finger share tendons: each follows the others by a third.
    for flexion in (base, middle):
        flexion[1:] += (flexion[1:].mean() - flexion[1:]) / 3.0
    angles[1:, 1], angles[1:, 2] = base, middle
    # The end joint does not bend on its own, and bent fingers cannot spread.
    angles[1:, 3] = middle * rng.uniform(0.35, 0.70, size=4)
    spread = rng.uniform(-0.4, 1.0) * np.array([14.0, 2.0, -8.0, -18.0])
    angles[1:, 0] = (spread + rng.normal(0.0, 3.0, size=4)) * np.clip(1.0 - base / 90.0, 0.1, 1.0)
    angles[0] = rng.uniform((-22.0, -6.0, -4.0, -12.0), (30.0, 66.0, 50.0, 70.0))
    return np.deg2rad(angles)


def _loosen(
    rng: np.random.Generator, angles_rad: np.ndarray, noise_deg: float, is_right: bool
) -> HandPosture:
    """Noise on all angles, any wrist, within the limits."""
    angles = angles_rad + np.deg2rad(rng.normal(0.0, noise_deg, size=(5, 4))) * (0.6, 1, 1, 0.8)
    wrist = np.deg2rad(rng.normal(0.0, (24.0, 10.0)))
    return clamp_posture(HandPosture(angles_rad=angles, wrist_rad=wrist, is_right=is_right))


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def _pair_bones() -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end joints of the bones, and which points on them must stay apart."""
    fingers = [(1 + 4 * f + b, 2 + 4 * f + b, f, b) for f in range(5) for b in range(3)]
    palm = [(0, 5 + 4 * f, 5, 0) for f in range(4)]
    bones = fingers + palm
    apart = np.zeros((len(bones), len(bones)), dtype=bool)
    for i, (_, _, finger, bone) in enumerate(bones):
        for j, (_, _, other, other_bone) in enumerate(bones):
            # First bones grow out of the palm and of each other; so does the thumb's second.
            free = bone + other_bone >= (1 if 5 not in (finger, other) else 2)
            apart[i, j] = finger != other and free
    starts, ends = (np.array([bone[k] for bone in bones]) for k in (0, 1))
    count = len(_STATIONS)
    return starts, ends, np.tile(apart, (count, count))


# Where on each bone the distance is taken; not at the joints that bones share.
_STATIONS: np.ndarray = np.array([0.35, 0.65, 1.0])
_BONE_STARTS, _BONE_ENDS, _APART = _pair_bones()


def overlap_share(joints_m: np.ndarray, radii_m: np.ndarray) -> float:
    """How near the bones of different fingers, and of fingers and palm, come to each other.

    Args:
        joints_m: (21, 3) joints.
        radii_m: (21,) flesh around them.

    Returns:
        The smallest distance as share of the two radii together: 1 where flesh touches, 0 where
        bones cross.
    """
    starts, ends, station = _BONE_STARTS, _BONE_ENDS, _STATIONS[:, None, None]
    points = joints_m[starts] + station * (joints_m[ends] - joints_m[starts])
    radii = radii_m[starts] + station[..., 0] * (radii_m[ends] - radii_m[starts])
    points, radii = points.reshape(-1, 3), radii.reshape(-1)
    squared = (points * points).sum(axis=1)
    distance = squared[:, None] + squared - 2.0 * (points @ points.T)
    share = np.sqrt(np.maximum(distance, 0.0)) / (radii[:, None] + radii)
    return float(share[_APART].min())
