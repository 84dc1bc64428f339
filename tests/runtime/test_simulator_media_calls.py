"""``acl.media``: descriptions, channels and memory as a program meets them."""

from __future__ import annotations

import threading
from typing import Iterator

import numpy as np
import pytest
from media_device import (
    Board,
    board,
)


@pytest.fixture
def device() -> Iterator[Board]:
    with board() as opened:
        yield opened


def test_a_description_keeps_what_it_is_told(device: Board) -> None:
    desc = device.media.dvpp_create_pic_desc()
    assert device.media.dvpp_get_pic_desc_format(desc) == 10000
    told = dict(zip(("data", "size", "format", "width", "height"), (1 << 40, 2, 1, 4, 5)))
    told.update(width_stride=6, height_stride=7)
    device.describe(desc, **told)
    assert device.fields(desc) == told
    assert device.media.dvpp_set_pic_desc_ret_code(desc, 9) == 0
    assert device.media.dvpp_get_pic_desc_ret_code(desc) == 9
    assert device.media.dvpp_destroy_pic_desc(desc) == 0


def test_a_description_that_is_gone_is_refused(device: Board) -> None:
    desc = device.media.dvpp_create_pic_desc()
    assert device.media.dvpp_destroy_pic_desc(desc) == 0
    assert device.media.dvpp_destroy_pic_desc(desc) == 100000
    assert device.media.dvpp_set_pic_desc_width(desc, 1) == 100000
    assert device.media.dvpp_get_pic_desc_width(desc) == 0
    assert device.media.dvpp_get_pic_desc_format(desc) == 10000
    assert device.media.dvpp_destroy_pic_desc(0) == 0


def test_a_handle_of_another_kind_is_refused(device: Board) -> None:
    roi = device.media.dvpp_create_roi_config(0, 9, 0, 5)
    assert device.media.dvpp_set_pic_desc_width(roi, 1) == 100000
    assert device.media.dvpp_destroy_roi_config(roi) == 0


def test_numbers_from_numpy_are_no_handles(device: Board) -> None:
    with pytest.raises(TypeError, match=r"acl.media.dvpp_destroy_pic_desc args parse failed"):
        device.media.dvpp_destroy_pic_desc(np.int64(0))


def test_areas_and_settings(device: Board) -> None:
    media = device.media
    roi = media.dvpp_create_roi_config(1, 2, 3, 4)
    value = device.machine.handles.get("area", roi)
    assert vars(value) == {"left": 1, "right": 2, "top": 3, "bottom": 4}
    assert media.dvpp_set_roi_config(roi, 5, 6, 7, 8) == 0
    assert vars(value) == {"left": 5, "right": 6, "top": 7, "bottom": 8}
    for number, name in enumerate(("left", "right", "top", "bottom")):
        assert getattr(media, f"dvpp_set_roi_config_{name}")(roi, number) == 0
    assert vars(value) == {"left": 0, "right": 1, "top": 2, "bottom": 3}
    assert media.dvpp_destroy_roi_config(roi) == 0
    config = media.dvpp_create_resize_config()
    assert media.dvpp_get_resize_config_interpolation(config) == 0
    assert media.dvpp_set_resize_config_interpolation(config, 4) == 0
    assert media.dvpp_set_resize_config_interpolation(config, 5) == 100000
    assert media.dvpp_get_resize_config_interpolation(config) == 4
    assert media.dvpp_destroy_resize_config(config) == 0
    config = media.dvpp_create_jpege_config()
    assert media.dvpp_set_jpege_config_level(config, 80) == 0
    assert media.dvpp_get_jpege_config_level(config) == 80
    assert media.dvpp_destroy_jpege_config(config) == 0


def test_stream_descriptions(device: Board) -> None:
    media = device.media
    desc = media.dvpp_create_stream_desc()
    for name, value in zip(
        ("data", "size", "format", "timestamp", "ret_code", "eos"), (1 << 40, 2, 3, 1 << 50, 5, 1)
    ):
        assert getattr(media, f"dvpp_set_stream_desc_{name}")(desc, value) == 0
        assert getattr(media, f"dvpp_get_stream_desc_{name}")(desc) == value
    assert media.dvpp_destroy_stream_desc(desc) == 0


def test_batches_own_their_pictures(device: Board) -> None:
    media = device.media
    batch = media.dvpp_create_batch_pic_desc(2)
    first, second = (media.dvpp_get_pic_desc(batch, index) for index in (0, 1))
    assert first != second
    assert media.dvpp_set_pic_desc_width(second, 12) == 0
    assert media.dvpp_get_pic_desc(batch, 2) == 0
    assert media.dvpp_destroy_batch_pic_desc(batch) == 0
    assert media.dvpp_get_pic_desc_width(second) == 0
    assert media.dvpp_create_batch_pic_desc(0) == 0
    assert media.dvpp_create_batch_pic_desc(257) == 0


def test_the_life_of_a_channel(device: Board) -> None:
    media = device.media
    desc = media.dvpp_create_channel_desc()
    assert media.dvpp_destroy_channel(desc) == 100000
    assert media.dvpp_create_channel(desc) == 0
    assert media.dvpp_create_channel(desc) == 100000
    assert media.dvpp_destroy_channel_desc(desc) == 148051
    assert media.dvpp_destroy_channel(desc) == 0
    assert media.dvpp_set_channel_desc_mode(desc, 1) == 200006
    assert media.dvpp_destroy_channel_desc(desc) == 0
    assert media.dvpp_create_channel(desc) == 100000


def test_what_was_not_given_back_is_in_the_ledger(device: Board) -> None:
    media = device.media
    before = len(device.machine.ledger.live())
    desc = media.dvpp_create_channel_desc()
    media.dvpp_create_channel(desc)
    pointer, _ = media.dvpp_malloc(64)
    roi = media.dvpp_create_roi_config(0, 9, 0, 5)
    left = device.machine.ledger.live()[before:]
    assert [entry.kind for entry in left] == [
        "channel description",
        "DVPP channel",
        "dvpp memory",
        "area",
    ]
    assert all("test_simulator_media_calls.py" in entry.site for entry in left)
    media.dvpp_destroy_channel(desc)
    media.dvpp_destroy_channel_desc(desc)
    media.dvpp_free(pointer)
    media.dvpp_destroy_roi_config(roi)


def test_memory_of_dvpp_is_aligned_and_freed_once(device: Board) -> None:
    pointers = [device.media.dvpp_malloc(size) for size in (1, 100, 4096)]
    assert all(ret == 0 and pointer % 128 == 0 for pointer, ret in pointers)
    for pointer, _ in pointers:
        assert device.media.dvpp_free(pointer) == 0
        assert device.media.dvpp_free(pointer) != 0
    assert device.media.dvpp_malloc(0) == (0, 100000)
    plain, _ = device.acl.rt.malloc(64, 2)
    assert device.media.dvpp_free(plain) != 0
    assert device.acl.rt.free(plain) == 0


def test_a_thread_without_a_context_gets_107002(device: Board) -> None:
    found = []

    def work() -> None:
        found.append(device.media.dvpp_malloc(64))
        found.append(device.media.dvpp_create_pic_desc())
        found.append(device.media.dvpp_vpc_crop_async(device.channel, 1, 2, 3, device.stream))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(0, 107002), 0, 107002]


def test_a_fault_can_be_ordered() -> None:
    from atlas_hpe_runtime.simulator.install import build_acl
    from atlas_hpe_runtime.simulator.machine import Machine
    from atlas_hpe_runtime.simulator.settings import SimulatorSettings

    machine = Machine(SimulatorSettings(fail="acl.media.dvpp_malloc@2=200000"))
    acl = build_acl(machine)
    acl.init()
    acl.rt.set_device(0)
    assert acl.media.dvpp_malloc(64)[1] == 0
    assert acl.media.dvpp_malloc(64) == (0, 200000)
    machine.close()
