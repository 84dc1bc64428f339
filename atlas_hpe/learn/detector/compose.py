"""Training pictures of a detector: photographs seen from elsewhere, hands pasted, hands left out.

Everything is drawn straight onto the network's square canvas, so that no large picture is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.geometry import apply_affine, to_pixel_centres
from atlas_hpe.learn.augment.photometry import draw_texture, vary_colour
from atlas_hpe.learn.augment.warp import hand_mask
from atlas_hpe.learn.data.hand_images import EmptyImage
from atlas_hpe.learn.detector.data import DetectorData, Scene

__all__ = ["Canvas", "Window", "draw_empty", "paste_hand", "view_scene"]

#: Least and largest hand: longer side of the joints' box as a share of the input's side.
SPAN = (0.06, 0.9)
# Beyond this a photograph is only blur.
_MAX_ENLARGEMENT = 3.0


@dataclass(frozen=True)
class Window:
    """The part of the canvas that shows the picture; the rest is the letterbox's border, px."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Canvas:
    """A picture in the making: (S, S, 3) BGR uint8 and its hands, each (21, 2) px."""

    image: np.ndarray
    hands: List[np.ndarray]


def _turn(rng: np.random.Generator) -> float:
    """Within 30 degrees, or any angle for one in two: hands hang, and are seen from above."""
    if rng.random() < 0.5:
        return float(rng.uniform(-np.pi, np.pi))
    return float(np.deg2rad(np.clip(rng.normal(0.0, 13.0), -30.0, 30.0)))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _linear(scale: float, angle: float, mirror: bool) -> np.ndarray:
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[-cos if mirror else cos, -sin], [-sin if mirror else sin, cos]])


def _about(linear: np.ndarray, point: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) with this linear part that puts `point` at `place`."""
    return np.concatenate((linear, (place - linear @ point)[:, None]), axis=1)


def _warp(
    image: np.ndarray, affine: np.ndarray, size: Tuple[int, int], border: int, grey: int = 0
) -> np.ndarray:
    """Cut out with an affine map of continuous pixels, halving first so that nothing aliases."""
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    while scale < 0.6 and min(image.shape[:2]) >= 16:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        ratio = np.array([image.shape[1] / width, image.shape[0] / height])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        affine = np.concatenate((affine[:, :2] * ratio, affine[:, 2:]), axis=1)
        scale *= 2.0
    centred, colour = to_pixel_centres(affine), (grey, grey, grey)
    warped: np.ndarray = cv2.warpAffine(
        image, centred, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=colour
    )
    return warped


def _box(joints: np.ndarray) -> Tuple[np.ndarray, np.ndarray, float]:
    """Low corner, high corner and longer side of (21, 2) joints."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    return low, high, max(float((high - low).max()), 1e-3)


def _scene_affine(
    rng: np.random.Generator, scene: Scene, window: Window, size_px: int
) -> np.ndarray:
    height, width = scene.image.shape[:2]
    inner = np.array([window.width, window.height], np.float64)
    corner = np.array([window.left, window.top], np.float64)
    fit = float(min(inner / (width, height)))
    mirror = bool(rng.random() < 0.5)
    if rng.random() < 0.25:  # as the pipeline shows it: the whole picture
        angle = float(np.deg2rad(rng.normal(0.0, 4.0)))
        middle = np.array([width / 2.0, height / 2.0])
        return _about(_linear(fit, angle, mirror), middle, corner + inner / 2.0)
    low, high, side = _box(scene.joints_px[int(rng.integers(len(scene.joints_px)))])
    scale = _log_uniform(rng, *SPAN) * size_px / side
    most = min(_MAX_ENLARGEMENT, SPAN[1] * float(inner.min()) / side)
    scale = float(np.clip(scale, min(0.75 * fit, most), most))
    linear = _linear(scale, _turn(rng), mirror)
    room = np.minimum(0.5 * inner, 0.5 * scale * side)
    place = corner + rng.uniform(room - 0.1, inner - room + 0.1)
    affine = _about(linear, (low + high) / 2.0, place)
    if rng.random() < 0.7:  # show as little as possible of what lies outside the photograph
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]])
        seen = apply_affine(affine, corners)
        first, last = seen.min(axis=0) - corner, seen.max(axis=0) - corner - inner
        affine[:, 2] -= np.where(first > 0, np.minimum(first, np.maximum(last, 0)), 0.0)
        affine[:, 2] -= np.where(last < 0, np.maximum(last, np.minimum(first, 0)), 0.0)
    return affine


def view_scene(rng: np.random.Generator, scene: Scene, window: Window, size_px: int) -> Canvas:
    """The photograph zoomed, turned, mirrored and moved, with one of its hands in the window."""
    affine = _scene_affine(rng, scene, window, size_px)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    image = _warp(scene.image, affine, (size_px, size_px), border, int(rng.integers(256)))
    return Canvas(image, [apply_affine(affine, joints) for joints in scene.joints_px])


def _free_place(
    rng: np.random.Generator, hands: List[np.ndarray], window: Window, side: float
) -> Optional[np.ndarray]:
    """A centre for a hand of this size that covers none of the others."""
    inner = np.array([window.width, window.height], np.float64)
    room = np.minimum(0.45 * inner, 0.4 * side)
    for _ in range(6):
        place = np.array([window.left, window.top]) + rng.uniform(room, inner - room)
        clear = True
        for joints in hands:
            low, high, _ = _box(joints)
            clear = clear and not bool(
                ((place + 0.55 * side > low) & (place - 0.55 * side < high)).all()
            )
        if clear:
            return place
    return None


def _forearm(mask: np.ndarray, joints: np.ndarray, side: float) -> None:
    """Continue the mask from the wrist away from the fingers."""
    back = joints[0] - joints[9]
    end = joints[0] + back / max(float(np.linalg.norm(back)), 1e-3) * side
    first, last = (tuple(int(v) for v in np.round(p)) for p in (joints[0], end))
    cv2.line(mask, first, last, 255, max(3, int(0.3 * side)))


def paste_hand(
    rng: np.random.Generator, canvas: Canvas, crop: Scene, window: Window, largest: float
) -> Canvas:
    """Put one hand into a picture, where there is room.

    Args:
        rng: source of all choices.
        canvas: the picture; it is not changed.
        crop: a scene with one hand.
        window: where to put the hand.
        largest: longest side of the hand, as a share of the canvas.
    """
    size_px = canvas.image.shape[0]
    low, high, side = _box(crop.joints_px[0])
    span_px = _log_uniform(rng, SPAN[0], largest) * size_px
    scale = min(span_px / side, _MAX_ENLARGEMENT)
    place = _free_place(rng, canvas.hands, window, scale * side)
    if place is None:
        return canvas
    linear = _linear(scale, _turn(rng), bool(rng.random() < 0.5))
    affine = _about(linear, (low + high) / 2.0, place)
    joints = apply_affine(affine, crop.joints_px[0])
    height, width = crop.image.shape[:2]
    seen = apply_affine(affine, np.array([[0, 0], [width, 0], [0, height], [width, height]]))
    first = np.clip(np.floor(seen.min(axis=0)).astype(int), 0, size_px)
    last = np.clip(np.ceil(seen.max(axis=0)).astype(int), 0, size_px)
    wide, high_px = (int(v) for v in last - first)
    if min(wide, high_px) < 4:
        return canvas
    local = affine - np.array([[0, 0, first[0]], [0, 0, first[1]]])
    front = _warp(crop.image, local, (wide, high_px), cv2.BORDER_REPLICATE)
    if rng.random() < 0.6:
        front = vary_colour(rng, front)
    inside = _warp(np.full((height, width), 255, np.uint8), local, (wide, high_px), 0)
    draw = rng.random()
    if draw < 0.85:
        if crop.mask is not None and rng.random() < 0.7:
            mask = cv2.resize(crop.mask, (width, height), interpolation=cv2.INTER_LINEAR)
            outline = _warp(mask, local, (wide, high_px), cv2.BORDER_CONSTANT)
        else:
            outline = hand_mask(joints - first, max(wide, high_px))
        if draw < 0.55:
            _forearm(outline, joints - first, scale * side)
        inside = np.minimum(inside, outline[:high_px, :wide])
    alpha = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.7, 2.0)).astype(np.float32) / 255.0
    image = canvas.image.copy()
    area = (slice(first[1], last[1]), slice(first[0], last[0]))
    image[area] = cv2.blendLinear(front, np.ascontiguousarray(image[area]), alpha, 1.0 - alpha)
    return Canvas(image, [*canvas.hands, joints])


def _cut_beside_hands(rng: np.random.Generator, scene: Scene, size_px: int) -> Optional[np.ndarray]:
    """A square of a photograph that touches none of its hands."""
    height, width = scene.image.shape[:2]
    boxes = [_box(joints) for joints in scene.joints_px]
    for _ in range(6):
        side = rng.uniform(0.3, 1.0) * min(height, width)
        centre = rng.uniform(side / 2, np.array([width, height]) - side / 2 + 1e-6)
        angle = rng.normal(0.0, 0.15)
        reach = 0.6 * side
        hit = any(
            bool(((centre + reach > low - 0.15 * s) & (centre - reach < high + 0.15 * s)).all())
            for low, high, s in boxes
        )
        if not hit:
            linear = _linear(size_px / side, angle, bool(rng.random() < 0.5))
            affine = _about(linear, centre, np.full(2, size_px / 2.0))
            return _warp(scene.image, affine, (size_px, size_px), cv2.BORDER_REFLECT_101)
    return None


def _tiles(rng: np.random.Generator, empty: EmptyImage, other: EmptyImage, size: int) -> np.ndarray:
    """One hand-free picture, or a checkerboard of two and their mirror images."""
    whole = cv2.resize(empty.image, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        return whole
    half = (size // 2, size // 2)
    one = cv2.resize(empty.image, half, interpolation=cv2.INTER_AREA)
    two = cv2.resize(other.image, half, interpolation=cv2.INTER_AREA)
    return np.vstack([np.hstack([one, two]), np.hstack([two[:, ::-1], one[:, ::-1]])])


def _without_hands(
    rng: np.random.Generator, scene: Scene, cover: EmptyImage, window: Window, size_px: int
) -> np.ndarray:
    """The whole photograph with something else where the hands were: faces and arms remain."""
    canvas = view_scene(rng, scene, window, size_px)
    image = canvas.image
    for joints in canvas.hands:
        low, high, side = _box(joints)
        first = np.clip(np.floor(low - 0.3 * side).astype(int), 0, size_px)
        last = np.clip(np.ceil(high + 0.3 * side).astype(int), 0, size_px)
        wide, tall = (int(v) for v in last - first)
        if min(wide, tall) > 0:
            patch = cv2.resize(cover.image, (wide, tall), interpolation=cv2.INTER_AREA)
            image[first[1] : last[1], first[0] : last[0]] = patch
    return image


def draw_empty(
    rng: np.random.Generator, data: DetectorData, window: Window, size_px: int
) -> np.ndarray:
    """A picture without a hand, (S, S, 3) BGR."""
    draw = rng.random()
    one, two = (data.empty[int(i)] for i in rng.integers(len(data.empty), size=2))
    if draw < 0.12:
        return draw_texture(rng, size_px)
    if draw < 0.4:
        return _tiles(rng, one, two, size_px)
    scene = data.frames.draw(rng)
    if draw < 0.6:
        return _without_hands(rng, scene, one, window, size_px)
    cut = _cut_beside_hands(rng, scene, size_px)
    return _tiles(rng, one, two, size_px) if cut is None else cut
