from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from learn_fakes import write_stick_set

from atlas_hpe.errors import InputError
from atlas_hpe.learn.data.drawn_hands import cached_drawn_hands, load_drawn_hands
from atlas_hpe.learn.data.hand_images import load_crops, load_frames, load_negatives
from atlas_hpe.learn.landmark.data import is_held_out, load_training_data


def test_crops_come_decoded_with_their_labels(tmp_path: Path) -> None:
    hands = write_stick_set(tmp_path)
    crops = load_crops(tmp_path)
    assert [crop.name for crop in crops] == [hand.name for hand in hands]
    assert crops[0].joints_px == pytest.approx(hands[0].joints_px, abs=0.06)
    assert crops[0].image.shape == (96, 96, 3) and crops[0].right == 1.0


def test_a_frame_gives_its_large_hands_and_the_boxes_to_avoid(tmp_path: Path) -> None:
    write_stick_set(tmp_path)
    hands, scenes = load_frames(tmp_path)
    assert len(hands) == 1 and len(scenes) == 1 and len(scenes[0].hand_boxes) == 2
    red = hands[0].image[..., 2].astype(int) - hands[0].image[..., 0]
    x, y = hands[0].joints_px[9]
    assert red[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].max() > 60


def test_a_missing_index_says_which(tmp_path: Path) -> None:
    for load, name in ((load_crops, "crops"), (load_frames, "frames"), (load_negatives, "neg")):
        with pytest.raises(InputError, match=name):
            load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"items": [{"source": "s"}]}', '{"items": 3}'])
def test_a_damaged_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "crops.json").write_text(text)
    with pytest.raises(InputError):
        load_crops(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    write_stick_set(tmp_path)
    (tmp_path / "crops" / "0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0\.png"):
        load_crops(tmp_path)


def test_a_label_without_21_joints_is_refused(tmp_path: Path) -> None:
    write_stick_set(tmp_path)
    index = tmp_path / "crops.json"
    index.write_text(index.read_text().replace("[[", "[[1.0, 2.0], [", 1))
    with pytest.raises(InputError, match="21 joints"):
        load_crops(tmp_path)


def test_left_out_sources_are_in_nothing_but_the_held_out_set(tmp_path: Path) -> None:
    write_stick_set(tmp_path)
    data = load_training_data(tmp_path, tmp_path, drawn=0, leave_out=("sticks",))
    trained = [hand for pool in data.mixture.pools for hand in pool.hands]
    assert {hand.source for hand in data.held_out} == {"sticks"}
    assert {hand.source for hand in trained} == {"digits"}
    assert "sticks" not in {picture.source for picture in data.mixture.empty}


def test_held_out_crops_are_not_trained_on(tmp_path: Path) -> None:
    write_stick_set(tmp_path)
    data = load_training_data(tmp_path, tmp_path, drawn=0)
    trained = [hand for pool in data.mixture.pools for hand in pool.hands]
    assert data.held_out and all(is_held_out(hand) for hand in data.held_out)
    assert not {hand.name for hand in trained} & {hand.name for hand in data.held_out}


def test_drawn_hands_are_drawn_once_and_kept(tmp_path: Path) -> None:
    first = cached_drawn_hands(tmp_path, 2, 7)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    again = cached_drawn_hands(tmp_path, 2, 7)
    assert path.stat().st_mtime_ns == stamp
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again))
    assert all(((h.joints_px > 0) & (h.joints_px < 160)).all() for h in first)


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "drawn.npz"
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match="delete the file"):
        load_drawn_hands(path)


def test_the_shared_set_loads_whole(shared_data: Path) -> None:
    negatives = load_negatives(shared_data / "pseudo")
    assert len(negatives) > 500 and all(picture.image.shape[2] == 3 for picture in negatives)
    assert cv2.mean(negatives[0].image)[0] > 0


def test_depth_comes_from_millimetres_that_look_like_the_picture(tmp_path: Path) -> None:
    hands = write_stick_set(tmp_path)
    index = tmp_path / "crops.json"
    document = json.loads(index.read_text())
    rng = np.random.default_rng(0)
    depth = np.linspace(0, 30, 21)
    for item, hand in zip(document["items"][:2], hands):
        item["world_mm"] = np.column_stack((2.0 * hand.joints_px, 2.0 * depth + 7)).tolist()
    rng.shuffle(document["items"][1]["world_mm"])
    index.write_text(json.dumps(document))
    known, scrambled, unlabelled = load_crops(tmp_path)[:3]
    assert known.depth_px == pytest.approx(depth, abs=0.1)
    assert scrambled.depth_px is None and unlabelled.depth_px is None
