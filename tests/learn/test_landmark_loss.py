from __future__ import annotations

import numpy as np
import pytest
import torch

from atlas_hpe.learn.landmark.loss import gaussian_heat, landmark_loss
from atlas_hpe.learn.landmark.metrics import Predictions, by_source, measure
from atlas_hpe.nets.hand_landmark import RawLandmarks, hand_landmark

_NO_DEPTH = torch.full((3, 21), float("nan"))


def _truth(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 21, 2, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2


def _raw(joints: torch.Tensor, heat_logits: torch.Tensor) -> RawLandmarks:
    count = len(joints)
    zeros = torch.zeros(count, 1)
    flat = torch.zeros(count, 21)
    return RawLandmarks(heat_logits, joints, flat, flat, zeros, zeros)


def test_target_maps_sum_to_one_and_centre_on_the_joint() -> None:
    joints = _truth()
    maps, entropy = gaussian_heat(joints, torch.full((3,), 0.03), 32)
    assert maps.sum(dim=2) == pytest.approx(torch.ones(3, 21), abs=1e-5)
    centres = maps @ hand_landmark().grid
    assert (centres - joints).abs().max() < 2e-3
    assert (entropy > 0).all()


def test_a_perfect_answer_costs_nothing_in_heat_and_distance() -> None:
    joints = _truth()
    side = (joints.amax(1) - joints.amin(1)).amax(1)
    maps, _ = gaussian_heat(joints, (0.06 * side).clamp(0.6 / 32, 1.2 / 32), 32)
    loss = landmark_loss(
        _raw(joints, maps.clamp_min(1e-30).log()), joints, _NO_DEPTH, torch.ones(3), torch.ones(3)
    )
    assert float(loss.heat) == pytest.approx(0.0, abs=1e-3)
    assert float(loss.joints) == pytest.approx(0.0, abs=1e-6)


def test_joints_outside_the_crop_and_empty_crops_do_not_count() -> None:
    joints = _truth()
    flat = torch.zeros(3, 21, 1024)
    base = landmark_loss(_raw(joints, flat), joints, _NO_DEPTH, torch.ones(3), torch.ones(3))
    guess = joints.clone()
    guess[0, 4] += 0.3
    moved = joints.clone()
    moved[0, 4, 0] = 1.2
    outside = landmark_loss(
        _raw(moved + (guess - joints), flat), moved, _NO_DEPTH, torch.ones(3), torch.ones(3)
    )
    assert float(outside.joints) == pytest.approx(float(base.joints), abs=1e-6)
    guess[1] += 0.4
    empty = landmark_loss(
        _raw(guess, flat), joints, _NO_DEPTH, torch.tensor([0.0, 0.0, 1.0]), torch.ones(3)
    )
    assert float(empty.joints) == pytest.approx(0.0, abs=1e-6)


def test_depth_counts_where_it_is_known_and_in_units_of_the_hand() -> None:
    joints, flat = _truth(), torch.zeros(3, 21, 1024)
    side = (joints.amax(1) - joints.amin(1)).amax(1)
    depth = _NO_DEPTH.clone()
    depth[1] = 0.5 * side[1]
    loss = landmark_loss(_raw(joints, flat), joints, depth, torch.ones(3), torch.ones(3))
    assert float(loss.depth) == pytest.approx(0.5)


def test_a_batch_without_hands_gives_a_finite_gradient() -> None:
    model = hand_landmark().train()
    raw = model.heads(model.features(torch.zeros(2, 3, 128, 128)))
    loss = landmark_loss(
        raw, torch.zeros(2, 21, 2), _NO_DEPTH[:2], torch.zeros(2), torch.full((2,), 0.5)
    )
    loss.total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def _predictions(shift: float) -> Predictions:
    truth = _truth(4).numpy()
    score = np.linspace(0.1, 0.9, 4 * 21).reshape(4, 21)
    ones = np.ones(4)
    joints = truth + shift * (1 - score)[..., None] * [1, 0]
    return Predictions(
        joints, score, ones, ones, truth, np.array([1.0, 1.0, 0.0, 0.5]), ["a", "a", "b", "b"]
    )


def test_figures_of_a_perfect_prediction() -> None:
    quality = measure(_predictions(0.0))
    assert quality.nme == 0 and quality.pck10 == 1
    assert quality.right_accuracy == pytest.approx(2 / 3)


def test_score_that_falls_with_the_error_correlates() -> None:
    assert measure(_predictions(0.1)).score_correlation > 0.9


def test_sources_are_measured_apart() -> None:
    table = by_source(_predictions(0.1))
    assert set(table) == {"a", "b"} and table["a"].nme > table["b"].nme
