"""What does following a hand cost beside its network?

    python benchmarks/tracked_frame.py [--model FILE] [--frames N] [--json]

The project's own drawn hand is followed through a clip, one thread: the crop is turned upright,
the network runs, the joints are decoded and the next region is chosen. After each frame the network
runs once more, alone, so that both see the same load of the machine; their ratio is the figure to
watch. Reading the video, drawing and encoding are not part of it. The target is 5 ms for a tracked
frame on one idle core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Dict, List, Optional

import cv2
import numpy as np

from atlas_hpe.card import load_card
from atlas_hpe.geometry import Box
from atlas_hpe.models import default_model_path
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines import to_feeds
from atlas_hpe_pipelines.detection import Detection
from atlas_hpe_pipelines.drawn_hand import iter_clip
from atlas_hpe_pipelines.tracking import HandFinder, HandReader
from atlas_hpe_runtime import open_session

TARGET_MS = 5.0
SIZE_PX = (640, 480)


class KnownHand:
    """Stands in for a detector; it is asked once, in the first frame."""

    broken = False

    def __init__(self, joints: np.ndarray) -> None:
        low, high = joints.min(axis=0), joints.max(axis=0)
        self._box = Box(*low.tolist(), *(high - low).tolist())

    def detect(self, image: np.ndarray) -> List[Detection]:
        """The drawn hand's box."""
        return [Detection(self._box, 1.0, 0.0)]


def measure(model: Path, count: int) -> Dict[str, float]:
    """Medians in milliseconds over the frames after the first."""
    clip = list(iter_clip(count, SIZE_PX))
    card = load_card(model)
    spec = card.preprocess
    feeds = to_feeds(card, np.zeros((spec.height_px, spec.width_px, 3), np.uint8))
    with open_session(model, threads=1) as session:
        reader, known = HandReader(card, session), KnownHand(clip[0][1])
        finder = HandFinder(reader, known, max_hands=1, detect_every=count)
        tracked_ms: List[float] = []
        alone_ms: List[float] = []
        for index, (picture, _, time_s) in enumerate(clip):
            started = perf_counter()
            hands = finder.find(Frame(index, time_s, picture))
            found = perf_counter()
            session.run(feeds)
            ended = perf_counter()
            if hands and finder.detections == 1 and index:
                tracked_ms.append((found - started) * 1000)
                alone_ms.append((ended - found) * 1000)
    if not tracked_ms:
        sys.exit("the model does not find the drawn hand")
    report = {name: finder.times[name].percentile_ms(50) for name in ("crop", "infer", "joints")}
    report["tracked_frame"] = statistics.median(tracked_ms)
    report["network_alone"] = statistics.median(alone_ms)
    report["ratio"] = statistics.median(a / b for a, b in zip(tracked_ms, alone_ms))
    report["frames"] = float(len(tracked_ms))
    return report


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    report = measure(options.model or default_model_path(), options.frames)
    for name in ("crop", "infer", "joints", "tracked_frame", "network_alone"):
        print(f"{name:<14}{report[name]:>8.2f} ms", file=sys.stderr)
    print(
        f"a tracked frame against its network alone: {report['ratio']:.2f} "
        f"({report['frames']:.0f} frames, target {TARGET_MS} ms)",
        file=sys.stderr,
    )
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
