"""Strides and sizes of pictures in device memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.acl.dvpp.layout import (
    PictureLayout,
    align,
    jpeg_layout,
    video_layout,
    vpc_layout,
)


@given(st.integers(0, 10**6), st.sampled_from([2, 16, 128, 4096]))
def test_aligned_is_the_next_multiple(value: int, step: int) -> None:
    aligned = align(value, step)
    assert aligned % step == 0
    assert value <= aligned < value + step


def test_the_jpeg_decoder_writes_strides_of_128_by_16() -> None:
    layout = jpeg_layout(1001, 701)
    assert layout == PictureLayout(1002, 702, 1024, 704)
    assert layout.size_bytes == 1024 * 704 * 3 // 2
    assert not layout.is_packed


def test_crop_and_resize_uses_strides_of_16_by_2_and_32_at_least() -> None:
    assert vpc_layout(230, 230) == PictureLayout(230, 230, 240, 230)
    assert vpc_layout(10, 6) == PictureLayout(10, 6, 32, 6)
    assert vpc_layout(224, 224).is_packed


def test_the_video_decoder_lets_odd_sides_grow() -> None:
    assert video_layout(853, 479) == PictureLayout(854, 480, 864, 480)


@pytest.mark.parametrize("sizes", [(3, 2, 16, 2), (2, 3, 16, 4), (0, 2, 16, 2), (2, 2, 16, 3)])
def test_odd_and_empty_sides_have_no_nv12_form(sizes: tuple) -> None:
    with pytest.raises(UsageError, match="no nv12 form"):
        PictureLayout(*sizes)


@pytest.mark.parametrize("sizes", [(32, 16, 16, 16), (32, 16, 32, 14)])
def test_strides_must_hold_the_picture(sizes: tuple) -> None:
    with pytest.raises(UsageError, match="do not hold"):
        PictureLayout(*sizes)
