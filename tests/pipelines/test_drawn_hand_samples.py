"""Drawn hands as samples of parity: the same for a seed, with the map back to the picture."""

from __future__ import annotations

import numpy as np

from atlas_hpe.card import load_card
from atlas_hpe.geometry import apply_affine
from atlas_hpe.models import default_model_path
from atlas_hpe_pipelines import to_feeds
from atlas_hpe_pipelines.drawn_hand import draw_samples, random_sample


def test_samples_are_drawn_from_the_seed_and_numbered() -> None:
    card = load_card(default_model_path())
    one, again, other = draw_samples(card, 2), draw_samples(card, 2), draw_samples(card, 2, seed=1)
    assert [sample.name for sample in one] == ["drawn hand 0", "drawn hand 1"]
    for first, second, third in zip(one, again, other):
        assert first.crop is not None
        assert third.crop is not None
        np.testing.assert_array_equal(first.crop, second.crop)
        assert (first.crop != third.crop).any()
        for name, value in to_feeds(card, first.crop).items():
            np.testing.assert_array_equal(value, first.feeds[name])


def test_the_map_leads_from_the_input_to_the_drawn_picture() -> None:
    card = load_card(default_model_path())
    (sample,) = draw_samples(card, 1)
    image, joints, _ = random_sample(np.random.default_rng(0), 256)
    assert sample.picture is not None
    assert sample.to_source is not None
    np.testing.assert_array_equal(sample.picture, image)
    side_px = card.preprocess.width_px
    middle = apply_affine(sample.to_source, np.array([side_px / 2, side_px / 2]))
    np.testing.assert_allclose(middle, (joints.min(axis=0) + joints.max(axis=0)) / 2, atol=1e-6)
