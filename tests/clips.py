"""Small video files for tests, written by FFmpeg from known pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import List, Sequence, Tuple

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


def make(picture: str, path: Path, *arguments: str) -> Path:
    """Encode what FFmpeg draws or plays by itself (``lavfi``), for example "sine=duration=1"."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "lavfi"]
    subprocess.run([*command, "-i", picture, *arguments, str(path)], check=True, timeout=60)
    return path


def encode_depth(depth: np.ndarray, path: Path, *arguments: str, fps: float = 25.0) -> Path:
    """Encode (count, H, W) uint16 without loss."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    command += [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray16le",
        "-s",
        f"{depth.shape[2]}x{depth.shape[1]}",
    ]
    command += ["-r", str(fps), "-i", "-", "-c:v", "ffv1", *arguments, str(path)]
    subprocess.run(command, input=depth.astype("<u2").tobytes(), check=True, timeout=60)
    return path


def turned(source: Path, path: Path, degrees: int) -> Path:
    """A copy of a clip whose metadata say that it is shown turned."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    is_old = imageio_ffmpeg.get_ffmpeg_version().startswith("4.")
    before = [] if is_old else ["-display_rotation", str(degrees)]
    after = ["-metadata:s:v:0", f"rotate={degrees}"] if is_old else []
    command += [*before, "-i", str(source), "-c", "copy", *after, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def first_frame(path: Path, size_px: Tuple[int, int]) -> np.ndarray:
    """The first frame as FFmpeg shows it, (H, W, 3) uint8, BGR."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    data = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    return np.frombuffer(data, np.uint8).reshape(size_px[1], size_px[0], 3)


def shown_at(times_s: Sequence[float]) -> List[str]:
    """Output options that show frames at these times (multiples of 1/1000 s) in Matroska."""
    steps = "+".join(
        f"eq(N\\,{index})*{round(time_s * 1000)}" for index, time_s in enumerate(times_s)
    )
    # The option was renamed in FFmpeg 5.1; the one that comes with Python 3.7 and 3.8 is 4.2.
    passthrough = "-vsync" if imageio_ffmpeg.get_ffmpeg_version().startswith("4.") else "-fps_mode"
    return ["-vf", f"settb=1/1000,setpts={steps}", passthrough, "passthrough"]


def variable_rate(
    frames: np.ndarray, path: Path, times_s: Sequence[float], *arguments: str
) -> Path:
    """Encode frames that are shown at the given times (multiples of 1/1000 s)."""
    options = shown_at(times_s)
    # An edit list would end where the last frame begins, and a reader would drop that frame.
    options += ["-bf", "0", "-use_editlist", "0", "-video_track_timescale", "1000", *arguments]
    return encode(frames, path, *options, fps=1000)
