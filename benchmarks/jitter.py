"""How much does a hand that stands still tremble, and what does smoothing that cost?

    python benchmarks/jitter.py [--video FILE [--start S] [--end S]] [--model FILE] [--json]

Without a video the project's own drawn hand is followed: one picture of it again and again with the
noise of a camera, then a clip in which it moves. In a video, the part is measured in which one hand
is followed for longest. Of its windows of one second, the still one is that in which the hand moves
least, the moving one that in which it moves most; both are found in the smoothed path of the raw
joints. All figures are means (root mean square) over joints and frames.

path      the joints after a zero-phase filter, which has no lag: a parabola through each joint's
          seven frames around a frame (Savitzky and Golay 1964)
jitter    distance of the joints from their own path, in the still window
step      how far joints go from one frame to the next, in the still window
error     distance of the joints from the path of the raw ones, in the moving window: lag, and what
          jitter is left
lag       what HandSmoother.added_lag_ms says of the whole part
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.card import load_card
from atlas_hpe.models import default_detector_path, default_model_path
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines import open_source
from atlas_hpe_pipelines.drawn_hand import iter_clip
from atlas_hpe_pipelines.smoothing import SMOOTHING, HandSmoother
from atlas_hpe_pipelines.tracking import HandDetector, HandFinder, HandReader
from atlas_hpe_runtime import open_session

WINDOW_S = 1.0
NOISE = 6.0  # standard deviation of a grey value, a webcam's in a room
_PARABOLA = np.array([-2, 3, 6, 7, 6, 3, -2]) / 21
_BORDER = len(_PARABOLA) // 2
#: Longest part of a clip in which one hand was followed, frame by frame.
Part = List[HandPose]


def still_hand(count: int = 60) -> Iterator[Frame]:
    """One drawn hand under a camera's noise."""
    picture, _, _ = next(iter_clip(1))
    rng = np.random.default_rng(0)
    for index in range(count):
        noisy = picture + rng.normal(0, NOISE, picture.shape)
        yield Frame(index, index / 30, np.clip(noisy, 0, 255).astype(np.uint8))


def moving_hand(count: int = 120) -> Iterator[Frame]:
    """The drawn hand's own clip."""
    for index, (picture, _, time_s) in enumerate(iter_clip(count)):
        yield Frame(index, time_s, picture)


def film(path: Path, start_s: float, end_s: float) -> Iterator[Frame]:
    """A part of a video."""
    with closing(open_source(path)) as source:
        for frame in source.frames():
            if frame.time_s >= end_s:
                return
            if frame.time_s >= start_s:
                yield frame


def follow(frames: Iterable[Frame], model: Path) -> Part:
    """The longest part in which one hand is followed without a gap."""
    open_parts: Dict[Optional[int], Part] = {}
    longest: Part = []
    detector = default_detector_path()
    if detector is None:
        sys.exit("no detector ships with this package")
    with ExitStack() as stack:
        seeing, detecting = (
            stack.enter_context(open_session(path, threads=1)) for path in (model, detector)
        )
        finder = HandFinder(
            HandReader(load_card(model), seeing), HandDetector(load_card(detector), detecting)
        )
        for frame in frames:
            hands = finder.find(frame)
            open_parts = {
                hand.track_id: [*open_parts.get(hand.track_id, []), hand] for hand in hands
            }
            longest = max([longest, *open_parts.values()], key=len)
    return longest


def zero_phase(path: np.ndarray) -> np.ndarray:
    """(frames, 21, 2) smoothed without lag; the ends are continued by turning them about."""
    before, after = path[_BORDER:0:-1], path[-2 : -_BORDER - 2 : -1]
    longer = np.concatenate([2 * path[:1] - before, path, 2 * path[-1:] - after])
    return sum(
        (weight * longer[start : start + len(path)] for start, weight in enumerate(_PARABOLA)),
        np.zeros_like(path),
    )


def find_window(path: np.ndarray, length: int, *, still: bool) -> slice:
    """The window in which the joints go the shortest or the longest way."""
    steps = np.linalg.norm(np.diff(zero_phase(path), axis=0), axis=2).mean(axis=1)
    ways = np.convolve(steps, np.ones(length - 1), "valid")
    start = int(ways.argmin() if still else ways.argmax())
    return slice(start, start + length)


def rms(vectors: np.ndarray) -> float:
    """Root mean square of the lengths of (..., 2) vectors."""
    return float(np.sqrt((vectors**2).sum(axis=-1).mean()))


def smooth(part: Part, level: str) -> Tuple[np.ndarray, Optional[float]]:
    """(frames, 21, 2) and the added lag in milliseconds."""
    smoother = HandSmoother(level)
    path = [smoother.smooth([hand], hand.time_s)[0].joints for hand in part]
    return np.array(path), smoother.added_lag_ms


def measure(still: Part, moving: Part) -> Dict[str, Dict[str, float]]:
    """Level of smoothing -> figure -> value; pixels, percents of the hand, milliseconds."""
    windows = []
    for part, quiet in ((still, True), (moving, False)):
        path = np.array([hand.joints for hand in part])
        span_s = part[-1].time_s - part[0].time_s
        length = max(3, round(WINDOW_S * (len(part) - 1) / span_s))
        window = find_window(path, min(length, len(part)), still=quiet)
        size = float(np.median(np.ptp(path[window], axis=1).max(axis=1)))
        windows.append((window, size, zero_phase(path)))
        first, last = part[window.start], part[window.stop - 1]
        print(
            f"{'still' if quiet else 'moving'} window: frames {first.frame_index} to "
            f"{last.frame_index}, {first.time_s:.2f} to {last.time_s:.2f} s; hand {size:.0f} px",
            file=sys.stderr,
        )
    (quiet_window, quiet_size, _), (fast_window, fast_size, reference) = windows
    report = {}
    for level in SMOOTHING:
        path, _ = smooth(still, level)
        jitter = rms((path - zero_phase(path))[quiet_window])
        step = rms(np.diff(path[quiet_window], axis=0))
        path, lag_ms = smooth(moving, level)
        error = rms((path - reference)[fast_window])
        report[level] = {
            "jitter_px": jitter,
            "jitter_percent": 100 * jitter / quiet_size,
            "step_px": step,
            "step_percent": 100 * step / quiet_size,
            "error_px": error,
            "error_percent": 100 * error / fast_size,
            "lag_ms": float("nan") if lag_ms is None else lag_ms,
        }
    return report


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=None)
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--end", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    model = options.model or default_model_path()
    if options.video is None:
        still, moving = follow(still_hand(), model), follow(moving_hand(), model)
    else:
        still = moving = follow(film(options.video, options.start, options.end), model)
    if min(len(still), len(moving)) < 2 * len(_PARABOLA):
        sys.exit("no hand was followed for long enough")
    report = measure(still, moving)
    print("          jitter            step              error             lag", file=sys.stderr)
    for level, figures in report.items():
        pairs = (
            f"{figures[name + '_px']:>6.2f} px {figures[name + '_percent']:>5.2f} %"
            for name in ("jitter", "step", "error")
        )
        print(f"{level:<8}{'  '.join(pairs)}{figures['lag_ms']:>7.1f} ms", file=sys.stderr)
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
