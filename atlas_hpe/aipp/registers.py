"""How ``(pixel - mean) / std`` is split over the registers of AIPP."""

from __future__ import annotations

from itertools import product
from typing import List, Tuple

import numpy as np

from atlas_hpe.errors import UsageError

__all__ = ["MOST_MINIMUM", "Register", "normalise", "split_channel"]

#: mean_chn, min_chn and var_reci_chn of a channel.
Register = Tuple[int, float, float]

#: Largest value of min_chn; the least is 0.
MOST_MINIMUM = 255.0

_PIXELS = np.arange(256)
_INTEGERS = 3  # that are tried, from the whole part of the mean down
_NEIGHBOURS = 2  # fp16 numbers that are tried on either side of the nearest one


def normalise(
    pixels: np.ndarray, mean: np.ndarray, minimum: np.ndarray, var_reci: np.ndarray
) -> np.ndarray:
    """``(in - mean - min) * var_reci`` with every result in fp16 (ascend.md section 4.3).

    Args:
        pixels: Integers 0..255.
        mean: Integers; this and the next two broadcast against the pixels.
        minimum: Rounded to fp16 first.
        var_reci: Rounded to fp16 first.

    Returns:
        float16.
    """
    centred = (pixels - mean).astype(np.float16)
    with np.errstate(over="ignore"):
        least, factor = minimum.astype(np.float16), var_reci.astype(np.float16)
        return np.asarray((centred - least) * factor)


def split_channel(mean: float, std: float) -> Register:
    """The registers of a channel that come closest to ``(pixel - mean) / std``.

    The integer part to ``mean_chn``, the rest to ``min_chn`` and ``1 / std`` to ``var_reci_chn``
    is where the search starts; the integers below it and the fp16 numbers next to the other two
    are tried as well. The least maximum error over the 256 values of a pixel wins, then the least
    mean error, then the start. ``min_chn`` is never negative: the page of
    ``aclmdlSetAIPPDtcPixelMin`` (CANN 8.0.0) gives it the range 0 to 255.

    Args:
        mean: In 0..255 terms.
        std: In 0..255 terms, above 0.

    Raises:
        UsageError: The registers do not hold the numbers.
    """
    candidates = _find_candidates(mean, std)
    means, minima, factors = (np.array(column)[:, None] for column in zip(*candidates))
    values = normalise(_PIXELS, means, minima, factors).astype(np.float64)
    errors = np.abs(values - (_PIXELS - mean) / std)
    ranked = sorted(zip(errors.max(axis=1), errors.mean(axis=1), range(len(candidates))))
    return candidates[ranked[0][2]]


def _find_candidates(mean: float, std: float) -> List[Register]:
    """What is tried, the plain rounding first."""
    whole = _clip(np.floor(mean))
    integers = dict.fromkeys(_clip(whole - step) for step in range(_INTEGERS))
    with np.errstate(over="ignore", divide="ignore"):
        minima = {integer: _find_minima(np.float64(mean) - integer) for integer in integers}
        factors = _find_factors(np.float64(1) / np.float64(std))
    candidates = [
        (integer, least, factor)
        for integer in integers
        for least, factor in product(minima[integer], factors)
    ]
    if not candidates:
        raise UsageError(
            "the registers of AIPP can't hold the card's mean and std",
            where=f"mean {mean:g}, std {std:g}",
            why="they are stored as integer + fp16, both from 0 to 255, and as fp16(1 / std)",
            fix="normalise in the graph",
        )
    return candidates


def _find_minima(value: np.float64) -> List[float]:
    """fp16 numbers around what is left of a mean, none where the register does not reach."""
    if not 0 <= value <= MOST_MINIMUM:
        return []
    return [least for least in _around(value) if 0 <= least <= MOST_MINIMUM]


def _find_factors(value: np.float64) -> List[float]:
    """fp16 numbers around a factor, none where it would become 0."""
    return [factor for factor in _around(value) if factor > 0] if np.float16(value) > 0 else []


def _clip(value: float) -> int:
    return int(min(max(value, 0), 255))


def _around(value: np.float64) -> List[float]:
    """The nearest fp16 number and those next to it; none where fp16 does not reach."""
    centre = np.float16(value)
    if not np.isfinite(centre):
        return []
    found = [centre]
    for limit in (np.float16(np.inf), np.float16(-np.inf)):
        neighbour = centre
        for _ in range(_NEIGHBOURS):
            neighbour = np.nextafter(neighbour, limit)
            found.append(neighbour)
    return [float(number) for number in found if np.isfinite(number)]
