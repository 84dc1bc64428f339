"""Depth: pictures and video with one channel of 16 bits."""

from __future__ import annotations

from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest

import clips
from atlas_hpe.errors import MissingExtraError, SourceError
from atlas_hpe_pipelines.sources import SourceOptions, VideoSource, open_source
from atlas_hpe_pipelines.sources.depth import DepthView
from atlas_hpe_pipelines.sources.depth_video import DepthVideo

UNIT_MM = 0.125


def scene(hand_mm: float = 500.0, wall_mm: float = 900.0) -> np.ndarray:
    """A near square in front of a wall, and a strip without measurement; in steps of 0.125 mm."""
    depth = np.full((48, 64), wall_mm / UNIT_MM)
    depth[16:32, 24:40] = hand_mm / UNIT_MM
    depth[:4] = 0
    return depth.astype(np.uint16)


def write_scenes(folder: Path, hands_mm: List[float], suffix: str = ".png") -> None:
    for number, hand_mm in enumerate(hands_mm):
        cv2.imwrite(str(folder / f"d{number}{suffix}"), scene(hand_mm))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_pictures_of_16_bits_are_depth_in_millimetres(tmp_path: Path, suffix: str) -> None:
    write_scenes(tmp_path, [500, 400], suffix)
    source = open_source(tmp_path, SourceOptions(fps=30, depth_unit_mm=UNIT_MM))
    frames = list(source.frames())
    assert (source.depth, source.size_px, source.frame_count) == (True, (64, 48), 2)
    for frame, hand_mm in zip(frames, (500, 400)):
        assert frame.depth_mm is not None
        assert frame.depth_mm.dtype == np.float32
        np.testing.assert_array_equal(frame.depth_mm, scene(hand_mm) * UNIT_MM)
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.dtype == np.uint8
    assert source.warnings == []


def test_the_unit_is_one_millimetre_unless_given(tmp_path: Path) -> None:
    write_scenes(tmp_path, [500])
    frame = next(open_source(tmp_path / "d0.png").frames())
    assert frame.depth_mm is not None
    assert frame.depth_mm[20, 30] == 500 / UNIT_MM


def test_a_photograph_with_16_bits_of_grey_is_doubted(tmp_path: Path) -> None:
    scan = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    cv2.imwrite(str(tmp_path / "scan.png"), scan)
    source = open_source(tmp_path / "scan.png")
    assert source.depth
    assert "half of it would be 33 m away or more" in source.warnings[0]
    assert "if it is a photograph, save it with 8 bits" in source.warnings[0]
    source = open_source(tmp_path / "scan.png", SourceOptions(depth_unit_mm=UNIT_MM))
    assert source.warnings == []


def test_near_is_warm_far_is_cold_and_nothing_is_black() -> None:
    image = DepthView(UNIT_MM).frame(0, 0.0, scene()).image
    blue, _, red = image[20, 30].astype(int)
    assert red > 150 and red > 3 * blue
    blue, _, red = image[40, 5].astype(int)
    assert blue > red
    assert not image[:4].any()


def test_colours_change_most_where_the_hand_is() -> None:
    ramp = np.tile(np.linspace(400, 1400, 200) / UNIT_MM, (50, 1)).astype(np.uint16)
    image = DepthView(UNIT_MM).frame(0, 0.0, ramp).image[0].astype(int)
    change = np.abs(np.diff(image, axis=0)).sum(axis=1)
    assert change[:60].sum() > change[60:120].sum() > change[120:].sum() == 0  # 600 mm are shown


def test_single_wrong_pixels_do_not_set_the_range() -> None:
    clean, noisy = scene(), scene()
    noisy[8, 8] = 1  # 0.125 mm from the camera
    same = DepthView(UNIT_MM).frame(0, 0.0, clean).image
    np.testing.assert_array_equal(DepthView(UNIT_MM).frame(0, 0.0, noisy).image[16:], same[16:])


def test_colours_do_not_jump_when_something_nearer_comes() -> None:
    view = DepthView(UNIT_MM)
    before = view.frame(0, 0.0, scene(500)).image[40, 5].astype(int)
    after = view.frame(1, 0.1, scene(300)).image[40, 5].astype(int)
    settled = [view.frame(2 + n, 1.0, scene(300)).image[40, 5].astype(int) for n in range(40)][-1]
    assert 0 < np.abs(after - before).sum() < np.abs(settled - before).sum() / 2


def test_a_picture_without_any_measurement_is_black() -> None:
    frame = DepthView(1.0).frame(0, 0.0, np.zeros((5, 7), np.uint16))
    assert not frame.image.any()
    assert frame.depth_mm is not None
    assert not frame.depth_mm.any()


def test_kept_frames_of_depth_are_not_overwritten(tmp_path: Path) -> None:
    write_scenes(tmp_path, [300 + 20 * number for number in range(12)])
    kept = []
    for frame in open_source(tmp_path, SourceOptions(depth_unit_mm=UNIT_MM)).frames():
        assert frame.depth_mm is not None
        kept.append((frame, frame.image.copy(), frame.depth_mm.copy()))
    for frame, image, depth_mm in kept:
        np.testing.assert_array_equal(frame.image, image)
        np.testing.assert_array_equal(frame.depth_mm, depth_mm)


def test_a_colour_picture_among_depth_is_left_out_and_counted(tmp_path: Path) -> None:
    write_scenes(tmp_path, [500, 500, 500])
    cv2.imwrite(str(tmp_path / "d1.png"), np.zeros((48, 64, 3), np.uint8))
    source = open_source(tmp_path, SourceOptions(fps=30))
    assert [frame.index for frame in source.frames()] == [0, 2]
    assert "pictures left out: 1 of 3 " in source.warnings[0]
    assert "d1.png: it is no depth picture" in source.warnings[0]


def test_depth_among_colour_is_shown_as_grey(tmp_path: Path) -> None:
    write_scenes(tmp_path, [500, 500])
    cv2.imwrite(str(tmp_path / "d0.png"), np.zeros((48, 64, 3), np.uint8))
    source = open_source(tmp_path)
    assert [frame.depth_mm for frame in source.frames()] == [None, None]
    assert not source.depth


@pytest.mark.parametrize("pixels", ["gray16le", "gray16be"])
def test_depth_video_keeps_all_16_bits(tmp_path: Path, pixels: str) -> None:
    depth = np.random.default_rng(0).integers(0, 1 << 16, (6, 48, 64), np.uint16)
    codec = ["-c:v", "ffv1" if pixels == "gray16le" else "png", "-pix_fmt", pixels]
    path = clips.encode_depth(depth, tmp_path / "clip.mkv", *codec)
    source = open_source(path, SourceOptions(depth_unit_mm=0.5))
    frames = list(source.frames())
    source.close()
    source.close()
    assert (source.depth, source.size_px, source.fps) == (True, (64, 48), 25)
    assert [frame.index for frame in frames] == list(range(6))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(6) / 25, atol=1e-3)
    for frame, raw in zip(frames, depth):
        np.testing.assert_array_equal(frame.depth_mm, raw * np.float32(0.5))


def test_depth_video_keeps_a_variable_frame_rate(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.2, 0.21, 0.5, 1.0]
    depth = np.stack([scene(500 + 10 * number) for number in range(6)])
    # The rate that the file declares is not its clock.
    options = [*clips.shown_at(times_s), "-enc_time_base", "1/1000"]
    path = clips.encode_depth(depth, tmp_path / "clip.mkv", *options, fps=25)
    source = open_source(path)
    assert source.depth
    np.testing.assert_allclose([f.time_s for f in source.frames()], times_s, atol=2e-3)


def test_depth_video_that_is_cut_off_says_how_much_was_read(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).integers(0, 1 << 16, (20, 48, 64), np.uint16)
    path = clips.encode_depth(
        depth, tmp_path / "clip.mov", "-c:v", "png", "-movflags", "+faststart"
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    read = len(list(source.frames()))
    assert 0 < read < 20
    assert f"read {read} of the 20 frames it declares" in source.warnings[-1]


def test_a_depth_video_is_open_once(tmp_path: Path) -> None:
    path = clips.encode_depth(scene()[None].repeat(2, axis=0), tmp_path / "clip.mkv")
    video = VideoSource(path)
    DepthVideo(video, path, SourceOptions()).close()
    assert not video._capture.isOpened()


def test_depth_video_that_is_left_early_leaves_no_process(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).integers(0, 1 << 16, (200, 96, 128), np.uint16)
    source = open_source(clips.encode_depth(depth, tmp_path / "clip.mkv"))
    next(source.frames())
    process = source._reader._ffmpeg._process  # type: ignore[attr-defined]
    assert process.poll() is None
    source.close()
    assert process.poll() is not None
    assert list(source.frames()) == []


def test_depth_video_without_ffmpeg_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.encode_depth(scene()[None].repeat(2, axis=0), tmp_path / "clip.mkv")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "absent"))
    with pytest.raises((MissingExtraError, SourceError), match="ffmpeg"):
        open_source(path)


def test_depth_video_that_ffmpeg_fails_at_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.encode_depth(scene()[None].repeat(2, axis=0), tmp_path / "clip.mkv")
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 3\n")
    ffmpeg.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(ffmpeg))
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_version", lambda: "n7.1")
    source = open_source(path)
    with pytest.raises(SourceError, match="the depth video can't be decoded") as caught:
        list(source.frames())
    assert caught.value.why == "the disk is on fire"


def test_video_of_8_bit_grey_is_colour(tmp_path: Path) -> None:
    path = clips.encode(
        clips.spot_frames(3), tmp_path / "c.mkv", "-c:v", "ffv1", "-pix_fmt", "gray"
    )
    source = open_source(path)
    assert isinstance(source, VideoSource)
    assert not source.depth
    assert next(source.frames()).depth_mm is None


def test_real_depth_shows_the_hand_warmest(shared_data: Path) -> None:
    source = open_source(shared_data / "depth", SourceOptions(fps=30, depth_unit_mm=UNIT_MM))
    frames = list(source.frames())
    assert (len(frames), source.depth, source.size_px) == (8, True, (640, 480))
    assert source.warnings == [f"{shared_data / 'depth'}: files that are no pictures: 1"]
    for frame in frames:
        assert frame.depth_mm is not None
        measured = frame.depth_mm > 0
        near = measured & (frame.depth_mm < np.percentile(frame.depth_mm[measured], 10))
        blue, _, red = frame.image[near].astype(int).mean(axis=0)
        assert red > 4 * blue
        assert not frame.image[~measured].any()
