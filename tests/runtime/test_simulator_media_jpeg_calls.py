"""JPEGD and JPEGE as a program meets them."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import pytest
from media_device import (
    NV12,
    NV21,
    Board,
    board,
    jpeg_bytes,
    nv12,
    smooth_rgb,
    to_rgb,
)

JPEG = jpeg_bytes(smooth_rgb(100, 70))


@pytest.fixture(params=["rc", "ep"])
def either(request: pytest.FixtureRequest) -> Iterator[Board]:
    with board(request.param) as opened:
        yield opened


@pytest.fixture
def device() -> Iterator[Board]:
    with board() as opened:
        yield opened


def host_pointer(device: Board, data: bytes) -> int:
    return int(device.acl.util.bytes_to_ptr(data))


def test_what_a_file_says(either: Board) -> None:
    pointer = host_pointer(either, JPEG)
    assert either.media.dvpp_jpeg_get_image_info(pointer, len(JPEG)) == (100, 70, 3, 0)
    assert either.media.dvpp_jpeg_get_image_info_v2(pointer, len(JPEG)) == (100, 70, 3, 2, 0)
    size = 128 * 80 * 3 // 2
    assert either.media.dvpp_jpeg_predict_dec_size(pointer, len(JPEG), NV21) == (size, 0)
    assert either.media.dvpp_jpeg_predict_dec_size(pointer, len(JPEG), 12) == (0, 100027)


def test_what_is_no_file(device: Board) -> None:
    junk = b"no picture at all"
    pointer = host_pointer(device, junk)
    assert device.media.dvpp_jpeg_get_image_info(pointer, len(junk)) == (0, 0, 0, 500001)
    assert device.media.dvpp_jpeg_get_image_info(0, 10) == (0, 0, 0, 100000)
    assert device.media.dvpp_jpeg_get_image_info_v2(pointer, len(junk)) == (0, 0, 0, 1000, 500001)
    assert device.media.dvpp_jpeg_predict_dec_size(pointer, len(junk), NV12) == (0, 500001)


def test_a_card_can_not_look_at_a_file_in_its_own_memory() -> None:
    with board("ep") as device:
        pointer = device.upload(JPEG)
        assert device.media.dvpp_jpeg_get_image_info(pointer, len(JPEG))[-1] != 0
        device.media.dvpp_free(pointer)


def decoded(device: Board, file: bytes, **fields: int) -> int:
    """A description for the output: address, size and format, and nothing else unless asked."""
    desc = device.media.dvpp_create_pic_desc()
    size = fields.pop("size", 128 * 1024)
    given = {"data": device.upload(bytes(size)), "size": size, "format": NV12, **fields}
    device.describe(desc, **given)
    return int(desc)


@pytest.mark.parametrize("number", [NV12, NV21])
def test_decode(either: Board, number: int) -> None:
    source, output = either.upload(JPEG), decoded(either, JPEG, format=number)
    decode = either.media.dvpp_jpeg_decode_async
    assert decode(either.channel, source, len(JPEG), output, either.stream) == 0
    assert either.wait() == 0
    at = either.fields(output)
    assert (at["width"], at["height"]) == (100, 70)
    assert (at["width_stride"], at["height_stride"]) == (128, 80)
    luma, chroma = either.planes(output)
    chroma = chroma if number == NV12 else chroma[..., ::-1]
    assert np.abs(to_rgb(luma, chroma) - smooth_rgb(100, 70)).mean() < 2.5
    assert either.media.dvpp_get_pic_desc_ret_code(output) == 0
    either.media.dvpp_free(source)
    either.release(output)


def test_decode_a_file_with_odd_sides_as_wrappers_describe_it(device: Board) -> None:
    file = jpeg_bytes(smooth_rgb(101, 71))
    asked = dict(width=101, height=71, width_stride=128, height_stride=80)
    source, output = device.upload(file), decoded(device, file, **asked)
    decode = device.media.dvpp_jpeg_decode_async
    assert decode(device.channel, source, len(file), output, device.stream) == 0
    assert device.wait() == 0
    assert (device.fields(output)["width"], device.fields(output)["height"]) == (102, 72)
    device.media.dvpp_free(source)
    device.release(output)


@pytest.mark.parametrize(
    ("file", "fields", "at_once", "later"),
    [
        (JPEG, {"format": 12}, 100027, 0),
        (JPEG, {"width": 98}, 0, 100000),
        (JPEG, {"height": 72}, 0, 100000),
        (JPEG, {"width_stride": 112}, 0, 100000),
        (JPEG, {"height_stride": 70}, 0, 100000),
        (JPEG, {"size": 128 * 80 * 3 // 2 - 1}, 0, 100000),
        (jpeg_bytes(smooth_rgb(64, 64), progressive=True), {}, 0, 148052),
        (jpeg_bytes(smooth_rgb(64, 30)), {}, 0, 100000),
        (JPEG[: len(JPEG) // 2], {}, 0, 500001),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else str(value),
)
def test_decode_what_can_not_be_decoded(
    device: Board, file: bytes, fields: dict, at_once: int, later: int
) -> None:
    source, output = device.upload(file), decoded(device, file, **fields)
    decode = device.media.dvpp_jpeg_decode_async
    assert decode(device.channel, source, len(file), output, device.stream) == at_once
    assert device.wait() == later
    assert bool(device.media.dvpp_get_pic_desc_ret_code(output)) == bool(later)
    device.media.dvpp_free(source)
    device.release(output)


def test_progressive_files_are_told_before_they_are_decoded(device: Board) -> None:
    file = jpeg_bytes(smooth_rgb(64, 64), progressive=True)
    pointer = host_pointer(device, file)
    assert device.media.dvpp_jpeg_get_image_info(pointer, len(file)) == (64, 64, 3, 0)
    assert device.media.dvpp_jpeg_predict_dec_size(pointer, len(file), NV12) == (0, 148052)


def test_a_file_must_lie_at_a_multiple_of_128_in_memory_of_dvpp(device: Board) -> None:
    source, output = device.upload(bytes(64) + JPEG), decoded(device, JPEG)
    decode = device.media.dvpp_jpeg_decode_async
    assert decode(device.channel, source + 64, len(JPEG), output, device.stream) == 200003
    assert decode(device.channel, source, len(JPEG) + 65, output, device.stream) == 100000
    host = host_pointer(device, JPEG)
    assert decode(device.channel, host, len(JPEG), output, device.stream) == 100000
    device.media.dvpp_free(source)
    device.release(output)


def test_the_output_must_be_memory_of_dvpp_at_a_multiple_of_16(device: Board) -> None:
    source, output = device.upload(JPEG), decoded(device, JPEG)
    own, (plain, _) = device.fields(output)["data"], device.acl.rt.malloc(128 * 1024, 2)
    decode = device.media.dvpp_jpeg_decode_async
    for data, code in ((own + 8, 200003), (own + 16, 0), (plain, 100000)):
        device.describe(output, data=data, size=120 * 1024)
        ret = decode(device.channel, source, len(JPEG), output, device.stream)
        assert (ret, device.wait()) == (code, 0)
    device.describe(output, data=own)
    device.acl.rt.free(plain)
    device.media.dvpp_free(source)
    device.release(output)


def encoder(device: Board, level: int) -> int:
    config = int(device.media.dvpp_create_jpege_config())
    device.media.dvpp_set_jpege_config_level(config, level)
    return config


def test_encode_and_decode_again(either: Board) -> None:
    media = either.media
    luma = np.tile(np.arange(0, 192, 2, dtype=np.uint8), (64, 1))
    chroma = np.full((32, 48, 2), (90, 160), np.uint8)
    source = either.picture(nv12(luma, chroma, 96, 64), width=96, height=64)
    config = encoder(either, 100)
    size, ret = media.dvpp_jpeg_predict_enc_size(source, config)
    assert (size, ret) == (2 * 1024 * 1024, 0)
    output, _ = media.dvpp_malloc(size)
    room = np.array([size], np.uint32)
    pointer = int(room.ctypes.data)
    encode = media.dvpp_jpeg_encode_async
    assert encode(either.channel, source, output, pointer, config, either.stream) == 0
    assert either.wait() == 0
    assert 100 < room[0] < 20_000
    file = either.download(output, int(room[0])).tobytes()
    host = host_pointer(either, file)
    assert media.dvpp_jpeg_get_image_info_v2(host, len(file)) == (96, 64, 3, 2, 0)
    back = decoded(either, file)
    assert media.dvpp_jpeg_decode_async(either.channel, output, len(file), back, either.stream) == 0
    assert either.wait() == 0
    assert np.abs(either.planes(back)[0].astype(int) - luma).max() <= 2
    assert np.abs(either.planes(back)[1].astype(int) - chroma).max() <= 2
    media.dvpp_destroy_jpege_config(config)
    media.dvpp_free(output)
    either.release(source, back)


def refused_encode(change: Callable[[Board, int, np.ndarray], None], level: int = 100) -> tuple:
    with board() as device:
        source = device.picture(width=96, height=64)
        start = device.fields(source)["data"]
        room = np.array([4096], np.uint32)
        change(device, source, room)
        config = encoder(device, level)
        output, _ = device.media.dvpp_malloc(4096)
        encode = device.media.dvpp_jpeg_encode_async
        pointer = int(room.ctypes.data)
        ret = encode(device.channel, source, output, pointer, config, device.stream)
        later = device.wait()
        assert encode(device.channel, source, output, 0, config, device.stream) == 100000
        device.media.dvpp_destroy_jpege_config(config)
        device.media.dvpp_free(output)
        device.describe(source, data=start)
        device.release(source)
        return ret, later


def test_encode_what_can_not_be_encoded() -> None:
    def nothing(device: Board, source: int, room: np.ndarray) -> None:
        pass

    def odd(device: Board, source: int, room: np.ndarray) -> None:
        device.describe(source, width=95)

    def little_memory(device: Board, source: int, room: np.ndarray) -> None:
        device.describe(source, size=96 * 96 - 1)

    def more_room_than_there_is(device: Board, source: int, room: np.ndarray) -> None:
        room[0] = 4097

    def little_room(device: Board, source: int, room: np.ndarray) -> None:
        room[0] = 100

    def unaligned(device: Board, source: int, room: np.ndarray) -> None:
        start = device.fields(source)["data"]
        device.describe(source, data=start + 8, height=32, height_stride=32)

    assert refused_encode(nothing) == (0, 0)
    assert refused_encode(unaligned) == (200003, 0)
    assert refused_encode(nothing, level=101) == (100000, 0)
    assert refused_encode(odd) == (100000, 0)
    assert refused_encode(little_memory) == (100000, 0)
    assert refused_encode(more_room_than_there_is) == (100000, 0)
    assert refused_encode(little_room) == (0, 500001)
