"""How many frames a second, against the hand tracking of the mediapipe package?

    python benchmarks/against_mediapipe.py [--python PATH] [--video PATH] [--rounds N] [--json]

Both read the same clip, find at most two hands and follow them; neither draws nor writes. Both are
held to the same two cores. Pipeline: the default model, its stages in two workers, each network on
one thread. mediapipe: ``solutions.hands`` in tracking mode with its full model; frames are decoded
by OpenCV in the loop around it, and its graph uses as many threads as it likes. The clock starts
with the first frame's result, so loading is not part of it. Rounds are interleaved, the figure is
the median of the rounds' ratios. ``cores`` is CPU time over time, what each made of the two cores.

mediapipe 0.10.14 takes Python 3.9 to 3.12 and an older protobuf than the rest, so it has an
environment of its own, which --python names:

    python3.11 -m venv .venv-mediapipe
    .venv-mediapipe/bin/python -m pip install mediapipe==0.10.14
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Dict, List, Optional

from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines.drawn_hand import write_clip

DEFAULT_PYTHON = Path(".venv-mediapipe/bin/python")
HOW = (
    "python3.11 -m venv .venv-mediapipe && "
    ".venv-mediapipe/bin/python -m pip install mediapipe==0.10.14"
)
SIZE_PX = (640, 480)
FRAMES = 150
CORES = 2
#: Run by the other interpreter; its last line is the result.
SCRIPT = """
import json, sys, time
import cv2
import mediapipe
hands = mediapipe.solutions.hands.Hands(static_image_mode=False, max_num_hands=2)
video = cv2.VideoCapture(sys.argv[1])
frames = found = 0
while True:
    ok, picture = video.read()
    if not ok:
        break
    result = hands.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    found += bool(result.multi_hand_landmarks)
    frames += 1
    if frames == 1:
        started, cpu_s = time.perf_counter(), time.process_time()
spent_s = time.perf_counter() - started
print()
print(json.dumps({
    "frames_per_s": (frames - 1) / spent_s,
    "cores": (time.process_time() - cpu_s) / spent_s,
    "frames_with_hand": found,
    "frames": frames,
    "version": mediapipe.__version__,
}))
"""


def run_pipeline(video: Path) -> Dict[str, float]:
    """Our own rate."""
    frames = found = 0
    started = cpu_s = 0.0
    for _, hands in Pipeline(video):
        found += bool(hands)
        frames += 1
        if frames == 1:
            started, cpu_s = perf_counter(), process_time()
    spent_s = perf_counter() - started
    return {
        "frames_per_s": (frames - 1) / spent_s,
        "cores": (process_time() - cpu_s) / spent_s,
        "frames_with_hand": found,
        "frames": frames,
    }


def run_mediapipe(python: Path, video: Path) -> Dict[str, float]:
    """The other's rate."""
    done = subprocess.run(
        [str(python), "-c", SCRIPT, str(video)], capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        sys.exit(f"error: mediapipe failed in {python}\n  why: {done.stderr.strip()[-400:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(python: Path, video: Path, rounds: int) -> Dict[str, object]:
    """Medians over interleaved rounds."""
    ours: List[Dict[str, float]] = []
    theirs: List[Dict[str, float]] = []
    for _ in range(rounds):
        ours.append(run_pipeline(video))
        theirs.append(run_mediapipe(python, video))
    ratios = [a["frames_per_s"] / b["frames_per_s"] for a, b in zip(ours, theirs)]
    return {
        "pipeline": take_median(ours),
        "mediapipe": take_median(theirs),
        "mediapipe_version": theirs[0]["version"],
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def take_median(runs: List[Dict[str, float]]) -> Dict[str, float]:
    """The median of each figure."""
    names = ("frames_per_s", "cores", "frames_with_hand", "frames")
    return {name: statistics.median(run[name] for run in runs) for name in names}


def show(report: Dict[str, object]) -> None:
    """Print the figures."""
    for name in ("pipeline", "mediapipe"):
        run = report[name]
        if isinstance(run, dict):
            print(
                f"{name:<10}{run['frames_per_s']:>8.1f} frames/s, {run['cores']:.2f} cores, a hand "
                f"in {run['frames_with_hand']:.0f} of {run['frames']:.0f} frames",
                file=sys.stderr,
            )
    print(
        f"against mediapipe {report['mediapipe_version']}: {report['ratio']:.2f} times its rate",
        file=sys.stderr,
    )


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=DEFAULT_PYTHON)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not options.python.exists():
        print(f"not measured: there is no {options.python}; make it with: {HOW}", file=sys.stderr)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as name:
        video = options.video
        if video is None:
            video = Path(name) / "drawn.mp4"
            write_clip(video, frames=FRAMES, size_px=SIZE_PX)
        report = measure(options.python, video, options.rounds)
    show(report)
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
