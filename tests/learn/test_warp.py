from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learn_fakes import stick_hand

from atlas_hpe.geometry import apply_affine
from atlas_hpe.learn.augment.warp import View, WarpRange, crop_affine, draw_view


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


def _dot(centre: np.ndarray, size_px: int) -> np.ndarray:
    image = np.zeros((size_px, size_px, 3), np.uint8)
    x, y = (round(float(v) * 16 - 8) for v in centre)
    cv2.circle(image, (x, y), 4 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return image


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_joints_follow_the_picture_through_every_view(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints = stick_hand(0, 160).joints_px
    joint = joints[int(rng.integers(21))]
    view = draw_view(rng, joints, WarpRange(box=(0.4, 0.7), tilt_share=1.0), 128)
    place = view.points(joint[None])[0]
    seen = view.image(_dot(joint, 160), cv2.BORDER_CONSTANT).max(axis=2).astype(float)
    if not (place > 12).all() or not (place < 116).all():
        return
    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    centre = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
    assert np.abs(centre - place).max() < 1.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_scale_at_a_point_is_how_far_its_neighbour_moves(seed: int) -> None:
    joints = stick_hand(0, 160).joints_px
    view = draw_view(np.random.default_rng(seed), joints, WarpRange(stretch=1.0, tilt_share=0), 128)
    first, second = view.points(np.array([[80.0, 80.0], [90.0, 80.0]]))
    assert view.scale_at(np.array([80.0, 80.0])) == pytest.approx(np.hypot(*(second - first)) / 10)


def test_the_hand_fills_the_asked_share_of_the_crop_tilted_or_not() -> None:
    for share in (0.3, 0.85):
        for tilted in (0.0, 1.0):
            span = WarpRange(box=(share, share), wide_share=1.0, tilt_share=tilted)
            joints = stick_hand(2).joints_px
            seen = draw_view(np.random.default_rng(0), joints, span, 128).points(joints) / 128
            assert (seen.max(axis=0) - seen.min(axis=0)).max() == pytest.approx(share, rel=1e-3)


def test_a_mask_of_another_size_lands_where_its_picture_does() -> None:
    image = np.zeros((60, 120, 3), np.uint8)
    image[20:40, 30:90] = 255
    mask = cv2.resize(image[:, :, 0], (96, 96), interpolation=cv2.INTER_AREA)
    view = View(np.array([[0.9, 0.1, 4.0], [-0.1, 0.9, 20.0], [0.0, 0.0, 1.0]]), 128)
    seen = view.image(image, cv2.BORDER_CONSTANT)[:, :, 0] > 127
    masked = view.mask(mask, image) > 127
    assert (seen & masked).sum() / (seen | masked).sum() > 0.93
