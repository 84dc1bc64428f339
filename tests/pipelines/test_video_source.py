"""Real video files, good and bad."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clips
from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.buffers import PictureBuffers
from atlas_hpe_pipelines.sources import SourceOptions, open_source
from atlas_hpe_pipelines.sources.capture import CaptureSource


def test_all_frames_come_with_their_time(tmp_path: Path) -> None:
    source = open_source(clips.encode(clips.spot_frames(12), tmp_path / "clip.mp4"))
    frames = list(source.frames())
    source.close()
    assert (source.size_px, source.fps, source.frame_count) == ((64, 48), 25, 12)
    assert [frame.index for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-3)
    assert source.warnings == []
    for frame in frames:
        bright = np.nonzero(frame.image[24, :, 0] > 128)[0]
        assert bright.mean() == pytest.approx(11.5 + frame.index, abs=1)


def test_silence_of_a_file_or_pipe_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.encode(clips.spot_frames(2), tmp_path / "clip.mp4")
    opened: List[tuple] = []
    real = cv2.VideoCapture

    def note(*arguments: object) -> object:
        opened.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(cv2, "VideoCapture", note)
    open_source(path).close()
    ((_, _, settings),) = opened
    limits_ms = dict(zip(settings[::2], settings[1::2]))
    for limit in (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC):
        assert limits_ms[limit] > 1e9  # OpenCV's own is 30 s; 0 is no time at all to old ones


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.2, 0.21, 0.5, 1.0]
    path = clips.variable_rate(clips.spot_frames(6), tmp_path / "clip.mp4", times_s)
    frames = list(open_source(path).frames())
    np.testing.assert_allclose([frame.time_s for frame in frames], times_s, atol=2e-3)


def test_a_clock_declared_as_frame_rate_is_not_believed(tmp_path: Path) -> None:
    times_s = [index / 20 for index in range(10)]
    path = clips.variable_rate(clips.spot_frames(10), tmp_path / "clip.mkv", times_s)
    source = open_source(path)
    source_fps, warnings = source.fps, list(source.warnings)
    frames = list(source.frames())
    assert len(frames) == 10
    np.testing.assert_allclose([frame.time_s for frame in frames], times_s, atol=2e-3)
    assert source_fps <= 240
    assert source.warnings == warnings  # no count to hold against what was read


def test_times_that_stand_still_go_on_by_the_frame_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(clips.encode(clips.spot_frames(4), tmp_path / "clip.mp4"))
    monkeypatch.setattr(source, "_capture", _StoppedClock(source._capture))  # type: ignore[attr-defined]
    times_s = [frame.time_s for frame in source.frames()]
    np.testing.assert_allclose(times_s, [0, 0.04, 0.08, 0.12])


class _StoppedClock:
    """A capture whose frames all carry the time 0."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self.read = capture.read

    def get(self, _: int) -> float:
        return 0.0


@pytest.mark.parametrize("fps", [0.0, float("nan"), 1000.0])
def test_a_useless_frame_rate_is_replaced_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fps: float
) -> None:
    path = clips.encode(clips.spot_frames(4), tmp_path / "clip.mp4")
    real = cv2.VideoCapture

    class Declares:
        def __init__(self, *arguments: object) -> None:
            self._capture = real(*arguments)

        def __getattr__(self, name: str) -> object:
            return getattr(self._capture, name)

        def get(self, key: int) -> float:
            return fps if key == cv2.CAP_PROP_FPS else float(self._capture.get(key))

    monkeypatch.setattr(cv2, "VideoCapture", Declares)
    source = open_source(path)
    assert source.fps == 30
    assert source.warnings == [f"{path}: no usable frame rate, 30 frames/s assumed"]


@pytest.mark.parametrize(("width_px", "height_px"), [(2, 2), (51, 37), (1, 90)])
def test_odd_sizes_are_read(tmp_path: Path, width_px: int, height_px: int) -> None:
    frames = clips.spot_frames(3, max(width_px, 20), 48)[:, :height_px, :width_px]
    frames = np.resize(frames, (3, height_px, width_px, 3))
    path = clips.encode(frames, tmp_path / "clip.mkv", "-c:v", "png")
    source = open_source(path)
    assert source.size_px == (width_px, height_px)
    assert len(list(source.frames())) == 3


def test_a_truncated_file_gives_its_frames_and_a_warning_with_the_count(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8)
    path = clips.encode(noise, tmp_path / "clip.mp4", "-movflags", "+faststart")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    source = open_source(path)
    read = len(list(source.frames()))
    assert 10 < read < 40
    assert source.warnings[-1] == (
        f"{path}: read {read} of the 40 frames it declares; "
        "it was trimmed, or it is truncated or damaged"
    )


def test_a_damaged_frame_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.encode(clips.spot_frames(10), tmp_path / "clip.mp4")
    source = open_source(path)
    capture = source._capture  # type: ignore[attr-defined]

    class Damaged:
        reads = 0

        def read(self, buffer: np.ndarray) -> tuple:
            self.reads += 1
            read, image = capture.read(buffer)
            return (False, None) if self.reads in (3, 4) else (read, image)

        def get(self, key: int) -> float:
            return float(capture.get(key))

    monkeypatch.setattr(source, "_capture", Damaged())
    frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(
        [frame.time_s for frame in frames], [frame.index / 25 for frame in frames], atol=1e-3
    )
    assert source.warnings == [f"{path}: damaged frames left out: 2"]


def test_a_frame_that_opencv_refuses_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.encode(clips.spot_frames(3), tmp_path / "clip.mp4")
    source = open_source(path)

    class Refusing:
        reads = 0

        def read(self, _: np.ndarray) -> tuple:
            self.reads += 1
            if self.reads == 1:
                raise cv2.error("(-215:Assertion failed) _step >= minstep")
            return self.reads == 2, np.zeros((48, 64, 3), np.uint8)

        def get(self, _: int) -> float:
            return 0.0

    monkeypatch.setattr(source, "_capture", Refusing())
    assert [frame.index for frame in source.frames()] == [0, 2]
    assert source.warnings == [f"{path}: damaged frames left out: 1"]


def test_a_real_hole_in_the_file_loses_no_more_than_it_must(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    path = clips.encode(noise, tmp_path / "clip.mp4", "-g", "1")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    source = open_source(path)
    frames = list(source.frames())
    assert 25 <= len(frames) <= 30
    assert frames[-1].index == 29


def test_a_name_that_is_not_utf_8_is_one_clear_error(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(2), tmp_path / "clip.mp4")
    odd = Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/bad\xff.mp4"))
    path.rename(odd)
    with pytest.raises(InputError, match="not UTF-8"):
        open_source(odd)


def test_a_colon_in_the_name_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips.encode(clips.spot_frames(3), tmp_path / "clip.mp4").rename(tmp_path / "file:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source("file:a.mp4").frames())) == 3


def test_a_truncated_index_and_what_else_is_no_video_keep_ffmpeg_quiet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("these are notes\n" * 100)
    whole = clips.encode(clips.spot_frames(1), tmp_path / "full.mp4")
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(whole.read_bytes()[:60])
    for path in (text, headless):
        with pytest.raises(SourceError, match="no frame can be decoded"):
            open_source(path)
    assert capfd.readouterr().err == ""


def test_without_ffmpeg_the_reason_is_a_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.mp4").write_text("these are notes\n" * 100)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "absent"))
    with pytest.raises(SourceError, match="it is not a video, it is damaged at its start"):
        open_source(tmp_path / "notes.mp4")


def test_frames_lie_in_buffers_and_those_that_are_kept_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(clips.encode(clips.spot_frames(30), tmp_path / "clip.mp4"))
    places, take = set(), PictureBuffers.take

    def note(buffers: PictureBuffers, shape: Tuple[int, ...]) -> np.ndarray:
        taken = take(buffers, shape)
        places.add(taken.ctypes.data)
        return taken

    monkeypatch.setattr(PictureBuffers, "take", note)
    kept = []
    for frame in source.frames():
        assert frame.index == 0 or frame.image.ctypes.data in places
        if frame.index % 10 == 0:
            kept.append((frame, frame.image.copy()))
    assert len(places) < 10
    for frame, as_it_was in kept:
        np.testing.assert_array_equal(frame.image, as_it_was)


def test_frames_come_once(tmp_path: Path) -> None:
    source = open_source(clips.encode(clips.spot_frames(3), tmp_path / "clip.mp4"))
    assert len(list(source.frames())) == 3
    assert list(source.frames()) == []


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path: Path, degrees: int) -> None:
    frames = np.zeros((4, 48, 64, 3), np.uint8)
    frames[:, :12, 48:] = 255  # bright in one corner
    path = clips.turned(clips.encode(frames, tmp_path / "a.mp4"), tmp_path / "clip.mp4", degrees)
    size_px = (64, 48) if degrees == 180 else (48, 64)
    source = open_source(path)
    read = list(source.frames())
    assert source.size_px == size_px == read[-1].size_px
    shown = clips.first_frame(path, size_px).astype(int)
    for frame in read:
        assert np.abs(frame.image - shown).mean() < 5


def test_a_clip_without_times_runs_at_its_frame_rate(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(8), tmp_path / "clip.h264", "-bf", "0")
    source = open_source(path)
    times_s = [frame.time_s for frame in source.frames()]
    np.testing.assert_allclose(times_s, np.arange(8) / source.fps)


@pytest.mark.parametrize("suffix", [".ts", ".h264"])
def test_a_size_that_changes_on_the_way_is_read_on(tmp_path: Path, suffix: str) -> None:
    small = clips.encode(clips.spot_frames(6), tmp_path / f"a{suffix}", "-bf", "0")
    large = clips.encode(clips.spot_frames(6, 128, 96), tmp_path / f"b{suffix}", "-bf", "0")
    both = tmp_path / f"both{suffix}"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    source = open_source(both)
    frames = list(source.frames())
    times_s = [frame.time_s for frame in frames]
    assert len(frames) in (11, 12)  # where the parts meet, FFmpeg may take two frames for one
    assert source.size_px == frames[0].size_px
    # OpenCV 5 fits all frames into the size that FFmpeg finds first, older versions do not.
    assert {frame.size_px for frame in frames} <= {(64, 48), (128, 96)}
    assert all(later > earlier for earlier, later in zip(times_s, times_s[1:]))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_times_never_decrease_whatever_the_file_says(times_ms: List[float]) -> None:
    class Clock:
        def get(self, _: int) -> float:
            return times_ms[at]

    source = object.__new__(CaptureSource)
    source.fps, source._first_time_s, source._capture = 25.0, 0.0, Clock()  # type: ignore[assignment]
    time_s = 0.0
    for at in range(len(times_ms)):  # noqa: B007 - the clock looks at it
        following_s = source._next_time_s(time_s, 1)
        assert following_s >= time_s
        time_s = following_s


def test_a_file_that_is_deleted_meanwhile_is_read_to_its_end(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(60), tmp_path / "clip.mp4")
    source = open_source(path)
    path.unlink()
    assert len(list(source.frames())) == 60
    assert source.warnings == []


def test_a_file_that_is_cut_meanwhile_gives_a_warning_with_the_counts(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), np.uint8)
    path = clips.encode(noise, tmp_path / "clip.mp4", "-movflags", "+faststart")
    source = open_source(path)
    os.truncate(path, path.stat().st_size // 2)
    read = len(list(source.frames()))
    assert read < 60
    assert f"read {read} of the 60 frames" in source.warnings[-1]


def test_a_picture_of_8k_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    clips.make("color=c=red:size=7680x4320:rate=25", path, "-frames:v", "2", "-preset", "ultrafast")
    source = open_source(path)
    frames = source.frames()
    assert source.size_px == next(frames).size_px == (7680, 4320)
    source.close()


def test_a_frame_rate_for_a_video_is_not_used_and_said(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(3), tmp_path / "clip.mp4")
    source = open_source(path, SourceOptions(fps=50))
    assert source.fps == 25
    assert source.warnings == [f"{path}: a video has its own times, 50 fps is not used"]


def test_animated_gifs_are_videos(tmp_path: Path) -> None:
    source = open_source(clips.encode(clips.spot_frames(5), tmp_path / "clip.gif", fps=10))
    times_s = [frame.time_s for frame in source.frames()]
    np.testing.assert_allclose(times_s, np.arange(5) / 10, atol=1e-3)


def test_real_clips_have_all_their_frames(shared_data: Path) -> None:
    source = open_source(shared_data / "videos" / "palm_offer_blur_bg.mp4")
    frames = sum(1 for _ in source.frames())
    assert (frames, source.size_px, source.fps) == (202, (640, 360), 25)
    assert source.warnings == []
