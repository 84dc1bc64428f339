"""VPC as a program meets it: what pictures become, rules, streams."""

from __future__ import annotations

import threading
from typing import Iterator

import numpy as np
import pytest
from media_device import (
    NV21,
    Board,
    board,
    noise_picture,
    nv12,
)

from atlas_hpe_runtime.simulator.media.planes import Planes
from atlas_hpe_runtime.simulator.media.resize import resize_planes


@pytest.fixture(params=["rc", "ep"])
def either(request: pytest.FixtureRequest) -> Iterator[Board]:
    with board(request.param) as opened:
        yield opened


@pytest.fixture
def device() -> Iterator[Board]:
    with board() as opened:
        yield opened


def noise_desc(device: Board, width: int = 64, height: int = 48) -> int:
    luma, chroma = noise_picture(width, height)
    columns, rows = max(32, (width + 15) // 16 * 16), height
    return device.picture(nv12(luma, chroma, columns, rows), width=width, height=height)


@pytest.mark.parametrize("mode", range(5))
def test_resize(either: Board, mode: int) -> None:
    media = either.media
    source = noise_desc(either)
    target = either.picture(width=100, height=30, format=NV21)
    config = media.dvpp_create_resize_config()
    media.dvpp_set_resize_config_interpolation(config, mode)
    ret = media.dvpp_vpc_resize_async(either.channel, source, target, config, either.stream)
    assert ret == 0
    assert either.wait() == 0
    luma, chroma = either.planes(target)
    expected = resize_planes(Planes(*noise_picture(64, 48)), 100, 30, mode)
    assert np.array_equal(luma, expected.luma)
    assert np.array_equal(chroma[..., ::-1], expected.chroma)
    media.dvpp_destroy_resize_config(config)
    either.release(source, target)


def test_crop(either: Board) -> None:
    media = either.media
    source = noise_desc(either)
    target = either.picture(width=30, height=20)
    area = media.dvpp_create_roi_config(10, 39, 6, 25)
    assert media.dvpp_vpc_crop_async(either.channel, source, target, area, either.stream) == 0
    assert either.wait() == 0
    luma, chroma = either.planes(target)
    all_luma, all_chroma = noise_picture(64, 48)
    assert np.array_equal(luma, all_luma[6:26, 10:40])
    assert np.array_equal(chroma, all_chroma[3:13, 5:20])
    media.dvpp_destroy_roi_config(area)
    either.release(source, target)


def test_crop_and_resize_with_a_mode(device: Board) -> None:
    media = device.media
    source = noise_desc(device)
    target = device.picture(width=60, height=40)
    area = media.dvpp_create_roi_config(10, 39, 6, 25)
    config = media.dvpp_create_resize_config()
    media.dvpp_set_resize_config_interpolation(config, 2)
    handles = (source, target, area, config)
    assert media.dvpp_vpc_crop_resize_async(device.channel, *handles, device.stream) == 0
    assert device.wait() == 0
    luma, _ = device.planes(target)
    part = noise_picture(64, 48)[0][6:26, 10:40]
    assert np.array_equal(luma, part.repeat(2, axis=0).repeat(2, axis=1))
    media.dvpp_destroy_resize_config(config)
    media.dvpp_destroy_roi_config(area)
    device.release(source, target)


def test_paste_leaves_the_rest_of_the_picture(device: Board) -> None:
    media = device.media
    source = noise_desc(device)
    target = device.picture(bytes([17]) * (96 * 60 * 3 // 2), width=96, height=60)
    crop = media.dvpp_create_roi_config(0, 63, 0, 47)
    paste = media.dvpp_create_roi_config(16, 79, 10, 57)
    handles = (source, target, crop, paste)
    assert media.dvpp_vpc_crop_and_paste_async(device.channel, *handles, device.stream) == 0
    assert device.wait() == 0
    luma, chroma = device.planes(target)
    all_luma, all_chroma = noise_picture(64, 48)
    assert np.array_equal(luma[10:58, 16:80], all_luma)
    assert np.array_equal(chroma[5:29, 8:40], all_chroma)
    assert (luma[:10] == 17).all()
    assert (luma[:, :16] == 17).all()
    assert (chroma[:, 40:] == 17).all()
    media.dvpp_set_roi_config_left(paste, 8)
    assert media.dvpp_vpc_crop_and_paste_async(device.channel, *handles, device.stream) == 100000
    for area in (crop, paste):
        media.dvpp_destroy_roi_config(area)
    device.release(source, target)


def test_paste_with_a_mode(device: Board) -> None:
    media = device.media
    source = noise_desc(device)
    target = device.picture(width=128, height=96)
    crop = media.dvpp_create_roi_config(0, 63, 0, 47)
    paste = media.dvpp_create_roi_config(0, 127, 0, 95)
    config = media.dvpp_create_resize_config()
    media.dvpp_set_resize_config_interpolation(config, 4)
    handles = (source, target, crop, paste, config)
    assert media.dvpp_vpc_crop_resize_paste_async(device.channel, *handles, device.stream) == 0
    assert device.wait() == 0
    expected = noise_picture(64, 48)[0].repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(device.planes(target)[0], expected)
    media.dvpp_destroy_resize_config(config)
    for area in (crop, paste):
        media.dvpp_destroy_roi_config(area)
    device.release(source, target)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"width": 99}, 100000),
        ({"width_stride": 100}, 100000),
        ({"height_stride": 29}, 100000),
        ({"size": 5039}, 100000),
        ({"format": 12}, 100027),
        ({"format": 0}, 100027),
        ({"width": 1026, "width_stride": 1040, "size": 10**5}, 100000),
    ],
)
def test_an_output_that_breaks_a_rule_is_refused_with_the_reason(
    device: Board, change: dict, code: int
) -> None:
    media = device.media
    source = noise_desc(device)
    given = {"width": 100, "height": 30, "width_stride": 112, "height_stride": 30, "size": 5040}
    target = device.picture(bytes(200_000), **{**given, **change})
    config = media.dvpp_create_resize_config()
    ret = media.dvpp_vpc_resize_async(device.channel, source, target, config, device.stream)
    assert ret == code
    notes = device.machine.ledger.notes()
    assert len(notes) == (1 if code else 0)
    assert all("dvpp_vpc_resize_async" in note and str(code) in note for note in notes)
    assert device.wait() == 0
    media.dvpp_destroy_resize_config(config)
    device.release(source, target)


def test_an_input_or_area_that_breaks_a_rule_is_refused(device: Board) -> None:
    media = device.media
    source, target = noise_desc(device), device.picture(width=64, height=48)
    area = media.dvpp_create_roi_config(0, 62, 0, 47)
    arguments = (device.channel, source, target, area, device.stream)
    assert media.dvpp_vpc_crop_async(*arguments) == 100000
    media.dvpp_set_roi_config_right(area, 63)
    assert media.dvpp_vpc_crop_async(*arguments) == 0
    assert device.wait() == 0
    device.describe(source, width_stride=72, size=72 * 72)
    assert media.dvpp_vpc_crop_async(*arguments) == 100000
    media.dvpp_destroy_roi_config(area)
    device.release(source, target)


def test_only_memory_of_dvpp_is_taken_and_aligned_to_16(device: Board) -> None:
    media = device.media
    source, target = noise_desc(device), device.picture(width=64, height=48)
    area = media.dvpp_create_roi_config(0, 63, 0, 47)
    own = device.fields(target)["data"]
    plain, _ = device.acl.rt.malloc(64 * 72, 2)
    for data, code in ((plain, 100000), (0, 100000), (own + 16, 100000), (own + 8, 200003)):
        device.describe(target, data=data)
        ret = media.dvpp_vpc_crop_async(device.channel, source, target, area, device.stream)
        assert ret == code
    device.describe(target, data=own)
    device.acl.rt.free(plain)
    media.dvpp_destroy_roi_config(area)
    device.release(source, target)


@pytest.mark.parametrize("missing", range(5))
def test_a_handle_that_is_no_handle_is_refused(device: Board, missing: int) -> None:
    media = device.media
    source, target = noise_desc(device), device.picture(width=64, height=48)
    area = media.dvpp_create_roi_config(0, 63, 0, 47)
    arguments = [device.channel, source, target, area, device.stream]
    arguments[missing] = 12345
    code = 107003 if missing == 4 else 100000
    assert media.dvpp_vpc_crop_async(*arguments) == code
    media.dvpp_destroy_roi_config(area)
    device.release(source, target)


def test_a_channel_must_be_open(device: Board) -> None:
    media = device.media
    closed = media.dvpp_create_channel_desc()
    source, target = noise_desc(device), device.picture(width=64, height=48)
    config = media.dvpp_create_resize_config()
    ret = media.dvpp_vpc_resize_async(closed, source, target, config, device.stream)
    assert ret == 100000
    media.dvpp_destroy_resize_config(config)
    media.dvpp_destroy_channel_desc(closed)
    device.release(source, target)


def test_work_is_done_by_the_stream_in_its_order(device: Board) -> None:
    media = device.media
    source, target = noise_desc(device), device.picture(width=64, height=48)
    gate = threading.Event()
    device.machine.handles.get("stream", device.stream).submit(gate.wait)
    area = media.dvpp_create_roi_config(0, 63, 0, 47)
    assert media.dvpp_vpc_crop_async(device.channel, source, target, area, device.stream) == 0
    # What the area says later no longer matters.
    media.dvpp_destroy_roi_config(area)
    assert (device.planes(target)[0] == 0).all()
    gate.set()
    assert device.wait() == 0
    assert np.array_equal(device.planes(target)[0], noise_picture(64, 48)[0])
    device.release(source, target)


def test_memory_freed_before_its_turn_comes_out_of_synchronize(device: Board) -> None:
    media = device.media
    source, target = noise_desc(device), device.picture(width=64, height=48)
    gate = threading.Event()
    device.machine.handles.get("stream", device.stream).submit(gate.wait)
    area = media.dvpp_create_roi_config(0, 63, 0, 47)
    assert media.dvpp_vpc_crop_async(device.channel, source, target, area, device.stream) == 0
    device.release(source)
    gate.set()
    assert device.wait() != 0
    media.dvpp_destroy_roi_config(area)
    device.release(target)


def test_colours_are_not_converted_on_ascend_310(device: Board) -> None:
    assert device.media.dvpp_vpc_convert_color_async(device.channel, 1, 2, device.stream) == 200006
