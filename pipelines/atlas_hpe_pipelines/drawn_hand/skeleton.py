"""The bones of the drawn hand: lengths, joint limits and forward kinematics.

Hand coordinates of a right hand, in metres: the origin is the wrist joint, +x points to the thumb
side, +y to the fingers, +z out of the palm. A left hand is the mirror image in x.

All lengths, radii and limits are our own round numbers for an adult hand of about 18 cm; they
follow no published measurement and are meant to look plausible, nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atlas_hpe.errors import UsageError
from atlas_hpe.hands import NUM_JOINTS

__all__ = [
    "ANGLE_LIMITS_RAD",
    "WRIST_LIMITS_RAD",
    "HandPosture",
    "HandShape",
    "PosedHand",
    "clamp_posture",
    "default_shape",
    "pose_skeleton",
    "random_shape",
]

#: (5, 4, 2) lowest and highest angle, a row per finger (thumb, index, middle, ring, little).
#: Columns of the fingers: abduction (+ = to the thumb side), flexion of base, middle, end joint.
#: Columns of the thumb: radial abduction (away from the index finger in the palm's plane),
#: opposition (out of the palm's plane, the pad turning to the fingers), flexion of the two joints.
ANGLE_LIMITS_RAD: np.ndarray = np.deg2rad(
    np.array(
        [
            [[-25, 35], [-10, 75], [-10, 60], [-20, 85]],
            [[-15, 22], [-25, 95], [-5, 110], [-8, 80]],
            [[-15, 15], [-25, 95], [-5, 110], [-8, 80]],
            [[-20, 12], [-25, 95], [-5, 110], [-8, 80]],
            [[-30, 12], [-25, 95], [-5, 110], [-8, 80]],
        ],
        dtype=np.float64,
    )
)
#: (2, 2) lowest and highest wrist flexion (+ = palm bends to the forearm) and deviation
#: (+ = hand bends to the thumb side).
WRIST_LIMITS_RAD: np.ndarray = np.deg2rad(np.array([[-60.0, 70.0], [-30.0, 20.0]]))

# Bases of the five fingers in millimetres: the thumb's saddle joint, then the four knuckles.
_BASES_MM = ((21, 21, 9), (25, 86, -1), (3, 89, -4), (-17, 83, -3), (-34, 73, 2))
_BONES_MM = ((44, 33, 25), (42, 25, 19), (46, 29, 20), (42, 27, 20), (33, 20, 17))
# Flesh around each joint: wrist, then four per finger.
_RADII_MM = (
    17.5,
    *(14.0, 11.6, 10.4, 8.2),
    *(11.2, 9.8, 8.4, 6.9),
    *(11.4, 10.0, 8.6, 7.1),
    *(11.0, 9.5, 8.2, 6.8),
    *(10.0, 8.2, 7.1, 5.9),
)
# Turn of each finger about its own axis: the palm is an arch, so bent fingers converge.
_ROLL_RAD = np.deg2rad(np.array([0.0, -6.0, 0.0, 8.0, 16.0]))
# The resting thumb: direction of its first bone and of its pad (made orthogonal when used).
_THUMB_DIRECTION = (0.66, 0.70, 0.27)
_THUMB_PAD = (-0.62, 0.30, 0.72)
_FOREARM_M = 0.27


@dataclass(frozen=True, eq=False)
class HandShape:
    """The size of one hand.

    Attributes:
        bases_m: (5, 3) first joint of each finger, right hand.
        bones_m: (5, 3) lengths of the three bones of each finger.
        radii_m: (21,) flesh around each joint.
    """

    bases_m: np.ndarray
    bones_m: np.ndarray
    radii_m: np.ndarray


@dataclass(frozen=True, eq=False)
class HandPosture:
    """The joint angles of one hand.

    Attributes:
        angles_rad: (5, 4) angles as explained at ``ANGLE_LIMITS_RAD``.
        wrist_rad: (2,) wrist flexion and deviation.
        is_right: Whether it is an anatomical right hand.
    """

    angles_rad: np.ndarray
    wrist_rad: np.ndarray
    is_right: bool = True


@dataclass(frozen=True, eq=False)
class PosedHand:
    """A hand in space, in hand coordinates.

    Attributes:
        joints_m: (21, 3) joint centres, hand21.
        palmar: (21, 3) unit vector out of the palm side of the bone that ends at each joint;
            for the wrist that of the forearm.
        elbow_m: (3,) a point on the forearm.
        is_right: Whether it is an anatomical right hand.
    """

    joints_m: np.ndarray
    palmar: np.ndarray
    elbow_m: np.ndarray
    is_right: bool


def default_shape() -> HandShape:
    """The hand with the lengths of this module."""
    return HandShape(
        bases_m=np.array(_BASES_MM, dtype=np.float64) / 1000.0,
        bones_m=np.array(_BONES_MM, dtype=np.float64) / 1000.0,
        radii_m=np.array(_RADII_MM, dtype=np.float64) / 1000.0,
    )


def random_shape(rng: np.random.Generator) -> HandShape:
    """A hand of random size, proportions and thickness.

    Args:
        rng: Source of randomness.
    """
    shape = default_shape()
    size = rng.uniform(0.85, 1.12)
    palm = rng.uniform(0.93, 1.07, size=3)
    fingers = rng.uniform(0.90, 1.10) * rng.uniform(0.96, 1.04, size=(5, 1))
    thickness = rng.uniform(0.86, 1.18)
    return HandShape(
        bases_m=shape.bases_m * size * palm,
        bones_m=shape.bones_m * size * fingers,
        radii_m=shape.radii_m * size * thickness,
    )


def clamp_posture(posture: HandPosture) -> HandPosture:
    """The nearest posture within the limits."""
    return HandPosture(
        angles_rad=np.clip(posture.angles_rad, ANGLE_LIMITS_RAD[..., 0], ANGLE_LIMITS_RAD[..., 1]),
        wrist_rad=np.clip(posture.wrist_rad, WRIST_LIMITS_RAD[:, 0], WRIST_LIMITS_RAD[:, 1]),
        is_right=posture.is_right,
    )


def pose_skeleton(posture: HandPosture, shape: HandShape) -> PosedHand:
    """Forward kinematics: joint angles to joint centres.

    The three flexions of a finger share one axis, so its bones lie in one plane and their
    directions are cos(theta) y + sin(theta) z with theta the running sum of the flexions.

    Args:
        posture: Joint angles; they are used as they are, see ``clamp_posture``.
        shape: Bone lengths.

    Returns:
        The hand, wrist at the origin.

    Raises:
        UsageError: The angles have the wrong shape.
    """
    angles = np.asarray(posture.angles_rad, dtype=np.float64)
    if angles.shape != (5, 4) or np.shape(posture.wrist_rad) != (2,):
        raise UsageError(
            "a hand posture needs (5, 4) finger angles and (2,) wrist angles",
            where=f"shapes {angles.shape} and {np.shape(posture.wrist_rad)}",
            fix="start from atlas_hpe_pipelines.drawn_hand.named_posture('open')",
        )
    frames = np.stack(
        [_thumb_frame(angles[0]), *(_finger_frame(f, angles[f]) for f in range(1, 5))]
    )
    flexion = np.cumsum(angles[:, 1:], axis=1)  # (5, 3)
    flexion[0] = (0.0, angles[0, 2], angles[0, 2] + angles[0, 3])
    cos, sin = np.cos(flexion)[..., None], np.sin(flexion)[..., None]
    distal, palmar = frames[:, None, :, 1], frames[:, None, :, 2]  # (5, 1, 3)
    steps = (cos * distal + sin * palmar) * shape.bones_m[..., None]  # (5, 3, 3)

    joints = np.zeros((5, 4, 3))
    joints[:, 0] = shape.bases_m
    joints[:, 1:] = shape.bases_m[:, None] + np.cumsum(steps, axis=1)
    pads = np.zeros((5, 4, 3))
    pads[:, 0] = (0.0, 0.0, 1.0)
    pads[:, 1:] = cos * palmar - sin * distal

    bend, deviation = (float(value) for value in posture.wrist_rad)
    forearm = _turn_x(-bend) @ _turn_z(deviation)
    mirror = np.array([1.0 if posture.is_right else -1.0, 1.0, 1.0])
    return PosedHand(
        joints_m=np.concatenate([np.zeros((1, 3)), joints.reshape(NUM_JOINTS - 1, 3)]) * mirror,
        palmar=np.concatenate([forearm[None, :, 2], pads.reshape(NUM_JOINTS - 1, 3)]) * mirror,
        elbow_m=-_FOREARM_M * forearm[:, 1] * mirror,
        is_right=posture.is_right,
    )


def _finger_frame(finger: int, angles: np.ndarray) -> np.ndarray:
    """(3, 3) columns lateral, distal, palmar of a finger before it bends."""
    return np.asarray(_turn_z(-float(angles[0])) @ _turn_y(float(_ROLL_RAD[finger])))


def _thumb_frame(angles: np.ndarray) -> np.ndarray:
    """(3, 3) columns lateral, distal, palmar of the thumb's first bone."""
    radial, opposition = float(angles[0]), float(angles[1])
    distal = _unit(np.array(_THUMB_DIRECTION))
    pad = np.array(_THUMB_PAD)
    pad = _unit(pad - (pad @ distal) * distal)
    rest = np.stack([np.cross(distal, pad), distal, pad], axis=1)
    # Opposition swings the bone about the hand's long axis and turns its pad to the fingers.
    swing = _turn_z(-radial) @ _turn_y(-opposition)
    return np.asarray(swing @ rest @ _turn_y(-0.5 * opposition))


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def _turn_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _turn_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _turn_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
