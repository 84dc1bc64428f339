"""Live sources without a network: what is kept, how time counts, what becomes of a loss."""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import replace
from typing import Callable, Iterator, List, Optional, Tuple

import cv2
import numpy as np
import pytest
from live_cases import QUICK, ScriptedCapture, no_thread_is_left, numbers, readers

from atlas_hpe.errors import SourceError
from atlas_hpe_pipelines.sources.live import open_stream
from atlas_hpe_pipelines.sources.live.mailbox import Mailbox
from atlas_hpe_pipelines.sources.live.opencv import Capture
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.source import Source, SourceOptions

__all__ = ["no_thread_is_left"]

#: Nobody listens there: what can't be opened is found out in no time.
_ADDRESS = "rtsp://eva:geheim@127.0.0.1:9/x"


def _open(captures: List[ScriptedCapture], **options: object) -> Source:
    waiting: Iterator[ScriptedCapture] = iter(captures)

    def open_url(_: str, __: Patience) -> Capture:
        return next(waiting, ScriptedCapture([], opens=False))

    chosen = SourceOptions(**options)  # type: ignore[arg-type]
    return open_stream(_ADDRESS, chosen, patience=QUICK, open_url=open_url)


def test_never_drops_nothing_however_slow_the_reader() -> None:
    source = _open([ScriptedCapture(range(0, 80, 2))], drop="never", reconnect_s=0)
    frames = []
    with pytest.raises(SourceError):
        for frame in source.frames():
            frames.append(frame)
            time.sleep(0.005)
    source.close()
    assert numbers([frame.image for frame in frames]) == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert source.dropped == 0


def test_newest_leaves_out_what_waited_and_counts_it() -> None:
    source = _open([ScriptedCapture(range(200), every_s=0.005)], drop="newest", reconnect_s=0)
    frames = []
    with pytest.raises(SourceError):
        for frame in source.frames():
            frames.append(frame)
            time.sleep(0.05)
    source.close()
    indices = [frame.index for frame in frames]
    gaps = sum(after - before - 1 for before, after in zip(indices, indices[1:]))
    assert indices[0] == 0
    assert 3 < len(frames) < 60
    assert source.dropped == gaps > 100
    levels = [int(frame.image[0, 0, 0]) for frame in frames]
    assert [level - levels[0] for level in levels] == indices  # an index is the frame it says


def test_times_are_those_of_arrival_from_the_first_taken_frame() -> None:
    source = _open([ScriptedCapture(range(30), every_s=0.02)], drop="newest", reconnect_s=0)
    time.sleep(0.2)  # models are loaded meanwhile
    started_s = time.monotonic()
    frames = source.frames()
    first = next(frames)
    assert (first.index, first.time_s) == (0, 0)
    previous_s = 0.0
    with pytest.raises(SourceError):
        for frame in frames:
            assert previous_s < frame.time_s <= time.monotonic() - started_s + 0.1
            previous_s = frame.time_s
    source.close()
    assert previous_s > 0.15


def test_a_lost_source_comes_back_and_says_so_once() -> None:
    captures = [
        ScriptedCapture([0, 2, 4]),
        ScriptedCapture([], opens=False),
        ScriptedCapture([]),
        ScriptedCapture([6, 8], size_px=(32, 24)),
    ]
    source = _open(captures, drop="never", reconnect_s=0.6)
    frames = []
    with pytest.raises(SourceError) as failure:
        for frame in source.frames():
            frames.append(frame)
    source.close()
    assert numbers([frame.image for frame in frames]) == [0, 1, 2, 3, 4]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[3].time_s - frames[2].time_s > 0.15  # two pauses and more went by
    assert [frame.size_px for frame in frames[2:4]] == [(64, 48), (32, 24)]
    assert source.size_px == (64, 48)
    back, lost = source.warnings
    assert "(it ended or sent what is no picture), back after 0." in back
    assert back.endswith("and 3 attempts")
    assert lost.endswith("not back yet")
    assert failure.value.what == "the source was lost and did not come back"
    assert "attempts in 0." in str(failure.value.why)
    assert "nothing listens on port 9 of 127.0.0.1" in str(failure.value.why)
    assert all(capture.is_released for capture in captures)


def test_reconnecting_ends_in_time_and_not_before() -> None:
    source = _open([ScriptedCapture([0])], reconnect_s=0.5)
    started_s = time.monotonic()
    with pytest.raises(SourceError):
        list(source.frames())
    assert 0.25 < time.monotonic() - started_s < 1.0
    source.close()


def test_an_end_without_reconnecting_is_an_error_at_once() -> None:
    source = _open([ScriptedCapture([0]), ScriptedCapture([2])], reconnect_s=0)
    started_s = time.monotonic()
    with pytest.raises(SourceError, match="did not come back") as failure:
        list(source.frames())
    assert time.monotonic() - started_s < 0.2
    assert str(failure.value.why).startswith("0 attempts")
    source.close()


def test_the_first_attempt_is_the_only_one() -> None:
    opened: List[float] = []

    def open_url(_: str, __: Patience) -> Capture:
        opened.append(time.monotonic())
        return ScriptedCapture([])

    with pytest.raises(SourceError, match="no picture comes") as failure:
        open_stream(_ADDRESS, SourceOptions(), patience=QUICK, open_url=open_url)
    assert len(opened) == 1
    assert failure.value.where == "rtsp://***@127.0.0.1:9/x"


@pytest.mark.parametrize("drop", ["newest", "never"])
def test_stop_ends_the_frames_from_another_thread(drop: str) -> None:
    source = _open([ScriptedCapture(range(250), every_s=0.02)], drop=drop)
    stopped_s: List[float] = []

    def stop() -> None:
        stopped_s.append(time.monotonic())
        source.stop()
        source.stop()

    threading.Timer(0.2, stop).start()
    taken = sum(1 for _ in source.frames())
    assert time.monotonic() - stopped_s[0] < 0.2
    assert 0 < taken < 100
    source.close()
    source.close()
    assert list(source.frames()) == []


def test_stop_ends_the_frames_while_it_connects_again() -> None:
    source = open_stream(
        _ADDRESS,
        SourceOptions(reconnect_s=600),
        patience=replace(QUICK, first_pause_s=60),
        open_url=lambda *_: ScriptedCapture([0]),
    )
    threading.Timer(0.3, source.stop).start()
    started_s = time.monotonic()
    assert len(list(source.frames())) == 1
    assert time.monotonic() - started_s < 0.7
    source.close()
    assert not readers()


def test_a_file_without_times_goes_by_its_rate() -> None:
    capture = ScriptedCapture([0, 2, 4], count=3)
    source = open_stream(
        "http://cam.invalid/x", SourceOptions(), patience=QUICK, open_url=lambda *_: capture
    )
    assert (source.live, source.frame_count) == (False, 3)
    np.testing.assert_allclose([frame.time_s for frame in source.frames()], [0, 0.04, 0.08])
    source.close()
    assert capture.is_released


def test_a_loss_that_took_longer_than_the_limit_is_still_tried_once() -> None:
    source = _open(
        [ScriptedCapture([0], every_s=0.1), ScriptedCapture([2])], drop="never", reconnect_s=0.01
    )
    with pytest.raises(SourceError):
        assert len([frame.image for frame in source.frames()]) == 2
    source.close()
    assert "back after" in source.warnings[0]


def test_ctrl_c_before_the_first_frame_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_: Mailbox) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Mailbox, "first", press)
    with pytest.raises(KeyboardInterrupt):
        _open([ScriptedCapture([0] * 10_000, every_s=0.02)])
    assert not readers()


def test_an_error_of_opencv_is_told_without_the_address() -> None:
    class Failing(ScriptedCapture):
        def read(self, image: Optional[np.ndarray] = None) -> Tuple[bool, np.ndarray]:
            raise cv2.error(f"Assertion failed: {_ADDRESS}")

    with pytest.raises(SourceError, match="OpenCV can't read") as failure:
        _open([Failing([])])
    assert "Assertion failed: rtsp://***@127.0.0.1:9/x" in str(failure.value.why)


def test_an_error_that_nobody_expected_is_not_swallowed() -> None:
    class Broken(ScriptedCapture):
        read: Callable = lambda *_: 1 / 0

    with pytest.raises(ZeroDivisionError):
        _open([Broken([])])


@pytest.mark.parametrize("fps", [0.0, float("nan"), 90000.0])
def test_a_useless_frame_rate_is_replaced_and_said(fps: float) -> None:
    source = _open([ScriptedCapture([0], fps=fps)])
    source.close()
    assert source.fps == 30
    assert f"{source.name}: no usable frame rate, 30 frames/s assumed" in source.warnings


@pytest.mark.parametrize("drop", ["newest", "never"])
def test_thousands_of_frames_leave_nothing_behind(drop: str) -> None:
    captures = [ScriptedCapture([0] * 200) for _ in range(20)]
    source = _open(captures, drop=drop, reconnect_s=0.5)
    tracemalloc.start()
    taken = 0
    with pytest.raises(SourceError):
        for _ in source.frames():
            taken += 1
            if taken == 5:
                before = tracemalloc.get_traced_memory()[0]
    grown = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    source.close()
    assert taken + source.dropped > 3700  # nobody counts those before the first that is taken
    assert grown < 100 * 64 * 48 * 3  # a hundred frames; 4000 came
    assert len(source.warnings) < 15
