"""Hands drawn by the project itself, rendered once into a cache file.

The only labels that are exact, depth included; postures, views and things in the hand that the
photographs lack.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np

from atlas_hpe.learn.data.cache import read_arrays, write_arrays
from atlas_hpe.learn.data.hand_images import EmptyImage, HandImage

__all__ = ["SOURCE_NAME", "cached_drawn_hands", "load_drawn_hands", "render_drawn_hands"]

SOURCE_NAME = "drawn"
_REAL_BACKGROUND_SHARE = 0.5


def _background(rng: np.random.Generator, empty: Sequence[EmptyImage]) -> Optional[np.ndarray]:
    """A hand-free photo half of the time, so that a drawn texture does not give a hand away."""
    if not empty or rng.random() > _REAL_BACKGROUND_SHARE:
        return None
    return empty[int(rng.integers(len(empty)))].image


def render_drawn_hands(
    path: Path, count: int, seed: int, empty: Sequence[EmptyImage] = (), size_px: int = 160
) -> None:
    """Draw `count` hands into an .npz file.

    Args:
        path: the file to write.
        count: number of pictures.
        seed: decides all of them.
        empty: hand-free photos for backgrounds.
        size_px: side of the pictures.
    """
    # Imported here: the drawing lives with the pipelines, which only this function needs.
    from atlas_hpe_pipelines.drawn_hand import training_sample

    images = np.empty((count, size_px, size_px, 3), np.uint8)
    joints, depth = np.empty((count, 21, 2), np.float32), np.empty((count, 21), np.float32)
    right = np.empty(count, np.float32)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        drawn = training_sample(rng, size_px, _background(rng, empty))
        images[index], joints[index], depth[index] = drawn.picture, drawn.joints_px, drawn.depth_px
        right[index] = drawn.is_right
    write_arrays(path, images=images, joints=joints, depth=depth, right=right)


def load_drawn_hands(path: Path) -> List[HandImage]:
    """Read what `render_drawn_hands` wrote.

    Raises:
        InputError: missing, damaged or of another layout.
    """
    arrays = read_arrays(path, "images", "joints", "depth", "right")
    rows = zip(arrays["images"], arrays["joints"], arrays["depth"], arrays["right"])
    return [
        HandImage(image, points, float(side), SOURCE_NAME, f"{SOURCE_NAME}_{index:05d}", depth)
        for index, (image, points, depth, side) in enumerate(rows)
    ]


def cached_drawn_hands(
    folder: Path, count: int, seed: int, empty: Sequence[EmptyImage] = ()
) -> List[HandImage]:
    """`count` drawn hands, rendered into `folder` on the first call and read from there later."""
    path = folder / f"drawn_hands_{count}_{seed}.npz"
    if not path.exists():
        render_drawn_hands(path, count, seed, empty)
    return load_drawn_hands(path)
