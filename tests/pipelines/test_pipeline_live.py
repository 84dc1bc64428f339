"""A whole pipeline on a live source: what stays when the source is lost, stopped or enough."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

import pytest

import clips
import tiny_onnx
from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines import pipeline as module
from atlas_hpe_pipelines.overlap import MOST_ITEMS
from atlas_hpe_pipelines.pipeline import LIVE_ITEMS
from atlas_hpe_pipelines.serve import LiveView, Runner

pytest.importorskip("onnxruntime")

FPS = 25.0


class Camera:
    """Gives some frames, then is lost, or waits until it is stopped."""

    name = "camera 0"
    fps = FPS
    frame_count: Optional[int] = None
    paths = ()
    depth = False
    live = True
    dropped = 0

    def __init__(
        self, frames: int, *, is_lost: bool = False, size_px: Tuple[int, int] = (64, 48)
    ) -> None:
        self.size_px = size_px
        self.warnings: List[str] = []
        self._frames = frames
        self._is_lost = is_lost
        self.stopped = threading.Event()
        self.is_closed = False
        self.given = 0

    def frames(self) -> Iterator[Frame]:
        for index, image in enumerate(clips.spot_frames(self._frames)):
            self.given += 1
            yield Frame(index, index / FPS, image)
        if self._is_lost:
            raise SourceError("the source was lost and did not come back", where=self.name)
        assert self.stopped.wait(20)

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def open_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pipeline]:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx.hand_model())

    def make(camera: Camera, **options: object) -> Pipeline:
        monkeypatch.setattr(module, "open_source", lambda source, reading: camera)
        return Pipeline(0, tmp_path / "tiny.onnx", **options)

    return make


def read_indices(path: Path) -> List[int]:
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


def test_outputs_keep_what_came_before_a_live_source_was_lost(
    open_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    out, camera = tmp_path / "hands.jsonl", Camera(7, is_lost=True)
    pipeline = open_pipeline(camera, out=out)
    seen: List[int] = []
    with pytest.raises(SourceError, match="did not come back"):
        seen.extend(frame.index for frame, _ in pipeline)
    assert seen == read_indices(out) == list(range(7))
    assert camera.is_closed
    report = pipeline.report()
    assert (report.frames, report.interrupted) == (7, False)
    assert pipeline.report().total_s == report.total_s  # the run is over


def test_a_live_source_that_is_lost_before_its_first_frame_leaves_no_output(
    open_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="did not come back"):
        list(open_pipeline(Camera(0, is_lost=True), out=tmp_path / "hands.jsonl"))
    assert [item.name for item in tmp_path.iterdir()] == ["tiny.onnx"]


def test_leaving_early_does_not_wait_for_the_next_frame_and_removes_outputs(
    open_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    camera = Camera(3)
    running = iter(open_pipeline(camera, out=tmp_path / "hands.jsonl"))
    assert next(running)[0].index == 0
    running.close()
    assert camera.stopped.is_set()
    assert camera.is_closed
    assert [item.name for item in tmp_path.iterdir()] == ["tiny.onnx"]


def test_stop_finishes_the_outputs_of_a_source_that_waits(
    open_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    out = tmp_path / "hands.jsonl"
    pipeline = open_pipeline(Camera(3), out=out)
    for frame, _ in pipeline:
        if frame.index == 2:
            pipeline.stop()
    assert read_indices(out) == [0, 1, 2]
    assert pipeline.report().interrupted


def test_seconds_end_a_source_that_waits(
    open_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    out = tmp_path / "hands.jsonl"
    assert len(list(open_pipeline(Camera(3), out=out, seconds=0.5))) == 3
    assert read_indices(out) == [0, 1, 2]


def test_a_slow_reader_is_only_a_few_frames_behind_a_live_source(
    open_pipeline: Callable[..., Pipeline],
) -> None:
    camera = Camera(40)
    running = iter(open_pipeline(camera))
    next(running)
    end = time.monotonic() + 20
    while camera.given <= LIVE_ITEMS:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.2)
    assert camera.given == 1 + LIVE_ITEMS
    running.close()


@pytest.mark.parametrize(
    ("size_px", "live", "most"),
    [
        ((640, 480), False, MOST_ITEMS),
        ((640, 480), True, LIVE_ITEMS),
        ((3840, 2160), False, 10),
        ((7680, 4320), False, 2),
        ((30000, 30000), False, 2),  # one is drawn while the next is read
    ],
)
def test_few_large_frames_are_on_their_way_at_once(
    size_px: Tuple[int, int], live: bool, most: int
) -> None:
    camera = Camera(0, size_px=size_px)
    camera.live = live
    assert module._most_items(camera) == most


def test_a_runner_plays_a_pipeline_and_tells_that_its_source_was_lost(
    open_pipeline: Callable[..., Pipeline],
) -> None:
    view, ended = LiveView(), threading.Event()
    told: List[str] = []

    def tell(text: str) -> None:
        told.append(text)
        ended.set()

    runner = Runner(
        lambda sinks: open_pipeline(Camera(4, is_lost=True), sinks=sinks), view, tell=tell
    )
    runner.start()
    assert ended.wait(20)
    runner.close()
    assert view.number == 4
    assert len(told) == 1
    assert "did not come back" in told[0]
    report = runner.report()
    assert report is not None
    assert [stage.name for stage in report.stages][-2:] == ["draw", "page"]
    assert report.stages[-1].count == 4
