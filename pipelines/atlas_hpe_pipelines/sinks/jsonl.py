"""Poses as JSON lines: one object per frame, described by ``frames.schema.json``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import FileSink, require_time_s

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame

__all__ = ["FrameRecord", "JsonlSink", "encode_frame", "load_schema", "read_jsonl"]

_ARRAY_SHAPES = {"joints": (21, 2), "joint_scores": (21,), "joints_3d": (21, 3), "depth": (21,)}
_OPTIONAL_ARRAYS = frozenset({"joints_3d", "depth"})
_WRITTEN = tuple(field.name for field in fields(HandPose) if field.name != "heatmaps")


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One line of the file.

    Attributes:
        frame: Index of the frame in its source.
        time_s: Presentation time in seconds.
        hands: The hands in it.
    """

    frame: int
    time_s: float
    hands: Tuple[HandPose, ...]


class JsonlSink(FileSink):
    """Write one JSON object per frame, with every field of its hands.

    Numbers are written so that they read back the same; NaN and infinity, which JSON has not, as
    null. A run without frames gives an empty file.

    Args:
        path: The final name.
        options: Only ``force`` is used.

    Raises:
        OutputError: The file can't be created.
    """

    wants_picture = False

    def __init__(self, path: Path, options: SinkOptions) -> None:
        super().__init__(path, force=options.force)

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        line = encode_frame(frame.index, require_time_s(frame, self.path), hands)
        self._file.write(line.encode("utf-8") + b"\n")


def encode_frame(index: int, time_s: float, hands: Sequence[HandPose]) -> str:
    """One frame as one line of JSON, in the form of ``frames.schema.json``.

    Args:
        index: Index of the frame in its source.
        time_s: Its presentation time in seconds.
        hands: The hands in it.
    """
    record = {
        "frame": int(index),
        "time_s": float(time_s),
        "hands": [{name: _to_json(getattr(hand, name)) for name in _WRITTEN} for hand in hands],
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_jsonl(path: Path) -> Iterator[FrameRecord]:
    """Read a file of ``JsonlSink`` back, a line at a time.

    A null where a number belongs is read as NaN.

    Args:
        path: The file.

    Yields:
        The frames in the order of the file; arrays are float64.

    Raises:
        InputError: The file can't be opened, or a line is not of the form.
    """
    try:
        with Path(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _parse_line(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as cause:
        raise InputError(
            "the pose file can't be read", where=path, why=str(cause), fix="check the name"
        ) from cause


def load_schema() -> Dict[str, object]:
    """The JSON Schema of one line."""
    path = Path(__file__).with_name("frames.schema.json")
    schema: Dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _to_json(value: object) -> object:
    """The same value in the types of JSON."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    return value


def _parse_line(line: str, where: str) -> FrameRecord:
    try:
        record = json.loads(line)
        return FrameRecord(
            frame=int(record["frame"]),
            time_s=float(record["time_s"]),
            hands=tuple(_parse_hand(hand) for hand in record["hands"]),
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise InputError(
            "a line of the pose file is not one frame",
            where=where,
            why=f"{type(cause).__name__}: {cause}",
            fix="write the file again; each line follows frames.schema.json",
        ) from cause


def _parse_hand(hand: Dict[str, object]) -> HandPose:
    """A HandPose from its JSON form; an unknown or missing key is a TypeError or KeyError."""
    values: Dict[str, object] = dict(hand)
    for name, shape in _ARRAY_SHAPES.items():
        if name not in _OPTIONAL_ARRAYS or values[name] is not None:
            values[name] = _to_array(values[name], shape)
    values["box"] = tuple(_to_array(values["box"], (4,)).tolist())
    for name in ("score", "time_s"):
        values[name] = float(_to_array(values[name], ()))
    return HandPose(**values)  # type: ignore[arg-type]


def _to_array(numbers: object, shape: Tuple[int, ...]) -> np.ndarray:
    """Nested lists to float64 of that shape; null becomes NaN."""
    array = np.array(numbers, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"expected numbers of shape {shape}, got {array.shape}")
    return array
