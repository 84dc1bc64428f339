"""255 colours of a picture by k-means, and the nearest one of them for each pixel.

S. Lloyd, "Least squares quantization in PCM", 1982. Pillow's octree supplies the start only; alone
it is 2 to 5 dB worse, because its cells are 16 levels wide. All rounds run on a sparse sample of
the pixels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Optional, Tuple

import numpy as np

from atlas_hpe_pipelines.sinks.gif.scratch import Scratch

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "COLOURS",
    "TABLE_BYTES",
    "Nearest",
    "read_indices",
    "refine",
    "start_centres",
    "take_sample",
    "to_bytes",
    "to_image",
]

COLOURS = 255
#: A colour table of the format has a power of two entries, 3 bytes each.
TABLE_BYTES = 768

_SAMPLE_PIXELS = 12_000
_FIRST_ROUNDS = 5
# Pillow gives the bytes of an image in pieces of so many, and joins them if there are more.
_PIECE_BYTES = 65536
# Pillow finds the nearest colour by a table of 4x4x4 cells and measures from a cell's lowest
# corner. Moving the palette it searches by the mean distance from there to the cell's content takes
# the bias out; that is worth 0.5 to 0.9 dB.
_CELL_OFFSET = 1.5


class Nearest:
    """Finds about the nearest of some colours.

    Pillow fills its table of cells as it meets them, and keeps it with the palette: a second
    picture in the same colours costs a quarter of the first.

    Args:
        centres: (255, 3) RGB.

    Attributes:
        centres: The same.
    """

    def __init__(self, centres: np.ndarray) -> None:
        from PIL import Image

        self.centres = centres
        self._palette = Image.new("P", (1, 1))
        self._palette.putpalette(to_bytes(centres - _CELL_OFFSET)[: 3 * COLOURS])

    def index(self, picture: np.ndarray, room: Scratch) -> np.ndarray:
        """(h, w) uint8 indices of a picture, (h, w, 3) uint8 BGR."""
        from PIL import Image

        indexed = to_image(picture).quantize(palette=self._palette, dither=Image.Dither.NONE)
        return read_indices(indexed, room)


def take_sample(
    picture: np.ndarray, mask: Optional[np.ndarray]
) -> Tuple[np.ndarray, Tuple[np.ndarray, ...]]:
    """About 12,000 pixels, evenly spread.

    Args:
        picture: (h, w, 3) uint8 BGR.
        mask: (h, w) uint8, not 0 where pixels count; None for everywhere.

    Returns:
        (n, 3) uint8 BGR, and where they are: an index for an (h, w) array.
    """
    if mask is None:
        height, width = picture.shape[:2]
        stride = _stride(height * width)
        rows = np.arange(min(stride // 2, height - 1), height, stride)[:, None]
        columns = np.arange(min(stride // 2, width - 1), width, stride)[None]
        return picture[rows, columns].reshape(-1, 3), (rows, columns)
    stride = _stride(int(np.count_nonzero(mask)))
    rows, columns = np.nonzero(mask[::stride, ::stride])
    if not len(rows):  # all of them lie between the lines of the grid
        stride = 1
        rows, columns = np.nonzero(mask)
    rows *= stride
    columns *= stride
    return picture[rows, columns], (rows, columns)


def _stride(pixels: int) -> int:
    """Of a grid with about ``_SAMPLE_PIXELS`` of so many pixels on it."""
    return max(1, round(math.sqrt(pixels / _SAMPLE_PIXELS)))


def start_centres(sample: np.ndarray) -> np.ndarray:
    """Centres for pixels without predecessors.

    Args:
        sample: (n, 3) uint8 BGR.

    Returns:
        (255, 3) float64 RGB.
    """
    from PIL import Image

    image = to_image(sample[None])
    octree = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    table = bytes(octree.getpalette() or ())[: 3 * COLOURS].ljust(3 * COLOURS, b"\x00")
    centres = np.frombuffer(table, np.uint8).reshape(COLOURS, 3).astype(np.float64)
    for _ in range(_FIRST_ROUNDS):
        labels = Nearest(centres).index(sample[None], Scratch()).ravel()
        _, centres, _ = refine(labels, sample, centres)
    return centres


def refine(
    labels: np.ndarray, sample: np.ndarray, centres: np.ndarray
) -> Tuple[np.ndarray, np.ndarray, float]:
    """One round of k-means.

    Args:
        labels: (n,) cluster of each pixel.
        sample: (n, 3) uint8 BGR, the pixels.
        centres: (255, 3) RGB, kept where a cluster is empty.

    Returns:
        The means of the clusters (255, 3); the centres for the next round, where empty clusters
        have been given to halves of the worst ones; the mean squared error of a pixel.
    """
    labels = labels.astype(np.intp)  # once: bincount would do it each time
    counts = np.bincount(labels, minlength=COLOURS)
    means = np.empty_like(centres)
    variances = np.empty_like(centres)
    divisor = np.maximum(counts, 1)
    values = np.empty(len(sample))
    for channel in range(3):
        values[:] = sample[:, 2 - channel]
        mean = np.bincount(labels, weights=values, minlength=COLOURS) / divisor
        np.square(values, out=values)
        squares = np.bincount(labels, weights=values, minlength=COLOURS) / divisor
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
    """Centres where each empty cluster takes half of a cluster with a large error, (255, 3)."""
    # Only clusters with an error can be split, so none of the empty ones is among them.
    count = min(len(empty), np.count_nonzero(errors))
    empty = empty[:count]
    worst = np.argsort(-errors, kind="stable")[:count]
    spread = np.sqrt(variances[worst])
    centres = np.array(means)
    centres[empty] = means[worst] + spread
    centres[worst] = means[worst] - spread
    return centres


def to_image(picture: np.ndarray) -> Image:
    """(h, w, 3) uint8 BGR as a Pillow image in RGB."""
    from PIL import Image

    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    return Image.frombuffer("RGB", (width, height), data, "raw", "BGR", 0, 1)


def read_indices(image: Image, room: Scratch) -> np.ndarray:
    """The (h, w) uint8 indices of a Pillow image in mode "P".

    Row by row as far as one piece of bytes goes: as a whole Pillow would make them twice more.
    """
    width, height = image.size
    indices = room.take(height, width)
    rows = max(1, _PIECE_BYTES // width)
    for top in range(0, height, rows):
        part = indices[top : top + rows]
        data = image.crop((0, top, width, top + len(part))).tobytes()
        part[:] = np.frombuffer(data, np.uint8).reshape(part.shape)
    return indices


def to_bytes(colours: np.ndarray) -> bytes:
    """(255, 3) RGB in any range as a colour table, 768 bytes."""
    table = np.clip(np.rint(colours), 0, 255).astype(np.uint8).tobytes()
    return bytes(table.ljust(TABLE_BYTES, b"\x00"))
