"""Video decoding on the simulated device."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import numpy as np
import pytest

from atlas_hpe.errors import DeviceError, SessionError
from atlas_hpe_runtime.acl.dvpp import video
from atlas_hpe_runtime.acl.dvpp.annexb import AccessUnit, AnnexBStream
from atlas_hpe_runtime.acl.dvpp.video import IN_FLIGHT, DecodedPicture, VideoDecoder
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader, find_header
from clips import encode, spot_frames
from dvpp_device import machine_of, simulated_device

COUNT = 40
Clip = Tuple[List[AccessUnit], VideoHeader]
OPTIONS: Dict[str, Tuple[str, ...]] = {
    "h264": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "3"),
    "h265": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=0"),
}


def make_clip(folder: Path, codec: str, size_px: Tuple[int, int] = (160, 128)) -> Clip:
    path = encode(spot_frames(COUNT, *size_px), folder / f"{codec}.mp4", *OPTIONS[codec])
    stream = AnnexBStream(path, codec)
    units = list(stream)
    stream.close()
    header = find_header(units[0].data, codec)
    assert header is not None
    return units, header


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_clip(tmp_path_factory.mktemp("clip"), "h264")


def decode(decoder: VideoDecoder, units: List[AccessUnit]) -> Iterator[DecodedPicture]:
    for unit in units:
        while not decoder.wants_more:
            decoded = decoder.receive()
            assert decoded is not None
            yield decoded
        decoder.send(unit)
    decoder.finish()
    decoded = decoder.receive()
    while decoded is not None:
        yield decoded
        decoded = decoder.receive()


def spot_column(decoded: DecodedPicture) -> float:
    """Where the bright square is, by its left edge."""
    assert decoded.picture is not None
    luma = decoded.picture.download()[:128, :160].astype(np.float64)
    weight = np.where(luma > 100, luma, 0).sum(axis=0)
    return float((weight * np.arange(160)).sum() / weight.sum()) - 3.5


@pytest.mark.parametrize("mode", ["rc", "ep"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_all_pictures_come_in_the_order_of_showing(tmp_path: Path, codec: str, mode: str) -> None:
    units, header = make_clip(tmp_path, codec)
    with simulated_device(mode) as owner:
        with VideoDecoder(owner, header, "bt601-narrow") as decoder:
            columns, times = [], []
            for decoded in decode(decoder, units):
                columns.append(spot_column(decoded))
                times.append(decoded.time_s)
        assert times == sorted(unit.time_s for unit in units)
        assert np.abs(np.array(columns) - 8 - np.arange(COUNT)).max() < 0.5


def test_odd_sides_of_the_picture_grow_by_one(tmp_path: Path) -> None:
    # x264 stores even sizes of 4:2:0 only; what is shown may still be odd.
    units, header = make_clip(tmp_path, "h264", (160, 128))
    with simulated_device() as owner:
        shown = replace(header, width_px=159, height_px=127)
        with VideoDecoder(owner, shown, "bt601-narrow") as decoder:
            first = next(decode(decoder, units))
            assert first.picture is not None
            assert first.picture.size_px == (160, 128)


def test_memory_is_bounded_and_used_again(clip: Clip) -> None:
    units, header = clip
    with simulated_device() as owner:
        with VideoDecoder(owner, header, "bt601-narrow") as decoder:
            for decoded in decode(decoder, units):
                assert decoded.picture is not None
                decoded.picture.release()
        counts = machine_of(owner).faults.counts()
    assert counts["acl.media.dvpp_malloc"] <= 2 * IN_FLIGHT + 2
    assert counts["acl.media.vdec_send_frame"] == COUNT + 1


def test_pictures_that_are_kept_stay_as_they_are(clip: Clip) -> None:
    units, header = clip
    with simulated_device() as owner:
        with VideoDecoder(owner, header, "bt601-narrow") as decoder:
            kept = list(decode(decoder, units))
            assert np.allclose([spot_column(item) for item in kept], 8 + np.arange(COUNT), atol=0.5)
        assert kept[0].picture is not None
        with pytest.raises(SessionError, match="no longer in device memory"):
            kept[0].picture.download()


def test_a_damaged_unit_is_lost_and_the_others_come(clip: Clip) -> None:
    units, header = clip
    broken = [
        replace(unit, data=b"\0\0\1\x09") if at == 7 else unit for at, unit in enumerate(units)
    ]
    with simulated_device() as owner, VideoDecoder(owner, header, "bt601-narrow") as decoder:
        decoded = list(decode(decoder, broken))
    assert len(decoded) == COUNT
    assert sum(item.picture is None for item in decoded) >= 1
    assert sum(item.picture is not None for item in decoded) > COUNT // 2


def test_units_that_are_not_shown_are_marked(clip: Clip) -> None:
    units, header = clip
    early = [replace(unit, is_shown=bool(unit.time_s and unit.time_s > 0.2)) for unit in units]
    with simulated_device() as owner, VideoDecoder(owner, header, "bt601-narrow") as decoder:
        shown = [item.is_shown for item in decode(decoder, early)]
    hidden = sum(not unit.is_shown for unit in early)
    assert 3 < hidden < 9
    assert shown == [False] * hidden + [True] * (COUNT - hidden)


def test_units_without_times_keep_their_order(clip: Clip) -> None:
    units, header = clip
    with simulated_device() as owner, VideoDecoder(owner, header, "bt601-narrow") as decoder:
        timeless = [replace(unit, time_s=None) for unit in units]
        decoded = list(decode(decoder, timeless))
        assert [item.time_s for item in decoded] == [None] * COUNT
        columns = [spot_column(item) for item in decoded]
    assert columns == sorted(columns)


@pytest.mark.parametrize("sent", [0, 1, 5, IN_FLIGHT])
def test_closing_early_releases_everything_at_once(clip: Clip, sent: int) -> None:
    units, header = clip
    before = set(threading.enumerate())
    with simulated_device() as owner:
        decoder = VideoDecoder(owner, header, "bt601-narrow")
        for unit in units[:sent]:
            decoder.send(unit)
        decoder.close()
        decoder.close()
        # The end of the stream is sent too, as the chip wants before its channel goes.
        assert machine_of(owner).faults.counts()["acl.media.vdec_send_frame"] == sent + 1
        with pytest.raises(SessionError, match="closed"):
            decoder.send(units[0])
        with pytest.raises(SessionError, match="closed"):
            decoder.receive()
    assert set(threading.enumerate()) <= before


def test_units_that_never_come_back_are_released_with_the_channel(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    units, header = clip
    with simulated_device() as owner:
        call = owner.acl.try_call

        def dropped(name: str, *args: object) -> Tuple[object, int]:
            return (None, 0) if name == "media.vdec_send_frame" else call(name, *args)

        monkeypatch.setattr(owner.acl, "try_call", dropped)
        with VideoDecoder(owner, header, "bt601-narrow") as decoder:
            decoder.send(units[0])


def test_two_decoders_run_side_by_side(clip: Clip) -> None:
    units, header = clip
    with simulated_device() as owner:
        one = VideoDecoder(owner, header, "bt601-narrow", channel_id=0)
        two = VideoDecoder(owner, header, "bt601-narrow", channel_id=1)
        for first, second in zip(decode(one, units), decode(two, units)):
            assert spot_column(first) == spot_column(second)
        two.close()
        one.close()


def test_nothing_is_sent_after_the_end(clip: Clip) -> None:
    units, header = clip
    with simulated_device() as owner, VideoDecoder(owner, header, "bt601-narrow") as decoder:
        decoder.finish()
        assert not decoder.wants_more
        assert decoder.receive() is None
        with pytest.raises(SessionError, match="ended"):
            decoder.send(units[0])


def test_a_decoder_that_is_silent_is_given_up(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    units, header = clip
    monkeypatch.setattr(video, "_PATIENCE_S", 0.05)
    with simulated_device() as owner, VideoDecoder(owner, header, "bt601-narrow") as decoder:
        decoder.send(units[0])  # it waits for the next, to know the order
        with pytest.raises(DeviceError, match="does not answer") as caught:
            decoder.receive()
    assert "1 are waited for" in str(caught.value.why)


def test_an_error_in_the_callback_thread_comes_out_at_the_next_call(clip: Clip) -> None:
    units, header = clip
    with simulated_device(fail="acl.media.dvpp_destroy_pic_desc@2=507899") as owner:
        decoder = VideoDecoder(owner, header, "bt601-narrow")
        with pytest.raises(DeviceError, match="dvpp_destroy_pic_desc") as caught:
            for decoded in decode(decoder, units):
                assert decoded.picture is not None
        assert "507899" in str(caught.value.why)
        decoder.close()


def test_a_unit_that_the_device_refused_is_taken_back(clip: Clip) -> None:
    units, header = clip
    fault = f"acl.media.vdec_send_frame@{IN_FLIGHT}=507899"
    with simulated_device(fail=fault) as owner, VideoDecoder(
        owner, header, "bt601-narrow"
    ) as decoder:
        for unit in units[: IN_FLIGHT - 1]:
            decoder.send(unit)
        with pytest.raises(DeviceError, match="vdec_send_frame"):
            decoder.send(units[IN_FLIGHT - 1])
        decoder.finish()
        count = 0
        while decoder.receive() is not None:
            count += 1
    assert count == IN_FLIGHT - 1
