"""What the network looks at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.regions import choose_region

CROP = PreprocessSpec(
    width_px=128,
    height_px=128,
    colour="rgb",
    fit="crop",
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
    crop_scale=1.5,
)
BOX = Box(100, 50, 80, 60)


def test_a_crop_is_a_square_around_the_box_scaled_by_the_card() -> None:
    assert choose_region(CROP, (640, 480), BOX) == Box(80, 20, 120, 120)


def test_the_whole_frame_is_not_scaled() -> None:
    assert choose_region(CROP, (640, 480), None) == Box(0, -80, 640, 640)


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_without_crop_the_region_is_what_was_given(fit: str) -> None:
    spec = replace(CROP, fit=fit)
    assert choose_region(spec, (640, 480), BOX) == BOX
    assert choose_region(spec, (640, 480), None) == Box(0, 0, 640, 480)


@pytest.mark.parametrize("box", [Box(640, 0, 9, 9), Box(-9, 0, 9, 9), Box(0, 480, 9, 9)])
def test_a_box_outside_the_frame_is_refused(box: Box) -> None:
    with pytest.raises(UsageError, match="outside the picture"):
        choose_region(CROP, (640, 480), box)
