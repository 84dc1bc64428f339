"""Batches for the detector as a pure function of (seed, step, row).

The same arguments always give the same pictures, which makes resuming exact.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

import numpy as np

from atlas_hpe.learn.augment.photometry import add_thing, degrade, vary_colour
from atlas_hpe.learn.detector.compose import Canvas, Window, draw_empty, paste_hand, view_scene
from atlas_hpe.learn.detector.data import DetectorData
from atlas_hpe.learn.detector.labels import Labels, Part, label_hands
from atlas_hpe.learn.task import ALL_ROWS
from atlas_hpe.nets.hand_detector import INPUT_SIZE_PX
from atlas_hpe.nets.hand_landmark import MEAN_RGB

__all__ = ["make_batch", "make_picture"]

# Shares of what a picture shows; the rest holds no hand.
_FRAME, _CROP, _PASTED = 0.4, 0.18, 0.28
_MORE_ON_FRAME, _DRAWN, _MOSAIC = 0.2, 0.25, 0.12
# Half-axes of things that are no hands, as shares of the side: as small and as large as hands.
_THING_REACH = (0.02, 0.25)
_BORDER_BGR = np.round(MEAN_RGB[::-1]).astype(np.uint8)
# Width over height of what cameras give.
_ASPECTS = (16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)
_ASPECT_SHARES = (0.34, 0.26, 0.16, 0.1, 0.14)


def _draw_window(rng: np.random.Generator, size_px: int) -> Window:
    """A letterbox in a square: the longer side fills it, the other is centred."""
    aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    width = size_px if aspect >= 1 else round(size_px * aspect)
    height = size_px if aspect <= 1 else round(size_px / aspect)
    return Window((size_px - width) // 2, (size_px - height) // 2, width, height)


def _paste(
    rng: np.random.Generator, data: DetectorData, canvas: Canvas, window: Window, most: int
) -> Canvas:
    count = int(rng.integers(1, most + 1))
    largest = 0.85 if count == 1 else 0.4
    for _ in range(count):
        pool = data.drawn if data.drawn.scenes and rng.random() < _DRAWN else data.crops
        canvas = paste_hand(rng, canvas, pool.draw(rng), window, largest)
    return canvas


def _add_things(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Up to four things that are no hands, in half of the pictures."""
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.5 else 0):
        image = add_thing(rng, image, _THING_REACH)
    return image


def _compose(rng: np.random.Generator, data: DetectorData, window: Window, size_px: int) -> Canvas:
    draw = rng.random()
    if draw < _FRAME:
        canvas = view_scene(rng, data.frames.draw(rng), window, size_px)
        return _paste(rng, data, canvas, window, 1) if rng.random() < _MORE_ON_FRAME else canvas
    if draw < _FRAME + _CROP:
        return view_scene(rng, data.crops.draw(rng), window, size_px)
    canvas = Canvas(_add_things(rng, draw_empty(rng, data, window, size_px)), [])
    return _paste(rng, data, canvas, window, 3) if draw < _FRAME + _CROP + _PASTED else canvas


def _mosaic(
    rng: np.random.Generator, data: DetectorData, size_px: int
) -> Tuple[np.ndarray, Window, List[Part]]:
    """Two or four small pictures side by side: many small hands."""
    half = size_px // 2
    whole = Window(0, 0, size_px, size_px)
    if rng.random() < 0.35:
        whole = Window(0, half // 2, size_px, half)
    image = np.zeros((size_px, size_px, 3), np.uint8)
    parts: List[Part] = []
    for top in range(whole.top, whole.top + whole.height, half):
        for left in (0, half):
            canvas = _compose(rng, data, Window(0, 0, half, half), half)
            image[top : top + half, left : left + half] = canvas.image
            hands = [joints + np.array([left, top]) for joints in canvas.hands]
            parts.append((hands, Window(left, top, half, half)))
    return image, whole, parts


def make_picture(
    rng: np.random.Generator, data: DetectorData, size_px: int = INPUT_SIZE_PX
) -> Tuple[np.ndarray, Labels]:
    """One training picture.

    Returns:
        (S, S, 3) BGR uint8, with the border of the letterbox as the pipeline fills it, and labels.
    """
    if rng.random() < _MOSAIC:
        image, window, parts = _mosaic(rng, data, size_px)
    else:
        window = _draw_window(rng, size_px)
        canvas = _compose(rng, data, window, size_px)
        image, parts = canvas.image, [(canvas.hands, window)]
    if rng.random() < 0.9:
        image = vary_colour(rng, image)
    image = degrade(rng, image)
    bordered = np.empty_like(image)
    bordered[:] = _BORDER_BGR
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    bordered[rows, columns] = image[rows, columns]
    return bordered, label_hands(parts, size_px)


def make_batch(
    data: DetectorData, seed: int, step: int, size: int, rows: slice = ALL_ROWS
) -> Dict[str, np.ndarray]:
    """Batch number `step` of the run with `seed`.

    Returns:
        For the wanted rows: images (N, S, S, 3) RGB uint8 and what `Labels` has, boxes (N, K, 4),
        directions (N, K, 2) and kinds (N, K) float32.
    """
    images: List[np.ndarray] = []
    labels: List[Labels] = []
    for row in range(size)[rows]:
        image, label = make_picture(np.random.default_rng((seed, step, row)), data)
        images.append(image[:, :, ::-1])
        labels.append(label)
    return {
        "images": np.stack(images),
        "boxes": np.stack([label.boxes for label in labels]),
        "directions": np.stack([label.directions for label in labels]),
        "kinds": np.stack([label.kinds for label in labels]),
    }
