"""A clip of the drawn hand as a video file with its exact joints beside it.

The joints are one JSON object: ``format`` ("drawn-hand-joints"), ``version`` (1), ``fps``,
``size_px`` [width, height], ``is_right`` and ``joints``, N x 21 x 2 numbers in continuous pixels
(the centre of the top left pixel is (0.5, 0.5)), hand21 order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import List, Tuple, Union

from atlas_hpe.outfile import AtomicFile
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.drawn_hand.clip import DrawnClip
from atlas_hpe_pipelines.sinks import open_sink

__all__ = ["joints_path", "write_clip"]


def joints_path(path: Union[str, Path]) -> Path:
    """Where ``write_clip`` puts the joints: ``<path>.joints.json``."""
    return Path(f"{path}.joints.json")


def write_clip(
    path: Union[str, Path],
    frames: int = 90,
    size_px: Tuple[int, int] = (480, 480),
    fps: float = 30.0,
    seed: int = 0,
    *,
    force: bool = False,
) -> Path:
    """Write a clip of one hand, and its exact joints as JSON beside it.

    The form of the JSON is told at the top of this module. Both files appear when they are whole.

    Args:
        path: The clip, .mp4 or .gif.
        frames: Number of frames.
        size_px: Width and height.
        fps: Frames per second.
        seed: See ``DrawnClip``.
        force: Replace files that exist.

    Returns:
        The path of the joints.

    Raises:
        UsageError: An impossible number.
        OutputError: A file exists, the folder is missing, or writing failed.
    """
    clip = DrawnClip(frames=frames, size_px=size_px, fps=fps, seed=seed)
    joints: List[List[List[float]]] = []
    with AtomicFile(joints_path(path), force=force) as truth:
        with open_sink(path, fps=fps, size_px=size_px, force=force) as sink:
            for index, (picture, places, time_s) in enumerate(clip):
                sink.write(Frame(index, time_s, picture), picture, ())
                joints.append(places.tolist())
        record = {
            "format": "drawn-hand-joints",
            "version": 1,
            "fps": fps,
            "size_px": list(size_px),
            "is_right": clip.is_right[0],
            "joints": joints,
        }
        truth.write(json.dumps(record).encode("utf-8"))
    return joints_path(path)
