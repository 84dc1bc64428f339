"""Inputs to compare on when there are no pictures: made from a seed, and called that."""

from __future__ import annotations

from typing import List, Mapping, Sequence, Tuple

import numpy as np

from atlas_hpe.card import TensorSpec

__all__ = ["Feeds", "make_feeds"]

#: Input name -> array, of one sample.
Feeds = Mapping[str, np.ndarray]
_COARSE = 8  # cells per side of the coarse pattern
_LARGEST_MATRIX = 8


def make_feeds(inputs: Sequence[TensorSpec], count: int, seed: int = 0) -> List[Feeds]:
    """Seeded inputs of the right shape and type; they look like nothing in the world.

    Picture-shaped inputs get coarse blobs with noise on top, so that both the deep and the shallow
    layers have something to do. Small square matrices, as of cameras, are near the identity: they
    can be inverted. Others get normal noise, or small integers.

    Args:
        inputs: Name, shape and dtype of each input.
        count: Number of samples.
        seed: The same seed gives the same arrays.
    """
    rng = np.random.default_rng(seed)
    return [{spec.name: _make_array(spec, rng) for spec in inputs} for _ in range(count)]


def _make_array(spec: TensorSpec, rng: np.random.Generator) -> np.ndarray:
    dtype = np.dtype(spec.dtype)
    if dtype.kind != "f":
        return rng.integers(0, 2, spec.shape).astype(dtype)
    values = rng.standard_normal(spec.shape)
    if _is_matrix(spec.shape):
        values = np.eye(spec.shape[-1]) + 0.1 * values
    if len(spec.shape) == 4 and spec.layout == "NCHW":
        batch, channels, height, width = spec.shape
        coarse = rng.standard_normal((batch, channels, _COARSE, _COARSE))
        rows = np.arange(height) * _COARSE // height
        columns = np.arange(width) * _COARSE // width
        values = 0.3 * values + coarse[:, :, rows][:, :, :, columns]
    return values.astype(dtype)


def _is_matrix(shape: Tuple[int, ...]) -> bool:
    return 2 <= len(shape) <= 3 and shape[-1] == shape[-2] <= _LARGEST_MATRIX
