"""Standard input as a source."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

import numpy as np
import pytest

import clips
from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.overlap import overlap
from atlas_hpe_pipelines.sources.piped import PipedSource, redirected_file

#: Prints index and time of each frame that comes from standard input, or the error.
_READER = """
import sys
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_pipelines.sources import open_source
try:
    source = open_source(*sys.argv[1:] or "-")
    print(source.name, *source.size_px, source.fps, flush=True)
    for frame in source.frames():
        print(frame.index, round(frame.time_s * 1000), flush=True)
    source.close()
except AtlasHpeError as error:
    sys.exit(str(error))
"""


def our_threads() -> List[str]:
    return [thread.name for thread in threading.enumerate() if "atlas-hpe" in thread.name]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def sent(data: bytes, *, keep_open: bool = False) -> Iterator[int]:
    """A pipe that a thread writes to."""
    reader, writer = os.pipe()
    done = threading.Event()

    def write() -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(writer, view[:5000]) :]
        except BrokenPipeError:
            pass
        if keep_open:
            done.wait(30)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reader
    finally:
        done.set()
        os.close(reader)
        thread.join()


def read_stdin(stdin: object, name: str = "-") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _READER, name],
        stdin=stdin,  # type: ignore[call-overload]
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("kind", [".mkv", ".ts", ".h264", ".mjpeg", ".avi", ".jpg", ".png", ".gif"])
def test_what_needs_no_jumping_about_is_read_with_its_times(tmp_path: Path, kind: str) -> None:
    frames = clips.spot_frames(20)
    if kind in (".jpg", ".png"):
        clips.encode(frames, tmp_path / f"f%03d{kind}")
        data = b"".join(path.read_bytes() for path in sorted(tmp_path.glob(f"f*{kind}")))
    else:
        options = ["-pix_fmt", "yuvj420p"] if kind == ".mjpeg" else []
        data = clips.encode(frames, tmp_path / f"clip{kind}", *options).read_bytes()
    with sent(data) as descriptor:
        source = PipedSource(descriptor)
        assert (source.name, source.size_px, source.fps) == ("standard input", (64, 48), 25)
        assert (source.live, source.depth, source.frame_count) == (False, False, None)
        read = list(source.frames())
        source.close()
    assert [frame.index for frame in read] == list(range(20))
    np.testing.assert_allclose([frame.time_s for frame in read], np.arange(20) / 25, atol=2e-3)
    bright = [np.nonzero(frame.image[24, :, 0] > 128)[0].mean() for frame in read]
    np.testing.assert_allclose(bright, np.arange(20) + 11.5, atol=1)
    assert source.warnings == []


def test_a_variable_frame_rate_is_kept_through_a_pipe(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.2, 0.21, 0.5, 1.0]
    path = clips.variable_rate(clips.spot_frames(6), tmp_path / "clip.mkv", times_s)
    with sent(path.read_bytes()) as descriptor:
        source = PipedSource(descriptor)
        read = [frame.time_s for frame in source.frames()]
        source.close()
    np.testing.assert_allclose(read, times_s, atol=2e-3)


def test_an_mp4_passes_a_pipe_only_with_its_index_in_front(tmp_path: Path) -> None:
    frames = clips.spot_frames(10)
    front = clips.encode(frames, tmp_path / "a.mp4", "-movflags", "+faststart").read_bytes()
    with sent(front) as descriptor:
        source = PipedSource(descriptor)
        assert len(list(source.frames())) == 10
        source.close()
    behind = clips.encode(frames, tmp_path / "b.mp4").read_bytes()
    with sent(behind) as descriptor, pytest.raises(
        SourceError, match="MP4 can't be read"
    ) as caught:
        PipedSource(descriptor)
    assert caught.value.why is not None and "its index stands behind" in caught.value.why
    assert caught.value.fix is not None and "+faststart" in caught.value.fix


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no data came from standard input"),
        (b"these are notes\n" * 1000, "no frame can be decoded from standard input"),
        (b"\0\0\0\x01mdat" + (1 << 40).to_bytes(8, "big"), "MP4 can't be read from a pipe"),
        (b"\0\0\0\0ftyp\0\0\0\0free\0\0\0\x08mdat", "MP4 can't be read from a pipe"),
        (b"\0\0\0\x08wide" * 600, "no frame can be decoded from standard input"),
    ],
    ids=["nothing", "text", "long box", "small boxes", "no end of boxes"],
)
def test_what_is_no_stream_is_one_clear_error(data: bytes, message: str) -> None:
    with sent(data) as descriptor, pytest.raises(SourceError, match=message) as caught:
        PipedSource(descriptor)
    assert caught.value.where == "standard input"
    assert not our_threads()


def test_depth_video_is_refused_and_not_cut_to_8_bits(tmp_path: Path) -> None:
    depth = np.zeros((5, 48, 64), np.uint16)
    data = clips.encode_depth(depth, tmp_path / "clip.mkv").read_bytes()
    with sent(data) as descriptor, pytest.raises(SourceError, match="depth video can't be read"):
        PipedSource(descriptor)


def test_a_stream_that_is_cut_off_gives_the_frames_it_has(tmp_path: Path) -> None:
    data = clips.encode(clips.spot_frames(50), tmp_path / "clip.ts").read_bytes()
    with sent(data[: len(data) // 2]) as descriptor:
        source = PipedSource(descriptor)
        assert 5 < len(list(source.frames())) < 50
        source.close()


def test_frames_come_while_the_pipe_is_still_open_and_stop_ends_the_wait(tmp_path: Path) -> None:
    data = clips.encode(clips.spot_frames(50), tmp_path / "clip.ts", "-bf", "0").read_bytes()
    with sent(data, keep_open=True) as descriptor:
        source = PipedSource(descriptor)
        read: List[int] = []
        timer = threading.Timer(1.0, source.stop)
        timer.start()
        started = time.monotonic()
        read.extend(frame.index for frame in source.frames())
        assert 0.5 < time.monotonic() - started < 10
        assert len(read) >= 25
        source.stop()
        source.close()
        source.close()
        timer.join()
        assert not our_threads()
        os.fstat(descriptor)  # it is the caller's, and still open


def test_a_run_that_ends_early_does_not_wait_for_data(tmp_path: Path) -> None:
    data = clips.encode(clips.spot_frames(50), tmp_path / "clip.ts", "-bf", "0").read_bytes()
    with sent(data, keep_open=True) as descriptor:
        source = PipedSource(descriptor)
        running = overlap(source.frames(), "decode", [], {}, most=100, end_source=source.stop)
        next(running)
        time.sleep(0.3)  # all that was sent is read
        started = time.monotonic()
        running.close()
        source.close()
        assert time.monotonic() - started < 10
    assert not our_threads()


def test_a_source_that_is_left_early_releases_everything(tmp_path: Path) -> None:
    data = clips.encode(clips.spot_frames(50), tmp_path / "clip.ts").read_bytes()
    before = open_descriptors()
    for _ in range(3):
        with sent(data, keep_open=True) as descriptor:
            source = PipedSource(descriptor)
            next(source.frames())
            source.close()
            assert list(source.frames()) == []
    assert open_descriptors() == before


def test_a_source_that_is_left_with_much_unread_does_not_wait(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), np.uint8)
    data = clips.encode(noise, tmp_path / "clip.avi", "-c:v", "mjpeg", "-q:v", "2").read_bytes()
    assert len(data) > 500_000  # more than the pipes hold
    with sent(data) as descriptor:
        source = PipedSource(descriptor)
        next(source.frames())
        time.sleep(0.3)
        source.close()
    assert not our_threads()


def test_a_failure_of_the_reading_thread_reaches_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, previous_s: float, steps: int) -> float:
        raise MemoryError("no room")

    name = "atlas_hpe_pipelines.sources.capture.CaptureSource._next_time_s"
    data = clips.encode(clips.spot_frames(5), tmp_path / "clip.ts").read_bytes()
    with sent(data) as descriptor:
        source = PipedSource(descriptor)
        monkeypatch.setattr(name, fail)
        with pytest.raises(MemoryError, match="no room"):
            list(source.frames())
        source.close()


def test_a_redirected_file_may_be_of_any_kind(tmp_path: Path) -> None:
    path = clips.encode(clips.spot_frames(5), tmp_path / "clip.mp4")
    with path.open("rb") as stream:
        assert redirected_file(stream.fileno()) == path
        done = read_stdin(stream)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines == [f"{path} 64 48 25.0", *(f"{index} {40 * index}" for index in range(5))]


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_read_from_a_pipe(tmp_path: Path, name: str) -> None:
    path = clips.encode(clips.spot_frames(5), tmp_path / "clip.mkv")
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        done = read_stdin(cat.stdout, name)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "standard input 64 48 25.0"
    assert lines[1:] == [f"{index} {40 * index}" for index in range(5)]


def test_without_data_the_program_in_front_is_suspected() -> None:
    done = read_stdin(subprocess.DEVNULL)
    assert done.returncode == 1
    assert "no data came from standard input" in done.stderr
    assert "the program in front may have failed" in done.stderr


def test_a_terminal_is_refused() -> None:
    master, slave = pty.openpty()
    try:
        with pytest.raises(InputError, match="standard input is a terminal") as caught:
            redirected_file(slave)
        assert caught.value.fix is not None and "| atlas-hpe run -" in caught.value.fix
    finally:
        os.close(master)
        os.close(slave)


def test_a_closed_standard_input_is_refused() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&-', sys.executable, _READER],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("standard input is closed")


def test_the_number_of_a_closed_standard_input_may_be_another_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "__stdin__", None)
    with pytest.raises(InputError, match="standard input is closed"):
        redirected_file()


@pytest.mark.parametrize("opened", [False, True])
def test_ctrl_c_ends_the_wait_for_data(tmp_path: Path, opened: bool) -> None:
    data = (
        clips.encode(clips.spot_frames(40), tmp_path / "clip.ts").read_bytes() if opened else b"G"
    )
    with subprocess.Popen(
        [sys.executable, "-c", _READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(data)
        process.stdin.flush()
        if opened:
            assert process.stdout.readline().startswith(b"standard input 64 48")
        else:
            time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()
        assert process.stderr is not None
        assert b"KeyboardInterrupt" in process.stderr.read()
