"""Headers of JPEG files and of video streams, read without decoding."""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path
from typing import List

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from atlas_hpe.errors import SourceError
from atlas_hpe_runtime.acl.dvpp.bits import BitReader, unescape
from atlas_hpe_runtime.acl.dvpp.jpeg_header import JpegHeader, read_jpeg_header
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader, find_header, nal_units
from dvpp_device import jpeg_bytes, smooth_picture

PICTURE = smooth_picture(70, 50)


@pytest.mark.parametrize(
    ("subsampling", "luma"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))]
)
def test_size_and_sampling_of_a_jpeg(subsampling: str, luma: tuple) -> None:
    header = read_jpeg_header(jpeg_bytes(PICTURE, subsampling=subsampling))
    assert header == JpegHeader(70, 50, 0, 8, (luma, (1, 1), (1, 1)))


def test_a_grey_jpeg_has_one_component() -> None:
    assert read_jpeg_header(jpeg_bytes(PICTURE[..., 0])).sampling == ((1, 1),)


def test_a_progressive_jpeg_is_recognised() -> None:
    assert read_jpeg_header(jpeg_bytes(PICTURE, progressive=True)).coding == 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_a_photograph(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg_bytes(PICTURE, exif=exif.tobytes())
    assert read_jpeg_header(data).orientation == orientation


def test_a_damaged_exif_block_does_not_hide_the_picture() -> None:
    exif = b"Exif\0\0II\x2a\0\xff\xff\0\0"
    assert read_jpeg_header(jpeg_bytes(PICTURE, exif=exif)).width_px == 70


def test_a_jpeg_that_stores_rgb_is_recognised() -> None:
    file = io.BytesIO()
    Image.fromarray(np.dstack([PICTURE, PICTURE[..., :1]]), "CMYK").save(file, "JPEG")
    assert len(read_jpeg_header(file.getvalue()).sampling) == 4
    start = jpeg_bytes(PICTURE)
    adobe = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"  # transform 0: no luma
    assert read_jpeg_header(start[:2] + adobe + start[2:]).is_rgb
    assert not read_jpeg_header(start).is_rgb
    named = start.replace(
        b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01", b"\x03R\x22\0G\x11\x01B\x11\x01"
    )
    assert named != start
    assert read_jpeg_header(named).is_rgb
    # Adobe's marker counts more than the names.
    assert not read_jpeg_header(named[:2] + adobe[:-1] + b"\1" + named[2:]).is_rgb


def test_fill_bytes_in_front_of_a_marker_are_skipped() -> None:
    data = jpeg_bytes(PICTURE)
    assert read_jpeg_header(data[:2] + b"\xff\xff" + data[2:]).height_px == 50


def test_what_is_no_jpeg_is_refused() -> None:
    with pytest.raises(SourceError, match="not a JPEG") as caught:
        read_jpeg_header(b"\x89PNG....", where="a.png")
    assert caught.value.where == "a.png"


@given(st.integers(2, 400))
def test_a_jpeg_that_is_cut_off_is_refused_or_told_right(size: int) -> None:
    data = jpeg_bytes(PICTURE)
    try:
        header = read_jpeg_header(data[:size])
    except SourceError as error:
        assert "damaged" in error.what
    else:
        assert (header.width_px, header.height_px) == (70, 50)


def test_a_size_that_is_told_behind_the_pixels_does_not_count() -> None:
    data = jpeg_bytes(PICTURE)
    with pytest.raises(SourceError, match="damaged"):
        read_jpeg_header(data[:2] + b"\xff\xda\0\4ab" + data[2:])


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_marker_give_a_header_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        read_jpeg_header(b"\xff\xd8" + data)


def golomb(value: int) -> str:
    digits = bin(value + 1)[2:]
    return "0" * (len(digits) - 1) + digits


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


@given(st.lists(st.integers(0, 100000), max_size=8))
def test_exp_golomb_numbers_come_back(numbers: List[int]) -> None:
    reader = BitReader(packed("".join(map(golomb, numbers))))
    assert [reader.golomb() for _ in numbers] == numbers


def test_signed_exp_golomb_numbers() -> None:
    reader = BitReader(packed("".join(golomb(value) for value in range(5))))
    assert [reader.signed_golomb() for _ in range(5)] == [0, 1, -1, 2, -2]


def test_reading_past_the_end_is_an_error() -> None:
    with pytest.raises(EOFError):
        BitReader(b"\0").number(9)
    with pytest.raises(EOFError):
        BitReader(b"\0" * 20).golomb()


def test_bytes_that_avoid_start_codes_are_taken_out() -> None:
    assert unescape(b"\0\0\3\1\0\0\3\0\0\3") == b"\0\0\1\0\0\0\0"


def test_nal_units_are_found_with_both_start_codes() -> None:
    data = b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\0\1\x65d"
    assert list(nal_units(data)) == [b"\x67ab", b"\x68c", b"\x65d"]


def encode(path: Path, *options: str, size: str = "320x240") -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "lavfi"]
    command += ["-i", f"testsrc=size={size}:rate=25:duration=0.2", *options, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    [
        (["-pix_fmt", "yuv420p"], "320x240", (100, 320, 240, 1, 8, False)),
        (["-pix_fmt", "yuv420p"], "318x238", (100, 318, 238, 1, 8, False)),
        (["-pix_fmt", "yuv420p", "-profile:v", "main"], "320x240", (77, 320, 240, 1, 8, False)),
        (["-pix_fmt", "yuv420p", "-profile:v", "baseline"], "320x240", (66, 320, 240, 1, 8, False)),
        (["-pix_fmt", "yuv422p"], "320x240", (122, 320, 240, 2, 8, False)),
        (["-pix_fmt", "yuv444p"], "320x240", (244, 320, 240, 3, 8, False)),
        (["-pix_fmt", "yuv420p10le"], "320x240", (110, 320, 240, 1, 10, False)),
        (["-pix_fmt", "yuv420p", "-flags", "+ildct+ilme"], "320x240", (100, 320, 240, 1, 8, True)),
        (
            ["-pix_fmt", "yuv420p", "-x264-params", "cqm=jvt"],
            "320x240",
            (100, 320, 240, 1, 8, False),
        ),
        (
            ["-pix_fmt", "yuv420p", "-x264-params", f"cqm4={','.join(map(str, range(10, 26)))}"],
            "320x240",
            (100, 320, 240, 1, 8, False),
        ),
    ],
)
def test_the_header_of_h264(tmp_path: Path, options: list, size: str, expected: tuple) -> None:
    data = encode(tmp_path / "a.h264", "-c:v", "libx264", *options, size=size)
    header = find_header(data, "h264")
    assert header is not None
    profile, *rest = expected
    assert header == VideoHeader("h264", profile, header.level, *rest)
    assert header.level in range(9, 31)


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    [
        (["-pix_fmt", "yuv420p"], "320x240", (1, 320, 240, 1, 8, False)),
        (["-pix_fmt", "yuv420p"], "318x238", (1, 318, 238, 1, 8, False)),
        (["-pix_fmt", "yuv420p10le"], "320x240", (2, 320, 240, 1, 10, False)),
        (["-pix_fmt", "yuv444p"], "320x240", (4, 320, 240, 3, 8, False)),
        (
            ["-pix_fmt", "yuv420p", "-x265-params", "temporal-layers=3:log-level=0"],
            "320x240",
            (1, 320, 240, 1, 8, False),
        ),
    ],
)
def test_the_header_of_h265(tmp_path: Path, options: list, size: str, expected: tuple) -> None:
    quiet = ["-x265-params", "log-level=0"]
    data = encode(tmp_path / "a.hevc", "-c:v", "libx265", *quiet, *options, size=size)
    header = find_header(data, "h265")
    assert header is not None
    profile, *rest = expected
    assert header == VideoHeader("h265", profile, header.level, *rest)
    assert header.level in range(10, 31)


def test_interlaced_h265_is_recognised(tmp_path: Path) -> None:
    options = ["-c:v", "libx265", "-pix_fmt", "yuv420p"]
    options += ["-x265-params", "interlace=tff:log-level=0"]
    header = find_header(encode(tmp_path / "a.hevc", *options, size="320x480"), "h265")
    assert header is not None
    assert header.interlaced


@pytest.mark.parametrize(
    ("codec", "options", "name"),
    [
        ("h264", ["-c:v", "libx264"], "h264"),
        ("h265", ["-c:v", "libx265", "-x265-params", "log-level=0"], "hevc"),
    ],
)
def test_pixels_that_are_cut_off_at_the_left(
    tmp_path: Path, codec: str, options: List[str], name: str
) -> None:
    cut = ["-pix_fmt", "yuv420p", "-bsf:v", f"{name}_metadata=crop_left=16:crop_bottom=8"]
    data = encode(tmp_path / f"a.{name}", *options, *cut)
    header = find_header(data, codec)
    assert header is not None
    assert (header.width_px, header.height_px, header.cropped) == (304, 232, True)


def test_a_stream_without_a_header_has_none() -> None:
    assert find_header(b"\0\0\1\x65abc", "h264") is None
    assert find_header(b"\0\0\1", "h264") is None
    assert find_header(b"", "h265") is None


@given(st.binary(max_size=40), st.sampled_from(["h264", "h265"]))
def test_any_bytes_give_a_header_or_the_one_error(body: bytes, codec: str) -> None:
    start = b"\x67" if codec == "h264" else b"\x42\x01"
    try:
        find_header(b"\0\0\1" + start + body, codec)
    except SourceError as error:
        assert "sequence parameter set" in str(error.why)


def test_a_header_that_ends_too_early_is_refused() -> None:
    with pytest.raises(SourceError, match="damaged"):
        find_header(b"\0\0\1\x67\x64\x00\x1e\xac", "h264", where="a.mp4")
