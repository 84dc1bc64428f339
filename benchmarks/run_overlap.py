"""Does the whole run keep up with its slowest stage?

    python benchmarks/run_overlap.py [--video PATH] [--model FILE] [--rounds N] [--json]

Each stage is timed alone over all frames of the clip, then the whole pipeline with a GIF as output;
the ratio is the whole's frame rate over the slowest stage's (target 0.9). The same work one step
after another, as the seed report did it, is the sum of the stages. Rounds are interleaved and the
median is shown. Without --video the clip is the project's own drawn hand at 480x848.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Callable, Dict, List, Optional

import numpy as np

from atlas_hpe.card import load_card
from atlas_hpe.models import default_model_path
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines import (
    Pipeline,
    crop_picture,
    decode_hand,
    draw_hands,
    input_affine,
    open_sink,
    open_source,
    to_feeds,
)
from atlas_hpe_pipelines.drawn_hand import write_clip
from atlas_hpe_pipelines.pipeline import HOST_THREADS
from atlas_hpe_pipelines.regions import choose_region
from atlas_hpe_runtime import open_session

TARGET = 0.9
SIZE_PX = (480, 848)
FRAMES = 120


def rate(work: Callable[[], int]) -> float:
    """Frames per second of a piece of work that returns its number of frames."""
    started = perf_counter()
    frames = work()
    return frames / (perf_counter() - started)


def read_all(video: Path) -> List[Frame]:
    """All frames of the clip, in memory."""
    source = open_source(video)
    frames = list(source.frames())
    source.close()
    return frames


def stage_rates(video: Path, model: Path, folder: Path) -> Dict[str, float]:
    """Each stage alone, frames/s."""
    card = load_card(model)
    rates = {"decode": rate(lambda: len(read_all(video)))}
    frames = read_all(video)
    region = choose_region(card.preprocess, frames[0].size_px, None)
    affine = input_affine(card.preprocess, region)
    feeds: List[Dict[str, np.ndarray]] = []

    def crop() -> int:
        for frame in frames:
            feeds.append(to_feeds(card, crop_picture(frame.image, affine, card.preprocess)))
        return len(feeds)

    rates["crop"] = rate(crop)
    outputs: List[Dict[str, np.ndarray]] = []
    with open_session(model, threads=HOST_THREADS) as session:

        def infer() -> int:
            outputs.extend(session.run(feed) for feed in feeds)
            return len(outputs)

        rates["infer"] = rate(infer)
    rates["joints"] = rate(lambda: len([decode_hand(card, output) for output in outputs]))
    hands = [hands for _, hands in Pipeline(video, model)]
    pictures: List[np.ndarray] = []

    def draw() -> int:
        pictures.extend(draw_hands(frame.image, found) for frame, found in zip(frames, hands))
        return len(pictures)

    rates["draw"] = rate(draw)

    def encode() -> int:
        path = folder / "alone.gif"
        with open_sink(path, fps=30.0, size_px=frames[0].size_px, force=True) as sink:
            for frame, picture in zip(frames, pictures):
                sink.write(frame, picture, ())
        return len(frames)

    rates["gif"] = rate(encode)
    return rates


def whole_rate(video: Path, model: Path, folder: Path) -> float:
    """The whole pipeline, frames/s."""
    pipeline = Pipeline(video, model, out=[folder / "whole.gif"], force=True)
    return rate(lambda: sum(1 for _ in pipeline))


def measure(video: Path, model: Path, rounds: int, folder: Path) -> Dict[str, float]:
    """Medians over interleaved rounds."""
    stages: List[Dict[str, float]] = []
    wholes: List[float] = []
    for _ in range(rounds):
        stages.append(stage_rates(video, model, folder))
        wholes.append(whole_rate(video, model, folder))
    report = {name: statistics.median(entry[name] for entry in stages) for name in stages[0]}
    slowest = min(report.values())
    one_after_another = 1 / sum(1 / value for value in report.values())
    whole = statistics.median(wholes)
    report["whole"] = whole
    report["ratio_to_slowest"] = whole / slowest
    report["ratio_to_one_after_another"] = whole / one_after_another
    return report


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = options.video
        if video is None:
            video = folder / "drawn.mp4"
            write_clip(video, frames=FRAMES, size_px=SIZE_PX)
        model = options.model or default_model_path()
        report = measure(video, model, options.rounds, folder)
    for stage, value in report.items():
        if not stage.startswith("ratio"):
            print(f"{stage:<8}{value:>8.1f} frames/s", file=sys.stderr)
    print(
        f"whole run against its slowest stage: {report['ratio_to_slowest']:.2f} (target {TARGET})\n"
        f"against one step after another: {report['ratio_to_one_after_another']:.2f}",
        file=sys.stderr,
    )
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
