"""JPEG files: their heads, and decoding and encoding as the board does."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_device import jpeg_bytes, smooth_rgb, to_rgb
from PIL import Image

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.media.jpeg import decode_jpeg, encode_jpeg
from atlas_hpe_runtime.simulator.media.jpeg_file import read_jpeg_head
from atlas_hpe_runtime.simulator.media.planes import Planes

RGB = smooth_rgb(96, 64)
FILE = jpeg_bytes(RGB)


def with_orientation(rgb: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg_bytes(rgb, exif=exif.tobytes())


@pytest.mark.parametrize(("subsampling", "sampling"), [(0, 0), (1, 1), (2, 2)])
def test_the_head_says_size_and_sampling(subsampling: int, sampling: int) -> None:
    head = read_jpeg_head(jpeg_bytes(RGB, subsampling=subsampling))
    assert (head.size, head.components, head.sampling) == ((96, 64), 3, sampling)
    assert head.is_supported


def test_the_head_of_a_grey_file() -> None:
    head = read_jpeg_head(jpeg_bytes(RGB, "L"))
    assert (head.components, head.sampling, head.is_supported) == (1, 3, True)


def test_files_that_the_board_does_not_decode() -> None:
    progressive = jpeg_bytes(RGB, progressive=True)
    cmyk = jpeg_bytes(RGB, "CMYK")
    frame = FILE.index(b"\xff\xc0")
    arithmetic = FILE[: frame + 1] + b"\xc9" + FILE[frame + 2 :]
    twelve_bit = FILE[: frame + 4] + b"\x0c" + FILE[frame + 5 :]
    # Y sampled four times as often as Cb and Cr along a row: 4:1:1.
    thin = FILE[: frame + 11] + b"\x41" + FILE[frame + 12 :]
    names = bytearray(FILE)
    for index, name in enumerate(b"RGB"):
        names[frame + 10 + 3 * index] = name
    for file in (progressive, cmyk, arithmetic, twelve_bit, thin, bytes(names)):
        assert not read_jpeg_head(file).is_supported
        with pytest.raises(AclFailure) as caught:
            decode_jpeg(file)
        assert caught.value.code == 148052


def test_adobes_marker_says_whether_it_is_rgb() -> None:
    marker = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0"
    assert not read_jpeg_head(FILE[:2] + marker + b"\0" + FILE[2:]).is_ycc
    assert read_jpeg_head(FILE[:2] + marker + b"\1" + FILE[2:]).is_ycc


@given(st.integers(0, FILE.index(b"\xff\xda")))
def test_a_file_that_ends_in_its_head_fails_with_500001(length: int) -> None:
    with pytest.raises(AclFailure) as caught:
        read_jpeg_head(FILE[:length])
    assert caught.value.code == 500001


@given(st.integers(2, FILE.index(b"\xff\xda")), st.binary(max_size=40))
def test_a_damaged_head_fails_with_500001_or_is_read(place: int, junk: bytes) -> None:
    try:
        read_jpeg_head(FILE[:place] + junk + FILE[place + len(junk) :])
    except AclFailure as failure:
        assert failure.code == 500001


def test_a_file_that_ends_in_its_picture_fails_with_500001() -> None:
    with pytest.raises(AclFailure) as caught:
        decode_jpeg(FILE[: len(FILE) // 2])
    assert caught.value.code == 500001


def test_bytes_behind_the_file_do_not_matter() -> None:
    assert np.array_equal(decode_jpeg(FILE + bytes(100)).luma, decode_jpeg(FILE).luma)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_picture_is_decoded_in_full_range(subsampling: int) -> None:
    planes = decode_jpeg(jpeg_bytes(RGB, subsampling=subsampling))
    assert planes.luma.shape == (64, 96)
    assert planes.chroma.shape == (32, 48, 2)
    assert np.abs(to_rgb(planes.luma, planes.chroma) - RGB).mean() < 2.5


def test_black_and_white_keep_0_and_255() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 32:] = 255
    planes = decode_jpeg(jpeg_bytes(rgb, quality=100))
    assert (planes.luma.min(), planes.luma.max()) == (0, 255)


def test_chroma_of_420_comes_out_as_stored() -> None:
    rng = np.random.default_rng(4)
    # Blocks of 16 pixels are one DCT block of chroma: only its mean, so nothing is lost.
    stored = rng.integers(60, 190, (4, 6, 2), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    planes = Planes(np.full((64, 96), 128, np.uint8), stored)
    found = decode_jpeg(encode_jpeg(planes, 100))
    assert np.abs(found.chroma.astype(int) - stored).max() <= 1
    assert np.abs(found.luma.astype(int) - 128).max() <= 1


def test_a_grey_file_has_chroma_128() -> None:
    planes = decode_jpeg(jpeg_bytes(RGB, "L"))
    assert planes.chroma.shape == (32, 48, 2)
    assert (planes.chroma == 0x80).all()


@given(st.integers(32, 50), st.integers(32, 50), st.sampled_from([0, 1, 2]), st.booleans())
def test_odd_sides_are_rounded_up(width: int, height: int, subsampling: int, grey: bool) -> None:
    options = {} if grey else {"subsampling": subsampling}
    planes = decode_jpeg(jpeg_bytes(smooth_rgb(width, height), "L" if grey else "RGB", **options))
    assert planes.luma.shape == (height + height % 2, width + width % 2)
    assert planes.chroma.shape == ((height + 1) // 2, (width + 1) // 2, 2)
    if width % 2:
        assert np.array_equal(planes.luma[:, -1], planes.luma[:, -2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_asks(orientation: int) -> None:
    file = with_orientation(RGB, orientation)
    with Image.open(io.BytesIO(file)) as image:
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(image))
    head = read_jpeg_head(file)
    assert head.size == (upright.shape[1], upright.shape[0])
    planes = decode_jpeg(file)
    assert np.abs(to_rgb(planes.luma, planes.chroma) - upright).mean() < 2.5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("value", "expected"), [(0, 1), (6, 6), (8, 8), (9, 1)])
def test_exif_of_both_byte_orders(order: str, value: int, expected: int) -> None:
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    tiff += struct.pack(order + "HHHIHH", 1, 0x0112, 3, 1, value, 0)
    segment = b"Exif\0\0" + tiff
    marker = b"\xff\xe1" + struct.pack(">H", len(segment) + 2)
    assert read_jpeg_head(FILE[:2] + marker + segment + FILE[2:]).orientation == expected


def test_fill_bytes_before_a_marker_are_passed_over() -> None:
    assert read_jpeg_head(FILE[:2] + b"\xff\xff" + FILE[2:]).size == (96, 64)


def test_a_head_without_a_frame_or_with_an_empty_one_fails() -> None:
    frame = FILE.index(b"\xff\xc0")
    no_height = FILE[: frame + 5] + b"\0\0" + FILE[frame + 7 :]
    short = FILE[:frame] + b"\xff\xc0\x00\x05\x08\x00\x40" + FILE[FILE.index(b"\xff\xda") :]
    for data in (b"\xff\xd8\xff\xda\0\2", b"\xff\xd8\xff\xd9", no_height, short):
        with pytest.raises(AclFailure) as caught:
            read_jpeg_head(data)
        assert caught.value.code == 500001


def test_a_broken_exif_is_passed_over() -> None:
    file = with_orientation(RGB, 6)
    start = file.index(b"Exif\0\0") + 6
    for junk in (b"XX", b"II*\0\xff\xff\xff\x7f"):
        broken = file[:start] + junk + file[start + len(junk) :]
        assert read_jpeg_head(broken).orientation == 1


def test_level_0_is_as_good_as_100_and_1_is_worst() -> None:
    planes = decode_jpeg(FILE)
    sizes = {level: len(encode_jpeg(planes, level)) for level in (0, 1, 50, 100)}
    assert sizes[0] == sizes[100] > sizes[50] > sizes[1]


def test_an_encoded_file_is_baseline_420_and_any_reader_opens_it() -> None:
    file = encode_jpeg(decode_jpeg(FILE), 95)
    head = read_jpeg_head(file)
    assert (head.frame, head.sampling, head.size) == (0xC0, 2, (96, 64))
    read = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read.astype(int) - RGB).mean() < 3


def test_real_photos(shared_data: Path) -> None:
    files = sorted((shared_data / "annotated").rglob("*.jpg"))[:4]
    assert files
    for file in files:
        data = file.read_bytes()
        planes = decode_jpeg(data)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        height, width = expected.shape[:2]
        assert read_jpeg_head(data).size == (width, height)
        found = to_rgb(planes.luma, planes.chroma)[:height, :width].clip(0, 255)
        assert np.abs(found - expected).mean() < 3
