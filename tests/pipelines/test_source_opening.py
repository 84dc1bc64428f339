"""Which source a name means."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import List, Tuple, Union

import cv2
import numpy as np
import pytest

import clips
from atlas_hpe.errors import InputError, UsageError
from atlas_hpe_pipelines.sources import SourceOptions, VideoSource, open_source
from atlas_hpe_pipelines.sources.images import ImageSource

Opened = List[Tuple[str, Union[str, int], SourceOptions]]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What was asked of live sources, which are not opened here."""
    opened: Opened = []
    module = types.ModuleType("atlas_hpe_pipelines.sources.live")
    for kind in ("camera", "stream"):

        def note(what: Union[str, int], options: SourceOptions, kind: str = kind) -> None:
            opened.append((kind, what, options))

        setattr(module, f"open_{kind}", note)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return opened


def write_picture(path: Path, size_px: Tuple[int, int] = (8, 6)) -> Path:
    cv2.imwrite(str(path), np.zeros((size_px[1], size_px[0], 3), np.uint8))
    return path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (0, ("camera", 0)),
        (3, ("camera", 3)),
        ("0", ("camera", 0)),
        ("12", ("camera", 12)),
        ("camera:1", ("camera", 1)),
        ("/dev/video7", ("camera", "/dev/video7")),
        ("rtsp://host/stream", ("stream", "rtsp://host/stream")),
        ("HTTP://host:80/a.mjpg", ("stream", "HTTP://host:80/a.mjpg")),
        ("https://host/clip*.mp4", ("stream", "https://host/clip*.mp4")),
    ],
)
def test_cameras_and_streams_are_told_by_their_names(
    live: Opened, name: Union[str, int], meant: Tuple[str, Union[str, int]]
) -> None:
    options = SourceOptions(drop="never")
    open_source(name, options)
    assert live == [(*meant, options)]


def test_without_options_the_defaults_count(live: Opened) -> None:
    open_source("0")
    assert live == [("camera", 0, SourceOptions())]


@pytest.mark.parametrize("name", ["0", "camera:1", "a[1]*.png"])
def test_what_exists_is_taken_before_any_other_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: Opened, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    clips.encode(clips.spot_frames(2), tmp_path / "clip.mkv").rename(name)
    if name.endswith(".png"):
        write_picture(tmp_path / "picture.png").rename(name)
    assert open_source(name).frame_count == (1 if name.endswith(".png") else None)
    assert live == []


def test_a_camera_that_is_there_is_a_camera_and_no_file(
    monkeypatch: pytest.MonkeyPatch, live: Opened
) -> None:
    monkeypatch.setattr("os.path.lexists", lambda _: True)
    open_source("/dev/video7")
    assert live == [("camera", "/dev/video7", SourceOptions())]


@pytest.mark.parametrize("name", ["/dev/v4l/by-id/usb-cam-index0", Path("/dev/video7")])
def test_a_device_file_is_a_camera_by_each_of_its_names(
    live: Opened, name: Union[str, Path]
) -> None:
    open_source(name)
    assert live == [("camera", str(name), SourceOptions())]


def test_a_link_to_a_camera_is_a_camera_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: Opened
) -> None:
    (tmp_path / "front").symlink_to("/dev/video7")
    monkeypatch.chdir(tmp_path)
    open_source("front")
    assert live == [("camera", str(tmp_path / "front"), SourceOptions())]


def test_a_number_as_path_object_is_never_a_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_source(Path("0"))


def test_files_are_told_by_their_suffix(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.PNG")
    listed = tmp_path / "list.TXT"
    listed.write_text("a.PNG\na.PNG\n")
    assert isinstance(
        open_source(clips.encode(clips.spot_frames(2), tmp_path / "a.mp4")), VideoSource
    )
    for source, count in ((picture, 1), (listed, 2), (tmp_path, 1), (str(tmp_path / "*.PNG"), 1)):
        opened = open_source(source)
        assert isinstance(opened, ImageSource)
        assert opened.frame_count == count
    assert open_source([picture, str(picture), picture]).frame_count == 3


def test_a_picture_without_a_suffix_is_found_out_by_ffmpeg(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png").rename(tmp_path / "picture")
    assert [frame.size_px for frame in open_source(tmp_path / "picture").frames()] == [(8, 6)]


def test_what_is_missing_is_told_with_what_was_looked_for_and_what_may_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hand_clip.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the source does not exist") as caught:
        open_source("hand_clp.mp4")
    assert caught.value.where == "hand_clp.mp4"
    assert caught.value.why == f"looked for a file or folder of that name in {tmp_path}"
    assert caught.value.fix is not None
    assert caught.value.fix.startswith("did you mean hand_clip.mp4? ")
    assert "rtsp://" in caught.value.fix
    with pytest.raises(InputError) as caught:
        open_source(str(tmp_path / "other" / "hand_clp.mp4"))
    assert caught.value.why == "there is no file or folder of that name"
    assert caught.value.fix is not None
    assert "did you mean" not in caught.value.fix


@pytest.mark.parametrize("name", ["", " ", "a\0b", "\n", "x" * 5000, "\udcff", "camera:", "cam0"])
def test_names_that_can_be_nothing_are_one_clear_error(name: str) -> None:
    with pytest.raises(InputError, match="the source does not exist") as caught:
        open_source(name)
    assert caught.value.where  # and it can be printed
    str(caught.value).encode("utf-8", "backslashreplace")


def test_a_link_to_nothing_says_that_the_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "absent.mp4")
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "clip.mp4")


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "clip.mp4"))
    with pytest.raises(InputError, match="a device or a pipe"):
        open_source(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0}, "fps must be a number above 0, not 0"),
        ({"fps": -1}, "fps must be"),
        ({"fps": float("nan")}, "fps must be"),
        ({"fps": float("inf")}, "fps must be"),
        ({"depth_unit_mm": 0}, "depth_unit_mm must be a number above 0"),
        ({"reconnect_s": -1}, "reconnect_s must be 0 or more, not -1"),
        ({"reconnect_s": float("nan")}, "reconnect_s must be"),
        ({"drop": "oldest"}, "drop must be one of newest, never, not 'oldest'"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SourceOptions(**options)
