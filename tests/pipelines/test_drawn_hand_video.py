"""The drawn hand's video file and its joints."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.drawn_hand import DrawnClip, joints_path, write_clip
from atlas_hpe_pipelines.drawn_hand.__main__ import command


def read_video(path: Path) -> tuple:
    video = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        good, picture = video.read()
        if not good:
            break
        pictures.append(picture)
    fps = video.get(cv2.CAP_PROP_FPS)
    video.release()
    return pictures, fps


def test_the_video_has_the_frames_of_the_clip_and_the_exact_joints(tmp_path: Path) -> None:
    path = tmp_path / "hand.mp4"
    truth = write_clip(path, frames=7, size_px=(160, 120), fps=25.0, seed=2)
    assert truth == joints_path(path) == tmp_path / "hand.mp4.joints.json"
    pictures, fps = read_video(path)
    assert len(pictures) == 7 and fps == pytest.approx(25.0)

    record = json.loads(truth.read_text(encoding="utf-8"))
    assert record["format"] == "drawn-hand-joints" and record["version"] == 1
    assert record["fps"] == 25.0 and record["size_px"] == [160, 120]
    clip = DrawnClip(frames=7, size_px=(160, 120), fps=25.0, seed=2)
    assert record["is_right"] == clip.is_right[0]
    joints = np.array(record["joints"])
    assert joints.shape == (7, 21, 2)
    for index, (picture, places, _) in enumerate(clip):
        np.testing.assert_array_equal(joints[index], places)
        assert pictures[index].shape == (120, 160, 3)
        columns, rows = np.floor(places).astype(int).T
        drawn, decoded = picture[rows, columns], pictures[index][rows, columns]
        np.testing.assert_allclose(decoded.mean(axis=0), drawn.mean(axis=0), atol=12)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, truth.name]


def test_the_video_is_yuv420p_for_browsers(tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "hand.mp4"
    write_clip(path, frames=2, size_px=(64, 48))
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    reader.close()
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    assert tuple(meta["source_size"]) == (64, 48)


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "hand.mp4"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        write_clip(path, frames=1, size_px=(32, 32))
    assert path.read_bytes() == b"mine"
    write_clip(path, frames=1, size_px=(32, 32), force=True)
    assert len(read_video(path)[0]) == 1


@pytest.mark.parametrize(("name", "message"), [("hand.avi", "not known"), ("no/hand.mp4", "older")])
def test_a_name_that_can_not_be_written_is_refused_first(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(OutputError, match=message):
        write_clip(tmp_path / name, frames=1, size_px=(32, 32))


def test_nothing_is_left_behind_when_drawing_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("atlas_hpe_pipelines.drawn_hand.clip.draw_subjects", stop)
    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path / "hand.mp4", frames=3, size_px=(32, 32))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    # A program that takes no pictures: the pipe to it breaks.
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "false")
    with pytest.raises(OutputError, match="could not encode"):
        write_clip(tmp_path / "hand.mp4", frames=30, size_px=(128, 128))
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "hand.mp4"
    arguments = [str(path), "--frames", "2", "--size", "64x48", "--seed", "4"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert len(read_video(path)[0]) == 2
    assert CliRunner().invoke(command, arguments).exit_code == 2
    assert CliRunner().invoke(command, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize("size", ["64", "64x", "axb", "64x48x3"])
def test_the_command_refuses_a_size_that_is_none(tmp_path: Path, size: str) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "hand.mp4"), "--size", size])
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
