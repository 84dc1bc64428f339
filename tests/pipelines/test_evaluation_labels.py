"""Labels as files say them: both forms, and one clear error for each way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import evaluation_cases as cases
import numpy as np
import pytest

from atlas_hpe.errors import InputError
from atlas_hpe_pipelines.evaluation.labels import find_index, read_labels


def test_an_annotated_set_is_read_with_groups_sides_and_visibility(tmp_path: Path) -> None:
    visible = [1] * 20 + [0]
    items = [
        cases.item("a.png", "easy", cases.hand_joints(), side="left", visible=visible),
        cases.item("b.png", "hard", cases.hand_joints(), cases.hand_joints(60), side="unknown"),
    ]
    cases.write_set(tmp_path, items)
    first, second = read_labels(tmp_path)
    assert (first.name, first.group, first.size_px) == ("a.png", "easy", (256, 256))
    assert first.hands[0].side == "left"
    assert first.hands[0].visible.tolist() == [True] * 20 + [False]
    np.testing.assert_array_equal(first.hands[0].joints, cases.hand_joints())
    assert [hand.side for hand in second.hands] == [None, None]
    assert second.hands[0].visible.all()
    np.testing.assert_array_equal(first.read(), cases.picture())


def crop_item(**changes: object) -> Dict[str, object]:
    item = {"image": "c.png", "source": "digits", "path": "x", "right": 0.9}
    return {**item, "keypoints": cases.hand_joints().tolist(), **changes}


@pytest.mark.parametrize(
    ("right", "side"), [(0.9, "right"), (0.1, "left"), (0.7, None), (0.5, None), ("no", None)]
)
def test_a_crop_of_a_training_set_is_a_picture_with_one_hand(
    tmp_path: Path, right: object, side: object
) -> None:
    cases.write_set(tmp_path, [crop_item(right=right)], "crops.json")
    (picture,) = read_labels(tmp_path / "crops.json")
    assert (picture.group, picture.size_px, len(picture.hands)) == ("digits", None, 1)
    assert picture.hands[0].side == side


def test_the_frames_of_a_training_set_may_hold_no_hand(tmp_path: Path) -> None:
    frames = [{"image": "f.png", "source": "subhi", "path": "x", "hands": []}]
    cases.write_set(tmp_path, frames, "frames.json")
    (picture,) = read_labels(tmp_path)
    assert (picture.group, picture.hands) == ("subhi", ())


def test_labels_come_before_crops_and_crops_before_frames(tmp_path: Path) -> None:
    for name in ("frames.json", "crops.json", "labels.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
        assert find_index(tmp_path) == tmp_path / name
    assert find_index(tmp_path / "frames.json") == tmp_path / "frames.json"


def test_a_limit_takes_pictures_from_the_whole_set(tmp_path: Path) -> None:
    cases.write_set(tmp_path, [cases.item(f"{number}.png") for number in range(10)])
    assert [item.name for item in read_labels(tmp_path, limit=3)] == ["0.png", "4.png", "9.png"]
    assert len(read_labels(tmp_path, limit=99)) == 10


@pytest.mark.parametrize(
    "visible", [[0] * 21, [1] + [0] * 20], ids=["no visible joint", "a single one"]
)
def test_a_hand_without_a_box_is_left_out_and_counted(tmp_path: Path, visible: list) -> None:
    item = cases.item("a.png", "g", cases.hand_joints(), visible=visible)
    cases.write_set(tmp_path, [item])
    (picture,) = read_labels(tmp_path)
    assert (picture.hands, picture.left_out) == ((), 1)


def test_a_hand_within_a_pixel_is_left_out(tmp_path: Path) -> None:
    for height_px, count in ((0.9, 0), (1.1, 1)):
        item = cases.item("a.png", "g", cases.hand_joints(height_px=height_px))
        cases.write_set(tmp_path, [item])
        assert len(read_labels(tmp_path)[0].hands) == count


def test_a_joint_that_nobody_saw_may_have_no_place(tmp_path: Path) -> None:
    item = cases.item("a.png", "g", cases.hand_joints(), visible=[0] + [1] * 20)
    item["hands"][0]["keypoints"][0] = [None, None]  # type: ignore[index]
    cases.write_set(tmp_path, [item])
    (picture,) = read_labels(tmp_path)
    assert len(picture.hands) == 1


def hand(**changes: object) -> Dict[str, object]:
    item = cases.item("a.png", "g", cases.hand_joints())
    item["hands"] = [{**item["hands"][0], **changes}]  # type: ignore[index]
    return item


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (hand(keypoints=cases.hand_joints()[:20].tolist()), r"21 x 2 keypoints: shape \(20, 2\)"),
        (hand(keypoints=np.zeros((21, 3)).tolist()), r"shape \(21, 3\)"),
        (hand(keypoints="many"), "no table of numbers"),
        (hand(keypoints=[[1, 2], [3]]), "no table of numbers"),
        (hand(keypoints=[[float("nan"), 0]] * 21), "is no number"),
        (hand(keypoints=[[None, 0]] * 21), "is no number"),
        (hand(visible=[1] * 20), "21 flags 'visible'"),
        (hand(visible="all"), "21 flags 'visible'"),
        ({"image": "a.png", "hands": ["a hand"]}, "a hand that is no object"),
        ({"image": "a.png", "hands": 3}, "no list 'hands'"),
        ({"image": "a.png"}, "no list 'hands' and no 'keypoints'"),
        ({"image": "a.png", "width": "wide", "hands": []}, "no whole number"),
        ({"image": 5, "hands": []}, "names no image"),
        ("an item", "is no object"),
    ],
)
def test_a_wrong_item_is_named_with_its_number(tmp_path: Path, item: object, message: str) -> None:
    cases.write_set(tmp_path, [cases.item("a.png")])
    text = json.dumps({"items": [cases.item("a.png"), item]})
    (tmp_path / "labels.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_labels(tmp_path)
    assert caught.value.where == f"{tmp_path / 'labels.json'}, items[1]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no items"),
        ('{"items": []}', "no items"),
        ('{"items": {"a": 1}}', "no items"),
        ("\udcff", "not JSON"),
        ("[" * 100000, "not JSON"),
    ],
)
def test_a_wrong_index_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path)


def test_missing_labels_and_missing_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no labels"):
        read_labels(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_labels(tmp_path / "labels.json")
    cases.write_set(tmp_path, [cases.item("a.png"), cases.item("b.png")])
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match="does not exist") as caught:
        read_labels(tmp_path)
    assert caught.value.where == str(tmp_path / "b.png")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    cases.write_set(tmp_path, [cases.item("a.png")])
    (tmp_path / "a.png").write_bytes(content)
    (picture,) = read_labels(tmp_path)
    with pytest.raises(InputError, match="not a picture"):
        picture.read()


def test_a_picture_of_another_size_than_labelled_is_refused(tmp_path: Path) -> None:
    cases.write_set(tmp_path, [{**cases.item("a.png"), "width": 512}])
    (picture,) = read_labels(tmp_path)
    with pytest.raises(InputError, match="another size") as caught:
        picture.read()
    assert caught.value.why == "it is 256x256, the index says 512x256"
