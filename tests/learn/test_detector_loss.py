"""Targets of the detector, and what its loss rewards."""

from __future__ import annotations

import math
from typing import Dict, List, Tuple

import pytest
import torch
from torch import Tensor

from atlas_hpe.learn.detector.labels import HAND, IGNORED, NOTHING
from atlas_hpe.learn.detector.loss import detector_loss, make_targets, normalise
from atlas_hpe.nets.hand_detector import RawDetections

Row = Tuple[List[float], List[float], float]
ONE: Row = ([0.5, 0.25, 0.2, 0.3], [0.6, -0.8], HAND)
NONE: Row = ([0.0] * 4, [0.0] * 2, NOTHING)


def labels_of(*rows: Row) -> Dict[str, Tensor]:
    return {
        "boxes": torch.tensor([[row[0] for row in rows]]),
        "directions": torch.tensor([[row[1] for row in rows]]),
        "kinds": torch.tensor([[row[2] for row in rows]]),
    }


def perfect(labels: Dict[str, Tensor]) -> RawDetections:
    targets = make_targets(**labels)
    score = torch.where(targets.heat == 1.0, 12.0, -12.0)[:, None]
    return RawDetections(score, targets.box.clone(), targets.direction.clone())


def test_the_peak_is_exactly_one_in_the_cell_of_the_centre_and_falls_around_it() -> None:
    targets = make_targets(**labels_of(ONE, NONE))
    assert targets.heat[0, 8, 16] == 1.0
    assert (targets.heat == 1.0).sum() == 1
    assert 0.0 < targets.heat[0, 8, 17] < 1.0
    assert targets.heat[0, 8, 18] > targets.heat[0, 8, 20]


def test_the_peak_follows_the_size_of_the_hand() -> None:
    small = make_targets(**labels_of(([0.5, 0.5, 0.08, 0.08], [0.0, -1.0], HAND))).heat
    large = make_targets(**labels_of(([0.5, 0.5, 0.8, 0.8], [0.0, -1.0], HAND))).heat
    assert (large > 0.1).sum() > 3 * (small > 0.1).sum()


def test_cells_near_the_centre_point_back_at_it() -> None:
    targets = make_targets(**labels_of(ONE))
    assert targets.box[0, :, 8, 16].tolist() == pytest.approx([-0.5, -0.5, 0.2, 0.3])
    assert targets.box[0, :, 9, 15].tolist() == pytest.approx([0.5, -1.5, 0.2, 0.3])
    assert targets.box_weight[0, 8, 16] == 1.0
    assert targets.box_weight[0, 20, 16] == 0.0


def test_each_cell_belongs_to_the_nearer_of_two_hands() -> None:
    other: Row = ([0.75, 0.25, 0.1, 0.1], [0.0, 1.0], HAND)
    targets = make_targets(**labels_of(ONE, other))
    assert targets.box[0, 2:, 8, 16].tolist() == pytest.approx([0.2, 0.3])
    assert targets.box[0, 2:, 8, 24].tolist() == pytest.approx([0.1, 0.1])
    assert targets.direction[0, :, 8, 24].tolist() == [0.0, 1.0]


def test_a_hand_that_is_passed_over_is_neither_hand_nor_background() -> None:
    unsure: Row = ([0.5, 0.25, 0.2, 0.3], [0.6, -0.8], IGNORED)
    targets = make_targets(**labels_of(unsure))
    assert targets.heat.max() == 0.0 and targets.box_weight.max() == 0.0
    assert targets.counted[0, 8, 16] == 0.0 and targets.counted[0, 20, 16] == 1.0
    both = make_targets(**labels_of(unsure, ONE))
    assert both.counted[0, 8, 16] == 1.0


def test_an_unknown_direction_is_not_trained() -> None:
    targets = make_targets(**labels_of((ONE[0], [0.0, 0.0], HAND)))
    assert targets.direction_weight.max() == 0.0 and targets.box_weight.max() == 1.0


def test_the_right_answer_costs_next_to_nothing() -> None:
    labels = labels_of(ONE, NONE)
    terms = detector_loss(perfect(labels), labels)
    for name, value in terms.items():
        assert 0.0 <= float(value) < 1e-2, name


def test_every_mistake_costs() -> None:
    labels = labels_of(ONE)
    right = perfect(labels)
    missed = right._replace(score_logits=torch.full_like(right.score_logits, -12.0))
    assert detector_loss(missed, labels)["heat"] > 5.0
    invented = right.score_logits.clone()
    invented[0, 0, 25, 3] = 12.0
    assert detector_loss(right._replace(score_logits=invented), labels)["heat"] > 5.0
    moved = right.box + torch.tensor([2.0, 0.0, 0.0, 0.0])[None, :, None, None]
    assert detector_loss(right._replace(box=moved), labels)["box"] > 0.3
    smaller = right.box * torch.tensor([1.0, 1.0, 0.5, 0.5])[None, :, None, None]
    assert detector_loss(right._replace(box=smaller), labels)["box"] > 0.5
    turned = right._replace(direction=-right.direction)
    assert detector_loss(turned, labels)["direction"] == pytest.approx(2.0, abs=1e-3)
    long = right._replace(direction=3 * right.direction)
    assert detector_loss(long, labels)["direction"] == pytest.approx(0.4, abs=1e-2)


def test_a_mistake_in_a_passed_over_region_costs_nothing() -> None:
    labels = labels_of(([0.5, 0.25, 0.2, 0.3], [0.0, -1.0], IGNORED))
    raw = perfect(labels)
    raw.score_logits[0, 0, 8, 16] = 12.0
    assert detector_loss(raw, labels)["heat"] < 1e-2


def test_the_box_term_does_not_depend_on_the_size_of_the_hand() -> None:
    costs = []
    for size in (0.1, 0.2, 0.4):
        labels = labels_of(([0.5, 0.5, size, size], [0.0, -1.0], HAND))
        raw = perfect(labels)
        scaled = raw.box * torch.tensor([1.0, 1.0, 0.8, 0.8])[None, :, None, None]
        costs.append(float(detector_loss(raw._replace(box=scaled), labels)["box"]))
    assert costs[1] == pytest.approx(costs[2], rel=0.2) and costs[0] < 2 * costs[2]


def test_pictures_without_hands_and_wild_outputs_give_finite_gradients() -> None:
    labels = labels_of(NONE, NONE)
    raw = RawDetections(
        *(torch.full((1, channels, 32, 32), 60.0, requires_grad=True) for channels in (1, 4, 2))
    )
    terms = detector_loss(raw, labels)
    terms["total"].backward()
    assert all(math.isfinite(float(value.detach())) for value in terms.values())
    for map_ in raw:
        assert map_.grad is None or bool(torch.isfinite(map_.grad).all())


def test_targets_keep_their_precision_under_autocast() -> None:
    labels = labels_of(([0.503, 0.251, 0.2017, 0.3031], [0.6, -0.8], HAND))
    with torch.autocast("cpu", torch.bfloat16):
        box = make_targets(**labels).box[0, :, 8, 16]
    assert box.tolist() == pytest.approx(
        [0.503 * 32 - 16.5, 0.251 * 32 - 8.5, 0.2017, 0.3031], abs=1e-5
    )


def test_pictures_are_normalised_as_the_card_says() -> None:
    images = torch.tensor([[[[124, 116, 104], [0, 255, 0]]]], dtype=torch.uint8)
    image = normalise(images)
    assert image.shape == (1, 3, 1, 2)
    assert image[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=0.02)
    assert float(image[0, 1, 0, 1]) == pytest.approx((255 - 116.28) / 57.12)
