"""Random light, colour, blur, noise, compression and occluders on a uint8 BGR picture."""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np

__all__ = ["degrade", "draw_texture", "occlude", "vary_colour"]

_RAMP = np.arange(256, dtype=np.float32) / 255.0


def vary_colour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Gain, offset and gamma per channel through one look-up table, then saturation."""
    exposure = np.exp(rng.normal(0.0, 0.25))
    white = np.exp(rng.normal(0.0, 0.08, 3))
    gamma = np.exp(rng.normal(0.0, 0.2))
    offset = rng.normal(0.0, 0.06)
    table = np.power(_RAMP, gamma)[:, None] * (exposure * white) + offset
    table = np.clip(table * 255.0, 0, 255).astype(np.uint8)[None]
    image = cv2.LUT(image, table)
    draw = rng.random()
    if draw < 0.08:
        return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if draw < 0.45:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = rng.uniform(0.2, 1.6)
        return cv2.addWeighted(image, keep, grey, 1.0 - keep, 0.0)
    return image


def _motion_blur(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    size = int(rng.integers(3, 10))
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
    if draw[0] < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    elif draw[0] < 0.24:
        image = _motion_blur(rng, image)
    if draw[1] < 0.2:
        small = int(size_px * rng.uniform(0.35, 0.8))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    if draw[2] < 0.25:
        # Not cv2.randn: its generator belongs to the thread, and batches must not depend on it.
        grain = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(2, 14)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if draw[3] < 0.25:
        quality = int(rng.integers(20, 90))
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return image


def occlude(rng: np.random.Generator, image: np.ndarray, patch: Optional[np.ndarray]) -> np.ndarray:
    """Cover a part with a flat shape or a piece of `patch` (same size as `image`)."""
    size_px = image.shape[0]
    image = image.copy()
    for _ in range(int(rng.integers(1, 3))):
        width, height = (int(v) for v in rng.uniform(0.08, 0.3, 2) * size_px)
        left, top = (int(v) for v in rng.uniform(0.05, 0.9, 2) * size_px)
        area = (slice(top, top + height), slice(left, left + width))
        if patch is not None and rng.random() < 0.6:
            image[area] = patch[area]
        elif rng.random() < 0.5:
            image[area] = rng.integers(0, 256, 3)
        else:
            colour = [int(v) for v in rng.integers(0, 256, 3)]
            axes = (max(1, width // 2), max(1, height // 2))
            cv2.ellipse(image, (left, top), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return image


def draw_texture(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """A hand-free picture made from nothing: smooth noise, a gradient, or a flat colour."""
    cells = int(rng.choice([1, 2, 4, 8, 24]))
    coarse = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    way = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    return cv2.resize(coarse, (size_px, size_px), interpolation=way)
