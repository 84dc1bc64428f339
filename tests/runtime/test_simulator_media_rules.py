"""Sizes, strides, areas and scales that DVPP of Ascend 310 takes (ascend.md 5.2 to 5.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.media.formats import FORMATS, Picture, align_up
from atlas_hpe_runtime.simulator.media.limits import (
    Area,
    check_area,
    check_jpegd_size,
    check_jpege_input,
    check_paste_area,
    check_scale,
    check_vdec_size,
    check_vpc_input,
    check_vpc_output,
    jpege_size,
)

NV12 = 1
GOOD = Picture(0x1000, 64 * 48 * 3 // 2, NV12, 60, 46, 64, 48)


def code_of(check: object, *arguments: object) -> int:
    try:
        check(*arguments)  # type: ignore[operator]
    except AclFailure as failure:
        return failure.code
    return 0


def picture(number: int, width: int, height: int) -> Picture:
    """With the smallest strides and memory, by the table of section 5.2."""
    per_pixel = {7: 2, 8: 2, 9: 2, 10: 2, 11: 3, 12: 3, 13: 3}.get(number, 4 if number > 13 else 1)
    columns = max(32, (width + 15) // 16 * 16 * per_pixel)
    rows = (height + 1) // 2 * 2
    size = columns * rows
    if number < 3:
        size = size * 3 // 2
    elif number < 7:
        size *= 2 if number < 5 else 3
    return Picture(0x1000, size, number, width, height, columns, rows)


@given(st.integers(0, 10**9), st.integers(1, 4096))
def test_aligning_gives_the_next_multiple(value: int, step: int) -> None:
    up = align_up(value, step)
    assert up % step == 0
    assert value <= up < value + step


@given(st.sampled_from(sorted(FORMATS)), st.integers(5, 2048), st.integers(3, 2048))
def test_the_smallest_strides_and_size_are_taken_and_no_less(
    number: int, half_width: int, half_height: int
) -> None:
    good = picture(number, 2 * half_width, 2 * half_height)
    assert (good.least_width_stride, good.least_size) == (good.width_stride, good.size)
    assert code_of(check_vpc_input, good) == 0
    assert code_of(check_vpc_input, replace(good, size=good.size - 1)) == 100000
    step = 16 * good.layout.bytes_per_pixel
    for change in ({"width_stride": good.width_stride - step}, {"height_stride": good.height - 2}):
        assert code_of(check_vpc_input, replace(good, **change)) == 100000
    assert code_of(check_vpc_output, good) == (0 if number in (1, 2) else 100027)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"width_stride": 72, "size": 10**6}, 100000),
        ({"width_stride": 80, "size": 10**6}, 0),
        ({"width_stride": 16400, "size": 10**7}, 100000),
        ({"width_stride": 16384, "size": 10**7}, 0),
        ({"height_stride": 49, "size": 10**6}, 100000),
        ({"width": 59}, 100000),
        ({"height": 45}, 100000),
        ({"width": 8}, 100000),
        ({"width": 10}, 0),
        ({"height": 4}, 100000),
        ({"height": 6}, 0),
        ({"data": 0x1008}, 200003),
        ({"data": 0x1010}, 0),
        ({"format": 99}, 100027),
        ({"format": 18}, 100027),
    ],
)
def test_an_input_picture(change: dict, code: int) -> None:
    assert code_of(check_vpc_input, replace(GOOD, **change)) == code


def test_a_row_has_at_least_32_bytes() -> None:
    small = Picture(0, 10**6, NV12, 16, 6, 16, 6)
    assert code_of(check_vpc_input, small) == 100000
    assert code_of(check_vpc_input, replace(small, width_stride=32)) == 0


@pytest.mark.parametrize(
    ("number", "width", "read", "written"),
    [(1, 4096, 0, 0), (1, 4098, 0, 100000), (1, 8192, 0, 100000), (1, 8194, 100000, 100000)],
)
def test_large_pictures(number: int, width: int, read: int, written: int) -> None:
    for wide in (picture(number, width, 64), picture(number, 64, width)):
        assert code_of(check_vpc_input, wide) == read
        assert code_of(check_vpc_output, wide) == written


def test_above_4096_only_420_is_read() -> None:
    assert code_of(check_vpc_input, picture(2, 64, 8192)) == 0
    assert code_of(check_vpc_input, picture(12, 64, 4096)) == 0
    assert code_of(check_vpc_input, picture(12, 64, 4098)) == 100000


@pytest.mark.parametrize(
    ("area", "crop", "paste"),
    [
        (Area(0, 9, 0, 5), 0, 0),
        (Area(16, 59, 2, 45), 0, 0),
        (Area(2, 59, 0, 45), 0, 100000),
        (Area(1, 59, 0, 45), 100000, 100000),
        (Area(0, 58, 0, 45), 100000, 100000),
        (Area(0, 59, 1, 45), 100000, 100000),
        (Area(0, 59, 0, 44), 100000, 100000),
        (Area(0, 61, 0, 45), 100000, 100000),
        (Area(0, 59, 0, 47), 100000, 100000),
        (Area(0, 7, 0, 45), 100000, 100000),
        (Area(0, 59, 0, 3), 100000, 100000),
        (Area(32, 15, 0, 45), 100000, 100000),
    ],
)
def test_areas(area: Area, crop: int, paste: int) -> None:
    assert code_of(check_area, area, GOOD) == crop
    assert code_of(check_paste_area, area, GOOD) == paste


def test_an_area_counts_both_edges() -> None:
    assert (Area(16, 25, 4, 9).width, Area(16, 25, 4, 9).height) == (10, 6)


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [(320, 10, 0), (322, 10, 100000), (16, 256, 0), (16, 258, 100000), (64, 64, 0)],
)
def test_a_side_changes_by_a_32nd_to_16_times(source: int, target: int, code: int) -> None:
    assert code_of(check_scale, source, 64, target, 64) == code
    assert code_of(check_scale, 64, source, 64, target) == code


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [(32, 32, 0), (31, 32, 100000), (32, 31, 100000), (8192, 8192, 0), (8193, 32, 100000)],
)
def test_a_jpeg_has_32_to_8192_pixels_a_side(width: int, height: int, code: int) -> None:
    assert code_of(check_jpegd_size, width, height) == code


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [(128, 128, 0), (126, 128, 100000), (128, 126, 100000), (4096, 4096, 0), (4098, 4096, 100000)],
)
def test_a_video_has_128_to_4096_pixels_a_side(width: int, height: int, code: int) -> None:
    assert code_of(check_vdec_size, width, height) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"height_stride": 46}, 0),
        ({"height_stride": 50}, 100000),
        ({"height_stride": 64}, 0),
        ({"width_stride": 48}, 100000),
        ({"width_stride": 72}, 100000),
        ({"width_stride": 128}, 0),
        ({"width": 30}, 100000),
        ({"height": 31}, 100000),
        ({"height": 45, "height_stride": 48}, 100000),
        ({"format": 12}, 100027),
        ({"format": 7, "width_stride": 128}, 0),
        ({"format": 7, "width_stride": 256}, 100000),
        ({"format": 7, "width_stride": 128, "height": 45}, 0),
    ],
)
def test_what_the_jpeg_encoder_takes(change: dict, code: int) -> None:
    assert code_of(check_jpege_input, replace(GOOD, **change)) == code


def test_room_for_a_jpeg_file_comes_in_steps_of_2_mib() -> None:
    mib = 1 << 20
    assert jpege_size(GOOD) == 2 * mib
    edge = Picture(0, 0, NV12, 32, 32, 1024, (2 * mib - 768) // 1536)
    assert jpege_size(edge) == 2 * mib
    assert jpege_size(replace(edge, height_stride=edge.height_stride + 2)) == 4 * mib
