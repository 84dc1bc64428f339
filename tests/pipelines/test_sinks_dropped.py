"""A sink tells how many frames it could not show."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import pytest

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import SINKS, open_sink


def count_dropped(path: Path, times_s: Sequence[float], fps: float) -> int:
    """Write a frame at each time; what the sink says once it is finished."""
    with open_sink(path, fps=fps, size_px=(16, 16)) as sink:
        for index, time_s in enumerate(times_s):
            picture = np.full((16, 16, 3), index % 2 * 255, np.uint8)
            sink.write(Frame(index, time_s, picture), picture, ())
    return sink.dropped


@pytest.mark.parametrize("kind", sorted(name for name in SINKS if name.startswith(".")))
def test_no_frame_is_dropped_at_a_rate_the_format_has(tmp_path: Path, kind: str) -> None:
    assert count_dropped(tmp_path / f"clip{kind}", [index / 25 for index in range(6)], 25) == 0


def test_pose_files_take_every_frame_however_fast(tmp_path: Path) -> None:
    assert count_dropped(tmp_path / "clip.jsonl", [0.0] * 6, 25) == 0


def test_a_gif_drops_what_comes_within_two_hundredths_of_a_second(tmp_path: Path) -> None:
    assert count_dropped(tmp_path / "clip.gif", [0.0, 0.01, 0.02, 0.03, 0.06, 0.1], 50) == 2


def test_a_gif_counts_a_last_frame_too_short_to_stand_alone(tmp_path: Path) -> None:
    assert count_dropped(tmp_path / "clip.gif", [0.0, 0.05, 0.055, 0.06, 0.07], 100) == 3


def test_an_mp4_drops_what_falls_into_a_taken_slot(tmp_path: Path) -> None:
    assert count_dropped(tmp_path / "clip.mp4", [0.0, 0.01, 0.1, 0.11, 0.12, 0.2, 0.3], 10) == 3


def test_an_mp4_counts_a_last_frame_that_has_no_slot_left(tmp_path: Path) -> None:
    assert count_dropped(tmp_path / "clip.mp4", [index / 20 for index in range(20)], 10) == 10
