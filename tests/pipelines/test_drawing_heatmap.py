"""The overlay shows a map's peak where its joint is, whatever way the region lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.card import DecodeSpec, PreprocessSpec
from atlas_hpe.geometry import invert_affine
from atlas_hpe.poses import Frame, JointHeatmaps
from atlas_hpe_pipelines.drawing.heatmap import HeatmapPainter
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.tracking import HandReader, place_hand
from atlas_hpe_pipelines.tracking.region import Region, region_affine, region_bounds
from atlas_hpe_pipelines.work import Work

SPEC = PreprocessSpec(
    width_px=96, height_px=64, colour="rgb", fit="crop", mean=(0.0,) * 3, std=(1.0,) * 3
)
CELLS = 32
CARDS = {
    kind: replace(
        tiny_onnx.hand_card(SPEC, {"heatmaps": shape}),
        decode=DecodeSpec(kind, {"heatmaps": "maps"}),
    )
    for kind, shape in (("heatmap-2d", (1, 21, CELLS, CELLS)), ("heatmap-1d", (1, 63, CELLS)))
}
STRAIGHT = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def outputs(kind: str, cell: np.ndarray) -> dict:
    """A blob at one cell for all joints."""
    x, y = (-0.5 * ((np.arange(CELLS) - place) / 1.5) ** 2 for place in cell)
    if kind == "heatmap-2d":
        maps = np.tile(np.exp(y[:, None] + x), (1, 21, 1, 1))
    else:
        maps = np.concatenate([np.tile(axis, (21, 1)) for axis in (x, y, x)])[None]
    return {"maps": maps.astype(np.float32)}


def centre_of(change: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(change.shape) + 0.5
    return np.array([(change * columns).sum(), (change * rows).sum()]) / change.sum()


@pytest.mark.parametrize("kind", list(CARDS))
@settings(max_examples=25, deadline=None)
@given(
    cell=st.tuples(st.integers(12, 20), st.integers(12, 20)),
    angle=st.floats(-3.1, 3.1),
    mirrored=st.booleans(),
    scale=st.floats(0.7, 1.6),
)
def test_the_peak_of_the_overlay_is_at_the_joint(
    kind: str, cell: tuple, angle: float, mirrored: bool, scale: float
) -> None:
    card, region = CARDS[kind], Region(130, 120, 180, angle, mirrored)
    to_source = invert_affine(region_affine(region, SPEC))
    source = Frame(0, 0.0, np.full((240, 260, 3), 90, np.uint8))
    found = outputs(kind, np.array(cell))
    hand = place_hand(card, found, to_source, region_bounds(region), source, heatmaps=True)
    assert hand is not None and hand.heatmaps is not None
    picture = np.full((round(240 * scale), round(260 * scale), 3), 90, np.uint8)
    painter = HeatmapPainter((picture.shape[1], picture.shape[0]))
    painter.paint(picture, hand.heatmaps, np.array([[scale, 0, 0], [0, scale, 0]]))
    change = np.abs(picture.astype(float) - 90).sum(axis=2)
    np.testing.assert_allclose(centre_of(change), hand.joints[5] * scale, atol=0.3 * scale)


class Answer:
    """A network with one answer."""

    def run(self, feeds: object) -> dict:
        return outputs("heatmap-2d", np.array((14, 15)))


@pytest.mark.parametrize("asked", [False, True])
def test_hands_come_with_heatmaps_when_asked_for(asked: bool) -> None:
    card, source = CARDS["heatmap-2d"], Frame(0, 0.0, np.zeros((64, 96, 3), np.uint8))
    read = HandReader(card, Answer(), heatmaps=asked).read(source, Region(48, 32, 64))
    work = Work(source)
    for stage in FixedRegion(card, Answer(), (96, 64), heatmaps=asked).stages():
        work = stage.work(work)
    for hand in (read, *work.hands):
        assert hand is not None and (hand.heatmaps is not None) == asked


def test_the_strongest_joint_shows_at_each_place() -> None:
    maps = np.zeros((21, 4, 4), np.float32)
    maps[3, 0, 0], maps[17, 2, 2] = 0.4, 0.2
    picture = np.zeros((4, 4, 3), np.uint8)
    HeatmapPainter((4, 4)).paint(picture, JointHeatmaps(maps, STRAIGHT), STRAIGHT)
    shown = picture.any(axis=2)
    assert shown[0, 0] and shown[2, 2] and shown.sum() == 2
    assert picture[0, 0, 2] > picture[0, 0, 0]  # the peak is red, half of it is green
    assert picture[2, 2].argmax() == 1


def test_a_peak_takes_the_place_of_the_picture_and_noise_leaves_it() -> None:
    maps = np.full((21, 4, 4), 0.05, np.float32)
    maps[3, 0, 0] = 1.0
    picture = np.full((4, 4, 3), 255, np.uint8)
    HeatmapPainter((4, 4)).paint(picture, JointHeatmaps(maps, STRAIGHT), STRAIGHT)
    assert picture[0, 0].max() < 255
    assert (picture != 255).any(axis=2).sum() == 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("-inf")])
def test_an_empty_map_changes_nothing(value: float) -> None:
    picture = np.full((6, 6, 3), 50, np.uint8)
    maps = JointHeatmaps(np.full((21, 4, 4), value), STRAIGHT)
    HeatmapPainter((6, 6)).paint(picture, maps, STRAIGHT)
    assert (picture == 50).all()


def test_what_is_not_finite_does_not_hide_the_rest() -> None:
    maps = np.zeros((21, 4, 4))
    maps[0], maps[1, 0, 0], maps[2, 3, 3] = np.nan, np.inf, 1.0
    picture = np.zeros((4, 4, 3), np.uint8)
    HeatmapPainter((4, 4)).paint(picture, JointHeatmaps(maps, STRAIGHT), STRAIGHT)
    assert picture[3, 3].any()


@pytest.mark.parametrize("shift", [(500, 0), (0, 500), (-500, -500)])
def test_a_map_beyond_the_picture_changes_nothing(shift: tuple) -> None:
    picture = np.full((6, 6, 3), 50, np.uint8)
    to_source = STRAIGHT + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
    maps = JointHeatmaps(np.ones((21, 4, 4)), to_source)
    HeatmapPainter((6, 6)).paint(picture, maps, STRAIGHT)
    assert (picture == 50).all()


def test_outside_of_the_map_the_picture_stays() -> None:
    picture = np.full((20, 20, 3), 50, np.uint8)
    to_source = np.array([[1.0, 0, 8], [0, 1.0, 4]])
    maps = JointHeatmaps(np.ones((21, 4, 4)), to_source)
    HeatmapPainter((20, 20)).paint(picture, maps, STRAIGHT)
    changed = (picture != 50).any(axis=2)
    assert changed[4:8, 8:12].all() and changed.sum() == 16
