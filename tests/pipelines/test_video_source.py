"""Real video files, good and bad."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import clips
from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines import open_source


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

        def read(self) -> tuple:
            self.reads += 1
            read, image = capture.read()
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


def test_what_is_no_video_is_one_clear_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("these are notes\n" * 100)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    whole = clips.encode(clips.spot_frames(1), tmp_path / "full.mp4")
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(whole.read_bytes()[:60])
    for path in (text, empty, headless):
        with pytest.raises(SourceError, match="no frame can be decoded"):
            open_source(path)
    assert capfd.readouterr().err == ""  # FFmpeg keeps quiet


def test_a_video_without_frames_is_one_clear_error(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(3), tmp_path / "none.mp4", "-frames:v", "0")
    with pytest.raises(SourceError, match="no frame can be decoded"):
        open_source(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "absent.mp4")
    with pytest.raises(InputError, match="found a folder"):
        open_source(tmp_path)


def test_real_clips_have_all_their_frames(shared_data: Path) -> None:
    source = open_source(shared_data / "videos" / "palm_offer_blur_bg.mp4")
    frames = sum(1 for _ in source.frames())
    assert (frames, source.size_px, source.fps) == (202, (640, 360), 25)
    assert source.warnings == []
