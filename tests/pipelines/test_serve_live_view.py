"""The sink that keeps the newest frame and the last seconds."""

from __future__ import annotations

import json
import threading
from typing import List, Tuple

import numpy as np
import pytest
from live_pages import make_hand

from atlas_hpe.errors import OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.serve import LiveView, live_view


def write(
    view: LiveView, index: int, time_s: float, size_px: Tuple[int, int] = (32, 24), grey: int = 0
) -> None:
    picture = np.full((size_px[1], size_px[0], 3), grey, np.uint8)
    view.write(Frame(index, time_s, picture), picture, (make_hand(index),))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """The mean of each picture that was encoded."""
    means: List[int] = []
    encode = live_view._encode_jpeg

    def count(picture: np.ndarray) -> bytes:
        means.append(round(float(picture.mean())))
        return encode(picture)

    monkeypatch.setattr(live_view, "_encode_jpeg", count)
    return means


def test_nothing_is_encoded_while_nobody_watches(encoded: List[int]) -> None:
    view = LiveView()
    for index in range(50):
        write(view, index, index / 30)
    view.record()
    assert encoded == []
    assert view.number == 50


def test_a_frame_is_encoded_once_however_many_watch(encoded: List[int]) -> None:
    view = LiveView()
    write(view, 0, 0.0, grey=7)
    shots = [view.shot() for _ in range(5)]
    assert encoded == [7]
    assert len({id(shot.jpeg) for shot in shots}) == 1
    write(view, 1, 0.1, grey=9)
    view.shot()
    view.shot()
    assert encoded == [7, 9]


def test_it_stops_encoding_when_everybody_has_gone(
    encoded: List[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "_WATCHED_S", 0.0)
    view = LiveView()
    write(view, 0, 0.0)
    view.shot()
    write(view, 1, 0.1)
    assert len(encoded) == 1


def test_the_callers_array_may_be_used_again() -> None:
    view = LiveView()
    picture = np.full((24, 32, 3), 200, np.uint8)
    view.write(Frame(0, 0.0, picture), picture, ())
    picture[:] = 0
    import cv2

    seen = cv2.imdecode(np.frombuffer(view.shot().jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert abs(int(seen.mean()) - 200) <= 2


def test_the_newest_frame_is_told_with_its_hands() -> None:
    view = LiveView()
    assert view.record() == (0, None)
    assert view.shot() is None
    write(view, 4, 0.5)
    number, record = view.record()
    told = json.loads(record)
    assert (number, told["frame"], told["time_s"]) == (1, 4, 0.5)
    assert told["hands"][0]["handedness"] == "left"


def test_the_ring_is_bounded_in_seconds_and_in_bytes() -> None:
    view = LiveView(ring_s=1.0)
    view.shot()
    for index in range(100):
        write(view, index, index / 20)
    shots = view.recent(10)
    assert shots[-1].clock_s - shots[0].clock_s == pytest.approx(1.0)
    one = len(shots[0].jpeg)
    view = LiveView(ring_bytes=10 * one)
    view.shot()
    for index in range(100):
        write(view, index, index / 20)
    assert len(view.recent(10)) == 10


def test_the_last_seconds_end_with_the_newest_frame() -> None:
    view = LiveView()
    view.shot()
    for index in range(100):
        write(view, index, index / 20)
    shots = view.recent(2.0)
    assert [shot.frame_index for shot in shots] == list(range(59, 100))


def test_the_clock_goes_on_when_a_clip_begins_again() -> None:
    view = LiveView()
    view.shot()
    for _ in range(3):
        for index in range(4):
            write(view, index, index / 10)
    times = [shot.clock_s for shot in view.recent(10)]
    assert np.allclose(np.diff(times), 0.1)
    assert view.shot().time_s == 0.3


def test_pictures_of_another_size_begin_a_new_clip() -> None:
    view = LiveView()
    view.shot()
    for index in range(5):
        write(view, index, index / 10)
    for index in range(5, 8):
        write(view, index, index / 10, size_px=(48, 24))
    assert [shot.frame_index for shot in view.recent(10)] == [5, 6, 7]
    view.forget_recent()
    assert view.recent(10) == []


def test_a_frame_without_a_picture_is_refused() -> None:
    with pytest.raises(OutputError, match="needs a picture"):
        LiveView().write(Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8)), None, ())


def test_frames_per_second_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(live_view, "monotonic", lambda: now[0])
    view = LiveView()
    assert view.frames_per_s() == 0.0
    for index in range(100):
        now[0] += 0.05
        write(view, index, index / 30)
    assert view.frames_per_s() == pytest.approx(20.0)
    now[0] += 10
    assert view.frames_per_s() == 0.0


def test_readers_and_the_writer_do_not_disturb_each_other() -> None:
    view = LiveView(ring_bytes=20_000)
    ended = threading.Event()
    wrong: List[object] = []

    def read() -> None:
        while not ended.is_set():
            shot = view.shot()
            number, record = view.record()
            view.recent(1.0)
            if shot is not None and shot.jpeg[:2] != b"\xff\xd8":
                wrong.append(shot)
            if record is not None and json.loads(record)["frame"] != number - 1:
                wrong.append(record)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for index in range(300):
        write(view, index, index / 30, size_px=(32 + 16 * (index % 3), 24))
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
