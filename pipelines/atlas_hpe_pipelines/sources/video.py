"""Video files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Optional, Tuple

from atlas_hpe.errors import InputError, MissingExtraError, SourceError
from atlas_hpe.files import check_readable
from atlas_hpe_pipelines.sources.capture import CaptureSource
from atlas_hpe_pipelines.sources.containers import counts_frames, is_mp4
from atlas_hpe_runtime.ffmpeg import find_ffmpeg

__all__ = ["VideoSource"]

_PROBE_TIMEOUT_S = 10.0
#: Who says it, in front of a line of ffmpeg.
_MARKS = re.compile(r"^(\[[^\]]*\] *)+")
_COPY_AGAIN = "play it with another program, or copy it again"


class VideoSource(CaptureSource):
    """A video file as a ``Source``; see ``CaptureSource``.

    Raises:
        InputError: The file is missing, a folder, not readable, or has a name that OpenCV can't
            take.
        SourceError: It is not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        check_readable(path)
        try:
            location = str(path).encode("utf-8").decode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                "OpenCV can't open a file whose name is not UTF-8",
                where=repr(path),
                fix="rename it",
            ) from error
        if ":" in location.split("/")[0]:
            location = str(Path(location).absolute())  # a colon in front is read as a protocol
        with path.open("rb") as stream:
            head = stream.read(12)
        try:
            super().__init__(location, str(path), counts_frames=counts_frames(head))
        except SourceError as error:
            why, fix = _explain(path, head)
            what = "no frame can be decoded from the file"
            raise SourceError(what, where=path, why=why, fix=fix) from error


def _explain(path: Path, head: bytes) -> Tuple[str, str]:
    """Why no frame comes out of a file, and what to do about it."""
    if not head:
        return "the file is empty (0 bytes)", "copy or record it again"
    said = _ask_ffmpeg(path)
    if said is None:
        return "it is not a video, it is damaged at its start, or it has no frames", _COPY_AGAIN
    if is_mp4(head) and "moov atom not found" in said:
        return (
            "its index (the moov box) is missing: the recording or the copy was cut off",
            "copy it again; record as .mkv or .ts, which can be read up to where they end",
        )
    if " Video: " in said:
        return "its picture stream holds no frame that can be decoded", _COPY_AGAIN
    if " Audio: " in said:
        return "it holds sound and no pictures", "name a file with pictures in it"
    reasons = [_MARKS.sub("", line) for line in said.splitlines() if "Error opening" in line]
    reason = reasons[0].split(": ", 1)[-1].rstrip(".") if reasons else "it holds no pictures"
    return f"FFmpeg does not read it as a video ({reason})", _COPY_AGAIN


def _ask_ffmpeg(path: Path) -> Optional[str]:
    """What ffmpeg says about a file, None where it can't be asked."""
    try:
        # S603: no shell, our own arguments.
        done = subprocess.run(  # noqa: S603
            [find_ffmpeg(), "-hide_banner", "-nostdin", "-i", f"file:{path}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (MissingExtraError, OSError, subprocess.TimeoutExpired):
        return None
    return done.stderr.decode("utf-8", "replace")
