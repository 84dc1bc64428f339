"""Each option changes what it should, and nothing else."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from drawing_cases import colour_at, frame, hand, has_colour, spread_joints
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.poses import Frame, HandPose, JointHeatmaps
from atlas_hpe_pipelines.drawing import FINGER_COLOURS_BGR, DrawOptions, Renderer
from atlas_hpe_pipelines.drawing.side_view import SideView

SIZE = (240, 240)
HAND = hand(spread_joints(), handedness="left", track_id=3, depth=np.linspace(-30, 30, 21))


def draw(options: DrawOptions, *hands: HandPose) -> np.ndarray:
    return Renderer(options, SIZE).draw(frame(), hands)


def test_without_hands_it_is_a_copy_of_the_frame() -> None:
    picture = draw(DrawOptions())
    np.testing.assert_array_equal(picture, frame().image)
    picture[:] = 0
    assert frame().image.any()


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    later=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    most=st.none() | st.integers(1, 90),
    flags=st.lists(st.booleans(), min_size=6, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_hand_on_any_frame_gives_the_size_that_was_told(
    size: tuple, later: tuple, most: int, flags: list, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    renderer = Renderer(DrawOptions(*flags), size, most)
    for width, height in (size, later, size):
        wild = rng.normal(0, 10 ** rng.uniform(0, 5), (21, 2))
        wild[rng.random(21) < 0.2] = np.nan
        maps = JointHeatmaps(rng.random((21, 4, 4)), np.array([[9.0, 0, 0], [0, 9.0, 0]]))
        pose = hand(wild, handedness="right", depth=wild[:, 1], track_id=seed % 7, heatmaps=maps)
        source = frame(width, height, seed % 100)
        before = source.image.copy()
        picture = renderer.draw(source, [pose, HAND])
        assert picture.dtype == np.uint8 and picture.shape[2] == 3
        assert (picture.shape[1], picture.shape[0]) == renderer.picture_size_px
        np.testing.assert_array_equal(source.image, before)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("source", "first", "most", "scale", "shift"),
    [
        ((240, 240), (240, 240), None, 1.0, (0, 0)),
        ((240, 240), (240, 240), 180, 0.75, (0, 0)),
        ((480, 480), (480, 480), 180, 0.375, (0, 0)),
        ((240, 240), (480, 720), None, 2.0, (0, 120)),
        ((240, 240), (600, 300), 300, 0.625, (75, 0)),
    ],
)
def test_joints_are_drawn_where_they_are_in_the_picture(
    source: tuple, first: tuple, most: int, scale: float, shift: tuple, mirror: bool
) -> None:
    renderer = Renderer(DrawOptions(mirror=mirror), first, most)
    picture = renderer.draw(frame(*source), [hand(spread_joints())])
    places = spread_joints() * scale + shift
    if mirror:
        places[:, 0] = renderer.picture_size_px[0] - places[:, 0]
    for index, place in enumerate(places[1:]):
        assert colour_at(picture, place) == FINGER_COLOURS_BGR[index // 4]


def test_a_frame_of_another_shape_lies_on_a_dark_ground() -> None:
    renderer = Renderer(DrawOptions(), (400, 100))
    bright = Frame(0, 0.0, np.full((100, 100, 3), 200, np.uint8))
    picture = renderer.draw(bright, [])
    assert (picture[:, 150:250] == 200).all()
    assert (picture[:, :150] == 25).all() and (picture[:, 250:] == 25).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scores=st.booleans(), most=st.sampled_from([None, 170]))
def test_mirrored_is_the_drawing_of_the_mirrored_scene(seed: int, scores: bool, most: int) -> None:
    rng = np.random.default_rng(seed)
    pose = replace(HAND, joints=rng.uniform(-30, 270, (21, 2)), joint_scores=rng.random(21))
    flipped = replace(pose, joints=pose.joints * (-1, 1) + (SIZE[0], 0))
    options = DrawOptions(scores=scores)
    scene = Renderer(options, SIZE, most).draw(
        Frame(0, 0.0, np.ascontiguousarray(frame().image[:, ::-1])), [flipped]
    )
    mirrored = Renderer(replace(options, mirror=True), SIZE, most).draw(frame(), [pose])
    if most is not None:  # shrinking and mirroring round in another order
        np.testing.assert_allclose(mirrored.astype(int), scene, atol=1)
    else:
        np.testing.assert_array_equal(mirrored, scene)


def test_split_shows_the_frame_beside_the_drawing() -> None:
    picture = draw(DrawOptions(split=True), HAND)
    np.testing.assert_array_equal(picture[:, :240], frame().image)
    np.testing.assert_array_equal(picture[:, 240:], draw(DrawOptions(), HAND))


def test_the_side_view_leaves_the_drawing_as_it_is() -> None:
    picture = draw(DrawOptions(view_3d=True), HAND)
    np.testing.assert_array_equal(picture[:, :240], draw(DrawOptions(), HAND))
    assert has_colour(picture[:, 240:], FINGER_COLOURS_BGR[1])


def test_the_side_view_has_the_scale_of_a_shrunk_picture() -> None:
    picture = Renderer(DrawOptions(view_3d=True), SIZE, 180).draw(frame(), [HAND])
    panel = np.empty((120, 60, 3), np.uint8)
    SideView((60, 120), (120, 120)).draw(panel, [HAND], [HAND.joints / 2], 0.5)
    np.testing.assert_array_equal(picture[:, 120:], panel)


def test_a_hand_beyond_the_picture_does_not_reach_into_the_other_parts() -> None:
    options = DrawOptions(split=True, view_3d=True, labels=False)
    usual = draw(options, HAND)
    for shift in (-150, 150):
        beyond = replace(HAND, joints=HAND.joints + np.array([shift, 0]))
        picture = draw(options, beyond)
        np.testing.assert_array_equal(picture[:, :240], frame().image)
        np.testing.assert_array_equal(picture[:, 480:], usual[:, 480:])


def test_scores_change_unsure_joints_and_their_bones_only() -> None:
    plain = draw(DrawOptions(labels=False), HAND)
    options = DrawOptions(scores=True, labels=False)
    np.testing.assert_array_equal(draw(options, HAND), plain)
    scores = np.ones(21)
    scores[7] = 0.2
    unasked = draw(DrawOptions(labels=False), replace(HAND, joint_scores=scores))
    np.testing.assert_array_equal(unasked, plain)
    picture = draw(options, replace(HAND, joint_scores=scores))
    index, joints = FINGER_COLOURS_BGR[1], HAND.joints
    for place in (joints[7], (joints[6] + joints[7]) / 2, (joints[7] + joints[8]) / 2):
        assert colour_at(picture, place) != index == colour_at(plain, place)
    for place in (joints[6], joints[8], (joints[5] + joints[6]) / 2):
        assert colour_at(picture, place) == index
    rows, columns = np.nonzero((picture != plain).any(axis=2))
    assert (np.hypot(columns - joints[7, 0], rows - joints[7, 1]) < 25).all()


def test_the_score_of_the_hand_stands_in_its_label() -> None:
    plain, scored = draw(DrawOptions(), HAND), draw(DrawOptions(scores=True), HAND)
    plate = (0, 94, 213)  # of the fourth hand
    assert (scored == plate).all(axis=2).sum() > 1.3 * (plain == plate).all(axis=2).sum()


def test_an_unsure_joint_is_smaller() -> None:
    joints = np.full((21, 2), np.nan)
    joints[8] = 100, 100
    sizes = [
        (draw(DrawOptions(scores=True), hand(joints, joint_scores=np.full(21, score))) > 20).sum()
        for score in (1.0, 0.5, 0.1)
    ]
    assert sizes[0] > 1.2 * sizes[1] > 1.2 * 1.2 * sizes[2] > 0


def test_a_score_that_is_no_number_is_drawn_as_unsure() -> None:
    lost = draw(DrawOptions(scores=True), replace(HAND, joint_scores=np.full(21, np.nan)))
    none = draw(DrawOptions(scores=True), replace(HAND, joint_scores=np.zeros(21)))
    np.testing.assert_array_equal(lost, none)


def test_heatmaps_are_shown_when_asked_for_and_there() -> None:
    maps = np.zeros((21, 8, 8), np.float32)
    maps[4, 2, 6] = 1
    mapped = replace(HAND, heatmaps=JointHeatmaps(maps, np.array([[30.0, 0, 0], [0, 30.0, 0]])))
    plain = draw(DrawOptions(), HAND)
    np.testing.assert_array_equal(draw(DrawOptions(), mapped), plain)
    np.testing.assert_array_equal(draw(DrawOptions(heatmap=True), HAND), plain)
    changed = (draw(DrawOptions(heatmap=True), mapped) != plain).any(axis=2)
    assert changed[75, 195] and not changed[:, :150].any() and not changed[110:].any()


def test_a_picture_that_is_kept_is_not_drawn_over_and_one_that_is_not_is() -> None:
    renderer = Renderer(DrawOptions(), SIZE)
    kept = renderer.draw(frame(), [HAND])
    before = kept.copy()
    place = renderer.draw(frame(seed=1), []).ctypes.data
    again = renderer.draw(frame(seed=2), [])
    np.testing.assert_array_equal(kept, before)
    assert again.ctypes.data == place


@pytest.mark.parametrize("source", [(640, 480), (320, 480)])
def test_a_running_renderer_allocates_nothing_large(source: tuple) -> None:
    renderer = Renderer(DrawOptions(True, False, True, True, True), (640, 480), 400)
    image = frame(*source)
    for _ in range(3):
        renderer.draw(image, [HAND])
    tracemalloc.start()
    for _ in range(5):
        renderer.draw(image, [HAND])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000  # a picture has 160 kB


def test_fine_texture_becomes_grey_where_the_picture_shrinks() -> None:
    stripes = np.zeros((320, 320, 3), np.uint8)
    stripes[:, ::2] = 200
    picture = Renderer(DrawOptions(), (320, 320), 70).draw(Frame(0, 0.0, stripes), [])
    np.testing.assert_allclose(picture.astype(int), 100, atol=1)
