"""The camera of the drawn hand: rotation, pinhole projection, framing.

Camera coordinates are OpenCV's: x right, y down, z away from the camera, in metres. With the
identity turn the fingers point up and the palm faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from atlas_hpe.errors import UsageError

__all__ = ["View", "frame_hand", "measure_depth", "project", "to_camera", "turn"]

# Hand (x thumb, y fingers, z out of the palm) to camera, fingers up and palm to the camera.
_PALM_TO_CAMERA = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class View:
    """Where the hand is and how the camera sees it.

    Attributes:
        rotation: (3, 3) hand coordinates to camera coordinates, a proper rotation.
        position_m: (3,) the wrist in camera coordinates.
        focal_px: Focal length.
        centre_px: (2,) principal point; outside the middle when the picture is a crop.
    """

    rotation: np.ndarray
    position_m: np.ndarray
    focal_px: float
    centre_px: np.ndarray


def turn(
    yaw_rad: float = 0.0, pitch_rad: float = 0.0, roll_rad: float = 0.0, *, back: bool = False
) -> np.ndarray:
    """The rotation of a view.

    Args:
        yaw_rad: Turn about the vertical axis, out of the picture.
        pitch_rad: Turn about the horizontal axis, out of the picture.
        roll_rad: Turn in the picture, clockwise.
        back: Show the back of the hand instead of the palm.

    Returns:
        (3, 3) hand to camera.
    """
    yaw = yaw_rad + (np.pi if back else 0.0)
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
    cr, sr = np.cos(roll_rad), np.sin(roll_rad)
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]])
    about_z = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_z @ about_x @ about_y @ _PALM_TO_CAMERA)


def to_camera(points_m: np.ndarray, view: View) -> np.ndarray:
    """(..., 3) points in hand coordinates to (..., 3) in camera coordinates, metres."""
    return np.asarray(points_m @ view.rotation.T + view.position_m)


def project(points_m: np.ndarray, view: View) -> np.ndarray:
    """Pinhole projection: u = f x / z + c.

    Args:
        points_m: (..., 3) points in hand coordinates.
        view: The camera.

    Returns:
        (..., 2) pixels, float64; here the centre of the top left pixel is (0, 0), as OpenCV
        draws. ``draw_hand`` returns continuous pixels.

    Raises:
        UsageError: A point lies behind the camera.
    """
    points = to_camera(np.asarray(points_m, dtype=np.float64), view)
    if not bool((points[..., 2] > 0).all()):
        raise UsageError(
            "a point lies behind the camera",
            where=f"nearest depth {float(points[..., 2].min()):.3f} m",
            fix="move the hand away: a larger View.position_m[2]",
        )
    return np.asarray(points[..., :2] / points[..., 2:] * view.focal_px + view.centre_px)


def measure_depth(joints_m: np.ndarray, view: View) -> np.ndarray:
    """Depth relative to the wrist under weak perspective.

    Args:
        joints_m: (21, 3) joints in hand coordinates, wrist first.
        view: The camera.

    Returns:
        (21,) pixels, away from the camera positive: metres times the pixels per metre in the
        middle of the hand's depth.
    """
    depth_m = to_camera(joints_m, view)[:, 2]
    scale = view.focal_px / float(0.5 * (depth_m.min() + depth_m.max()))
    return np.asarray((depth_m - depth_m[0]) * scale)


def frame_hand(
    joints_m: np.ndarray,
    rotation: np.ndarray,
    *,
    box_px: Tuple[float, float, float],
    distance_m: float = 0.6,
) -> View:
    """The view in which the joints' box has a given centre and size.

    Focal length and principal point act linearly on the projection, so the framing is exact
    without iteration.

    Args:
        joints_m: (21, 3) joints in hand coordinates.
        rotation: (3, 3) hand to camera.
        box_px: Centre x, centre y and longer side of the joints' box.
        distance_m: Depth of the middle of the hand; small values give strong perspective.

    Returns:
        The view.
    """
    turned = joints_m @ rotation.T
    middle = 0.5 * (turned.min(axis=0) + turned.max(axis=0))
    position = np.array([0.0, 0.0, distance_m]) - middle
    points = turned + position
    flat = points[:, :2] / points[:, 2:]
    low, high = flat.min(axis=0), flat.max(axis=0)
    focal = box_px[2] / float((high - low).max())
    centre = np.array(box_px[:2]) - focal * 0.5 * (low + high)
    return View(rotation=rotation, position_m=position, focal_px=focal, centre_px=centre)
