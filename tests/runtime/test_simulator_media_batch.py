"""VPC for several pictures at once."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest
from media_device import (
    NV12,
    Board,
    board,
    noise_picture,
    nv12,
)


@pytest.fixture
def device() -> Iterator[Board]:
    with board() as opened:
        yield opened


class Batch:
    """Two noise pictures and three outputs of 20x16 pixels."""

    def __init__(self, device: Board) -> None:
        self.device, self.media = device, device.media
        self.sources = self._make(2, 64, 48)
        self.targets = self._make(3, 20, 16)
        corners = ((0, 0), (10, 6), (44, 32))
        self.crops = [self.media.dvpp_create_roi_config(x, x + 19, y, y + 15) for x, y in corners]
        self.pastes = [self.media.dvpp_create_roi_config(0, 19, 0, 15) for _ in corners]

    def _make(self, count: int, width: int, height: int) -> int:
        batch = int(self.media.dvpp_create_batch_pic_desc(count))
        for index in range(count):
            columns = max(32, (width + 15) // 16 * 16)
            values = nv12(*noise_picture(width, height, index), columns, height)
            at = dict(width=width, height=height, width_stride=columns, height_stride=height)
            data = self.device.upload(values)
            desc = self.media.dvpp_get_pic_desc(batch, index)
            self.device.describe(desc, data=data, size=len(values), format=NV12, **at)
        return batch

    def check(self) -> None:
        assert self.device.wait() == 0
        places = ((0, 0, 0), (1, 10, 6), (1, 44, 32))
        for index, (seed, x, y) in enumerate(places):
            luma, _ = self.device.planes(self.media.dvpp_get_pic_desc(self.targets, index))
            assert np.array_equal(luma, noise_picture(64, 48, seed)[0][y : y + 16, x : x + 20])

    def release(self) -> None:
        for batch, count in ((self.sources, 2), (self.targets, 3)):
            for index in range(count):
                desc = self.media.dvpp_get_pic_desc(batch, index)
                assert self.media.dvpp_free(self.media.dvpp_get_pic_desc_data(desc)) == 0
            assert self.media.dvpp_destroy_batch_pic_desc(batch) == 0
        for area in (*self.crops, *self.pastes):
            assert self.media.dvpp_destroy_roi_config(area) == 0


@pytest.fixture
def batch(device: Board) -> Iterator[Batch]:
    made = Batch(device)
    yield made
    made.release()


def test_batches_give_the_output_batch_back(device: Board, batch: Batch) -> None:
    head, tail = (device.channel, batch.sources, [1, 2], batch.targets), (device.stream,)
    found = device.media.dvpp_vpc_batch_crop_async(*head, batch.crops, *tail)
    assert found == (batch.targets, 0)
    batch.check()
    found = device.media.dvpp_vpc_batch_crop_and_paste_async(
        *head, batch.crops, batch.pastes, *tail
    )
    assert found == (batch.targets, 0)
    batch.check()


def test_batches_with_a_mode_give_ret_alone(device: Board, batch: Batch) -> None:
    config = device.media.dvpp_create_resize_config()
    head, tail = (device.channel, batch.sources, [1, 2], batch.targets), (config, device.stream)
    assert device.media.dvpp_vpc_batch_crop_resize_async(*head, batch.crops, *tail) == 0
    batch.check()
    resize_paste = device.media.dvpp_vpc_batch_crop_resize_paste_async
    assert resize_paste(*head, batch.crops, batch.pastes, *tail) == 0
    batch.check()
    device.media.dvpp_destroy_resize_config(config)


def test_a_batch_follows_its_mode(device: Board, batch: Batch) -> None:
    media = device.media
    config = media.dvpp_create_resize_config()
    media.dvpp_set_resize_config_interpolation(config, 2)
    area = media.dvpp_create_roi_config(10, 19, 6, 13)
    arguments = (device.channel, batch.sources, [1], batch.targets, [area], config)
    assert media.dvpp_vpc_batch_crop_resize_async(*arguments, device.stream) == 0
    assert device.wait() == 0
    part = noise_picture(64, 48, 0)[0][6:14, 10:20]
    found = device.planes(media.dvpp_get_pic_desc(batch.targets, 0))[0]
    assert np.array_equal(found, part.repeat(2, axis=0).repeat(2, axis=1))
    media.dvpp_destroy_roi_config(area)
    media.dvpp_destroy_resize_config(config)


def test_batches_with_numbers_that_do_not_fit_are_refused(device: Board, batch: Batch) -> None:
    crop = device.media.dvpp_vpc_batch_crop_async
    for counts in ([1, 1], [3, 0], [1, 1, 1], [2, 2]):
        found = crop(
            device.channel, batch.sources, counts, batch.targets, batch.crops, device.stream
        )
        assert found == (0, 100000)
    four = [*batch.crops, batch.crops[0]]
    found = crop(device.channel, batch.sources, [2, 2], batch.targets, four, device.stream)
    assert found == (0, 100000)


@pytest.mark.parametrize("counts", [[], [257], [-1], [1] * 257])
def test_more_than_256_areas_are_a_value_error(device: Board, batch: Batch, counts: list) -> None:
    crop = device.media.dvpp_vpc_batch_crop_async
    with pytest.raises(ValueError, match="between 1 and 256"):
        crop(device.channel, batch.sources, counts, batch.targets, batch.crops, device.stream)


def test_a_batch_wants_lists_of_ints(device: Board, batch: Batch) -> None:
    crop = device.media.dvpp_vpc_batch_crop_async
    for counts in ((1, 2), [1.0, 2.0]):
        with pytest.raises(TypeError):
            crop(device.channel, batch.sources, counts, batch.targets, batch.crops, device.stream)


def test_as_many_paste_areas_as_crop_areas(device: Board, batch: Batch) -> None:
    paste = device.media.dvpp_vpc_batch_crop_and_paste_async
    head = (device.channel, batch.sources, [1, 2], batch.targets)
    with pytest.raises(ValueError, match="between 1 and 256"):
        paste(*head, batch.crops, batch.pastes[:2], device.stream)
