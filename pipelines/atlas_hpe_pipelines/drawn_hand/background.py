"""Textured backgrounds: value noise, gradients, boards, cloth, clutter; decided by a seed alone."""

from __future__ import annotations

from typing import Callable, Tuple

import cv2
import numpy as np

__all__ = ["draw_background", "value_noise"]


def value_noise(
    rng: np.random.Generator, size_px: Tuple[int, int], cells: Tuple[float, float], octaves: int = 3
) -> np.ndarray:
    """Smooth noise: random values on a grid, enlarged, summed over octaves.

    Args:
        rng: Source of randomness.
        size_px: Width and height.
        cells: Grid cells over the width and over the height in the first octave.
        octaves: Each has half the strength and twice the cells of the one before.

    Returns:
        (H, W) float32 with mean about 0, mostly within -1..1.
    """
    width, height = size_px
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        columns = min(int(cells[0] * 2**octave) + 2, width)
        rows = min(int(cells[1] * 2**octave) + 2, height)
        grid = rng.random((rows, columns), dtype=np.float32) - np.float32(0.5)
        scale = np.float32(2.0 * 0.5**octave)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    return total


def draw_background(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    """A random background.

    Args:
        rng: Source of randomness; the same state gives the same picture.
        size_px: Width and height.

    Returns:
        (H, W, 3) BGR uint8.
    """
    kinds: Tuple[Callable[[np.random.Generator, Tuple[int, int]], np.ndarray], ...] = (
        _draw_wall,
        _draw_boards,
        _draw_cloth,
        _draw_clutter,
    )
    picture = kinds[int(rng.integers(len(kinds)))](rng, size_px)
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))


def _random_bgr(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """(3,) colour between grey and, rarely, as strong as it gets."""
    colour = rng.uniform(low, high, size=3)
    grey = float(colour.mean())
    return np.asarray(grey + (colour - grey) * float(rng.beta(1.2, 2.0)))


def _tint(field: np.ndarray, base: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """(H, W) field to a picture: base + contrast * field, by colour."""
    picture = np.empty((*field.shape, 3), dtype=np.float32)
    for channel in range(3):
        picture[..., channel] = field * float(contrast[channel]) + float(base[channel])
    return picture


def _ramp(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    """(H, W) linear gradient in a random direction, about -1..1."""
    width, height = size_px
    angle = float(rng.uniform(0, 2 * np.pi))
    x = np.linspace(-1, 1, width, dtype=np.float32) * float(np.cos(angle))
    y = np.linspace(-1, 1, height, dtype=np.float32) * float(np.sin(angle))
    return np.asarray(x + y[:, None])


def _draw_wall(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    cells = float(rng.uniform(1.5, 12))
    field = 0.5 * value_noise(rng, size_px, (cells, cells)) + 0.8 * _ramp(rng, size_px)
    return _tint(field, _random_bgr(rng, 30, 225), rng.uniform(8, 34) * rng.uniform(0.5, 1, size=3))


def _draw_boards(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    """Wood: noise stretched along the boards, dark joints, a tone per board."""
    upright = bool(rng.random() < 0.5)
    width, height = size_px if upright else size_px[::-1]
    count = int(rng.integers(2, 7))
    grain = value_noise(rng, (width, height), (float(rng.uniform(18, 40)), 1.5), 3)
    place = np.linspace(0, count, width, endpoint=False, dtype=np.float32) + float(rng.random())
    tones = rng.uniform(-1, 1, size=count + 2).astype(np.float32)
    tone = tones[place.astype(int)]
    joint = np.clip(1.0 - np.abs(place - np.round(place)) * (width / count) / 2.0, 0, 1)
    field = 0.8 * grain + 0.5 * tone - 1.6 * joint
    if not upright:
        field = field.T
    base = rng.uniform(60, 190) * np.array([0.55, 0.78, 1.0]) * rng.uniform(0.85, 1.15, size=3)
    return _tint(np.ascontiguousarray(field), base, base * rng.uniform(0.10, 0.24))


def _draw_cloth(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    """Stripes or checks that soft noise bends."""
    width, height = size_px
    bend = value_noise(rng, size_px, (2.0, 2.0), 2)
    angle, period = float(rng.uniform(0, np.pi)), float(rng.uniform(0.05, 0.3)) * width
    wave = 2 * np.pi / period
    x = np.arange(width, dtype=np.float32) * (wave * float(np.cos(angle)))
    y = np.arange(height, dtype=np.float32)[:, None] * (wave * float(np.sin(angle)))
    field = np.sin(x + y + bend * float(rng.uniform(0, 2)))
    if rng.random() < 0.4:
        x2 = np.arange(width, dtype=np.float32) * (-wave * float(np.sin(angle)))
        y2 = np.arange(height, dtype=np.float32)[:, None] * (wave * float(np.cos(angle)))
        field = 0.5 * (field + np.sin(x2 + y2))
    field = np.clip(field * float(rng.uniform(1, 4)), -1, 1) + 0.5 * bend
    return _tint(field, _random_bgr(rng, 40, 215), rng.uniform(-45, 45, size=3))


def _draw_clutter(rng: np.random.Generator, size_px: Tuple[int, int]) -> np.ndarray:
    """Shapes of many colours, out of focus, on a wall."""
    width, height = size_px
    picture = np.clip(_draw_wall(rng, size_px), 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(5, 16))):
        colour = tuple(float(value) for value in _random_bgr(rng, 15, 240))
        x, y = int(rng.integers(width)), int(rng.integers(height))
        extent = rng.uniform(0.04, 0.28, size=2) * max(width, height)
        axes = (int(extent[0]) + 1, int(extent[1]) + 1)
        turn = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            cv2.ellipse(picture, (x, y), axes, turn, 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((float(x), float(y)), (2.0 * axes[0], 2.0 * axes[1]), turn))
            cv2.fillConvexPoly(picture, corners.astype(np.int32), colour, cv2.LINE_AA)
    blur = float(rng.uniform(0.3, 0.02 * max(width, height)))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur).astype(np.float32))
