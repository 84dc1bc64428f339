"""Does the whole run keep up with its slowest stage, and what is overlapping worth?

    python benchmarks/run_overlap.py [--video PATH] [--model FILE] [--rounds N] [--json]

Two paths are measured, each with a GIF as output: the default one, which finds hands and follows
them, and a fixed region, the whole frame. For each path, in every round:

- every stage alone: the pipeline's own stages, one after the other over all frames of the clip;
- the whole pipeline; the ratio is its frame rate over the slowest stage's (target 0.9);
- the same work one step after another, as the reports did it that this project started from: all
  frames decoded to pictures, the network on each, all pictures drawn, and the GIF made of them at
  the end by imageio with its default writer (Pillow). Pictures stay in memory; files between the
  steps would make it slower.

No overlap can beat the cores: ``within reach`` is the slowest stage or, where that is less, all
cores busy all the time with what the stages took in CPU time. Other programs on the machine slow
the whole run more than one stage alone, so look at the figures of an idle machine. Rounds are
interleaved and medians are shown. Without --video the clip is the project's own drawn hand.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Dict, Generator, Iterable, List, Optional, Sequence, Tuple
from unittest import mock

import imageio.v2
import numpy as np

from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines.drawn_hand import write_clip
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_pipelines.work import Work

TARGET = 0.9
SIZE_PX = (480, 848)
FRAMES = 120
FPS = 30
PATHS = ("tracked", "fixed")


class Alone:
    """Stands in for ``overlap``: each stage alone over all items, timed."""

    def __init__(self) -> None:
        self.rates: Dict[str, float] = {}
        self.cpu_s = 0.0

    def __call__(
        self,
        source: Iterable[Work],
        source_name: str,
        stages: Sequence[Stage[Work]],
        times: Dict[str, StageTimes],
        **_: object,
    ) -> Generator[Work, None, None]:
        """What ``overlap`` does, in another order."""
        started, cpu_s = perf_counter(), process_time()
        items = list(source)
        self.rates[source_name] = len(items) / (perf_counter() - started)
        for stage in stages:
            begun = perf_counter()
            for item in items:
                stage.work(item)
            self.rates[stage.name] = len(items) / (perf_counter() - begun)
        self.cpu_s = (process_time() - cpu_s) / len(items)
        yield from items


class Keep:
    """A sink that keeps the drawn pictures, in RGB as imageio takes them."""

    wants_picture = True
    dropped = 0

    def __init__(self) -> None:
        self.pictures: List[np.ndarray] = []

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        """Keep the picture."""
        if picture is not None:
            self.pictures.append(np.ascontiguousarray(picture[..., ::-1]))


def make(video: Path, model: Optional[Path], path: str, **options: object) -> Pipeline:
    """The pipeline of one of the two paths."""
    detector = "auto" if path == "tracked" else None
    return Pipeline(video, model, detector=detector, force=True, **options)


def run_alone(video: Path, model: Optional[Path], path: str, out: Path) -> Alone:
    """Each stage alone."""
    alone = Alone()
    with mock.patch("atlas_hpe_pipelines.pipeline.overlap", alone):
        count(make(video, model, path, out=[out]))
    return alone


def run_whole(video: Path, model: Optional[Path], path: str, out: Path) -> float:
    """The whole pipeline, frames/s."""
    pipeline = make(video, model, path, out=[out])
    started = perf_counter()
    return count(pipeline) / (perf_counter() - started)


def run_steps(video: Path, model: Optional[Path], path: str, out: Path) -> float:
    """One step after another, frames/s."""
    keep = Keep()
    with mock.patch("atlas_hpe_pipelines.pipeline.overlap", Alone()):
        pipeline = make(video, model, path, sinks={"keep": keep})
        started = perf_counter()
        frames = count(pipeline)
        imageio.v2.mimsave(out, keep.pictures, duration=1000 / FPS)
        return frames / (perf_counter() - started)


def count(pipeline: Pipeline) -> int:
    """Run it; the number of frames."""
    return sum(1 for _ in pipeline)


def measure(
    video: Path, model: Optional[Path], path: str, rounds: int, folder: Path
) -> Dict[str, object]:
    """Medians over interleaved rounds."""
    alone: List[Alone] = []
    wholes: List[float] = []
    steps: List[float] = []
    for _ in range(rounds):
        alone.append(run_alone(video, model, path, folder / "alone.gif"))
        wholes.append(run_whole(video, model, path, folder / "whole.gif"))
        steps.append(run_steps(video, model, path, folder / "steps.gif"))
    rates = {name: statistics.median(item.rates[name] for item in alone) for name in alone[0].rates}
    name, slowest = min(rates.items(), key=lambda entry: entry[1])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    all_cores = (cores or 1) / statistics.median(item.cpu_s for item in alone)
    return {
        "path": path,
        "cores": cores,
        "stages_frames_per_s": rates,
        "slowest": name,
        "all_cores_busy_frames_per_s": all_cores,
        "steps_frames_per_s": statistics.median(steps),
        "whole_frames_per_s": statistics.median(wholes),
        "ratio_to_slowest": ratio(wholes, [min(item.rates.values()) for item in alone]),
        "ratio_within_reach": min(1.0, all_cores / slowest),
        "ratio_to_steps": ratio(wholes, steps),
    }


def ratio(rates: Sequence[float], others: Sequence[float]) -> float:
    """Median of the ratios of the rounds: the two of a round saw the same load of the machine."""
    return statistics.median(rate / other for rate, other in zip(rates, others))


def show(report: Dict[str, object]) -> None:
    """Print one path's figures."""
    rates = report["stages_frames_per_s"]
    lines: List[Tuple[str, object]] = list(rates.items()) if isinstance(rates, dict) else []
    lines.append(("all cores", report["all_cores_busy_frames_per_s"]))
    lines.append(("in steps", report["steps_frames_per_s"]))
    lines.append(("whole", report["whole_frames_per_s"]))
    print(f"{report['path']} ({report['cores']} cores)", file=sys.stderr)
    for name, value in lines:
        print(f"  {name:<10}{value:>8.1f} frames/s", file=sys.stderr)
    print(
        f"  whole run against its slowest stage, {report['slowest']}: "
        f"{report['ratio_to_slowest']:.2f} "
        f"(target {TARGET}, within reach {report['ratio_within_reach']:.2f})\n"
        f"  against one step after another: {report['ratio_to_steps']:.2f}",
        file=sys.stderr,
    )


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--path", choices=PATHS, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    reports = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = options.video
        if video is None:
            video = folder / "drawn.mp4"
            write_clip(video, frames=FRAMES, size_px=SIZE_PX)
        for path in options.path or PATHS:
            reports.append(measure(video, options.model, path, options.rounds, folder))
            show(reports[-1])
    if options.json:
        print(json.dumps(reports))


if __name__ == "__main__":
    main()
