"""Cameras, with a video file or a script in the place of the device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Union

import cv2
import pytest
from live_cases import QUICK, ScriptedCapture, no_thread_is_left

import clips
from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.sources.live import open_camera
from atlas_hpe_pipelines.sources.live.opencv import Capture
from atlas_hpe_pipelines.sources.source import SourceOptions

__all__ = ["no_thread_is_left"]


def _devices(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("camera", [1, "1", "path"])
def test_a_camera_is_read_by_number_and_by_device_file(
    tmp_path: Path, camera: Union[int, str]
) -> None:
    devices = _devices(tmp_path, "video0", "video1")
    clip = clips.encode(clips.spot_frames(12), tmp_path / "clip.mp4")
    opened: List[str] = []

    def open_device(device: str) -> Capture:
        opened.append(device)
        return cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)

    source = open_camera(
        str(devices / "video1") if camera == "path" else camera,
        SourceOptions(drop="never", reconnect_s=0),
        patience=QUICK,
        open_device=open_device,
        devices=devices,
    )
    assert (source.live, source.frame_count, source.size_px) == (True, None, (64, 48))
    assert source.name == str(devices / "video1")
    frames = []
    with pytest.raises(SourceError, match="lost"):
        for frame in source.frames():
            frames.append(frame)
    source.close()
    assert [frame.index for frame in frames] == list(range(12))
    assert opened == [str(devices / "video1")]


def _failure(camera: Union[int, str], devices: Path, opens: bool = False) -> SourceError:
    with pytest.raises(SourceError) as failure:
        open_camera(
            camera,
            SourceOptions(),
            patience=QUICK,
            open_device=lambda _: ScriptedCapture([], opens=opens),
            devices=devices,
        )
    return failure.value


def test_an_absent_camera_lists_those_that_are_there(tmp_path: Path) -> None:
    devices = _devices(tmp_path, "video10", "video2", "videotape", "null")
    error = _failure(0, devices)
    assert error.what == "there is no such camera"
    assert error.where == str(devices / "video0")
    assert error.why == f"cameras here: {devices}/video2, {devices}/video10"
    assert str(_failure(0, tmp_path / "none").why) == "cameras here: none"


def test_a_camera_for_others_tells_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = _devices(tmp_path, "video0")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    error = _failure(0, devices)
    assert error.what == "the camera is not for this user"
    assert error.fix == 'sudo usermod -aG video "$USER", then log in again'


def test_a_camera_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = _devices(tmp_path, "video0", "video1")

    def refuse(*_: object) -> int:
        raise OSError(16, "Device or resource busy")

    error = _failure(1, devices)
    assert "another program may be using it" in str(error.why)
    assert f"{devices}/video0, {devices}/video1" in str(error.why)
    monkeypatch.setattr(os, "open", refuse)
    error = _failure(0, devices)
    assert (error.what, error.why) == ("the camera can't be opened", "Device or resource busy")
    assert "close the program that uses it" in str(error.fix)


def test_a_camera_that_gives_no_picture_is_told(tmp_path: Path) -> None:
    error = _failure(0, _devices(tmp_path, "video0"), opens=True)
    assert error.what == "no picture comes"


def test_a_camera_that_is_pulled_out_and_put_in_again_is_found(tmp_path: Path) -> None:
    devices = _devices(tmp_path, "video0")
    captures = iter([ScriptedCapture([1, 2]), ScriptedCapture([3])])

    def open_device(_: str) -> Capture:
        return next(captures)

    source = open_camera(
        0,
        SourceOptions(drop="never", reconnect_s=0.4),
        patience=QUICK,
        open_device=open_device,
        devices=devices,
    )
    levels = []
    with pytest.raises(SourceError) as failure:
        for frame in source.frames():
            levels.append(int(frame.image[0, 0, 0]))
            if levels == [1, 2, 3]:
                (devices / "video0").unlink()
    source.close()
    assert levels == [1, 2, 3]
    assert "back after" in source.warnings[0]
    assert "there is no such camera" in str(failure.value.why)


def test_what_is_no_camera_is_refused() -> None:
    for camera in ("front", "", -1):
        with pytest.raises(InputError, match="this is no camera"):
            open_camera(camera, SourceOptions())


def test_this_machine_has_no_camera_4711() -> None:
    with pytest.raises(SourceError, match="there is no such camera"):
        open_camera(4711, SourceOptions())
