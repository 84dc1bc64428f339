"""Joints as NumPy arrays: one row for each hand in each frame."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Iterator, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.hands import JOINT_NAMES, NUM_JOINTS
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import FileSink, require_time_s

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["NpzSink"]

# Little-endian, so that files are the same wherever they are written.
_HAND = np.dtype(
    [
        ("frame", "<i8"),
        ("time_s", "<f8"),
        ("track_id", "<i8"),
        ("handedness", "<U5"),
        ("handedness_score", "<f8"),
        ("score", "<f8"),
        ("box", "<f8", (4,)),
        ("joints", "<f8", (NUM_JOINTS, 2)),
        ("joint_scores", "<f8", (NUM_JOINTS,)),
        ("depth", "<f8", (NUM_JOINTS,)),
        ("joints_3d", "<f8", (NUM_JOINTS, 3)),
    ]
)
_FRAME = np.dtype([("all_frames", "<i8"), ("all_times_s", "<f8")])
_NO_TRACK = -1
_ROWS_AT_ONCE = 512


class NpzSink(FileSink):
    """Write a zip of arrays that ``numpy.load`` reads without pickle.

    ``frame``, ``time_s``, ``track_id`` (-1 for none), ``handedness`` ("" for unknown),
    ``handedness_score``, ``score``, ``box`` (N, 4), ``joints`` (N, 21, 2), ``joint_scores``
    (N, 21), ``depth`` (N, 21) and ``joints_3d`` (N, 21, 3) have a row for each hand; what a network
    does not say is NaN. ``all_frames`` and ``all_times_s`` have one for each frame, with a hand or
    without. ``joint_names`` (21,) names the joints; ``joints_3d_frame`` is the frame of reference
    of ``joints_3d``, "" for 2-D networks.

    Rows wait in a file until their number is known, so memory does not grow with the run.

    Args:
        path: The final name.
        options: Only ``force`` is used.

    Raises:
        OutputError: The file can't be created.
    """

    wants_picture = False

    def __init__(self, path: Path, options: SinkOptions) -> None:
        super().__init__(path, force=options.force)
        self._frames = _Spool(path.resolve().parent, _FRAME)
        self._hands = _Spool(path.resolve().parent, _HAND)
        self._joints_3d_frame = ""

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        time_s = require_time_s(frame, self.path)
        for hand in hands:
            self._hands.append(_to_row(hand, frame.index, time_s))
            self._joints_3d_frame = hand.joints_3d_frame or self._joints_3d_frame
        self._frames.append(np.array((frame.index, time_s), _FRAME))

    def _complete(self) -> None:
        with zipfile.ZipFile(str(self._file.temporary), "w", zipfile.ZIP_DEFLATED) as archive:
            for spool in (self._frames, self._hands):
                spool.flush()
                for name in spool.dtype.names or ():
                    spool.write_column(archive, name)
            _write_array(archive, "joint_names", np.array(JOINT_NAMES))
            _write_array(archive, "joints_3d_frame", np.array(self._joints_3d_frame))

    def _release(self) -> None:
        self._frames.close()
        self._hands.close()


class _Spool:
    """Rows in a file without a name.

    Args:
        folder: Where the file may be.
        dtype: Of a row.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self.dtype = dtype
        self._rows = 0
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=str(folder))  # noqa: SIM115

    def append(self, row: np.ndarray) -> None:
        """Add a row of the dtype."""
        self._file.write(row.tobytes())
        self._rows += 1

    def flush(self) -> None:
        """Hand what is buffered to the disk, which may refuse."""
        self._file.flush()

    def write_column(self, archive: zipfile.ZipFile, name: str) -> None:
        """Put one field of all rows into the archive as an array of its own."""
        field = self.dtype[name]
        with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
            _write_header(entry, field.base, (self._rows, *field.shape))
            for rows in self._chunks():
                entry.write(np.ascontiguousarray(rows[name]).tobytes())

    def close(self) -> None:
        """Remove the file; the rows not on the disk yet are not wanted any more."""
        try:
            self._file.close()
        except OSError:
            return

    def _chunks(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        while True:
            data = self._file.read(_ROWS_AT_ONCE * self.dtype.itemsize)
            if not data:
                return
            yield np.frombuffer(data, self.dtype)


def _to_row(hand: HandPose, frame: int, time_s: float) -> np.ndarray:
    """A row of ``_HAND``, shape ()."""
    row = np.zeros((), _HAND)
    row["frame"], row["time_s"] = frame, time_s
    row["track_id"] = _NO_TRACK if hand.track_id is None else hand.track_id
    row["handedness"] = hand.handedness or ""
    for name in ("handedness_score", "score", "box", "joints", "joint_scores"):
        row[name] = _or_nan(getattr(hand, name))
    for name in ("depth", "joints_3d"):
        row[name] = _or_nan(getattr(hand, name))
    return row


def _or_nan(value: object) -> object:
    return np.nan if value is None else value


def _write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w") as entry:
        _write_header(entry, array.dtype, array.shape)
        entry.write(array.tobytes())


def _write_header(entry: IO[bytes], dtype: np.dtype, shape: Tuple[int, ...]) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(entry, header)
