"""Random geometry: rotate, scale, shift, stretch and mirror a hand into the network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.geometry import apply_affine, to_pixel_centres
from atlas_hpe.learn.data.hand_images import HandImage

__all__ = [
    "WarpRange",
    "WarpedHand",
    "crop_affine",
    "hand_mask",
    "warp_hand",
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
        mirror_share: share of mirrored samples.
    """

    usual_box: Tuple[float, float] = (0.59, 0.07)
    box: Tuple[float, float] = (0.25, 0.9)
    wide_share: float = 0.5
    upright_deviation_deg: float = 25.0
    full_circle_share: float = 0.4
    shift: float = 0.25
    stretch: float = 1.35
    mirror_share: float = 0.5


@dataclass(frozen=True)
class WarpedHand:
    """A hand in the network's input: image (S, S, 3) BGR, joints (21, 2) in units of its side."""

    image: np.ndarray
    joints: np.ndarray
    right: float


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


def _draw_affine(
    rng: np.random.Generator, joints: np.ndarray, span: WarpRange, size_px: int
) -> np.ndarray:
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
    turned = apply_affine(crop_affine(np.zeros(2), 1.0, angle, stretch, 1), joints)
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = float((high - low).max()) / share
    # The box is that of the turned hand, so that `share` and `shift` hold exactly.
    room = min(span.shift, 0.5 * (1.0 - share) + 0.04)
    middle = (low + high) / 2.0 - rng.uniform(-room, room, 2) * side
    linear = crop_affine(np.zeros(2), side, angle, stretch, size_px)[:, :2]
    offset = size_px / 2.0 - middle * (size_px / side)
    return np.concatenate((linear, offset[:, None]), axis=1)


def _shrink(image: np.ndarray, matrix: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Halve the source until the warp shrinks by less than two, so that bilinear does not alias."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    while scale < 0.6 and min(image.shape[:2]) >= 16:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        ratio = np.array([image.shape[1] / width, image.shape[0] / height])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        matrix = np.concatenate((matrix[:, :2] * ratio, matrix[:, 2:]), axis=1)
        scale *= 2.0
    return image, matrix


def warp_image(
    image: np.ndarray,
    matrix: np.ndarray,
    size_px: int,
    border: int,
    colour: Tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """Cut `image` with a continuous-pixel map into (size_px, size_px, 3)."""
    image, matrix = _shrink(image, matrix)
    warped: np.ndarray = cv2.warpAffine(
        image,
        to_pixel_centres(matrix),
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=colour,
    )
    return warped


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


def _blend(front: np.ndarray, back: np.ndarray, mask: np.ndarray, softness: int) -> np.ndarray:
    alpha = cv2.GaussianBlur(mask, (0, 0), softness)[:, :, None].astype(np.float32) / 255.0
    mixed: np.ndarray = (front * alpha + back * (1.0 - alpha)).astype(np.uint8)
    return mixed


def warp_hand(
    rng: np.random.Generator,
    hand: HandImage,
    span: WarpRange,
    size_px: int,
    background: Optional[np.ndarray],
) -> WarpedHand:
    """Draw a random view of `hand`.

    Args:
        rng: source of all choices.
        hand: the labelled picture.
        span: how far to go.
        size_px: side of the network's input.
        background: (S, S, 3) hand-free picture to put around or behind the hand, or None.
    """
    matrix = _draw_affine(rng, hand.joints_px, span, size_px)
    joints_px = apply_affine(matrix, hand.joints_px)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.4 else cv2.BORDER_REPLICATE
    grey = rng.integers(0, 256)
    colour = (
        (int(grey),) * 3 if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(0, 256, 3))
    )
    image = warp_image(hand.image, matrix, size_px, border, (colour[0], colour[1], colour[2]))
    if background is not None:
        if rng.random() < 0.5:
            mask = hand_mask(joints_px, size_px)
        else:
            full = np.full(hand.image.shape[:2], 255, np.uint8)
            mask = warp_image(full, matrix, size_px, cv2.BORDER_CONSTANT)
        image = _blend(image, background, mask, int(rng.integers(1, 4)))
    joints = (joints_px / size_px).astype(np.float32)
    if rng.random() < span.mirror_share:
        mirrored = joints * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
        return WarpedHand(np.ascontiguousarray(image[:, ::-1]), mirrored, 1.0 - hand.right)
    return WarpedHand(image, joints, hand.right)
