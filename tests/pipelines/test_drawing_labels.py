"""Labels are whole, inside the picture, and apart from each other."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from drawing_cases import hand, spread_joints
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines.drawing.labels import Label, Lettering, describe_hand, write_labels

PLACES = st.tuples(st.floats(-100, 500), st.floats(-100, 500))
ANGLES = st.floats(0, 6.3)
RED, BLUE = (0, 0, 250), (250, 0, 0)


def label(place: tuple, angle: float, colour: tuple) -> Label:
    joints = np.tile(np.array(place, float), (21, 1))
    joints[9] += 40 * np.array([np.cos(angle), np.sin(angle)])
    return Label("#12 right", joints, colour)


def pixels(picture: np.ndarray, colour: tuple) -> int:
    return int((picture == colour).all(axis=2).sum())


def written(*labels: Label) -> np.ndarray:
    picture = np.full((400, 400, 3), 100, np.uint8)
    write_labels(picture, labels)
    return picture


WHOLE = pixels(written(label((200, 200), 1.0, RED)), RED)


@settings(max_examples=60, deadline=None)
@given(one=PLACES, other=PLACES, angle=ANGLES, turned=ANGLES)
def test_two_labels_are_both_whole(one: tuple, other: tuple, angle: float, turned: float) -> None:
    picture = written(label(one, angle, RED), label(other, turned, BLUE))
    assert pixels(picture, RED) == WHOLE == pixels(picture, BLUE)


@pytest.mark.parametrize("place", [(200, 200), (0, 0), (400, 400), (0, 390)])
def test_four_hands_at_one_place_have_four_labels(place: tuple) -> None:
    colours = [RED, BLUE, (0, 250, 0), (0, 125, 250)]
    picture = written(*(label(place, 1.0, colour) for colour in colours))
    assert len({pixels(picture, colour) for colour in colours} - {WHOLE}) == 0


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5, 4.0, 5.5])
def test_a_label_lies_beyond_the_wrist(angle: float) -> None:
    one = label((200, 200), angle, RED)
    rows, columns = np.nonzero((written(one) == RED).all(axis=2))
    away = np.array([columns.mean(), rows.mean()]) - (200, 200)
    pointing = one.joints[9] - one.joints[0]
    assert away @ pointing / np.linalg.norm(away) / np.linalg.norm(pointing) < -0.9
    assert np.hypot(columns - 200, rows - 200).min() > 5


@pytest.mark.parametrize(
    ("size", "least", "most"), [((360, 203), 9, 10), ((848, 480), 12, 16), ((3840, 2160), 55, 75)]
)
def test_letters_grow_with_the_picture(size: tuple, least: float, most: float) -> None:
    letters = Lettering.for_picture(size)
    assert least <= letters.height_px <= most
    assert 0.04 < letters.width_px("right") / max(size) < 0.12


@pytest.mark.parametrize(
    ("number", "side", "score", "text"),
    [
        (0, "left", False, "#0 left"),
        (12, "right", True, "#12 right 0.87"),
        (None, "left", False, "left"),
        (None, None, True, "0.87"),
        (3, None, False, "#3"),
        (None, None, False, ""),
    ],
)
def test_a_label_tells_what_is_known(
    number: Optional[int], side: Optional[str], score: bool, text: str
) -> None:
    pose = hand(spread_joints(), track_id=number, handedness=side, score=0.8749)
    assert describe_hand(pose, score=score) == text


def test_large_letters_are_as_bold_as_small_ones() -> None:
    shares = []
    for scale in (1, 5):
        picture = np.zeros((20 * scale, 60 * scale), np.uint8)
        Lettering(11.0 * scale).write(picture, "right", 2 * scale, 15 * scale, (255, 255, 255))
        shares.append(picture.mean())
    assert 0.7 < shares[1] / shares[0] < 2


@pytest.mark.parametrize("colour", [(255, 255, 255), (25, 25, 25), (178, 114, 0), (0, 94, 213)])
def test_letters_stand_out_from_their_plate(colour: tuple) -> None:
    picture = written(label((200, 200), 1.0, colour)).astype(int)
    rows, columns = np.nonzero((picture != 100).any(axis=2))
    plate = picture[rows.min() : rows.max(), columns.min() : columns.max()]
    assert (np.abs(plate - colour).sum(axis=2) > 300).sum() > 30


def test_a_hand_of_which_nothing_is_known_has_no_plate() -> None:
    empty = Label("", spread_joints(), RED)
    assert (written(empty) == 100).all()
