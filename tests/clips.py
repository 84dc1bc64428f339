"""Small video files for tests, written by FFmpeg from known pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

import imageio_ffmpeg
import numpy as np


def spot_frames(count: int, width_px: int = 64, height_px: int = 48) -> np.ndarray:
    """A bright square that moves right by one pixel a frame; (count, H, W, 3) uint8."""
    frames = np.zeros((count, height_px, width_px, 3), np.uint8)
    for index in range(count):
        frames[index, 20:28, 8 + index % 40 : 16 + index % 40] = 255
    return frames


def encode(frames: np.ndarray, path: Path, *arguments: str, fps: float = 25.0) -> Path:
    """Encode with FFmpeg; ``arguments`` are output options."""
    height_px, width_px = frames.shape[1:3]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}"]
    command += ["-r", str(fps), "-i", "-", *arguments, str(path)]
    subprocess.run(command, input=frames.tobytes(), check=True, timeout=60)
    return path


def variable_rate(
    frames: np.ndarray, path: Path, times_s: Sequence[float], *arguments: str
) -> Path:
    """Encode frames that are shown at the given times (multiples of 1/1000 s)."""
    steps = "+".join(
        f"eq(N\\,{index})*{round(time_s * 1000)}" for index, time_s in enumerate(times_s)
    )
    # The option was renamed in FFmpeg 5.1; the one that comes with Python 3.7 and 3.8 is 4.2.
    passthrough = "-vsync" if imageio_ffmpeg.get_ffmpeg_version().startswith("4.") else "-fps_mode"
    options = ["-vf", f"settb=1/1000,setpts={steps}", passthrough, "passthrough"]
    # An edit list would end where the last frame begins, and a reader would drop that frame.
    options += ["-bf", "0", "-use_editlist", "0", "-video_track_timescale", "1000", *arguments]
    return encode(frames, path, *options, fps=1000)
