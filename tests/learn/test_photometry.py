"""Things that are no hands: where they lie, what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_hpe.learn.augment.photometry import add_thing

GREY = np.full((96, 96, 3), 90, np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_a_thing_covers_a_part_and_follows_from_the_generator(seed: int) -> None:
    before = GREY.copy()
    first = add_thing(np.random.default_rng(seed), before, (0.05, 0.3))
    again = add_thing(np.random.default_rng(seed), before, (0.05, 0.3))
    assert np.array_equal(first, again)
    assert np.array_equal(before, GREY)
    changed = (first != GREY).any(axis=2).mean()
    assert 0 < changed < 0.6


def test_the_reach_bounds_the_size() -> None:
    rng = np.random.default_rng(0)
    small = [(add_thing(rng, GREY, (0.03, 0.04)) != GREY).any(axis=2).mean() for _ in range(50)]
    large = [(add_thing(rng, GREY, (0.2, 0.3)) != GREY).any(axis=2).mean() for _ in range(50)]
    assert max(small) < 0.05 < np.median(large)


def test_some_things_look_like_skin() -> None:
    rng = np.random.default_rng(1)
    skins = 0
    for _ in range(100):
        blue, green, red = add_thing(rng, GREY, (0.3, 0.3))[20:76:8, 20:76:8].reshape(-1, 3).T
        skins += bool(((red > green + 8) & (green > blue)).mean() > 0.3)
    assert 15 < skins < 75
