"""Poses on standard output, for another program to follow while they come."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.sinks.jsonl import encode_frame
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import BaseSink, require_time_s

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["StdoutSink"]


class StdoutSink(BaseSink):
    """Write the lines of a .jsonl file to standard output, each as soon as its frame is done.

    Nothing is held back until the end, and what was written can't be taken back. When the reader
    goes away ``write`` raises BrokenPipeError; the command line ends quietly then.

    Args:
        path: ``-``.
        options: Not used.

    Raises:
        OutputError: The program was started without a standard output.
    """

    wants_picture = False

    def __init__(self, path: Path, options: SinkOptions) -> None:
        super().__init__(path)
        if sys.stdout is None:
            raise OutputError(
                "there is no standard output to write to",
                where=path,
                why="it was closed when the program was started",
                fix="name a .jsonl file with --out",
            )
        self._stream = sys.stdout.buffer

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        line = encode_frame(frame.index, require_time_s(frame, self.path), hands)
        self._stream.write(line.encode("utf-8") + b"\n")
        self._stream.flush()
