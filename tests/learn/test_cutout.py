from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from learn_fakes import stick_joints

from atlas_hpe.errors import InputError
from atlas_hpe.hands import BONES
from atlas_hpe.learn.data import cutout
from atlas_hpe.learn.data.cutout import cut_out_hand, with_cutouts
from atlas_hpe.learn.data.hand_images import HandImage


def _hand() -> HandImage:
    joints = stick_joints(np.random.default_rng(0), 128)
    image = np.full((128, 128, 3), (60, 90, 60), np.uint8)
    for parent, child in BONES:
        first, last = (tuple(int(v) for v in joints[index]) for index in (parent, child))
        cv2.line(image, first, last, (120, 150, 220), 9)
    return HandImage(image, joints, 1.0, "sticks", "thick")


def test_the_cut_is_the_hand_and_not_its_surroundings() -> None:
    hand = _hand()
    truth = cv2.resize((hand.image[..., 2] > 150).astype(np.uint8), (96, 96)) > 0
    found = cut_out_hand(hand.image, hand.joints_px) > 0
    assert (truth & found).sum() / truth.sum() > 0.9
    assert found[:10].sum() == 0 and found[:, :4].sum() == 0


def test_a_cut_does_not_depend_on_what_was_cut_before() -> None:
    hand = _hand()
    first = cut_out_hand(hand.image, hand.joints_px)
    cv2.setRNGSeed(77)
    assert np.array_equal(first, cut_out_hand(hand.image, hand.joints_px))


def test_cuts_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cutouts.npz"
    first = with_cutouts([_hand()], path)
    monkeypatch.setattr(cutout, "cut_out_hand", None)
    again = with_cutouts([_hand()], path)
    assert first[0].mask is not None and again[0].mask is not None
    assert np.array_equal(first[0].mask, again[0].mask)


def test_a_cache_of_other_hands_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "cutouts.npz"
    with_cutouts([_hand()], path)
    assert len(with_cutouts([_hand(), _hand()], path)) == 2


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cutouts.npz"
    path.write_bytes(b"PK broken")
    with pytest.raises(InputError, match="delete the file"):
        with_cutouts([_hand()], path)
