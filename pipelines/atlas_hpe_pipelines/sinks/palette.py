"""256 colours for each picture of a clip, each palette grown from the one before it.

The colours are the means of k-means clusters (S. Lloyd, "Least squares quantization in PCM", 1982).
Neighbouring frames hold nearly the same colours, so one round of k-means per frame is enough: the
assignment of a frame's pixels gives the exact means for its own palette, and the start of the next
one. Pillow's octree supplies the first palette only; alone it is 2 to 5 dB worse, because its cells
are 16 levels wide. All rounds but the assignment run on a sparse sample of the pixels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["COLOURS", "PaletteTracker"]

COLOURS = 256

_SAMPLE_PIXELS = 12_000
_FIRST_ROUNDS = 5
# A frame whose squared error grows by this factor shows something new: the palette starts afresh.
_CUT_FACTOR = 1.5
# Below a mean squared error of 1 (48 dB) nothing is worth a fresh start.
_CUT_FLOOR = 1.0
# Pillow finds the nearest colour by a table of 4x4x4 cells and measures from a cell's lowest
# corner. Moving the palette it searches by the mean distance from there to the cell's content takes
# the bias out; that is worth 0.5 to 0.9 dB.
_CELL_OFFSET = 1.5


class PaletteTracker:
    """Turn the pictures of one clip, in their order, into indices and palettes."""

    def __init__(self) -> None:
        self._centres: Optional[np.ndarray] = None  # (256, 3) float64 RGB
        self._error = 0.0

    def index(self, picture: np.ndarray) -> Tuple[Image, bytes]:
        """Choose the palette of the next picture.

        Args:
            picture: (H, W, 3) uint8 BGR.

        Returns:
            A Pillow image of mode P whose own palette is meaningless, and the 256 RGB colours that
            its indices stand for, 768 bytes.
        """
        rgb = _to_image(picture)
        stride = max(1, round(math.sqrt(picture.shape[0] * picture.shape[1] / _SAMPLE_PIXELS)))
        sample = np.ascontiguousarray(picture[stride // 2 :: stride, stride // 2 :: stride])
        fresh = self._centres is None
        centres = _start(sample) if self._centres is None else self._centres
        indexed, shown, centres, error = _assign(rgb, sample, stride, centres)
        if not fresh and error > _CUT_FACTOR * max(self._error, _CUT_FLOOR):
            indexed, shown, centres, error = _assign(rgb, sample, stride, _start(sample))
        self._centres, self._error = centres, error
        return indexed, _to_bytes(shown)


def _assign(
    rgb: Image, sample: np.ndarray, stride: int, centres: np.ndarray
) -> Tuple[Image, np.ndarray, np.ndarray, float]:
    """Indices of the whole picture, its colours, the next centres, the mean squared error."""
    indexed = _nearest(rgb, centres)
    indices = np.asarray(indexed)[stride // 2 :: stride, stride // 2 :: stride]
    return (indexed, *_refine(indices, sample, centres))


def _start(sample: np.ndarray) -> np.ndarray:
    """Centres for a picture without a predecessor, (256, 3) float64 RGB."""
    from PIL import Image

    image = _to_image(sample)
    octree = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    table = bytes(octree.getpalette() or ()).ljust(3 * COLOURS, b"\x00")
    centres = np.frombuffer(table, np.uint8).reshape(COLOURS, 3).astype(np.float64)
    for _ in range(_FIRST_ROUNDS):
        _, centres, _ = _refine(np.asarray(_nearest(image, centres)), sample, centres)
    return centres


def _nearest(rgb: Image, centres: np.ndarray) -> Image:
    """The image with each pixel replaced by the index of (about) the nearest centre."""
    from PIL import Image

    palette = Image.new("P", (1, 1))
    palette.putpalette(_to_bytes(centres - _CELL_OFFSET))
    return rgb.quantize(palette=palette, dither=Image.Dither.NONE)


def _refine(
    indices: np.ndarray, sample: np.ndarray, centres: np.ndarray
) -> Tuple[np.ndarray, np.ndarray, float]:
    """One round of k-means.

    Args:
        indices: (h, w) cluster of each pixel.
        sample: (h, w, 3) uint8 BGR, the pixels.
        centres: (256, 3) RGB, kept where a cluster is empty.

    Returns:
        The means of the clusters (256, 3); the centres for the next round, where empty clusters
        have been given to halves of the worst ones; the mean squared error of a pixel.
    """
    labels = indices.ravel()
    counts = np.bincount(labels, minlength=COLOURS)
    means = np.empty_like(centres)
    variances = np.empty_like(centres)
    divisor = np.maximum(counts, 1)
    for channel in range(3):
        values = sample[..., 2 - channel].ravel().astype(np.float64)
        mean = np.bincount(labels, weights=values, minlength=COLOURS) / divisor
        squares = np.bincount(labels, weights=values * values, minlength=COLOURS) / divisor
        means[:, channel] = mean
        # The difference of two large numbers can fall a little below zero.
        variances[:, channel] = np.maximum(squares - mean * mean, 0.0)
    empty = np.flatnonzero(counts == 0)
    means[empty] = centres[empty]
    errors = variances.sum(axis=1) * counts
    return means, _split(means, variances, errors, empty), float(errors.sum() / labels.size)


def _split(
    means: np.ndarray, variances: np.ndarray, errors: np.ndarray, empty: np.ndarray
) -> np.ndarray:
    """Centres where each empty cluster takes half of a cluster with a large error, (256, 3)."""
    # Only clusters with an error can be split, so none of the empty ones is among them.
    count = min(len(empty), np.count_nonzero(errors))
    empty = empty[:count]
    worst = np.argsort(-errors, kind="stable")[:count]
    spread = np.sqrt(variances[worst])
    centres = np.array(means)
    centres[empty] = means[worst] + spread
    centres[worst] = means[worst] - spread
    return centres


def _to_image(picture: np.ndarray) -> Image:
    """(H, W, 3) uint8 BGR as a Pillow image in RGB."""
    from PIL import Image

    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    return Image.frombuffer("RGB", (width, height), data, "raw", "BGR", 0, 1)


def _to_bytes(colours: np.ndarray) -> bytes:
    """(256, 3) RGB in any range as 768 bytes."""
    return bytes(np.clip(np.rint(colours), 0, 255).astype(np.uint8).tobytes())
