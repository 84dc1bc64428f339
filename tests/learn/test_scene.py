from __future__ import annotations

from dataclasses import replace
from typing import Optional

import cv2
import numpy as np
import pytest
from learn_fakes import stick_hand

from atlas_hpe.learn.augment import scene as scenes
from atlas_hpe.learn.augment.scene import HandView, SceneRange, draw_scene
from atlas_hpe.learn.augment.warp import WarpRange
from atlas_hpe.learn.data.hand_images import HandImage

_NOTHING = SceneRange(new_background=0, recoloured=0, second_hand=0, occluded=0, mirrored=0)
_UPRIGHT = WarpRange(full_circle_share=0, upright_deviation_deg=1, tilt_share=0, stretch=1.0)


@pytest.fixture(autouse=True)
def _plain_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "vary_colour", lambda rng, image: image)
    monkeypatch.setattr(scenes, "degrade", lambda rng, image: image)


def _disc(colour: int, right: float = 1.0) -> HandImage:
    """A hand that fills a disc, cut out exactly, in front of black."""
    image, mask = np.zeros((96, 96, 3), np.uint8), np.zeros((96, 96), np.uint8)
    cv2.circle(image, (48, 48), 36, (colour,) * 3, -1)
    cv2.circle(mask, (48, 48), 36, 255, -1)
    return replace(stick_hand(0), image=image, mask=mask, right=right)


def _draw(
    span: SceneRange, seed: int = 0, hand: Optional[HandImage] = None, back: int = 200
) -> HandView:
    def background() -> np.ndarray:
        return np.full((128, 128, 3), back, np.uint8)

    rng = np.random.default_rng(seed)
    return draw_scene(rng, hand or _disc(90), span, 128, background, lambda: _disc(30))


def test_a_mirrored_hand_is_the_other_hand() -> None:
    hand = stick_hand(1)
    plain = _draw(_NOTHING, 4, hand)
    mirrored = _draw(replace(_NOTHING, mirrored=1), 4, hand)
    assert plain.right == 1.0 and mirrored.right == 0.0
    assert np.array_equal(plain.image[:, ::-1], mirrored.image)
    assert mirrored.joints[:, 0] == pytest.approx(1 - plain.joints[:, 0])


def test_another_background_leaves_the_hand_and_replaces_the_rest() -> None:
    view = replace(_UPRIGHT, box=(0.5, 0.5), wide_share=1.0)
    span = replace(_NOTHING, new_background=1, view=view)
    for seed in range(6):
        hand = _draw(span, seed)
        x, y = (hand.joints[9] * 128).astype(int)
        assert abs(int(hand.image[y, x, 0]) - 90) <= 2
        assert (hand.image < 40).mean() < 0.2 and (hand.image > 195).mean() > 0.05


def test_recolouring_touches_the_hand_only() -> None:
    span = replace(_NOTHING, recoloured=1, view=_UPRIGHT)
    plain = replace(_disc(90), image=np.maximum(_disc(90).image, 20))
    changed = 0
    for seed in range(8):
        before, after = _draw(replace(span, recoloured=0), seed, plain), _draw(span, seed, plain)
        x, y = (before.joints[9] * 128).astype(int)
        changed += abs(int(after.image[y, x, 1]) - int(before.image[y, x, 1])) > 5
    assert changed >= 4


def test_a_second_hand_never_hides_most_of_the_labelled_one() -> None:
    span = replace(_NOTHING, second_hand=1, view=_UPRIGHT)
    added = 0
    for seed in range(30):
        view = _draw(span, seed)
        cells = np.clip((view.joints * 128).astype(int), 0, 127)
        hidden = np.abs(view.image[cells[:, 1], cells[:, 0], 0].astype(int) - 30) < 8
        assert hidden.sum() <= 9
        added += bool((np.abs(view.image[..., 0].astype(int) - 30) < 4).mean() > 0.03)
    assert added >= 10


def test_depth_follows_the_scale() -> None:
    hand = replace(_disc(90), depth_px=np.full(21, 9.6, np.float32))
    view = _draw(replace(_NOTHING, view=_UPRIGHT), 3, hand)
    assert view.depth is not None
    seen = np.linalg.norm(view.joints[9] - view.joints[0])
    before = np.linalg.norm(hand.joints_px[9] - hand.joints_px[0])
    assert view.depth[5] == pytest.approx(9.6 * seen / before, rel=1e-3)
