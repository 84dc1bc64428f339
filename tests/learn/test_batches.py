from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learn_fakes import stick_hand, stick_hands, stick_mixture

from atlas_hpe.geometry import apply_affine
from atlas_hpe.learn.landmark.batches import Mixture, Pool, make_batch, prefetch_batches
from atlas_hpe.learn.data.hand_images import EmptyImage, HandImage, source_weights
from atlas_hpe.learn.augment.warp import WarpRange, crop_affine, warp_hand


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


def test_pools_share_a_batch_as_asked() -> None:
    near, far = (
        stick_hands(3),
        [HandImage(h.image, h.joints_px, 0.0, "far", h.name) for h in stick_hands(3)],
    )
    mixture = Mixture(
        [Pool(near, 3.0), Pool(far, 1.0)], [], negative_share=0.0, span=WarpRange(mirror_share=0.0)
    )
    batch = make_batch(mixture, 0, 0, 40)
    assert (batch.right == 1).sum() == 30 and (batch.right == 0).sum() == 10


def test_small_sources_weigh_more_per_picture() -> None:
    hands = stick_hands(9)
    hands[8] = HandImage(hands[8].image, hands[8].joints_px, 1.0, "rare", "rare")
    shares = np.diff(np.concatenate(([0.0], source_weights(hands))))
    assert shares[8] > 1.5 * shares[0] and shares.sum() == pytest.approx(1.0)


def test_prefetching_gives_the_same_batches_in_order() -> None:
    mixture = stick_mixture()
    batches = prefetch_batches(mixture, 1, 4, 6)
    got = [next(batches) for _ in range(3)]
    batches.close()
    for step, batch in enumerate(got, start=4):
        assert np.array_equal(batch.images, make_batch(mixture, 1, step, 6).images)


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


@given(
    angle=st.floats(-3.1, 3.1), side=st.floats(20, 400), stretch=st.floats(0.7, 1.4),
    x=st.floats(-50, 300), y=st.floats(-50, 300),
)  # fmt: skip
def test_a_cut_keeps_its_centre_and_area(
    angle: float, side: float, stretch: float, x: float, y: float
) -> None:
    matrix = crop_affine(np.array([x, y]), side, angle, stretch, 128)
    assert apply_affine(matrix, np.array([[x, y]])) == pytest.approx(np.full((1, 2), 64.0))
    assert np.linalg.det(matrix[:, :2]) == pytest.approx((128 / side) ** 2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_joints_follow_the_picture_through_every_warp(seed: int) -> None:
    hand = stick_hand(0, 160)
    image = np.zeros_like(hand.image)
    joint = int(np.random.default_rng(seed).integers(21))
    x, y = hand.joints_px[joint]
    cv2.circle(
        image,
        (round(float(x) * 16 - 8), round(float(y) * 16 - 8)),
        6 * 16,
        (255, 255, 255),
        -1,
        cv2.LINE_AA,
        4,
    )
    dot = HandImage(image, hand.joints_px, hand.right, "", "")
    view = warp_hand(
        np.random.default_rng(seed), dot, WarpRange(box=(0.4, 0.7), shift=0.1), 128, None
    )
    # The border colour may be white: what is outside the source must not count.
    full = HandImage(np.full_like(image, 255), hand.joints_px, hand.right, "", "")
    inside = warp_hand(
        np.random.default_rng(seed), full, WarpRange(box=(0.4, 0.7), shift=0.1), 128, None
    ).image
    frame = cv2.erode((inside.min(axis=2) > 250).astype(np.uint8), np.ones((3, 3)))
    grey = view.image.max(axis=2).astype(float) * frame
    place = view.joints[joint] * 128
    spot = np.zeros((128, 128), np.uint8)
    cv2.circle(spot, (round(place[0]), round(place[1])), 10, 1, -1)
    weights = np.where(spot > 0, grey, 0.0)
    if not frame[spot > 0].all() or weights.sum() == 0:
        return
    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    centre = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    assert np.abs(centre - place).max() < 1.0


def test_a_mirrored_hand_is_the_other_hand() -> None:
    hand = stick_hand(1)
    plain, mirrored = (
        warp_hand(np.random.default_rng(4), hand, WarpRange(mirror_share=share), 64, None)
        for share in (0.0, 1.0)
    )
    assert plain.right == 1.0 and mirrored.right == 0.0
    assert np.array_equal(plain.image[:, ::-1], mirrored.image)
    assert mirrored.joints[:, 0] == pytest.approx(1 - plain.joints[:, 0])


def test_the_hand_fills_the_asked_share_of_the_crop() -> None:
    for share in (0.3, 0.85):
        span = WarpRange(box=(share, share), wide_share=1.0, stretch=1.0)
        joints = warp_hand(np.random.default_rng(0), stick_hand(2), span, 128, None).joints
        assert (joints.max(axis=0) - joints.min(axis=0)).max() == pytest.approx(share, rel=1e-3)


def test_a_picture_that_can_not_be_made_stops_the_training() -> None:
    broken = HandImage(np.zeros((0, 0, 3), np.uint8), stick_hand(0).joints_px, 1.0, "", "")
    batches = prefetch_batches(Mixture([Pool([broken], 1.0)], []), 0, 0, 4)
    with pytest.raises((cv2.error, ZeroDivisionError)):
        next(batches)
