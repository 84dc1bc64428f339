"""Put a labelled hand into a random scene: view, background, a second hand, an object, light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.learn.augment.photometry import degrade, occlude, recolour, vary_colour
from atlas_hpe.learn.augment.warp import View, WarpRange, draw_view, hand_mask
from atlas_hpe.learn.data.hand_images import HandImage

__all__ = ["HandView", "SceneRange", "draw_scene"]

_MOST_COVERED_JOINTS = 8


@dataclass(frozen=True)
class HandView:
    """A hand in the network's input.

    Attributes:
        image: (S, S, 3) BGR uint8.
        joints: (21, 2) float32 in units of the side.
        depth: (21,) float32 relative to the wrist, in units of the side; None where unknown.
        right: probability of an anatomical right hand.
    """

    image: np.ndarray
    joints: np.ndarray
    depth: Optional[np.ndarray]
    right: float


@dataclass(frozen=True)
class SceneRange:
    """How often each thing happens.

    Attributes:
        view: geometry.
        new_background: share of hands in front of another background.
        recoloured: share of hands with other skin or light than their background, where cut out.
        second_hand: share of pictures with another hand near, behind or in front.
        occluded: share of pictures with something in front of the hand.
        mirrored: share of mirrored pictures.
    """

    view: WarpRange = field(default_factory=WarpRange)
    new_background: float = 0.33
    recoloured: float = 0.35
    second_hand: float = 0.12
    occluded: float = 0.2
    mirrored: float = 0.5


def draw_scene(
    rng: np.random.Generator,
    hand: HandImage,
    span: SceneRange,
    size_px: int,
    background: Callable[[], np.ndarray],
    other_hand: Callable[[], HandImage],
) -> HandView:
    """One random picture of `hand`.

    Args:
        rng: source of all choices.
        hand: the labelled picture.
        span: how often things happen, and how far they go.
        size_px: side of the network's input.
        background: gives a hand-free picture (S, S, 3).
        other_hand: gives another labelled hand.
    """
    view = draw_view(rng, hand.joints_px, span.view, size_px)
    joints_px = view.points(hand.joints_px)
    image = view.image(hand.image, *_border(rng))
    mask = view.mask(hand.mask, hand.image) if hand.mask is not None else None
    image, behind = _exchange(rng, image, mask, joints_px, span, background)
    if rng.random() < span.second_hand:
        image = _add_hand(rng, image, mask if behind else None, joints_px, other_hand(), span)
    if rng.random() < span.occluded:
        image = occlude(rng, image, background() if rng.random() < 0.5 else None)
    image = degrade(rng, vary_colour(rng, image) if rng.random() < 0.9 else image)
    joints, depth = (joints_px / size_px).astype(np.float32), None
    if hand.depth_px is not None:
        scale = view.scale_at(hand.joints_px.mean(axis=0)) / size_px
        depth = (hand.depth_px * scale).astype(np.float32)
    if rng.random() < span.mirrored:
        joints = joints * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
        return HandView(np.ascontiguousarray(image[:, ::-1]), joints, depth, 1.0 - hand.right)
    return HandView(image, joints, depth, hand.right)


def _border(rng: np.random.Generator) -> Tuple[int, Tuple[int, int, int]]:
    draw = rng.random()
    if draw < 0.4:
        return cv2.BORDER_CONSTANT, (0, 0, 0)
    if draw < 0.6:
        grey = rng.integers(0, 256, 3)
        return cv2.BORDER_CONSTANT, (int(grey[0]), int(grey[1]), int(grey[2]))
    return (cv2.BORDER_REPLICATE if draw < 0.8 else cv2.BORDER_REFLECT_101), (0, 0, 0)


def _exchange(
    rng: np.random.Generator,
    image: np.ndarray,
    mask: Optional[np.ndarray],
    joints_px: np.ndarray,
    span: SceneRange,
    background: Callable[[], np.ndarray],
) -> Tuple[np.ndarray, bool]:
    """Another background, another skin. Returns the picture and whether the cut-out was used."""
    new_background = rng.random() < span.new_background
    if mask is None:
        if new_background:
            softness = float(rng.uniform(1.0, 3.0))
            mask = hand_mask(joints_px, image.shape[0])
            image = _blend(image, background(), mask, softness)
        return image, False
    front = recolour(rng, image) if rng.random() < span.recoloured else image
    back = background() if new_background else image
    if new_background and rng.random() < 0.6:
        back = _draw_forearm(rng, back, front, mask, joints_px)
    if front is image and not new_background:
        return image, True
    if rng.random() < 0.5:
        mask = cv2.erode(mask, np.ones((3, 3), np.uint8))  # no rim of the old background
    return _blend(front, back, mask, float(rng.uniform(0.5, 1.2))), True


def _draw_forearm(
    rng: np.random.Generator,
    back: np.ndarray,
    front: np.ndarray,
    mask: np.ndarray,
    joints_px: np.ndarray,
) -> np.ndarray:
    """A band from the wrist out of the picture, in skin or cloth: cut-outs end at the wrist."""
    wrist, middle = joints_px[0], joints_px[9]
    away = (wrist - middle) / max(1.0, float(np.linalg.norm(wrist - middle)))
    turn = rng.normal(0.0, 0.25)
    cos, sin = np.cos(turn), np.sin(turn)
    away = np.array([cos * away[0] - sin * away[1], sin * away[0] + cos * away[1]])
    palm = max(6.0, float(np.linalg.norm(joints_px[5] - joints_px[17])))
    across = np.array([-away[1], away[0]]) * palm * rng.uniform(0.35, 0.55)
    start, end = wrist - away * 0.1 * palm, wrist + away * 3.0 * max(back.shape[:2])
    flare = rng.uniform(1.0, 1.4)
    corners = np.stack([start - across, start + across, end + flare * across, end - flare * across])
    if rng.random() < 0.5 and mask.any():
        colour = np.array(cv2.mean(front, mask)[:3])
    else:
        colour = rng.uniform(0, 255, 3)
    band = np.zeros(back.shape[:2], np.uint8)
    cv2.fillConvexPoly(band, np.clip(np.round(corners), -9999, 9999).astype(np.int32), 255)
    cloth = np.clip(colour * rng.uniform(0.8, 1.1), 0, 255).astype(np.uint8)
    return _blend(np.broadcast_to(cloth, back.shape), back, band, 1.0)


def _add_hand(
    rng: np.random.Generator,
    image: np.ndarray,
    own_mask: Optional[np.ndarray],
    joints_px: np.ndarray,
    other: HandImage,
    span: SceneRange,
) -> np.ndarray:
    """Another hand beside the labelled one, behind it, or over a part of it."""
    size_px = image.shape[0]
    if other.mask is None:
        return image
    low, high = joints_px.min(axis=0), joints_px.max(axis=0)
    box_px = float((high - low).max())
    view = draw_view(rng, other.joints_px, span.view, size_px)
    seen = view.points(other.joints_px)
    other_box = max(1.0, float((seen.max(axis=0) - seen.min(axis=0)).max()))
    scale = box_px * rng.uniform(0.7, 1.3) / other_box
    angle = rng.uniform(-np.pi, np.pi)
    gap = box_px * rng.uniform(0.45, 1.0)
    target = (low + high) / 2.0 + gap * np.array([np.cos(angle), np.sin(angle)])
    centre = (seen.max(axis=0) + seen.min(axis=0)) / 2.0
    place = np.array(
        [
            [scale, 0.0, target[0] - scale * centre[0]],
            [0.0, scale, target[1] - scale * centre[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    view = View(place @ view.matrix, size_px)
    mask = view.mask(other.mask, other.image)
    if own_mask is not None and rng.random() < 0.5:
        mask = cv2.subtract(mask, own_mask)
    elif _covered(mask, joints_px) > _MOST_COVERED_JOINTS:
        return image
    return _blend(view.image(other.image, cv2.BORDER_REPLICATE), image, mask, 0.7)


def _covered(mask: np.ndarray, joints_px: np.ndarray) -> int:
    cells = np.clip(joints_px.astype(int), 0, mask.shape[0] - 1)
    return int((mask[cells[:, 1], cells[:, 0]] > 127).sum())


def _blend(front: np.ndarray, back: np.ndarray, mask: np.ndarray, softness: float) -> np.ndarray:
    alpha = cv2.GaussianBlur(mask, (0, 0), softness).astype(np.float32)[:, :, None] * (1.0 / 255.0)
    mixed: np.ndarray = (back + (front.astype(np.float32) - back) * alpha).astype(np.uint8)
    return mixed
