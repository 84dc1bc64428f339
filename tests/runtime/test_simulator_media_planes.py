"""Pictures with strides in memory, and their planes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_device import nv12, smooth_rgb

from atlas_hpe_runtime.simulator.media.formats import Picture
from atlas_hpe_runtime.simulator.media.limits import Area
from atlas_hpe_runtime.simulator.media.planes import (
    Planes,
    crop_planes,
    read_picture,
    to_420,
    write_picture,
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@given(st.integers(5, 40), st.integers(3, 40), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_what_is_written_is_read_again_and_padding_stays(
    half_width: int, half_height: int, more_columns: int, more_rows: int, is_nv21: bool
) -> None:
    width, height = 2 * half_width, 2 * half_height
    width_stride = (width + 15) // 16 * 16 + 16 * more_columns
    height_stride = height + 2 * more_rows
    picture = Picture(0, 0, 2 if is_nv21 else 1, width, height, width_stride, height_stride)
    planes = Planes(noise(height, width), noise(half_height, half_width, 2))
    memory = np.full(width_stride * height_stride * 3 // 2, 7, np.uint8)
    write_picture(memory, picture, planes, Area(0, width - 1, 0, height - 1))
    chroma = planes.chroma[..., ::-1] if is_nv21 else planes.chroma
    expected = nv12(planes.luma, np.ascontiguousarray(chroma), width_stride, height_stride)
    assert memory.tobytes() == expected
    found = read_picture(memory, picture)
    assert np.array_equal(found.luma, planes.luma)
    assert np.array_equal(found.chroma, planes.chroma)


def test_an_area_is_written_and_the_rest_stays() -> None:
    picture = Picture(0, 0, 1, 64, 32, 64, 32)
    memory = np.full(64 * 48, 9, np.uint8)
    planes = Planes(np.full((8, 10), 200, np.uint8), np.full((4, 5, 2), (50, 60), np.uint8))
    write_picture(memory, picture, planes, Area(16, 25, 4, 11))
    found = read_picture(memory, picture)
    assert (found.luma[4:12, 16:26] == 200).all()
    assert (found.chroma[2:6, 8:13] == (50, 60)).all()
    assert (memory == 9).sum() == memory.size - 80 - 40


def test_a_crop_takes_luma_and_chroma_of_the_same_place() -> None:
    planes = Planes(noise(24, 40), noise(12, 20, 2))
    found = crop_planes(planes, Area(6, 17, 4, 15))
    assert np.array_equal(found.luma, planes.luma[4:16, 6:18])
    assert np.array_equal(found.chroma, planes.chroma[2:8, 3:9])


@pytest.mark.parametrize(("number", "order"), [(7, "YUYV"), (8, "UYVY"), (9, "YVYU"), (10, "VYUY")])
def test_packed_422(number: int, order: str) -> None:
    samples = {"Y": noise(6, 12), "U": noise(6, 6, 1)[..., 0], "V": noise(6, 6, 2)[..., 1]}
    luma = iter((samples["Y"][:, 0::2], samples["Y"][:, 1::2]))
    groups = [next(luma) if channel == "Y" else samples[channel] for channel in order]
    rows = np.zeros((6, 32), np.uint8)
    rows[:, :24] = np.stack(groups, axis=2).reshape(6, 24)
    found = read_picture(rows.ravel(), Picture(0, 0, number, 12, 6, 32, 6))
    assert np.array_equal(found.luma, samples["Y"])
    assert np.array_equal(found.chroma, np.stack([samples["U"], samples["V"]], axis=2))
    assert to_420(found).chroma.shape == (3, 6, 2)


@pytest.mark.parametrize(("number", "columns"), [(3, 6), (4, 6), (5, 12), (6, 12)])
def test_semi_planar_422_and_444(number: int, columns: int) -> None:
    luma, chroma = noise(6, 12), noise(6, columns, 2)
    swapped = chroma[..., ::-1] if number in (4, 6) else chroma
    top = np.zeros((6, 32), np.uint8)
    top[:, :12] = luma
    bottom = np.zeros((6, 32 * (2 if columns == 12 else 1)), np.uint8)
    bottom[:, : 2 * columns] = swapped.reshape(6, -1)
    memory = np.concatenate([top.ravel(), bottom.ravel()])
    found = read_picture(memory, Picture(0, 0, number, 12, 6, 32, 6))
    assert np.array_equal(found.luma, luma)
    assert np.array_equal(found.chroma, chroma)


def test_grey_has_chroma_128() -> None:
    luma = noise(6, 32)
    found = read_picture(luma.ravel(), Picture(0, 0, 0, 32, 6, 32, 6))
    assert np.array_equal(found.luma, luma)
    assert found.chroma.shape == (3, 16, 2)
    assert (found.chroma == 128).all()


@pytest.mark.parametrize(
    ("number", "order"),
    [(12, "RGB"), (13, "BGR"), (14, "ARGB"), (15, "ABGR"), (16, "RGBA"), (17, "BGRA")],
)
def test_rgb_becomes_narrow_bt601(number: int, order: str) -> None:
    rgb = smooth_rgb(32, 16)
    with_alpha = np.dstack([rgb, np.full(rgb.shape[:2], 99, np.uint8)])
    packed = with_alpha[..., ["RGBA".index(channel) for channel in order]]
    stride = 32 * len(order)
    found = read_picture(packed.ravel(), Picture(0, 0, number, 32, 16, stride, 16))
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)[:16]
    assert np.abs(found.luma.astype(int) - expected).max() <= 1
    assert to_420(found).chroma.shape == (8, 16, 2)


def test_grey_of_odd_height_is_cropped_at_the_same_place() -> None:
    luma = noise(7, 32)
    memory = np.concatenate([luma.ravel(), np.zeros(32, np.uint8)])
    found = crop_planes(read_picture(memory, Picture(0, 0, 0, 32, 7, 32, 8)), Area(2, 11, 0, 5))
    assert np.array_equal(found.luma, luma[:6, 2:12])
    assert found.chroma.shape == (3, 5, 2)


def test_chroma_of_an_odd_picture_ends_with_its_last_sample() -> None:
    chroma = noise(7, 11, 2)
    found = to_420(Planes(noise(7, 11), chroma)).chroma
    assert found.shape == (4, 6, 2)
    assert np.array_equal(found[-1, -1], chroma[-1, -1])


def test_packed_444() -> None:
    yuv = noise(6, 16, 3)
    found = read_picture(yuv.ravel(), Picture(0, 0, 11, 16, 6, 48, 6))
    assert np.array_equal(found.luma, yuv[..., 0])
    assert np.array_equal(found.chroma, yuv[..., 1:])


def test_chroma_goes_to_420_as_the_mean_rounded_up() -> None:
    chroma = np.zeros((2, 4, 2), np.uint8)
    chroma[0, 0] = 1
    chroma[:, 2:] = 10, 20
    found = to_420(Planes(np.zeros((2, 4), np.uint8), chroma)).chroma
    assert found.tolist() == [[[1, 1], [10, 20]]]
