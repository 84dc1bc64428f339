"""The parts of a picture lie side by side, within the width that was asked for."""

from __future__ import annotations

import dataclasses
from typing import Optional, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines.drawing import SHOW, DrawOptions
from atlas_hpe_pipelines.drawing.layout import fit_rect, plan_layout

SIDES = st.integers(1, 4000)


@pytest.mark.parametrize(
    ("options", "source", "most", "size"),
    [
        (DrawOptions(), (1280, 720), None, (1280, 720)),
        (DrawOptions(), (1280, 720), 480, (480, 270)),
        (DrawOptions(), (320, 240), 480, (320, 240)),
        (DrawOptions(split=True), (1280, 720), 640, (640, 180)),
        (DrawOptions(view_3d=True), (1280, 720), None, (1640, 720)),
        (DrawOptions(view_3d=True), (480, 848), None, (720, 848)),
        (DrawOptions(view_3d=True, split=True), (1280, 720), 820, (818, 202)),
        (DrawOptions(), (1, 1), 1, (1, 1)),
    ],
)
def test_sizes(
    options: DrawOptions, source: Tuple[int, int], most: Optional[int], size: Tuple[int, int]
) -> None:
    assert plan_layout(options, source, most).size_px == size


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, st.none() | st.integers(1, 4000), st.booleans(), st.booleans())
def test_the_parts_tile_the_picture(
    width: int, height: int, most: Optional[int], split: bool, view_3d: bool
) -> None:
    options = DrawOptions(split=split, view_3d=view_3d)
    layout = plan_layout(options, (width, height), most)
    parts = [part for part in (layout.untouched, layout.drawn, layout.side_view) if part]
    assert len(parts) == 1 + split + view_3d
    x = 0
    for part in parts:
        assert (part.x, part.y, part.height) == (x, 0, layout.size_px[1])
        assert part.width > 0
        x += part.width
    assert x == layout.size_px[0]
    if most is not None:
        assert x <= max(most, len(parts))
    drawn = layout.drawn
    assert drawn.width <= width and drawn.height <= height
    assert abs(drawn.height - drawn.width * height / width) <= 1


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_a_picture_of_another_shape_is_as_large_as_its_room_lets_it(
    width: int, height: int, room_width: int, room_height: int
) -> None:
    rect = fit_rect((width, height), (room_width, room_height))
    assert rect.width == room_width or rect.height == room_height
    assert rect.x >= 0 and 0 <= room_width - 2 * rect.x - rect.width <= 1
    assert rect.y >= 0 and 0 <= room_height - 2 * rect.y - rect.height <= 1
    scale = min(room_width / width, room_height / height)
    np.testing.assert_allclose((rect.width, rect.height), (width * scale, height * scale), atol=1)


def test_every_name_of_show_is_an_option_that_is_off() -> None:
    off = {item.name for item in dataclasses.fields(DrawOptions) if item.default is False}
    assert set(SHOW.values()) == off - {"mirror"}
