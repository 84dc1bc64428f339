"""Training pictures of the detector: pure, labelled where the hands are, honest about the rest."""

from __future__ import annotations

from typing import List

import cv2
import numpy as np
import pytest
from detector_fakes import stick_data

from atlas_hpe.learn.data.hand_images import EmptyImage
from atlas_hpe.learn.detector import batches
from atlas_hpe.learn.detector.batches import make_batch, make_picture
from atlas_hpe.learn.detector.compose import Canvas, Window, draw_empty, paste_hand, view_scene
from atlas_hpe.learn.detector.data import DetectorData, Scene, ScenePool
from atlas_hpe.learn.detector.labels import HAND, IGNORED, MAX_HANDS, NOTHING, label_hands
from atlas_hpe.nets.hand_detector import INPUT_SIZE_PX

WHOLE = Window(0, 0, 256, 256)
CODE_BGR = (0, 0, 255)


@pytest.fixture(scope="module")
def data() -> DetectorData:
    return stick_data()


def hand_at(x: float, y: float, side: float) -> np.ndarray:
    """A wrist, a middle base above it and fingers that fill a square around (x, y)."""
    joints = np.full((21, 2), (x, y), np.float64)
    joints[0] = x, y + side / 2
    joints[9] = x, y
    joints[12], joints[4], joints[20] = (x, y - side / 2), (x - side / 2, y), (x + side / 2, y)
    return joints


def test_a_batch_depends_on_its_arguments_alone(data: DetectorData) -> None:
    first, again = make_batch(data, 3, 5, 4), make_batch(data, 3, 5, 4)
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert (make_batch(data, 3, 6, 4)["images"] != first["images"]).any()
    assert (make_batch(data, 4, 5, 4)["images"] != first["images"]).any()


def test_parts_of_a_batch_are_the_batch(data: DetectorData) -> None:
    whole = make_batch(data, 1, 2, 4)
    odd = make_batch(data, 1, 2, 4, slice(1, None, 2))
    for name, array in whole.items():
        np.testing.assert_array_equal(array[1::2], odd[name])


def test_a_batch_has_the_shapes_that_the_network_and_the_loss_take(data: DetectorData) -> None:
    batch = make_batch(data, 0, 0, 3)
    assert (
        batch["images"].shape == (3, INPUT_SIZE_PX, INPUT_SIZE_PX, 3)
        and batch["images"].dtype == np.uint8
    )
    assert batch["boxes"].shape == (3, MAX_HANDS, 4)
    assert batch["directions"].shape == (3, MAX_HANDS, 2)
    assert batch["kinds"].shape == (3, MAX_HANDS)
    lengths = np.linalg.norm(batch["directions"], axis=2)
    assert np.isclose(lengths, 1.0, atol=1e-5)[lengths > 0].all()


def test_pictures_are_red_green_blue(data: DetectorData, monkeypatch: pytest.MonkeyPatch) -> None:
    blue = np.zeros((256, 256, 3), np.uint8)
    blue[:, :, 0] = 200
    labels = label_hands([], 256)
    monkeypatch.setattr(batches, "make_picture", lambda *_: (blue, labels))
    assert make_batch(data, 0, 0, 1)["images"][0, 0, 0].tolist() == [0, 0, 200]


def test_most_pictures_hold_hands_and_some_hold_none(data: DetectorData) -> None:
    counts = [
        int((make_picture(np.random.default_rng(seed), data)[1].kinds == HAND).sum())
        for seed in range(60)
    ]
    assert 2 <= sum(count == 0 for count in counts) <= 25
    assert max(counts) >= 3


def test_hands_span_a_twentieth_to_nearly_all_of_the_picture(data: DetectorData) -> None:
    spans: List[float] = []
    for seed in range(80):
        _, labels = make_picture(np.random.default_rng(seed), data)
        spans += labels.boxes[labels.kinds == HAND, 2:].max(axis=1).tolist()
    assert min(spans) < 0.12 and max(spans) > 0.6
    assert min(spans) >= 0.04 and max(spans) < 1.1


def test_hands_are_turned_all_the_way_round(data: DetectorData) -> None:
    angles: List[float] = []
    for seed in range(120):
        _, labels = make_picture(np.random.default_rng(seed), data)
        x, y = labels.directions[labels.kinds == HAND].T
        angles += np.degrees(np.arctan2(x, -y)).tolist()
    share_upright = float(np.mean(np.abs(angles) < 45))
    assert 0.5 < share_upright < 0.95
    assert max(angles) > 120 and min(angles) < -120


def test_the_border_of_the_letterbox_is_the_mean_of_the_card(data: DetectorData) -> None:
    for seed in range(40):
        image, _ = make_picture(np.random.default_rng(seed), data)
        if (image[0, 0] == (104, 116, 124)).all() and (image[0] == image[0, 0]).all():
            break
    else:
        pytest.fail("no letterbox in 40 pictures")
    assert (image[-1] == (104, 116, 124)).all()
    assert (image[INPUT_SIZE_PX // 2] != (104, 116, 124)).any()


@pytest.mark.parametrize("seed", range(12))
def test_labels_stay_on_the_hand_through_every_turn(seed: int) -> None:
    # Joint 12 is the only red thing; it has to be where its label says.
    image = np.zeros((120, 160, 3), np.uint8)
    joints = hand_at(80, 60, 60).astype(np.float32)
    cv2.circle(image, (80, 30), 4, CODE_BGR, -1)
    scene = Scene(image, joints[None], "code")
    canvas = view_scene(np.random.default_rng(seed), scene, WHOLE, 256)
    x, y = canvas.hands[0][12]
    if 4 < x < 252 and 4 < y < 252:
        around = canvas.image[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        assert around[..., 2].max() > 100


def test_views_keep_the_shape_of_a_hand_and_mirror_half_of_them(data: DetectorData) -> None:
    scene, signs = data.frames.scenes[0], []
    homogeneous = np.column_stack((scene.joints_px[0], np.ones(21)))
    for seed in range(30):
        canvas = view_scene(np.random.default_rng(seed), scene, WHOLE, 256)
        linear = np.linalg.lstsq(homogeneous, canvas.hands[0], rcond=None)[0][:2]
        large, small = np.linalg.svd(linear, compute_uv=False)
        assert large == pytest.approx(small, rel=1e-3)  # no shear, no stretch
        signs.append(np.linalg.det(linear) > 0)
    assert 5 <= sum(signs) <= 25


@pytest.mark.parametrize("seed", range(12))
def test_a_pasted_hand_lies_where_its_label_says_and_beside_the_others(seed: int) -> None:
    crop = np.zeros((120, 120, 3), np.uint8)
    joints = hand_at(60, 60, 70).astype(np.float32)
    cv2.circle(crop, (60, 60), 12, (255, 255, 255), -1)
    grey = np.full((256, 256, 3), 90, np.uint8)
    there = hand_at(60, 60, 80)
    canvas = Canvas(grey.copy(), [there])
    done = paste_hand(
        np.random.default_rng(seed), canvas, Scene(crop, joints[None], "c"), WHOLE, 0.4
    )
    assert (canvas.image == grey).all()
    if len(done.hands) == 1:
        return
    x, y = (int(value) for value in done.hands[1][9])
    assert (done.image[y, x] != 90).any()
    low, high = done.hands[1].min(axis=0), done.hands[1].max(axis=0)
    assert (low > there.max(axis=0)).any() or (high < there.min(axis=0)).any()


def test_of_a_hand_with_a_mask_mostly_the_mask_is_pasted() -> None:
    crop = np.full((120, 120, 3), CODE_BGR, np.uint8)  # red all around a white disc
    cv2.circle(crop, (60, 60), 30, (255, 255, 255), -1)
    mask = np.zeros((60, 60), np.uint8)
    cv2.circle(mask, (30, 30), 14, 255, -1)
    joints = hand_at(60, 60, 70).astype(np.float32)
    black = Canvas(np.zeros((256, 256, 3), np.uint8), [])

    def clean_pastes(scene: Scene) -> int:
        count = 0
        for seed in range(60):
            image = paste_hand(np.random.default_rng(seed), black, scene, WHOLE, 0.5).image
            red = (image[..., 2].astype(int) - image[..., 1] > 120).sum()
            count += red < 0.05 * (image > 60).any(axis=2).sum()
        return count

    outlined = clean_pastes(Scene(crop, joints[None], "c"))
    assert clean_pastes(Scene(crop, joints[None], "c", mask)) > outlined + 10


def test_things_lie_in_pictures_without_hands_only_half_the_time() -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    changed = sum(bool((batches._add_things(rng, flat) != flat).any()) for _ in range(100))
    assert 30 < changed < 70


def test_where_there_is_no_room_no_hand_is_pasted(data: DetectorData) -> None:
    canvas = Canvas(np.zeros((256, 256, 3), np.uint8), [hand_at(128, 128, 500)])
    done = paste_hand(np.random.default_rng(0), canvas, data.crops.scenes[0], WHOLE, 0.4)
    assert done is canvas


def test_a_picture_without_hands_shows_none() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    scenes = []
    for x, y in ((40, 50), (120, 60), (80, 70)):
        photograph = image.copy()
        cv2.circle(photograph, (x, y), 10, CODE_BGR, -1)
        scenes.append(Scene(photograph, hand_at(x, y, 40).astype(np.float32)[None], "code"))
    wall = EmptyImage(np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4), np.float32), "wall")
    nothing = ScenePool([])
    data = DetectorData(ScenePool(scenes), nothing, nothing, [wall], ([], []))
    seen = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        if rng.random() < 0.12:  # a texture may be red
            continue
        picture = draw_empty(np.random.default_rng(seed), data, WHOLE, 256)
        assert picture.shape == (256, 256, 3)
        assert (picture[..., 2].astype(int) - picture[..., 1]).max() < 40
        seen += 1
    assert seen > 40


def test_a_hand_in_view_is_labelled_with_its_whole_box() -> None:
    labels = label_hands([([hand_at(128, 64, 64)], WHOLE)], 256)
    assert labels.kinds.tolist() == [HAND] + [NOTHING] * (MAX_HANDS - 1)
    np.testing.assert_allclose(labels.boxes[0], [0.5, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(labels.directions[0], [0.0, -1.0])


@pytest.mark.parametrize(
    ("joints", "kind"),
    [
        (hand_at(128, 0, 64), IGNORED),  # half of it above the picture
        (hand_at(128, 40, 4), IGNORED),  # too small to tell
        (hand_at(128, -100, 64), NOTHING),
        (hand_at(128, 40, 20), HAND),
    ],
)
def test_what_can_not_be_told_is_passed_over(joints: np.ndarray, kind: float) -> None:
    assert label_hands([([joints], WHOLE)], 256).kinds[0] == kind


def test_each_hand_is_cut_at_the_edge_of_its_own_part() -> None:
    left = Window(0, 0, 128, 256)
    labels = label_hands([([hand_at(128, 64, 64)], left), ([], WHOLE)], 256)
    assert labels.kinds[0] == IGNORED


def test_a_hand_that_points_at_the_camera_has_no_direction() -> None:
    joints = hand_at(128, 128, 64)
    joints[9] = joints[0] + 1.0
    labels = label_hands([([joints], WHOLE)], 256)
    assert labels.kinds[0] == HAND and (labels.directions[0] == 0).all()


def test_more_hands_than_rows_are_cut_off() -> None:
    hands = [hand_at(20 + 10 * number, 128, 20) for number in range(MAX_HANDS + 3)]
    assert (label_hands([(hands, WHOLE)], 256).kinds == HAND).all()


def test_small_sources_are_drawn_more_often_than_their_number() -> None:
    image, joints = np.zeros((8, 8, 3), np.uint8), np.zeros((1, 21, 2), np.float32)
    many = [Scene(image, joints, "many")] * 900 + [Scene(image, joints, "few")] * 100
    rng, pool = np.random.default_rng(0), ScenePool(many)
    share = np.mean([pool.draw(rng).source == "few" for _ in range(2000)])
    assert 0.17 < share < 0.26  # 100 ** 0.6 over the sum of both is 0.21
