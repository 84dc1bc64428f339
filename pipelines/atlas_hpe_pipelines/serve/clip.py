"""A GIF of the last seconds, made beside the run."""

from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.serve.live_view import Shot
from atlas_hpe_pipelines.sinks import open_sink

__all__ = ["CLIP_WIDTH_PX", "make_clip"]

#: Wider pictures are shrunk: a GIF of a few seconds is large as it is.
CLIP_WIDTH_PX = 480
_ASSUMED_FPS = 25.0


def make_clip(shots: Sequence[Shot], ended: threading.Event) -> bytes:
    """A GIF in which every picture stands as long as it did.

    Args:
        shots: The pictures in order, all of one size, at least one.
        ended: Set by another thread when nobody wants the clip any more.

    Returns:
        The file.

    Raises:
        OutputError: Nobody wants it any more, or the disk of temporary files is full.
    """
    width_px, height_px = shots[0].size_px
    size_px = (width_px, height_px)
    if width_px > CLIP_WIDTH_PX:
        size_px = (CLIP_WIDTH_PX, max(1, round(height_px * CLIP_WIDTH_PX / width_px)))
    span_s = shots[-1].clock_s - shots[0].clock_s
    fps = (len(shots) - 1) / span_s if span_s > 0 else _ASSUMED_FPS
    try:
        with TemporaryDirectory(prefix="atlas-hpe-") as folder:
            path = Path(folder) / "clip.gif"
            with open_sink(path, fps=fps, size_px=size_px) as sink:
                for index, shot in enumerate(shots):
                    if ended.is_set():
                        raise OutputError("the server is closing, the clip is not made")
                    picture = _decode(shot.jpeg, size_px)
                    time_s = shot.clock_s - shots[0].clock_s
                    sink.write(Frame(index, time_s, picture), picture, ())
            return path.read_bytes()
    except OSError as error:
        raise OutputError(
            "the folder of temporary files refuses the clip",
            why=error.strerror or str(error),
            fix="make room there, or name another folder in TMPDIR",
        ) from error


def _decode(jpeg: bytes, size_px: Sequence[int]) -> np.ndarray:
    import cv2

    picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
    if (picture.shape[1], picture.shape[0]) != tuple(size_px):
        picture = cv2.resize(picture, tuple(size_px), interpolation=cv2.INTER_AREA)
    return picture
