"""From a wanted view to areas that the crop and resize unit takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.geometry import Box, apply_affine, box_affine
from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.roi import Area, CropPlan, plan_crop

EVEN = st.integers(16, 2048).map(lambda half: 2 * half)
COORDINATE = st.floats(-3000, 5000)
SIDE = st.floats(1, 6000)
OUTPUT = st.integers(2, 24).map(lambda part: 16 * part)


def plan(*arguments: object, **options: object) -> CropPlan:
    planned = plan_crop(*arguments, **options)  # type: ignore[arg-type]
    assert isinstance(planned, CropPlan), str(planned)
    return planned


def reason(*arguments: object) -> str:
    planned = plan_crop(*arguments)  # type: ignore[arg-type]
    assert isinstance(planned, Fallback)
    return planned.reason


@given(EVEN, EVEN, COORDINATE, COORDINATE, SIDE, SIDE, OUTPUT, OUTPUT, st.booleans())
def test_every_plan_keeps_the_rules_of_the_hardware(
    width: int,
    height: int,
    x: float,
    y: float,
    box_width: float,
    box_height: float,
    out_width: int,
    out_height: int,
    keep: bool,
) -> None:
    region = Box(x, y, box_width, box_height)
    planned = plan_crop((width, height), region, (out_width, out_height), keep)
    if isinstance(planned, Fallback):
        assert planned.reason
        return
    for area, (limit_x, limit_y) in (
        (planned.cut, (width, height)),
        (planned.paste, (out_width, out_height)),
    ):
        assert area.left % 2 == area.top % 2 == 0
        assert area.right % 2 == area.bottom % 2 == 1
        assert area.left >= 0 and area.right < limit_x
        assert area.top >= 0 and area.bottom < limit_y
        assert area.size_px[0] >= 10 and area.size_px[1] >= 6
    assert planned.paste.left % 16 == 0
    for cut, paste in zip(planned.cut.size_px, planned.paste.size_px):
        assert 1 / 32 <= paste / cut <= 16


@given(EVEN, EVEN, COORDINATE, COORDINATE, SIDE, SIDE, OUTPUT, OUTPUT, st.booleans())
def test_the_map_is_exact_and_near_the_wanted_one(
    width: int,
    height: int,
    x: float,
    y: float,
    box_width: float,
    box_height: float,
    out_width: int,
    out_height: int,
    keep: bool,
) -> None:
    region, size = Box(x, y, box_width, box_height), (out_width, out_height)
    planned = plan_crop((width, height), region, size, keep)
    if isinstance(planned, Fallback):
        return
    cut, paste = planned.cut, planned.paste
    corners = np.array([[cut.left, cut.top], [cut.right + 1, cut.bottom + 1]], np.float64)
    target = np.array([[paste.left, paste.top], [paste.right + 1, paste.bottom + 1]])
    mapped = apply_affine(planned.affine, corners)
    assert np.allclose(mapped, target, atol=1e-6)
    # At the corners the areas lie within a source pixel of what was wanted, and on the grid of the
    # paste area: half of 16 across, half of 2 down; an end inside the output is rounded to even.
    wanted = box_affine(region, size, keep)
    scales = np.diagonal(wanted[:, :2])
    error = np.abs(apply_affine(wanted, corners) - target)
    assert np.all(error <= scales * 2 + np.array([9.0, 2.0]) + 1e-6)


def test_a_view_inside_the_picture_fills_the_output() -> None:
    planned = plan((640, 360), Box(101.2, 50.9, 199.7, 200.1), (224, 224))
    assert planned.cut == Area(102, 301, 50, 249)
    assert planned.paste == Area(0, 223, 0, 223)
    assert planned.fills_output
    assert np.allclose(planned.affine, [[1.12, 0, -114.24], [0, 1.12, -56]])


def test_the_whole_picture_is_mapped_exactly_as_wanted() -> None:
    whole = Box(0, 0, 1280, 720)
    planned = plan((1280, 720), whole, (256, 256))
    assert planned.cut == Area(0, 1279, 0, 719)
    assert np.allclose(planned.affine, box_affine(whole, (256, 256)))


def test_a_letterbox_has_a_border_above_and_below() -> None:
    planned = plan((1280, 720), Box(0, 0, 1280, 720), (256, 256), keep_aspect=True)
    assert planned.cut == Area(0, 1279, 0, 719)
    assert planned.paste == Area(0, 255, 56, 199)
    assert not planned.fills_output


def test_a_border_on_the_left_begins_at_a_multiple_of_16() -> None:
    planned = plan((640, 360), Box(-50, 100, 200, 200), (256, 256))
    assert planned.paste == Area(64, 255, 0, 255)
    assert planned.cut == Area(0, 149, 100, 299)
    assert np.allclose(planned.affine, [[1.28, 0, 64], [0, 1.28, -128]])


def test_a_border_on_the_right_keeps_the_scale() -> None:
    planned = plan((640, 360), Box(540, 100, 200, 200), (256, 256))
    assert planned.cut == Area(540, 639, 100, 299)
    assert planned.paste == Area(0, 127, 0, 255)


def test_a_view_that_ends_a_little_outside_keeps_the_scale_too() -> None:
    planned = plan((640, 360), Box(540, 100, 120, 120), (256, 256))
    assert planned.cut == Area(540, 639, 100, 219)
    assert planned.paste == Area(0, 213, 0, 255)


@pytest.mark.parametrize("width", [321, 322])
def test_a_last_odd_column_is_left_out(width: int) -> None:
    planned = plan((width, 240), Box(0, 0, 321, 240), (64, 64))
    assert planned.cut == Area(0, 319, 0, 239)


@pytest.mark.parametrize(
    ("region", "size", "words"),
    [
        (Box(900, 0, 100, 100), (224, 224), "lie inside the picture"),
        (Box(-500, 0, 505, 360), (224, 224), "lie inside the picture"),
        (Box(100, 100, 12, 12), (224, 224), "scales by 1/32 to 16"),
        (Box(100, 100, 100, 100), (200, 200), "multiple of 16"),
        (Box(100, 100, 100, 100), (224, 225), "height even"),
        (Box(100, 100, 100, 100), (16, 16), "from 32 on"),
        (Box(100, 100, 100, 100), (4112, 224), "10x6 to 4096x4096"),
    ],
)
def test_what_the_hardware_can_not_do_is_told(region: Box, size: tuple, words: str) -> None:
    assert words in reason((640, 360), region, size)


def test_a_picture_that_is_too_large_is_told() -> None:
    told = reason((8194, 360), Box(0, 0, 100, 100), (224, 224))
    assert "10x6 to 8192x8192 px, this is 8194x360 px" in told
