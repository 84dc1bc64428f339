"""Detector maps to boxes: exact on encoded boxes, and safe on broken maps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Dict, List, Optional, Tuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.card import DecodeSpec, ModelCard, PreprocessSpec
from atlas_hpe.errors import CardError
from atlas_hpe.geometry import Box, box_affine, invert_affine
from atlas_hpe_pipelines.detection import (
    Detection,
    box_overlap,
    decode_detections,
    detections_to_source,
    turn_of,
)

CELLS = 32
SHAPES = {
    "score": (1, 1, CELLS, CELLS),
    "box": (1, 4, CELLS, CELLS),
    "direction": (1, 2, CELLS, CELLS),
}
SPEC = PreprocessSpec(
    width_px=256, height_px=256, colour="rgb", fit="letterbox", mean=(0.0,) * 3, std=(1.0,) * 3
)
ROLES = {"score": "score", "box": "box", "direction": "direction"}


def make_card(
    options: Optional[Dict[str, float]] = None,
    roles: Optional[Dict[str, str]] = None,
    kind: str = "centre-heatmap",
) -> ModelCard:
    return replace(
        tiny_onnx.hand_card(SPEC, SHAPES),
        task="hand-detect",
        decode=DecodeSpec(kind, ROLES if roles is None else roles, options or {}),
    )


def empty_maps() -> Dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}


def put(maps: Dict[str, np.ndarray], box: Box, score: float, angle: float = 0.0) -> None:
    """Write what a perfect network would say about one hand, in the cell of its centre."""
    x, y = box.centre
    column, row = int(x / 8), int(y / 8)
    maps["score"][0, 0, row, column] = score
    maps["box"][0, :, row, column] = (
        x / 8 - column - 0.5, y / 8 - row - 0.5, box.width / 256, box.height / 256,
    )  # fmt: skip
    maps["direction"][0, :, row, column] = math.sin(angle), -math.cos(angle)


hands = st.tuples(
    st.floats(4, 252), st.floats(4, 252), st.floats(8, 240), st.floats(8, 240),
    st.floats(0.5, 0.99), st.floats(-3.14, 3.14),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(hands, min_size=0, max_size=5))
def test_encoded_hands_come_back_best_first(
    rows: List[Tuple[float, float, float, float, float, float]],
) -> None:
    wanted = [
        Detection(Box(x - w / 2, y - h / 2, w, h), score, angle)
        for x, y, w, h, score, angle in rows
    ]
    cells = [(int(d.box.centre[0] / 8), int(d.box.centre[1] / 8)) for d in wanted]
    for index, one in enumerate(wanted):
        for number in range(index):
            apart = max(abs(a - b) for a, b in zip(cells[index], cells[number]))
            assume(apart > 1 and box_overlap(one.box, wanted[number].box) < 0.39)
    assume(len({np.float32(d.score) for d in wanted}) == len(wanted))
    maps = empty_maps()
    for one in wanted:
        assert one.angle_rad is not None
        put(maps, one.box, one.score, one.angle_rad)
    found = decode_detections(make_card(), maps)
    assert len(found) == len(wanted)
    for got, want in zip(found, sorted(wanted, key=lambda d: -d.score)):
        np.testing.assert_allclose(got.box.as_tuple(), want.box.as_tuple(), atol=1e-3)
        assert got.score == pytest.approx(want.score)
        assert got.angle_rad == pytest.approx(want.angle_rad, abs=1e-5)


@pytest.mark.parametrize("row", [14, 15, 16])
@pytest.mark.parametrize("column", [14, 15, 16])
def test_a_weaker_neighbour_is_part_of_the_same_hand(row: int, column: int) -> None:
    maps = empty_maps()
    put(maps, Box(104, 104, 40, 40), 0.9)  # its centre is in cell 15, 15
    if (row, column) == (15, 15):
        return
    maps["score"][0, 0, row, column] = 0.8
    maps["box"][0, :, row, column] = (0, 0, 0.01, 0.01)  # would not overlap enough to be dropped
    assert [d.score for d in decode_detections(make_card(), maps)] == [pytest.approx(0.9)]


@pytest.mark.parametrize(
    ("options", "apart", "count"),
    # 90 px boxes overlap by 50 / 130 = 0.385 and by 54 / 126 = 0.429.
    [({"max_overlap": 0.5}, 40, 2), ({"max_overlap": 0.3}, 40, 1), ({}, 40, 2), ({}, 36, 1)],
)
def test_boxes_that_overlap_too_much_are_one_hand(
    options: Dict[str, float], apart: int, count: int
) -> None:
    maps = empty_maps()
    put(maps, Box(40, 40, 90, 90), 0.9)
    put(maps, Box(40 + apart, 40, 90, 90), 0.7)
    found = decode_detections(make_card(options), maps)
    assert [d.score for d in found] == [pytest.approx(0.9), pytest.approx(0.7)][:count]


@pytest.mark.parametrize(("min_score", "count"), [(0.3, 1), (0.5, 0)])
def test_the_card_says_what_score_is_a_hand(min_score: float, count: int) -> None:
    maps = empty_maps()
    put(maps, Box(40, 40, 90, 90), 0.4)
    assert len(decode_detections(make_card({"min_score": min_score}), maps)) == count
    assert len(decode_detections(make_card(), maps)) == 0


def test_peaks_on_the_border_are_found() -> None:
    maps = empty_maps()
    for x, y in ((0, 0), (255, 0), (0, 255), (255, 255)):
        put(maps, Box(x - 10, y - 10, 20, 20), 0.9)
    assert len(decode_detections(make_card(), maps)) == 4


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("role", ["score", "box"])
def test_a_cell_that_is_not_finite_hides_no_other_hand(role: str, bad: float) -> None:
    maps = empty_maps()
    put(maps, Box(40, 40, 60, 60), 0.9)
    put(maps, Box(72, 72, 60, 60), 0.8)  # the next cell but one is its neighbour's
    maps[role][0, 0, 8, 8] = bad
    assert [d.score for d in decode_detections(make_card(), maps)] == [pytest.approx(0.8)]


@pytest.mark.parametrize("size", [(0.0, 0.2), (0.2, -0.1)])
def test_a_box_without_area_is_no_hand(size: Tuple[float, float]) -> None:
    maps = empty_maps()
    put(maps, Box(40, 40, 60, 60), 0.9)
    maps["box"][0, 2:, 8, 8] = size
    assert decode_detections(make_card(), maps) == []


def test_empty_maps_hold_no_hand_even_at_a_threshold_of_zero_or_less() -> None:
    maps = empty_maps()
    assert decode_detections(make_card(), maps) == []
    assert decode_detections(make_card({"min_score": -1.0}), maps) == []  # boxes have no area


def test_a_detector_without_directions_gives_no_angle() -> None:
    maps = empty_maps()
    put(maps, Box(40, 40, 60, 60), 0.9)
    card = make_card(roles={"score": "score", "box": "box"})
    assert [d.angle_rad for d in decode_detections(card, maps)] == [None]


@pytest.mark.parametrize(
    ("x", "y", "angle"),
    [(0, -1, 0), (1, 0, math.pi / 2), (0, 1, math.pi), (-0.0, 1, math.pi), (-1, 0, -math.pi / 2)],
)
def test_the_turn_is_clockwise_from_upright(x: float, y: float, angle: float) -> None:
    assert turn_of(x, y) == pytest.approx(angle)


@pytest.mark.parametrize("vector", [(0.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_vector_without_direction_has_no_turn(vector: Tuple[float, float]) -> None:
    assert turn_of(*vector) is None


@given(st.floats(1, 4000), st.floats(1, 4000), st.floats(-3.1, 3.1))
def test_a_letterboxed_detection_returns_to_its_place(
    width: float, height: float, angle: float
) -> None:
    affine = box_affine(Box(0, 0, width, height), (256, 256), keep_aspect=True)
    scale = float(affine[0, 0])
    box = Box(0.25 * width, 0.5 * height, 0.1 * width, 0.2 * height)
    seen = Box(
        box.x * scale + affine[0, 2], box.y * scale + affine[1, 2], box.width * scale,
        box.height * scale,
    )  # fmt: skip
    (moved,) = detections_to_source([Detection(seen, 0.7, angle)], invert_affine(affine))
    np.testing.assert_allclose(moved.box.as_tuple(), box.as_tuple(), rtol=1e-6, atol=1e-6)
    assert moved.score == 0.7
    assert moved.angle_rad == pytest.approx(angle, abs=1e-9)


def test_a_turning_map_turns_the_hand_and_holds_the_turned_box() -> None:
    quarter = np.array([[0.0, -1.0, 256.0], [1.0, 0.0, 0.0]])  # clockwise, y down
    (moved,) = detections_to_source([Detection(Box(10, 20, 30, 40), 0.5, 0.0)], quarter)
    assert moved.box == Box(196, 10, 40, 30)
    assert moved.angle_rad == pytest.approx(math.pi / 2)
    eighth = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
    (moved,) = detections_to_source([Detection(Box(10, 20, 30, 40), 0.5, 0.0)], eighth)
    assert moved.box == Box(-50, 30, 70, 70)
    assert moved.angle_rad == pytest.approx(math.pi / 4)
    (moved,) = detections_to_source([Detection(Box(10, 20, 30, 40), 0.5)], quarter)
    assert moved.angle_rad is None


def test_overlap_is_intersection_over_union() -> None:
    assert box_overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert box_overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0
    assert box_overlap(Box(0, 0, 10, 10), Box(30, 30, 10, 10)) == 0
    assert box_overlap(Box(1, 2, 3, 4), Box(1, 2, 3, 4)) == 1


def test_another_decoder_and_wrong_outputs_are_refused() -> None:
    maps = empty_maps()
    with pytest.raises(CardError, match="no hand detector"):
        decode_detections(make_card(kind="coordinates"), maps)
    with pytest.raises(CardError, match="role 'box'"):
        decode_detections(make_card(roles={"score": "score"}), maps)
    with pytest.raises(CardError, match="role 'direction'"):
        decode_detections(make_card(), {name: maps[name] for name in ("score", "box")})
    for wrong in (np.zeros((1, 4, 16, 16)), np.zeros((1, 3, 32, 32)), np.zeros((4, 32))):
        with pytest.raises(CardError, match="no map of 'box'"):
            decode_detections(make_card(), {**maps, "box": wrong})


def test_of_a_noisy_map_only_the_best_peaks_are_read() -> None:
    maps = empty_maps()
    maps["score"][0, 0, ::2, ::2] = np.linspace(0.5, 0.9, 256).reshape(16, 16)
    maps["box"][0, 2:] = 0.01
    found = decode_detections(make_card(), maps)
    assert len(found) == 32 and found[0].score == pytest.approx(0.9)
