"""A run takes as much memory after an hour as after a minute, and no new picture per frame."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence

import numpy as np
import pytest
from marker_hands import (
    DetectorSession,
    LandmarkSession,
    Marker,
    detector_card,
    draw,
    landmark_card,
)

import clips
from atlas_hpe.card import ModelCard
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.sources.source import RecordedSource
from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_pipelines.work import Work

_STATM = Path("/proc/self/statm")


def use_small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that read coloured dots, under the names of the models that ship."""
    cards = {"hand": landmark_card(), "eye": detector_card()}
    sessions = {"hand": LandmarkSession(), "eye": DetectorSession()}

    def load(path: Path) -> ModelCard:
        return cards[path.stem]

    @contextmanager
    def open_one(path: Path, **_: object) -> Iterator[object]:
        session, card = sessions[path.stem], cards[path.stem]
        session.inputs, session.outputs = card.graphs[0].inputs, card.graphs[0].outputs
        yield session

    monkeypatch.setattr("atlas_hpe_pipelines.opening.load_card", load)
    monkeypatch.setattr("atlas_hpe_pipelines.opening.open_session", open_one)
    monkeypatch.setattr("atlas_hpe_pipelines.opening.default_detector_path", lambda: Path("eye"))


class Endless(RecordedSource):
    """A few small pictures, again and again."""

    name = "endless"
    size_px = (96, 72)
    fps = 30.0
    frame_count = None

    def __init__(self, frames: int) -> None:
        self.warnings: List[str] = []
        self._frames = frames
        self._pictures = [
            draw([Marker(40 + step % 10, 50, 20, step)], size_px=self.size_px).image
            for step in range(20)
        ]

    def frames(self) -> Iterator[Frame]:
        for index in range(self._frames):
            yield Frame(index, index / self.fps, self._pictures[index % len(self._pictures)])

    def close(self) -> None:
        """Nothing is open."""


class Viewer:
    """A sink that looks at the pictures and keeps none."""

    wants_picture = True
    dropped = 0

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        assert picture is not None


def resident_bytes() -> int:
    gc.collect()
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_for_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """Bytes in memory early and late in a run of 10,000 frames."""
    use_small_networks(monkeypatch)
    source = Endless(10_000)
    monkeypatch.setattr("atlas_hpe_pipelines.pipeline.open_source", lambda *_: source)
    out = [folder / "hands.gif", folder / "hands.jsonl"]
    pipeline = Pipeline("endless", "hand", max_hands=1, out=out)
    resident = []
    for frame, hands in pipeline:
        assert len(hands) == 1
        if frame.index in (2_000, 9_990):
            resident.append(resident_bytes())
    assert pipeline.report().frames == 10_000
    return resident


@pytest.mark.slow
@pytest.mark.xfail(not _STATM.exists(), reason="only Linux tells the memory", run=False)
def test_memory_is_flat_over_ten_thousand_frames(tmp_path: Path) -> None:
    code = (
        "import json, pathlib, sys, pytest, test_memory_flat as test\n"
        "with pytest.MonkeyPatch.context() as patch:\n"
        "    print(json.dumps(test.run_for_long(pathlib.Path(sys.argv[1]), patch)))"
    )
    # In a process of its own: the memory of one that ran other tests is full of holes.
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        check=True,
        timeout=500,
    )
    early, late = json.loads(done.stdout)
    # 8,000 frames: 250 bytes kept for each would be more.
    assert late - early < 2_000_000, f"{(late - early) / 8000:.0f} bytes a frame"


def in_turn(
    source: Iterable[Work],
    name: str,
    stages: Sequence[Stage[Work]],
    times: Dict[str, StageTimes],
    **_: object,
) -> Iterator[Work]:
    """Stands in for ``overlap``: the number of frames on their way is the same in every run."""
    for item in source:
        for stage in stages:
            stage.work(item)
        yield item


def peak_bytes(
    clip: Path, out: Sequence[Path], monkeypatch: pytest.MonkeyPatch, first: int, last: int
) -> int:
    """The most that was newly allocated at a time from one frame to another."""
    monkeypatch.setattr("atlas_hpe_pipelines.pipeline.overlap", in_turn)
    pipeline = Pipeline(clip, "hand", max_hands=1, out=out, sinks={"viewer": Viewer()})
    peak = 0
    try:
        for frame, hands in pipeline:
            assert len(hands) == 1
            if frame.index == first:
                tracemalloc.start()
            elif frame.index == last:
                peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak


# Now and then the detector looks: its small view of the picture is new each time. A .gif has a
# sample of 12,000 pixels for each picture, whatever the size, and holds two that are compressed.
@pytest.mark.parametrize(("out", "most"), [((), 0.5), (("hands.gif",), 0.8)], ids=["none", ".gif"])
def test_the_steady_loop_allocates_nothing_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Sequence[str], most: float
) -> None:
    use_small_networks(monkeypatch)
    size_px = (640, 480)
    frames = [draw([Marker(200 + step, 240, 20)], size_px=size_px).image for step in range(120)]
    # Too dark for the networks to see; it moves, so that the .gif writes whole pictures.
    ground = np.linspace(0, 100, 640).astype(np.uint8)[:, None].repeat(3, axis=1)
    moving = [np.maximum(image, np.roll(ground, 9 * i, 0)) for i, image in enumerate(frames)]
    rgb = np.stack(moving)[..., ::-1]
    clip = clips.encode(rgb, tmp_path / "clip.mp4", "-crf", "5", "-pix_fmt", "yuv444p")
    picture_bytes = frames[0].nbytes
    peak = peak_bytes(clip, [tmp_path / name for name in out], monkeypatch, first=40, last=110)
    assert 0 < peak < most * picture_bytes, f"{peak} bytes, a picture has {picture_bytes}"
