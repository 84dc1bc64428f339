"""Drawn hands as a network's input: what parity runs on when there are no photographs."""

from __future__ import annotations

from typing import List

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box
from atlas_hpe.parity import Sample
from atlas_hpe_pipelines.drawn_hand.picture import random_sample
from atlas_hpe_pipelines.preprocess import cut_sample

__all__ = ["draw_samples"]

_PICTURE_PX = 256


def draw_samples(card: ModelCard, count: int, seed: int = 0) -> List[Sample]:
    """Hands drawn from a seed, cropped around their joints as the pipeline does.

    Args:
        card: The model's card; its first input is a picture.
        count: Number of samples.
        seed: The same seed gives the same hands.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        image, joints, _ = random_sample(rng, _PICTURE_PX)
        low, high = joints.min(axis=0), joints.max(axis=0)
        box = Box(*low.tolist(), *(high - low).tolist())
        samples.append(cut_sample(card, f"drawn hand {number}", image, box))
    return samples
