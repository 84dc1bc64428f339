"""Drawn hands as a network's input: what parity runs on when there are no photographs."""

from __future__ import annotations

from typing import Dict, List

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.drawn_hand.picture import random_sample
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, to_feeds
from atlas_hpe_pipelines.regions import choose_region

__all__ = ["draw_feeds"]

_PICTURE_PX = 256


def draw_feeds(card: ModelCard, count: int, seed: int = 0) -> List[Dict[str, np.ndarray]]:
    """Hands drawn from a seed, cropped around their joints as the pipeline does.

    Args:
        card: The model's card; its first input is a picture.
        count: Number of samples.
        seed: The same seed gives the same hands.

    Returns:
        One entry per hand: input name -> array of batch 1.
    """
    rng = np.random.default_rng(seed)
    feeds = []
    for _ in range(count):
        image, joints, _ = random_sample(rng, _PICTURE_PX)
        low, high = joints.min(axis=0), joints.max(axis=0)
        box = Box(*low.tolist(), *(high - low).tolist())
        region = choose_region(card.preprocess, (_PICTURE_PX, _PICTURE_PX), box)
        crop = crop_picture(image, input_affine(card.preprocess, region), card.preprocess)
        feeds.append(to_feeds(card, crop))
    return feeds
