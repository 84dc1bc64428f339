"""Positions as constants that fp16 holds exactly."""

from __future__ import annotations

from typing import Tuple

import numpy as np

__all__ = ["centred_positions", "mass_scale"]


def centred_positions(cells: int) -> Tuple[np.ndarray, float]:
    """Positions of the cells of an axis around its middle, and the factor to shares of the axis.

    With P the least power of two that is not below the number of cells n, cell i has the position
    (i - n/2) / P, a multiple of 2^-12 for n <= 2048 and exact in fp16; times P / n it becomes
    i / n - 1/2. Around the middle the rounding of a stored sum is half of what it is around the
    edge.

    Returns:
        (n,) float32 positions in [-1/2, 1/2), and the factor P / n, 1 for powers of two.
    """
    power = 1 << (cells - 1).bit_length()
    positions = (np.arange(cells) - cells / 2) / power
    return positions.astype(np.float32), power / cells


def mass_scale(cells: int) -> float:
    """The power of two next to 1 / sqrt(cells): it keeps sums over that many cells inside fp16.

    Values in [0, 1] sum to at most ``cells``, beyond fp16's 65504 for a map of 256 x 256; times
    this factor they sum to at most 2 sqrt(cells), and a single full cell stays a normal number.
    """
    return 2.0 ** -((cells.bit_length() - 1) // 2)
