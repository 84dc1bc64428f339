from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from learn_fakes import stick_hand, stick_hands, stick_mixture

from atlas_hpe.learn.augment.scene import SceneRange
from atlas_hpe.learn.data.hand_images import EmptyImage, HandImage, source_weights
from atlas_hpe.learn.landmark.batches import Mixture, Pool, _hand_free_crop, make_batch


def test_a_batch_follows_from_seed_and_step() -> None:
    mixture = stick_mixture()
    first, again, other = (make_batch(mixture, 3, step, 8) for step in (5, 5, 6))
    assert np.array_equal(first.images, again.images) and np.array_equal(first.joints, again.joints)
    assert not np.array_equal(first.images, other.images)


def test_a_batch_holds_the_share_of_negatives() -> None:
    batch = make_batch(stick_mixture(), 0, 0, 50)
    assert (batch.has_hand == 0).sum() == 9
    assert (batch.right[batch.has_hand == 0] == 0.5).all()
    assert (batch.joints[batch.has_hand == 0] == 0).all()


def test_about_half_of_the_hand_free_crops_hold_things() -> None:
    wall = EmptyImage(np.full((128, 128, 3), 90, np.uint8), np.zeros((0, 4), np.float32), "wall")
    mixture = Mixture([Pool(stick_hands(2), 1.0)], [wall])
    crops = [_hand_free_crop(np.random.default_rng(seed), mixture) for seed in range(120)]
    # Edges tell: light, noise and blur alone leave a wall smooth.
    smooth = [cv2.GaussianBlur(crop, (0, 0), 3).astype(float) for crop in crops]
    edges = [max(np.ptp(crop, axis=(0, 1))) > 60 for crop in smooth]
    assert 25 < sum(edges) < 95


def test_depth_is_scaled_with_the_picture_and_unknown_where_nobody_knows() -> None:
    known = replace(stick_hand(0), depth_px=np.linspace(0, 20, 21, dtype=np.float32))
    mixture = Mixture([Pool([known], 1.0), Pool(stick_hands(2), 1.0)], [], negative_share=0.2)
    batch = make_batch(mixture, 0, 0, 20)
    assert np.isfinite(batch.depth[:8]).all() and np.isnan(batch.depth[8:]).all()
    for joints, depth in zip(batch.joints[:8], batch.depth[:8]):
        span = float((joints.max(axis=0) - joints.min(axis=0)).max())
        assert 0.1 * span < depth[20] < 0.5 * span and depth[0] == 0


def test_pools_share_a_batch_as_asked() -> None:
    near, far = stick_hands(3), [replace(hand, right=0.0) for hand in stick_hands(3)]
    mixture = Mixture(
        [Pool(near, 3.0), Pool(far, 1.0)], [], negative_share=0.0, span=SceneRange(mirrored=0.0)
    )
    batch = make_batch(mixture, 0, 0, 40)
    assert (batch.right == 1).sum() == 30 and (batch.right == 0).sum() == 10


def test_small_sources_weigh_more_per_picture() -> None:
    hands = stick_hands(9)
    hands[8] = replace(hands[8], source="rare")
    shares = np.diff(np.concatenate(([0.0], source_weights(hands))))
    assert shares[8] > 1.5 * shares[0] and shares.sum() == pytest.approx(1.0)


def test_negatives_avoid_labelled_hands() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :60] = 255
    scene = EmptyImage(image, np.array([[0, 0, 60, 100]], np.float32), "scene")
    from atlas_hpe.learn.landmark.batches import _hand_free_cut

    mixture = Mixture([Pool(stick_hands(1), 1.0)], [scene])
    cuts = [_hand_free_cut(np.random.default_rng(seed), mixture) for seed in range(60)]
    from_scene = [cut for cut in cuts if cut.max() == cut.min()]
    assert len(from_scene) > 20 and all(
        cut.max() == 0 for cut in from_scene if cut.max() in (0, 255)
    )


def test_a_picture_that_can_not_be_made_stops_the_training() -> None:
    broken = HandImage(np.zeros((0, 0, 3), np.uint8), stick_hand(0).joints_px, 1.0, "", "")
    with pytest.raises((cv2.error, ZeroDivisionError)):
        make_batch(Mixture([Pool([broken], 1.0)], []), 0, 0, 4)
