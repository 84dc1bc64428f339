"""Random geometry: rotate, scale, shift, stretch, tilt and mirror a hand into the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

__all__ = [
    "View",
    "WarpRange",
    "crop_affine",
    "draw_view",
    "hand_mask",
    "warp_image",
]


@dataclass(frozen=True)
class WarpRange:
    """How far the geometry may go.

    Attributes:
        usual_box: mean and deviation of the hand box as a share of the crop side (tracker crops).
        box: least and largest share, drawn uniformly in `wide_share` of the samples.
        wide_share: share of samples with a uniform scale.
        upright_deviation_deg: deviation of the angle in the upright samples.
        full_circle_share: share of samples with any angle.
        shift: largest displacement of the hand's centre, as a share of the crop side.
        stretch: largest ratio between the scales of the two axes (whole frames get squeezed).
        tilt: largest perspective term: how much the scale changes from one edge to the other.
        tilt_share: share of tilted samples.
    """

    usual_box: Tuple[float, float] = (0.66, 0.07)
    box: Tuple[float, float] = (0.3, 0.95)
    wide_share: float = 0.35
    upright_deviation_deg: float = 25.0
    full_circle_share: float = 0.4
    shift: float = 0.2
    stretch: float = 1.3
    tilt: float = 0.35
    tilt_share: float = 0.3


@dataclass(frozen=True)
class View:
    """A projective map from a labelled picture into the network's input.

    Attributes:
        matrix: (3, 3) map between continuous pixels.
        size_px: side of the input.
    """

    matrix: np.ndarray
    size_px: int

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map (K, 2) points."""
        mapped = np.column_stack((points, np.ones(len(points)))) @ self.matrix.T
        projected: np.ndarray = mapped[:, :2] / mapped[:, 2:]
        return projected

    def scale_at(self, point: np.ndarray) -> float:
        """Input pixels per picture pixel around one point."""
        corner = self.points(point + np.array([[0, 0], [1, 0], [0, 1]]))
        return float(np.sqrt(abs(np.linalg.det(corner[1:] - corner[0]))))

    def image(
        self, image: np.ndarray, border: int, colour: Tuple[int, int, int] = (0, 0, 0)
    ) -> np.ndarray:
        """Map a picture: (S, S, 3), or (S, S) for one channel."""
        scale = self.scale_at(np.array([image.shape[1] / 2.0, image.shape[0] / 2.0]))
        image, matrix = _shrink(image, self.matrix, scale)
        half, whole = np.eye(3), (self.size_px, self.size_px)
        half[:2, 2] = 0.5
        centred = np.linalg.inv(half) @ matrix @ half
        warped: np.ndarray = cv2.warpPerspective(
            image, centred, whole, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=colour
        )
        return warped

    def mask(self, mask: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Map the mask of `image`, which may be squeezed to another size: (S, S) uint8."""
        height, width = image.shape[:2]
        unsqueeze = np.diag([width / mask.shape[1], height / mask.shape[0], 1.0])
        return View(self.matrix @ unsqueeze, self.size_px).image(mask, cv2.BORDER_CONSTANT)


def crop_affine(
    centre_px: np.ndarray, side_px: float, angle_rad: float, stretch: float, size_px: int
) -> np.ndarray:
    """Map (2, 3) from source pixels to a rotated square cut of `side_px` around `centre_px`.

    `stretch` widens x by sqrt(stretch) and shrinks y by as much. Continuous pixels, corner origin.
    """
    scale = size_px / side_px
    cos, sin = np.cos(angle_rad) * scale, np.sin(angle_rad) * scale
    wide = np.sqrt(stretch)
    linear = np.array([[cos * wide, -sin * wide], [sin / wide, cos / wide]])
    offset = size_px / 2.0 - linear @ np.asarray(centre_px, np.float64)
    return np.concatenate((linear, offset[:, None]), axis=1)


def draw_view(rng: np.random.Generator, joints: np.ndarray, span: WarpRange, size_px: int) -> View:
    """A random view of the hand with these joints (21, 2)."""
    if rng.random() < span.full_circle_share:
        angle = rng.uniform(-np.pi, np.pi)
    else:
        angle = np.deg2rad(rng.normal(0.0, span.upright_deviation_deg))
    wide = rng.random() < span.wide_share
    share = (
        rng.uniform(*span.box) if wide else float(np.clip(rng.normal(*span.usual_box), *span.box))
    )
    limit = np.log(span.stretch)
    stretch = float(np.exp(rng.uniform(-limit, limit))) if rng.random() < 0.5 else 1.0
    turn = _square(crop_affine(joints.mean(axis=0), 1.0, angle, stretch, 1))
    if rng.random() < span.tilt_share:
        turn = _tilt(rng, turn, joints, span.tilt) @ turn
    turned = View(turn, 1).points(joints)
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = float((high - low).max()) / share
    # The box is that of the turned hand, so that `share` and `shift` hold exactly.
    room = min(span.shift, 0.5 * (1.0 - share) + 0.04)
    middle = (low + high) / 2.0 - rng.uniform(-room, room, 2) * side
    scale = size_px / side
    fit = np.array(
        [
            [scale, 0.0, size_px / 2.0 - scale * middle[0]],
            [0.0, scale, size_px / 2.0 - scale * middle[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    return View(fit @ turn, size_px)


def _square(affine: np.ndarray) -> np.ndarray:
    square: np.ndarray = np.concatenate((affine, np.array([[0.0, 0.0, 1.0]])))
    return square


def _tilt(
    rng: np.random.Generator, turn: np.ndarray, joints: np.ndarray, most: float
) -> np.ndarray:
    """A homography that makes one edge of the hand's surroundings larger than the other."""
    turned = View(turn, 1).points(joints)
    reach = float(np.abs(turned).max())
    direction, amount = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, most / 2.0)
    homography = np.eye(3)
    # The hand reaches to twice `reach` from edge to edge; the crop around it a little further.
    homography[2, :2] = np.array([np.cos(direction), np.sin(direction)]) * amount / (1.6 * reach)
    return homography


def _shrink(image: np.ndarray, matrix: np.ndarray, scale: float) -> Tuple[np.ndarray, np.ndarray]:
    """Halve the source until the warp shrinks by less than two, so that bilinear does not alias."""
    while scale < 0.6 and min(image.shape[:2]) >= 16:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        ratio = np.diag([image.shape[1] / width, image.shape[0] / height, 1.0])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        matrix = matrix @ ratio
        scale *= 2.0
    return image, matrix


def warp_image(image: np.ndarray, matrix: np.ndarray, size_px: int, border: int) -> np.ndarray:
    """Cut `image` with an affine map (2, 3) of continuous pixels into (size_px, size_px, 3)."""
    return View(_square(matrix), size_px).image(image, border)


def hand_mask(joints_px: np.ndarray, size_px: int) -> np.ndarray:
    """A generous outline of the hand from its joints (21, 2) px: (S, S) uint8, 0 or 255."""
    mask = np.zeros((size_px, size_px), np.uint8)
    points = np.round(joints_px).astype(np.int32)
    span = joints_px.max(axis=0) - joints_px.min(axis=0)
    thick = max(3, int(0.2 * float(span.max())))
    cv2.fillConvexPoly(mask, cv2.convexHull(points[[0, 1, 2, 5, 9, 13, 17]]), 255)
    for first in (1, 5, 9, 13, 17):
        chain = points[[0, first, first + 1, first + 2, first + 3]]
        cv2.polylines(mask, [chain], False, 255, thick)
    return mask
