"""An ffmpeg process that encodes what it is given."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import List

import numpy as np

from atlas_hpe.errors import MissingExtraError, OutputError

__all__ = ["Encoder", "find_ffmpeg"]

# The last words of ffmpeg are the cause; what comes before is context.
_STDERR_LINES = 4
_NO_ENCODER = "Unknown encoder"
# Which part of ffmpeg speaks, and its address in memory: "[out#0/mp4 @ 0x5574] ".
_SPEAKER = re.compile(r"\[[^]]* @ 0x[0-9a-f]+\] ")


class Encoder:
    """An ffmpeg process that reads raw pictures from its standard input.

    imageio-ffmpeg's own ``write_frames`` is not used, because it lets ffmpeg write to the terminal
    and does not tell when ffmpeg fails.

    Args:
        command: What to run, as of ``build_command``.
        path: The output, for the errors.

    Raises:
        OutputError: ffmpeg can't be started.
    """

    def __init__(self, command: List[str], path: Path) -> None:
        self._path = path
        # A file and not a pipe: nobody has to read it for ffmpeg to go on. kill() closes it.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, our own arguments
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                # Ctrl-C reaches every process of the terminal's group; in its own session ffmpeg
                # does not die first and turn an interruption into a false error.
                start_new_session=True,
            )
        except OSError as cause:
            self._stderr.close()
            raise OutputError(
                "ffmpeg can't be started",
                where=command[0],
                why=cause.strerror or str(cause),
                fix="set IMAGEIO_FFMPEG_EXE to a working ffmpeg",
            ) from cause

    def write(self, picture: np.ndarray) -> None:
        """Hand over one picture, (h, w, 3) uint8 BGR, C-contiguous.

        Raises:
            OutputError: ffmpeg has failed.
        """
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(picture.data.cast("B"))
        except OSError as cause:
            raise self._failure() from cause

    def finish(self) -> None:
        """End the stream and wait until the file is whole.

        Raises:
            OutputError: ffmpeg failed, now or before.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError as cause:
            raise self._failure() from cause
        if self._process.wait() != 0:
            raise self._failure()

    def kill(self) -> None:
        """End the process if it still runs, and reap it; may be called again."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                # The last bytes in the buffer have nobody to go to any more.
                self._process.stdin = None
        self._stderr.close()

    def _failure(self) -> OutputError:
        """The error for a process that has failed or is about to."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._stderr.seek(0)
        text = _SPEAKER.sub("", self._stderr.read().decode("utf-8", "replace")).strip()
        said = "; ".join(line.strip() for line in text.splitlines()[-_STDERR_LINES:])
        if _NO_ENCODER in text:
            return OutputError(
                "this ffmpeg has no encoder for this kind of video",
                where=self._path,
                why=said,
                fix="unset IMAGEIO_FFMPEG_EXE to use the ffmpeg of imageio-ffmpeg, or write a .gif",
            )
        return OutputError(
            "ffmpeg could not encode the video",
            where=self._path,
            why=said or f"it ended with code {code} and said nothing",
            fix="check the free space, or write a .gif",
        )


def find_ffmpeg(path: Path) -> str:
    """The ffmpeg to use.

    Args:
        path: The output, for the errors.

    Raises:
        MissingExtraError: imageio-ffmpeg is not installed.
        OutputError: It brings no ffmpeg for this machine, and none is named.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError as cause:
        raise MissingExtraError(
            "writing a video needs the Python package 'imageio_ffmpeg', which is not installed",
            where=path,
            fix="pip install imageio-ffmpeg, or write a .gif",
        ) from cause
    try:
        return str(get_ffmpeg_exe())
    except RuntimeError as cause:
        raise OutputError(
            "there is no ffmpeg to write a video with",
            where=path,
            why=str(cause),
            fix="set IMAGEIO_FFMPEG_EXE to an ffmpeg, or write a .gif",
        ) from cause
