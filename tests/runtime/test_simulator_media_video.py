"""VDEC: annex-B streams into pictures, told to a callback thread."""

from __future__ import annotations

import io
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import imageio_ffmpeg
import numpy as np
import pytest
from media_device import NV12, NV21, Board, board
from media_video import H265, HEIGHT, PLAIN, WIDTH, Decoder, h264_pieces, split, spot_x

from atlas_hpe_runtime.simulator.media.annexb import AccessUnit, read_access_unit
from atlas_hpe_runtime.simulator.media.decoder import read_y4m
from atlas_hpe_runtime.simulator.media.planes import Planes
from clips import encode, spot_frames


@pytest.fixture
def device() -> Iterator[Board]:
    with board() as opened:
        yield opened


def wait_for(condition: object, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


# Access units


def test_what_a_piece_of_a_stream_holds() -> None:
    start = b"\0\0\0\1"
    key, other = start + b"\x65\x88", start + b"\x41\x9a"
    assert read_access_unit(start + b"\x67\x42" + start + b"\x68\x01" + key, "h264") == (
        AccessUnit(1, True)
    )
    assert read_access_unit(other, "h264") == AccessUnit(1, False)
    assert read_access_unit(other + start + b"\x41\x1a", "h264") == AccessUnit(1, False)
    assert read_access_unit(key + other, "h264") == AccessUnit(2, True)
    assert read_access_unit(start + b"\x67\x42", "h264") == AccessUnit(0, True)
    assert read_access_unit(start + b"\x26\x01\xaf", "hevc") == AccessUnit(1, True)
    assert read_access_unit(start + b"\x02\x01\xd0", "hevc") == AccessUnit(1, False)
    assert read_access_unit(start + b"\x02\x01\x50", "hevc") == AccessUnit(0, False)
    assert read_access_unit(start + b"\x42\x01\x01", "hevc") == AccessUnit(0, True)
    assert read_access_unit(start[1:] + b"\x65\x88", "h264") == AccessUnit(1, True)


@pytest.mark.parametrize("data", [b"", b"\0\0\x20\0\x65\x88", b"\x01\0\0\1\x65\x88", b"\0\0\0"])
def test_what_does_not_begin_with_a_start_code_is_no_annex_b(data: bytes) -> None:
    assert read_access_unit(data, "h264") is None


@pytest.mark.parametrize("data", [b"\0\0\1", b"\0\0\1\x65", b"\0\0\1\x02\x01"])
def test_a_cut_piece_is_looked_at_without_harm(data: bytes) -> None:
    for codec in ("h264", "hevc"):
        assert read_access_unit(data, codec) is not None


# Decoding


@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_each_frame_is_told_once_in_order_in_the_callback_thread(tmp_path: Path, mode: str) -> None:
    pieces = h264_pieces(tmp_path, 15)
    assert len(pieces) == 15
    with board(mode) as device:
        decoder = Decoder(device)
        assert decoder.open_code == 0
        for index, piece in enumerate(pieces):
            decoder.send(piece, ("frame", index))
        assert decoder.end() == 0
        assert [user_data for user_data, *_ in decoder.told] == [
            ("frame", index) for index in range(15)
        ]
        assert [code for _, code, *_ in decoder.told] == [0] * 15
        assert [spot_x(luma) for _, _, luma, _ in decoder.told] == [8 + i for i in range(15)]
        assert decoder.threads == {decoder.thread}
        fields = decoder.told[0][3]
        assert (fields["width"], fields["height"], fields["format"]) == (WIDTH, HEIGHT, NV12)
        assert (fields["width_stride"], fields["height_stride"]) == (WIDTH, HEIGHT)
        decoder.close()


def test_without_b_frames_a_frame_is_told_before_the_next_is_sent(
    device: Board, tmp_path: Path
) -> None:
    decoder = Decoder(device)
    for index, piece in enumerate(h264_pieces(tmp_path, 4, "-tune", "zerolatency")):
        decoder.send(piece, index)
        assert wait_for(lambda count=index + 1: len(decoder.told) == count)
    decoder.close()


def test_b_frames_come_in_order_of_display(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 12, "-preset", "medium", "-bf", "2", "-profile:v", "high")
    decoder = Decoder(device, entype=3)
    for index, piece in enumerate(pieces):
        decoder.send(piece, index)
    assert decoder.end() == 0
    assert [spot_x(luma) for _, _, luma, _ in decoder.told] == [8 + i for i in range(12)]
    assert [user_data for user_data, *_ in decoder.told] == list(range(12))
    decoder.close()


def test_h265(device: Board, tmp_path: Path) -> None:
    frames = spot_frames(8, WIDTH, HEIGHT)
    options = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
    path = encode(frames, tmp_path / "clip.hevc", *options, "-pix_fmt", "yuv420p")
    decoder = Decoder(device, entype=H265)
    for index, piece in enumerate(split(path.read_bytes(), "hevc")):
        decoder.send(piece, index)
    assert decoder.end() == 0
    assert [spot_x(luma) for _, _, luma, _ in decoder.told] == [8 + i for i in range(8)]
    decoder.close()


def test_values_are_kept_in_the_range_that_the_stream_has(device: Board, tmp_path: Path) -> None:
    frames = np.full((2, HEIGHT, WIDTH, 3), 255, np.uint8)
    for name, value in (("yuv420p", 235), ("yuvj420p", 255)):
        path = encode(frames, tmp_path / f"{name}.h264", *PLAIN, "-pix_fmt", name)
        decoder = Decoder(device)
        for piece in split(path.read_bytes(), "h264"):
            decoder.send(piece, name)
        decoder.end()
        assert [int(np.median(luma)) for _, _, luma, _ in decoder.told] == [value] * 2
        decoder.close()


def test_after_the_end_another_stream_may_begin(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 3)
    decoder = Decoder(device)
    for round_number in range(2):
        for index, piece in enumerate(pieces):
            decoder.send(piece, (round_number, index))
        assert decoder.end() == 0
        assert len(decoder.told) == 3 * (round_number + 1)
    assert [spot_x(luma) for _, _, luma, _ in decoder.told] == [8, 9, 10] * 2
    decoder.close()


def test_closing_a_channel_tells_what_is_left(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 8, "-preset", "medium", "-bf", "2")
    decoder = Decoder(device)
    for index, piece in enumerate(pieces):
        decoder.send(piece, index)
    decoder.close()
    assert len(decoder.told) == 8


def test_skipped_frames_are_decoded_but_not_given(device: Board, tmp_path: Path) -> None:
    decoder = Decoder(device)
    for index, piece in enumerate(h264_pieces(tmp_path, 6)):
        (decoder.skip if index % 2 else decoder.send)(piece, index)
    decoder.end()
    assert decoder.skipped == [1, 3, 5]
    assert [(data, spot_x(luma)) for data, _, luma, _ in decoder.told] == [(0, 8), (2, 10), (4, 12)]
    stream = decoder.media.dvpp_create_stream_desc()
    decoder.media.dvpp_set_stream_desc_eos(stream, 1)
    assert decoder.media.vdec_send_skipped_frame(decoder.desc, stream, 0, None) == 200006
    decoder.media.dvpp_destroy_stream_desc(stream)
    decoder.close()


def y4m(head: bytes, *pictures: bytes) -> List[Planes]:
    found: List[Planes] = []
    read_y4m(io.BytesIO(head + b"\n" + b"".join(b"FRAME\n" + p for p in pictures)), found.append)
    return found


def test_ten_bits_become_eight() -> None:
    values = np.array([4, 1023, 512, 7, 256, 516], "<u2").tobytes()
    (planes,) = y4m(b"YUV4MPEG2 W2 H2 F25:1 C420p10 XYSCSS=420P10", values)
    assert planes.luma.tolist() == [[1, 255], [128, 1]]
    assert planes.chroma.tolist() == [[[64, 129]]]


def test_only_whole_pictures_of_420_are_read() -> None:
    head = b"YUV4MPEG2 W2 H2 F25:1 Ip A1:1"
    assert len(y4m(head + b" C420jpeg", bytes(6), bytes(6))) == 2
    assert len(y4m(head, bytes(6), bytes(5))) == 1
    assert y4m(head + b" C422", bytes(8)) == []
    assert y4m(b"junk", bytes(6)) == []
    assert y4m(b"") == []


# What a picture is written into


def test_strides_of_16_and_2_where_the_width_is_no_multiple(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 2, width_px=150, height_px=130)
    decoder = Decoder(device, out_pic_format=NV21)
    decoder.send(pieces[0], "fits", size=160 * 130 * 3 // 2)
    decoder.send(pieces[1], "does not fit", size=150 * 130 * 3 // 2)
    decoder.end()
    fits, small = decoder.told
    assert fits[1] == 0
    assert (fits[3]["width"], fits[3]["width_stride"], fits[3]["height_stride"]) == (150, 160, 130)
    assert fits[3]["format"] == NV21
    assert (small[0], small[1]) == ("does not fit", 100000)
    decoder.close()


def test_a_picture_is_resized_where_another_size_is_asked_for(
    device: Board, tmp_path: Path
) -> None:
    pieces = h264_pieces(tmp_path, 2)
    decoder = Decoder(device, out_pic_width=80, out_pic_height=64)
    decoder.send(pieces[0], "by the channel")
    decoder.send(pieces[1], "by the picture", width=320, height=256, size=320 * 256 * 3 // 2)
    decoder.end()
    assert [luma.shape for _, _, luma, _ in decoder.told] == [(64, 80), (256, 320)]
    assert (spot_x(decoder.told[0][2][12:]) - 4) <= 1
    decoder.close()


# What goes wrong


def test_mp4_framing_is_no_annex_b_and_fails(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 3)
    decoder = Decoder(device)
    framed = (len(pieces[1]) + 70_000).to_bytes(4, "big") + pieces[1][3:]
    decoder.send(pieces[0], "good")
    decoder.send(framed, "avcC")
    decoder.send(pieces[2], "next")
    decoder.end()
    assert [(data, bool(code)) for data, code, *_ in decoder.told] == [
        ("good", False),
        ("avcC", True),
        ("next", False),
    ]
    assert any("start code" in note for note in device.machine.ledger.notes())
    decoder.close()


def test_frames_before_the_first_key_frame_fail(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 9)
    decoder = Decoder(device)
    for index, piece in enumerate(pieces[4:], start=4):
        decoder.send(piece, index)
    decoder.end()
    assert [(data, bool(code)) for data, code, *_ in decoder.told] == [
        (4, True),
        (5, True),
        (6, False),
        (7, False),
        (8, False),
    ]
    assert spot_x(decoder.told[2][2]) == 8 + 6
    decoder.close()


def test_one_frame_at_a_time(device: Board, tmp_path: Path) -> None:
    pieces = h264_pieces(tmp_path, 5)
    parameters_end = pieces[0].rindex(b"\0\0\1\x65")
    decoder = Decoder(device)
    decoder.send(pieces[0][:parameters_end], "none")
    decoder.send(pieces[0][parameters_end:], "one")
    decoder.send(pieces[1] + pieces[2], "two")
    decoder.send(pieces[3], "after")
    decoder.end()
    assert [(data, bool(code)) for data, code, *_ in decoder.told] == [
        ("none", True),
        ("one", False),
        ("two", True),
        ("after", False),
    ]
    assert spot_x(decoder.told[3][2]) == 8 + 3
    decoder.close()


def test_a_video_below_128_pixels_fails(device: Board, tmp_path: Path) -> None:
    decoder = Decoder(device)
    for piece in h264_pieces(tmp_path, 2, width_px=126):
        decoder.send(piece, None)
    decoder.end()
    assert [code for _, code, *_ in decoder.told] == [100000] * 2
    decoder.close()


def test_junk_fails_and_ends(device: Board) -> None:
    decoder = Decoder(device)
    junk = np.random.default_rng(1).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    decoder.send(b"\0\0\1\x67" + junk + b"\0\0\1\x65\x88" + junk, "junk")
    assert decoder.end() == 0
    assert [(data, bool(code)) for data, code, *_ in decoder.told] == [("junk", True)]
    decoder.close()


@pytest.mark.parametrize(
    "settings", [{"entype": 4}, {"out_pic_format": 12}, {"thread_id": 0}], ids=str
)
def test_settings_that_no_channel_has(device: Board, settings: dict) -> None:
    decoder = Decoder(device, **settings)
    assert decoder.open_code == 100000
    decoder.close()


def test_a_channel_number_is_open_once(device: Board) -> None:
    first = Decoder(device)
    second = Decoder(device)
    assert (first.open_code, second.open_code) == (0, 100000)
    second.close()
    third = Decoder(device, channel_id=4)
    assert third.open_code == 0
    assert third.media.vdec_create_channel(third.desc) == 100000
    assert third.media.vdec_destroy_channel_desc(third.desc) == 148051
    third.close()
    first.close()


def test_a_callback_comes_first(device: Board) -> None:
    media = device.media
    desc = media.vdec_create_channel_desc()
    assert media.vdec_set_channel_desc_thread_id(desc, 5) == 0
    assert media.vdec_create_channel(desc) == 100000
    with pytest.raises(RuntimeError, match="did not set callback"):
        media.vdec_send_frame(desc, 0, 0, 0, None)
    with pytest.raises(RuntimeError, match="did not set callback"):
        media.vdec_get_channel_desc_callback(desc)
    with pytest.raises(TypeError, match="callable"):
        media.vdec_set_channel_desc_callback(desc, 5)
    assert media.vdec_set_channel_desc_callback(desc, print) == 0
    assert media.vdec_get_channel_desc_callback(desc) is print
    assert media.vdec_send_frame(desc, 0, 0, 0, None) == 100000
    assert media.vdec_destroy_channel(desc) == 100000
    assert media.vdec_destroy_channel_desc(desc) == 0


def test_memory_must_be_dvpps(device: Board, tmp_path: Path) -> None:
    piece = h264_pieces(tmp_path, 1)[0]
    decoder = Decoder(device)
    media = decoder.media
    stream, picture = decoder.stream_desc(piece), decoder.pic_desc()
    plain, _ = device.acl.rt.malloc(4096, 2)
    own = media.dvpp_get_stream_desc_data(stream)
    media.dvpp_set_stream_desc_data(stream, plain)
    assert media.vdec_send_frame(decoder.desc, stream, picture, decoder.config, 0) == 100000
    media.dvpp_set_stream_desc_data(stream, own)
    target = media.dvpp_get_pic_desc_data(picture)
    media.dvpp_set_pic_desc_data(picture, plain)
    assert media.vdec_send_frame(decoder.desc, stream, picture, decoder.config, 0) == 100000
    media.dvpp_set_pic_desc_data(picture, target)
    device.acl.rt.free(plain)
    media.dvpp_free(own)
    media.dvpp_destroy_stream_desc(stream)
    device.release(picture)
    decoder.close()


def test_video_is_not_encoded() -> None:
    with board() as device:
        assert not [name for name in dir(device.media) if name.startswith("venc")]


def test_a_real_clip(shared_data: Path, device: Board, tmp_path: Path) -> None:
    clip = shared_data / "videos" / "palm_offer_blur_bg.mp4"
    path = tmp_path / "clip.h264"
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i"]
    copy = ["-frames:v", "20", "-c:v", "copy", "-bsf:v", "h264_mp4toannexb", "-an"]
    subprocess.run([*ffmpeg, str(clip), *copy, str(path)], check=True, timeout=60)
    raw = [*ffmpeg, str(path), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    expected = subprocess.run(raw, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    frames = np.frombuffer(expected, np.uint8).reshape(-1, 540, 640)[:, :360]
    decoder = Decoder(device, entype=3)
    for index, piece in enumerate(split(path.read_bytes(), "h264")):
        decoder.send(piece, index, size=640 * 360 * 3 // 2)
    decoder.end()
    assert [code for _, code, *_ in decoder.told] == [0] * len(frames)
    for (_, _, luma, _), frame in zip(decoder.told, frames):
        assert np.array_equal(luma, frame)
    decoder.close()
