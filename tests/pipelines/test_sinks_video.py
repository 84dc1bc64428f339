"""The videos that come out: browsers play them, time is true, ffmpeg never gets in the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import pytest

from atlas_hpe.errors import MissingExtraError, OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import OutputOptions, open_sink
from atlas_hpe_pipelines.sinks.video import encoder

KINDS = [".mp4", ".webm"]


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    times_s: Optional[Sequence[float]] = None,
    fps: float = 25.0,
    **options: Any,
) -> None:
    """Writes pictures (H, W, 3) BGR, at the constant rate unless times are given."""
    height, width = pictures[0].shape[:2]
    with open_sink(path, fps=fps, size_px=(width, height), **options) as sink:
        for index, picture in enumerate(pictures):
            time_s = index / fps if times_s is None else times_s[index]
            sink.write(Frame(index, time_s, picture), picture, ())


def grey(level: int, size_px: Tuple[int, int] = (64, 48)) -> np.ndarray:
    """(H, W, 3) uint8 of one level."""
    return np.full((size_px[1], size_px[0], 3), level, np.uint8)


def read_video(path: Path) -> List[np.ndarray]:
    """All frames, (H, W, 3) BGR."""
    import cv2

    video = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        read, picture = video.read()
        if not read:
            return pictures
        pictures.append(picture)


def decode(path: Path, size_px: Tuple[int, int]) -> np.ndarray:
    """All frames as ffmpeg shows them, (n, H, W, 3) BGR."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    data = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, size_px[1], size_px[0], 3)


def describe(path: Path) -> str:
    """What ffmpeg says about a file."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False).stderr.decode()


def levels(path: Path) -> List[int]:
    """Mean level of each frame, rounded to tens."""
    return [int(round(float(picture.mean()), -1)) for picture in read_video(path)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size_px", "even_px"),
    [((64, 48), (64, 48)), ((63, 47), (64, 48)), ((1, 1), (2, 2)), ((2, 17), (2, 18))],
)
def test_count_size_and_rate(
    tmp_path: Path, kind: str, size_px: Tuple[int, int], even_px: Tuple[int, int]
) -> None:
    import cv2
    from imageio_ffmpeg import count_frames_and_secs

    path = tmp_path / f"clip{kind}"
    write_video(path, [grey(20 * index, size_px) for index in range(10)])
    pictures = read_video(path)
    assert len(pictures) == 10
    assert pictures[0].shape == (even_px[1], even_px[0], 3)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(25)
    # Its seconds are not compared: old releases report the time of the last packet.
    assert count_frames_and_secs(str(path))[0] == 10
    assert "Duration: 00:00:00.40" in describe(path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_side_repeats_its_last_pixels(tmp_path: Path, kind: str) -> None:
    picture = np.full((47, 63, 3), 200, np.uint8)
    write_video(tmp_path / f"clip{kind}", [picture] * 3)
    (first, *_) = read_video(tmp_path / f"clip{kind}")
    assert first[-1].min() > 190
    assert first[:, -1].min() > 190


def test_browsers_can_play_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [grey(90)] * 5)
    # One name for matrix, primaries and transfer: with one of them missing Chromium guesses all.
    assert re.search(r"Video: h264 .*yuv420p\(tv, bt709[,)]", describe(path))
    data = path.read_bytes()
    # The index stands before the pictures, so that playing starts before the file has come.
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("kind", KINDS)
def test_colours_come_back(tmp_path: Path, kind: str) -> None:
    picture = np.empty((48, 64, 3), np.uint8)
    picture[:] = (40, 90, 210)
    write_video(tmp_path / f"clip{kind}", [picture] * 3)
    shown = read_video(tmp_path / f"clip{kind}")[0].reshape(-1, 3).mean(axis=0)
    # OpenCV builds differ in whether they heed the colour matrix named in the file.
    assert shown == pytest.approx([40, 90, 210], abs=16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_keeps_its_colour(tmp_path: Path, kind: str) -> None:
    picture = np.empty((48, 64, 3), np.uint8)
    picture[:] = (40, 90, 210)
    picture[:, 32:] = (200, 160, 30)
    path = tmp_path / f"clip{kind}"
    write_video(path, [picture] * 3)
    shown = decode(path, (64, 48))[-1]
    assert shown[8:40, 4:28].reshape(-1, 3).mean(axis=0) == pytest.approx([40, 90, 210], abs=3)
    assert shown[8:40, 36:60].reshape(-1, 3).mean(axis=0) == pytest.approx([200, 160, 30], abs=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_repeats_the_frame(tmp_path: Path, kind: str) -> None:
    pictures = [grey(50), grey(100), grey(200)]
    write_video(tmp_path / f"clip{kind}", pictures, times_s=[1.0, 1.1, 1.4], fps=10)
    assert levels(tmp_path / f"clip{kind}") == [50, 100, 100, 100, 200, 200, 200]


@pytest.mark.parametrize("kind", KINDS)
def test_a_faster_source_loses_frames_and_no_time(tmp_path: Path, kind: str) -> None:
    pictures = [grey(10 * index) for index in range(20)]
    write_video(tmp_path / f"clip{kind}", pictures, [index / 20 for index in range(20)], fps=10)
    assert len(read_video(tmp_path / f"clip{kind}")) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame(tmp_path: Path, kind: str) -> None:
    write_video(tmp_path / f"clip{kind}", [grey(50)])
    assert levels(tmp_path / f"clip{kind}") == [50]


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_frame_in_the_same_slot_does_not_lose_the_first(tmp_path: Path, kind: str) -> None:
    write_video(tmp_path / f"clip{kind}", [grey(50), grey(200)], times_s=[0.0, 0.01], fps=10)
    assert levels(tmp_path / f"clip{kind}") == [50]


@pytest.mark.parametrize("kind", KINDS)
def test_fractional_rate(tmp_path: Path, kind: str) -> None:
    import cv2

    write_video(tmp_path / f"clip{kind}", [grey(50)] * 30, fps=30000 / 1001)
    assert len(read_video(tmp_path / f"clip{kind}")) == 30
    rate = cv2.VideoCapture(str(tmp_path / f"clip{kind}")).get(cv2.CAP_PROP_FPS)
    assert rate == pytest.approx(30000 / 1001, abs=0.01)


def test_the_caller_may_reuse_its_picture(tmp_path: Path) -> None:
    buffer = grey(0)
    with open_sink(tmp_path / "clip.mp4", fps=25.0, size_px=(64, 48)) as sink:
        for index in range(3):
            buffer[:] = 80 * index
            sink.write(Frame(index, index / 25, buffer), buffer, ())
    assert levels(tmp_path / "clip.mp4") == [0, 80, 160]


@pytest.mark.parametrize("kind", KINDS)
def test_the_rate_is_capped_and_time_is_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    options = OutputOptions(max_fps=10)
    write_video(path, [grey(10 * index) for index in range(20)], fps=20, options=options)
    assert len(read_video(path)) == 10
    assert "10 fps" in describe(path)
    assert "Duration: 00:00:01.0" in describe(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cap_above_the_rate_changes_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    write_video(path, [grey(50)] * 4, fps=20, options=OutputOptions(max_fps=60))
    assert len(read_video(path)) == 4
    assert "20 fps" in describe(path)


def test_a_webm_is_vp9_with_its_colours_named(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.webm", [grey(90)] * 5)
    assert re.search(r"Video: vp9 .*yuv420p\(tv, bt709[,)]", describe(tmp_path / "clip.webm"))


def test_names_that_ffmpeg_could_misread(tmp_path: Path) -> None:
    path = tmp_path / "a:b %03d -y.mp4"
    write_video(path, [grey(50)] * 2)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def failing_ffmpeg(folder: Path, body: str) -> Path:
    """A program that stands in for ffmpeg."""
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo 'x264: out of luck' >&2; exit 3", "out of luck"),
        ("cat >/dev/null; echo '[out#0/mp4 @ 0x55fa] late failure' >&2; exit 1", "late failure"),
        ("exit 5", "code 5"),
    ],
    ids=["at once", "at the end", "silent"],
)
def test_a_failing_ffmpeg_is_one_clear_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    body: str,
    why: str,
) -> None:
    program = failing_ffmpeg(tmp_path, body)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    monkeypatch.setattr(encoder, "find_ffmpeg", lambda path: str(program))
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="could not encode") as caught:
        write_video(tmp_path / "out" / "clip.mp4", [grey(50, (320, 240))] * 10)
    assert caught.value.why is not None and why in caught.value.why
    assert "0x" not in caught.value.why
    assert list((tmp_path / "out").iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_an_ffmpeg_without_the_encoder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = failing_ffmpeg(tmp_path, "echo \"Unknown encoder 'libvpx-vp9'\" >&2; exit 1")
    monkeypatch.setattr(encoder, "find_ffmpeg", lambda path: str(program))
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="has no encoder") as caught:
        write_video(tmp_path / "out" / "clip.webm", [grey(50, (320, 240))] * 10)
    assert caught.value.why == "Unknown encoder 'libvpx-vp9'"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_ffmpeg_that_can_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "find_ffmpeg", lambda path: str(tmp_path / "nothing"))
    with pytest.raises(OutputError, match="can't be started"):
        open_sink(tmp_path / "clip.mp4", fps=25.0, size_px=(64, 48))
    assert list(tmp_path.iterdir()) == []


def test_no_imageio_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError) as caught:
        open_sink(tmp_path / "clip.mp4", fps=25.0, size_px=(64, 48))
    assert caught.value.fix is not None and "pip install" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_abort_kills_and_reaps_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: List[subprocess.Popen] = []

    class Spy(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Spy)
    sink = open_sink(tmp_path / "clip.mp4", fps=25.0, size_px=(64, 48))
    sink.write(Frame(0, 0.0, grey(50)), grey(50), ())
    (process,) = started
    # In a session of its own the Ctrl-C of the terminal does not reach it.
    assert os.getsid(process.pid) != os.getsid(0)
    sink.abort()
    # A code that is set means that the process was waited for: no zombie is left.
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None and process.stdin.closed
    assert list(tmp_path.iterdir()) == []


ENDLESS = """
import sys
import numpy as np
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import open_sink

picture = np.zeros((48, 64, 3), np.uint8)
with open_sink(sys.argv[1], fps=25.0, size_px=(64, 48)) as sink:
    for index in range(10**9):
        sink.write(Frame(index, index / 25, picture), picture, ())
        if index == 20:
            print("running", flush=True)
"""


def test_ctrl_c_at_the_terminal_leaves_nothing(tmp_path: Path) -> None:
    # A terminal sends SIGINT to the whole process group, ffmpeg's too if it were in it.
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path / "clip.mp4")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert said.strip().endswith(b"KeyboardInterrupt")
    assert b"OutputError" not in said
    assert list(tmp_path.iterdir()) == []


def test_an_ffmpeg_that_is_interrupted_while_it_starts_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def _execute_child(self, *values: Any) -> None:
            super()._execute_child(*values)  # type: ignore[misc]
            started.append(self)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_sink(tmp_path / "clip.mp4", fps=25.0, size_px=(20, 16))
    assert [process.returncode for process in started] == [-signal.SIGKILL]
    assert list(tmp_path.iterdir()) == []
