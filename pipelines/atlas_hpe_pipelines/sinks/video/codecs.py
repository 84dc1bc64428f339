"""The ffmpeg commands for each kind of video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import List, Tuple

__all__ = ["H264", "VP9", "Codec", "build_command"]

_MAX_RATE_DENOMINATOR = 1001


@dataclass(frozen=True)
class Codec:
    """How ffmpeg is told to encode.

    Attributes:
        name: ffmpeg's name of the encoder.
        options: Its quality and speed, and the container's.
    """

    name: str
    options: Tuple[str, ...]


#: Its index at the front, so that playing starts before the file has come.
H264 = Codec("libx264", ("-preset", "veryfast", "-crf", "20", "-movflags", "+faststart+write_colr"))
# Of VP8 and VP9 with their settings for live pictures, this one is the best in speed and in size:
# docs/outputs.md has the figures.
#: Constant quality; ``-b:v 0`` takes away the limit that libvpx sets otherwise.
VP9 = Codec(
    "libvpx-vp9",
    ("-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-crf", "32", "-b:v", "0"),
)


def build_command(
    executable: str, path: Path, codec: Codec, size_px: Tuple[int, int], fps: float
) -> List[str]:
    """The ffmpeg command that turns raw BGR pictures on standard input into a file.

    Args:
        executable: The ffmpeg to run.
        path: The file it writes; its suffix chooses the container.
        codec: The encoder.
        size_px: Width and height, both even.
        fps: Constant frame rate.
    """
    rate = Fraction(fps).limit_denominator(_MAX_RATE_DENOMINATOR)
    source = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", f"{size_px[0]}x{size_px[1]}"]
    # The colours are named to the converter, to the frames and to the encoder: old releases of
    # ffmpeg heed only the last, new ones only the frames. Unnamed, players guess by size, wrongly.
    named = "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    # Without accurate_rnd a colour is up to 5 levels off; it costs no time that can be measured.
    scale = "scale=flags=bicubic+accurate_rnd:out_color_matrix=bt709:out_range=tv"
    convert = f"{scale},format=yuv420p,setparams={named}"
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    return [
        executable,
        *("-hide_banner", "-loglevel", "error", "-y"),
        *(*source, "-framerate", str(rate), "-i", "pipe:0", "-an"),
        *("-c:v", codec.name, *codec.options, "-vf", convert, *tags),
        *("-pix_fmt", "yuv420p", "-color_range", "tv"),
        # "file:" keeps a colon in the name from being read as a protocol.
        f"file:{path}",
    ]
