"""Random light, colour, blur, noise, compression and occluders on a uint8 BGR picture."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

__all__ = ["add_thing", "degrade", "draw_texture", "occlude", "recolour", "vary_colour"]

_RAMP = np.arange(256, dtype=np.float32) / 255.0


def _look_up(rng: np.random.Generator, image: np.ndarray, spread: float) -> np.ndarray:
    """Random gain, white balance, gamma and offset per channel through one table."""
    exposure = np.exp(rng.normal(0.0, 0.25 * spread))
    white = np.exp(rng.normal(0.0, 0.07 * spread, 3))
    gamma = np.exp(rng.normal(0.0, 0.25 * spread))
    offset = rng.normal(0.0, 0.04 * spread)
    table = np.power(_RAMP, gamma)[:, None] * (exposure * white) + offset
    coloured: np.ndarray = cv2.LUT(image, np.clip(table * 255.0, 0, 255).astype(np.uint8)[None])
    return coloured


def recolour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Skin and light of a hand, apart from its background."""
    return _look_up(rng, image, 1.2)


def vary_colour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Light and colour of a whole picture: table, uneven light, saturation, inverted channels."""
    image = _look_up(rng, image, 1.0)
    if rng.random() < 0.15:
        image = _uneven_light(rng, image)
    draw = rng.random()
    if draw < 0.08:
        return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if draw < 0.45:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = rng.uniform(0.2, 1.7)
        return cv2.addWeighted(image, keep, grey, 1.0 - keep, 0.0)
    if draw < 0.48:
        return np.ascontiguousarray(image[:, :, ::-1])
    return image


def _uneven_light(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A smooth shadow or a bright window: a coarse random field that multiplies."""
    cells = np.exp(rng.normal(0.0, 0.4, (3, 3))).astype(np.float32)
    light = cv2.resize(cells, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    lit: np.ndarray = np.clip(image * light[:, :, None], 0, 255).astype(np.uint8)
    return lit


def _motion_blur(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    size = int(rng.integers(3, 19))
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (size - 1) / 2.0
    step = np.array([np.cos(angle), np.sin(angle)]) * reach
    first, last = np.round(reach - step).astype(int), np.round(reach + step).astype(int)
    cv2.line(kernel, (int(first[0]), int(first[1])), (int(last[0]), int(last[1])), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """At most a few of: blur, motion blur, low resolution, sensor noise, JPEG blocks."""
    size_px = image.shape[0]
    draw = rng.random(5)
    if draw[0] < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.6))
    elif draw[0] < 0.32:
        image = _motion_blur(rng, image)
    if draw[1] < 0.2:
        small = int(size_px * rng.uniform(0.25, 0.8))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    if draw[2] < 0.25:
        # Not cv2.randn: its generator belongs to the thread, and batches must not depend on it.
        grain = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(2, 18)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if draw[3] < 0.25:
        quality = int(rng.integers(20, 90))
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return image


def occlude(rng: np.random.Generator, image: np.ndarray, patch: Optional[np.ndarray]) -> np.ndarray:
    """Put one or two things in front: blocks, discs, bars; flat or cut from `patch` (same size)."""
    size_px = image.shape[0]
    for _ in range(int(rng.integers(1, 3))):
        mask = np.zeros((size_px, size_px), np.uint8)
        centre = tuple(int(v) for v in rng.uniform(0.15, 0.85, 2) * size_px)
        width, height = rng.uniform(0.05, 0.16, 2) * size_px
        kind, angle = rng.random(), float(rng.uniform(0, 180))
        if kind < 0.35:
            axes = (max(1, int(width)), max(1, int(height)))
            cv2.ellipse(mask, centre, axes, angle, 0, 360, 255, -1)
        else:
            # A pen, a handle, an edge of a table: long and thin; or a block.
            length = 2.0 * height if kind < 0.65 else float(size_px) * rng.uniform(0.4, 1.6)
            breadth = 2.0 * width if kind < 0.65 else float(size_px) * rng.uniform(0.02, 0.1)
            corners = cv2.boxPoints((centre, (breadth, length), angle))
            cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
        if patch is not None:
            front = patch
        else:
            front = np.empty_like(image)
            front[:] = rng.integers(0, 256, 3)
        image = np.where(mask[:, :, None] > 0, front, image)
    return image


def draw_texture(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """A hand-free picture made from nothing: smooth noise, a gradient, or a flat colour."""
    cells = int(rng.choice([1, 2, 4, 8, 24]))
    coarse = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    way = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    return cv2.resize(coarse, (size_px, size_px), interpolation=way)


def add_thing(
    rng: np.random.Generator, image: np.ndarray, reach: Tuple[float, float]
) -> np.ndarray:
    """Put something that is no hand into a picture: a shaded disc, block or bar, some like skin.

    Args:
        rng: source of all choices.
        image: (S, S, 3) BGR uint8; it is not changed.
        reach: least and largest half-axis as a share of the side.
    """
    size_px = image.shape[0]
    centre = rng.uniform(0.1, 0.9, 2) * size_px
    low, high = np.log(reach)
    half = np.maximum(1.0, np.exp(rng.uniform(low, high, 2)) * size_px)
    angle = float(rng.uniform(0.0, 180.0))
    mask = np.zeros((size_px, size_px), np.uint8)
    if rng.random() < 0.5:
        cv2.ellipse(mask, (tuple(centre), tuple(2.0 * half), angle), 255, -1)
    else:
        corners = cv2.boxPoints((tuple(centre), tuple(2.0 * half), angle))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    alpha = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2.0)).astype(np.float32) / 255.0
    direction = rng.normal(0.0, 1.0, 2)
    along = np.arange(size_px) - size_px / 2.0
    ramp = direction[0] * along[None, :] + direction[1] * along[:, None]
    shade = 1.0 + rng.uniform(0.0, 0.5) * np.clip(ramp / (2.0 * half.max()), -1.0, 1.0)
    colour = _skin(rng) if rng.random() < 0.4 else rng.uniform(0.0, 255.0, 3)
    front = np.clip(shade[:, :, None] * colour, 0.0, 255.0)
    mixed: np.ndarray = (image + (front - image) * alpha[:, :, None]).astype(np.uint8)
    return mixed


def _skin(rng: np.random.Generator) -> np.ndarray:
    """A colour that skin may have, BGR: red over green over blue, dark to bright."""
    red = rng.uniform(60.0, 250.0)
    green = red * rng.uniform(0.55, 0.85)
    return np.array([green * rng.uniform(0.6, 0.95), green, red])
