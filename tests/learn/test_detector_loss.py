"""Targets of the detector, and what its loss rewards."""

from __future__ import annotations

import math
from typing import Dict, List, Tuple

import pytest
import torch
from torch import Tensor

from atlas_hpe.learn.detector.labels import HAND, IGNORED, NOTHING
from atlas_hpe.learn.detector.loss import detector_loss, make_targets, normalise
from atlas_hpe.nets.hand_detector import MAP_SIZE, RawDetections

Row = Tuple[List[float], List[float], float]
ROW, COLUMN, FAR = MAP_SIZE // 4, MAP_SIZE // 2, MAP_SIZE - 4
WIDE = 0.2 * MAP_SIZE  # of the one hand, in cells
PLACE = [(COLUMN + 0.32) / MAP_SIZE, (ROW + 0.32) / MAP_SIZE]
ONE: Row = ([*PLACE, 0.2, 0.3], [0.6, -0.8], HAND)
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
    assert targets.heat[0, ROW, COLUMN] == 1.0
    assert (targets.heat == 1.0).sum() == 1
    assert 0.0 < targets.heat[0, ROW, COLUMN + 1] < 1.0
    assert targets.heat[0, ROW, COLUMN + 2] > targets.heat[0, ROW, COLUMN + 4]


def test_the_peak_follows_the_size_of_the_hand() -> None:
    small = make_targets(**labels_of(([0.5, 0.5, 0.08, 0.08], [0.0, -1.0], HAND))).heat
    large = make_targets(**labels_of(([0.5, 0.5, 0.8, 0.8], [0.0, -1.0], HAND))).heat
    assert (large > 0.1).sum() > 3 * (small > 0.1).sum()


def test_cells_near_the_centre_point_back_at_it() -> None:
    targets = make_targets(**labels_of(ONE))
    assert targets.box[0, :, ROW, COLUMN].tolist() == pytest.approx(
        [-0.18, -0.18, 0.2, 0.3], abs=1e-5
    )
    assert targets.box[0, :, ROW + 1, COLUMN - 1].tolist() == pytest.approx(
        [0.82, -1.18, 0.2, 0.3], abs=1e-5
    )
    assert targets.box_weight[0, ROW, COLUMN] == 1.0
    assert targets.box_weight[0, ROW, COLUMN + 1] == 0.0 < targets.heat[0, ROW, COLUMN + 1]


def test_each_cell_belongs_to_the_nearer_of_two_hands() -> None:
    aside = 3 * MAP_SIZE // 4
    other: Row = ([(aside + 0.5) / MAP_SIZE, PLACE[1], 0.1, 0.1], [0.0, 1.0], HAND)
    targets = make_targets(**labels_of(ONE, other))
    assert targets.box[0, 2:, ROW, COLUMN].tolist() == pytest.approx([0.2, 0.3])
    assert targets.box[0, 2:, ROW, aside].tolist() == pytest.approx([0.1, 0.1])
    assert targets.direction[0, :, ROW, aside].tolist() == [0.0, 1.0]


def test_a_hand_that_is_passed_over_is_neither_hand_nor_background() -> None:
    unsure: Row = (ONE[0], [0.6, -0.8], IGNORED)
    targets = make_targets(**labels_of(unsure))
    assert targets.heat.max() == 0.0 and targets.box_weight.max() == 0.0
    assert targets.counted[0, ROW, COLUMN] == 0.0 and targets.counted[0, FAR, COLUMN] == 1.0
    both = make_targets(**labels_of(unsure, ONE))
    assert both.counted[0, ROW, COLUMN] == 1.0


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
    invented[0, 0, FAR, 3] = 12.0
    assert detector_loss(right._replace(score_logits=invented), labels)["heat"] > 5.0
    moved = right.box + torch.tensor([2.0, 0.0, 0.0, 0.0])[None, :, None, None]
    cost = float(detector_loss(right._replace(box=moved), labels)["box"])
    assert cost == pytest.approx(1 - (WIDE - 2) / (WIDE + 2) + 2 / MAP_SIZE / 0.3, abs=1e-3)
    apart = right.box + torch.tensor([20.0, 0.0, 0.0, 0.0])[None, :, None, None]
    # No overlap: what the hull of both holds beside them counts.
    cost = float(detector_loss(right._replace(box=apart), labels)["box"])
    assert cost == pytest.approx(1 + (20 - WIDE) / (20 + WIDE) + 20 / MAP_SIZE / 0.3, abs=1e-3)
    smaller = right.box * torch.tensor([1.0, 1.0, 0.5, 0.5])[None, :, None, None]
    cost = float(detector_loss(right._replace(box=smaller), labels)["box"])
    assert cost == pytest.approx(1 - 0.25 + (0.1 + 0.15) / 0.3, abs=1e-3)
    turned = right._replace(direction=-right.direction)
    assert detector_loss(turned, labels)["direction"] == pytest.approx(2.0, abs=1e-3)
    long = right._replace(direction=3 * right.direction)
    assert detector_loss(long, labels)["direction"] == pytest.approx(0.4, abs=1e-2)


def test_a_score_beside_a_centre_costs_less_than_one_far_away() -> None:
    labels = labels_of(([*PLACE, 0.5, 0.5], [0.6, -0.8], HAND))
    right = perfect(labels)
    costs = []
    for row, column in ((ROW, COLUMN + 1), (FAR, 3)):
        scores = right.score_logits.clone()
        scores[0, 0, row, column] = 2.0
        costs.append(float(detector_loss(right._replace(score_logits=scores), labels)["heat"]))
    assert costs[0] < 0.1 * costs[1]


def test_a_box_turned_inside_out_overlaps_nothing() -> None:
    labels = labels_of(ONE)
    right = perfect(labels)
    inside_out = right.box * torch.tensor([1.0, 1.0, -2.0, -2.0])[None, :, None, None]
    assert detector_loss(right._replace(box=inside_out), labels)["box"] > 1.0


def test_all_terms_are_trained() -> None:
    labels = labels_of(ONE)
    maps = (torch.full((1, channels, MAP_SIZE, MAP_SIZE), 0.1) for channels in (1, 4, 2))
    terms = detector_loss(RawDetections(*maps), labels)
    weighted = terms["heat"] + 2.0 * terms["box"] + 0.5 * terms["direction"]
    assert float(terms["total"]) == pytest.approx(float(weighted))


def test_a_mistake_in_a_passed_over_region_costs_nothing() -> None:
    labels = labels_of((ONE[0], [0.0, -1.0], IGNORED))
    raw = perfect(labels)
    raw.score_logits[0, 0, ROW, COLUMN] = 12.0
    assert detector_loss(raw, labels)["heat"] < 1e-2


def test_the_box_term_does_not_depend_on_the_size_of_the_hand() -> None:
    costs = []
    for size in (0.1, 0.2, 0.4):
        labels = labels_of(([0.5, 0.5, size, size], [0.0, -1.0], HAND))
        raw = perfect(labels)
        scaled = raw.box * torch.tensor([1.0, 1.0, 0.8, 0.8])[None, :, None, None]
        costs.append(float(detector_loss(raw._replace(box=scaled), labels)["box"]))
    assert costs[1] == pytest.approx(costs[2], rel=0.2) and costs[0] < 2 * costs[2]


@pytest.mark.parametrize("level", [0.0, 60.0, -60.0])
@pytest.mark.parametrize("row", [ONE, NONE])
def test_wild_outputs_give_finite_gradients(row: Row, level: float) -> None:
    raw = RawDetections(
        *(
            torch.full((1, channels, MAP_SIZE, MAP_SIZE), level, requires_grad=True)
            for channels in (1, 4, 2)
        )
    )
    terms = detector_loss(raw, labels_of(row, NONE))
    terms["total"].backward()
    assert all(math.isfinite(float(value.detach())) for value in terms.values())
    for output in raw:
        assert output.grad is not None and bool(torch.isfinite(output.grad).all())


def test_targets_keep_their_precision_under_autocast() -> None:
    box = [PLACE[0] + 0.003, PLACE[1] + 0.001, 0.2017, 0.3031]
    with torch.autocast("cpu", torch.bfloat16):
        target = make_targets(**labels_of((box, [0.6, -0.8], HAND))).box[0, :, ROW, COLUMN]
    shift = [box[0] * MAP_SIZE - COLUMN - 0.5, box[1] * MAP_SIZE - ROW - 0.5]
    assert target.tolist() == pytest.approx([*shift, 0.2017, 0.3031], abs=1e-5)


def test_pictures_are_normalised_as_the_card_says() -> None:
    images = torch.tensor([[[[124, 116, 104], [0, 255, 0]]]], dtype=torch.uint8)
    image = normalise(images)
    assert image.shape == (1, 3, 1, 2)
    assert image[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=0.02)
    assert float(image[0, 1, 0, 1]) == pytest.approx((255 - 116.28) / 57.12)
