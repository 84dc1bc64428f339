"""Random inputs that look like the real ones to the arithmetic: same range, same type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.card import ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.errors import UsageError

__all__ = ["SEED", "FeedRange", "count_frames", "make_feeds"]

SEED = 20
_PICTURE_DIMENSIONS = 4


@dataclass(frozen=True)
class FeedRange:
    """What one input got.

    Attributes:
        name: Name of the input.
        shape: Its shape, batch included.
        dtype: NumPy name of its element type.
        low: Smallest value.
        high: Largest value.
    """

    name: str
    shape: Tuple[int, ...]
    dtype: str
    low: float
    high: float


def make_feeds(
    inputs: Sequence[TensorSpec], card: Optional[ModelCard], batch: Optional[int]
) -> Tuple[Dict[str, np.ndarray], Tuple[FeedRange, ...]]:
    """Arrays for every input, the same ones in every run and on every machine.

    The picture that the card describes gets random pixels, prepared as the card says. Of other
    inputs, floats get numbers from 0 to 1, bytes their whole range, wider integers 0 as they are
    mostly positions in tables.

    Args:
        inputs: What the session takes.
        card: The model's card, None when it has none.
        batch: Size of a leading dimension that is not fixed; None for the card's, or 1.

    Raises:
        UsageError: A batch for a model of another fixed batch, or sizes that nobody fixes.
    """
    rng = np.random.RandomState(SEED)  # its numbers are the same in every version of NumPy
    known = {} if card is None else {spec.name: spec for spec in card.graphs[0].inputs}
    feeds = {}
    for spec in inputs:
        shape = _choose_shape(spec, known.get(spec.name), batch)
        if card is not None and spec.name == card.graphs[0].inputs[0].name:
            feeds[spec.name] = _make_picture(rng, shape, spec.dtype, card.preprocess)
        else:
            feeds[spec.name] = _make_numbers(rng, shape, spec.dtype)
    ranges = tuple(
        FeedRange(name, array.shape, str(array.dtype), float(array.min()), float(array.max()))
        for name, array in feeds.items()
    )
    return feeds, ranges


def count_frames(ranges: Sequence[FeedRange], batch: Optional[int]) -> int:
    """Frames in one run: the batch asked for, else that of the first input when it is a picture."""
    if batch is not None:
        return batch
    shape = ranges[0].shape if ranges else ()
    return shape[0] if len(shape) == _PICTURE_DIMENSIONS else 1


def _choose_shape(
    spec: TensorSpec, known: Optional[TensorSpec], batch: Optional[int]
) -> Tuple[int, ...]:
    shape = list(spec.shape)
    if shape and shape[0] != -1 and batch not in (None, shape[0]):
        raise UsageError(
            f"the model takes no batch of {batch}",
            where="--batch",
            why=f"its input '{spec.name}' is fixed to {list(spec.shape)}",
            fix="leave --batch out",
        )
    if known is not None and len(known.shape) == len(shape):
        shape = [fixed if size == -1 else size for size, fixed in zip(shape, known.shape)]
    if shape and spec.shape[0] == -1 and (batch is not None or shape[0] == -1):
        shape[0] = 1 if batch is None else batch
    if -1 in shape:
        raise UsageError(
            f"the size of input '{spec.name}' is open",
            why=f"the model says {list(spec.shape)}, and no card says more",
            fix="bench a model with fixed sizes",
        )
    return tuple(shape)


def _make_picture(
    rng: np.random.RandomState, shape: Tuple[int, ...], dtype: str, preprocess: PreprocessSpec
) -> np.ndarray:
    """Random pixels, normalised where the host is to do that."""
    pixels = rng.randint(0, 256, shape)
    if preprocess.where != "host":
        return pixels.astype(dtype)
    is_last = preprocess.layout == "NHWC"
    if shape[-1 if is_last else 1 : None if is_last else 2] != (len(preprocess.mean),):
        raise UsageError(
            "the card does not fit the model",
            where=f"input of shape {'x'.join(map(str, shape))}",
            why=f"the card describes {preprocess.layout} with {len(preprocess.mean)} channels",
            fix="put the card beside the model that was written with it",
        )
    per_channel = (-1,) if is_last else (-1, 1, 1)
    mean, std = (np.reshape(item, per_channel) for item in (preprocess.mean, preprocess.std))
    return np.asarray((pixels - mean) / std).astype(dtype)


def _make_numbers(rng: np.random.RandomState, shape: Tuple[int, ...], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.random_sample(shape).astype(kind)
    if kind.kind == "b":
        return rng.randint(0, 2, shape).astype(kind)
    if kind.itemsize == 1:
        limits = np.iinfo(kind)
        return rng.randint(limits.min, limits.max + 1, shape).astype(kind)
    return np.zeros(shape, kind)
