"""Figures of a training run, drawn with OpenCV: curves and contact sheets."""

from __future__ import annotations

from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.hands import BONES

__all__ = ["contact_sheet", "draw_curves", "draw_hand_lines", "tile"]

_COLOURS = ((40, 40, 220), (200, 120, 20), (40, 160, 40), (160, 40, 160), (20, 160, 200))
_FINGER_COLOURS = ((60, 60, 255), (40, 170, 255), (60, 220, 60), (255, 170, 40), (255, 60, 200))


def draw_hand_lines(
    image: np.ndarray, joints: np.ndarray, score: Optional[np.ndarray] = None
) -> np.ndarray:
    """A copy of `image` (S, S, 3) BGR with joints (21, 2) in [0, 1]; faint where unsure."""
    image = image.copy()
    # OpenCV has pixel centres at integers, and takes 4 fractional bits here.
    points = np.round((joints * image.shape[0] - 0.5) * 16).astype(int)
    for parent, child in BONES:
        colour = np.array(_FINGER_COLOURS[(child - 1) // 4], float)
        if score is not None:
            colour = colour * (0.25 + 0.75 * float(score[child]))
        first, last = points[parent], points[child]
        cv2.line(
            image,
            (int(first[0]), int(first[1])),
            (int(last[0]), int(last[1])),
            tuple(float(v) for v in colour),
            1,
            cv2.LINE_AA,
            4,
        )
    return image


def tile(images: Sequence[np.ndarray], columns: int = 12) -> np.ndarray:
    """Equal pictures (S, S, 3) on one sheet, row by row."""
    blank = np.full_like(images[0], 32)
    padded = [*images, *[blank] * (-len(images) % columns)]
    rows = [
        np.concatenate(padded[first : first + columns], axis=1)
        for first in range(0, len(padded), columns)
    ]
    return np.concatenate(rows, axis=0)


def contact_sheet(
    images: np.ndarray,
    joints: np.ndarray,
    score: np.ndarray,
    captions: Sequence[str],
    side_px: int = 160,
) -> np.ndarray:
    """Crops (N, S, S, 3) RGB with joints (N, 21, 2), scores (N, 21) and a caption each."""
    cells: List[np.ndarray] = []
    for image, points, sure, caption in zip(images, joints, score, captions):
        cell = cv2.resize(image[:, :, ::-1], (side_px, side_px), interpolation=cv2.INTER_LINEAR)
        cell = draw_hand_lines(cell, points, sure)
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(
                cell,
                caption,
                (4, side_px - 6),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.36,
                colour,
                thick,
                cv2.LINE_AA,
            )
        cells.append(cell)
    return tile(cells)


def _panel(
    name: str,
    steps: np.ndarray,
    values: np.ndarray,
    size: Tuple[int, int],
    colour: Tuple[int, int, int],
) -> np.ndarray:
    width, height = size
    panel = np.full((height, width, 3), 255, np.uint8)
    known = np.isfinite(values)
    label = f"{name}: no value"
    if known.any():
        logarithmic = bool((values[known] > 0).all())
        scaled = np.log10(values[known]) if logarithmic else values[known]
        low, high = float(scaled.min()), float(scaled.max()) + 1e-6
        across = (steps[known] - steps.min()) / max(1.0, float(steps.max() - steps.min()))
        xs, ys = (
            10 + across * (width - 20),
            height - 10 - (scaled - low) / (high - low) * (height - 40),
        )
        line = np.stack((xs, ys), axis=1).round().astype(np.int32)
        cv2.polylines(panel, [line], False, colour, 1, cv2.LINE_AA)
        axis = " (log)" if logarithmic else ""
        label = f"{name}{axis}: first {values[known][0]:.4g} last {values[known][-1]:.4g}"
    cv2.putText(panel, label, (10, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return panel


def draw_curves(columns: Mapping[str, Sequence[float]], path: Path, x_name: str = "step") -> None:
    """One panel per column over `x_name`; values that are not finite are skipped. Writes a PNG.

    A column is logarithmic where all of its values are above 0.
    """
    steps = np.asarray(columns[x_name], np.float64)
    names = [name for name in columns if name != x_name]
    panels = [
        _panel(
            name,
            steps,
            np.asarray(columns[name], np.float64),
            (480, 220),
            _COLOURS[index % len(_COLOURS)],
        )
        for index, name in enumerate(names)
    ]
    cv2.imwrite(str(path), tile(panels, columns=2))
