"""Joints as a table for spreadsheets: one row for each hand in each frame."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.hands import JOINT_NAMES
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import FileSink, require_time_s

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["COLUMNS", "CsvSink"]

_HAND_COLUMNS = (
    *("track_id", "handedness", "handedness_score", "score"),
    *("box_x_px", "box_y_px", "box_width_px", "box_height_px"),
    *(f"{joint}_{kind}" for joint in JOINT_NAMES for kind in ("x_px", "y_px", "score")),
)
#: The first line of a file.
COLUMNS: Tuple[str, ...] = ("frame", "time_s", *_HAND_COLUMNS)


class CsvSink(FileSink):
    """Write comma-separated values, UTF-8, a point in numbers, units in the header.

    A frame without a hand is a row with its number and time, and empty cells: every frame is there.
    A joint that was not found, and what a network does not say, is an empty cell. Depth and 3-D
    joints are not in it: .jsonl and .npz have them.

    Args:
        path: The final name.
        options: Only ``force`` is used.

    Raises:
        OutputError: The file can't be created.
    """

    wants_picture = False

    def __init__(self, path: Path, options: SinkOptions) -> None:
        super().__init__(path, force=options.force)
        self._write_row(COLUMNS)

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        start = [str(int(frame.index)), repr(require_time_s(frame, self.path))]
        for hand in hands:
            self._write_row([*start, *_describe(hand)])
        if not hands:
            self._write_row([*start, *([""] * len(_HAND_COLUMNS))])

    def _write_row(self, cells: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        self._file.write(text.getvalue().encode("utf-8"))


def _describe(hand: HandPose) -> List[str]:
    """The cells of ``_HAND_COLUMNS``."""
    joints = np.column_stack([hand.joints, hand.joint_scores])  # (21, 3)
    return [
        "" if hand.track_id is None else str(int(hand.track_id)),
        hand.handedness or "",
        *(_number(value) for value in (hand.handedness_score, hand.score, *hand.box)),
        *(_number(value) for value in joints.ravel().tolist()),
    ]


def _number(value: Optional[float]) -> str:
    """The shortest text that reads back the same; empty for None and NaN."""
    return "" if value is None or math.isnan(value) else repr(float(value))
