"""How fast, how good and how lean our GIF palettes are, and imageio's default on the same frames.

    python benchmarks/gif_sink.py [--video PATH] [--frames N] [--json]

Text goes to stderr, ``--json`` to stdout. All writers run in the same process, on one thread, on
the same pictures in memory; the figures are of this machine. imageio is given RGB frames that were
converted beforehand, ours converts from BGR itself. Memory is the growth of the peak resident size
of a fresh process for 100 frames more (Linux, VmHWM), because Pillow allocates in C where
tracemalloc does not look.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import re
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import PALETTES, OutputOptions, open_sink

FPS = 30.0
SIZE_PX = (480, 848)
# Frames of the two runs whose peak memory is compared.
MEMORY_FRAMES = (50, 150)
# Pictures that the memory runs write again and again, so that the input itself does not grow.
MEMORY_POOL = 10

Writer = Callable[[Path, List[np.ndarray]], None]


def write_ours(palette: str, path: Path, pictures: List[np.ndarray]) -> None:
    """Our sink, pictures (H, W, 3) uint8 BGR."""
    height, width = pictures[0].shape[:2]
    options = OutputOptions(palette=palette)
    with open_sink(path, fps=FPS, size_px=(width, height), options=options) as sink:
        for index, picture in enumerate(pictures):
            sink.write(Frame(index, index / FPS, picture), picture, ())


def write_imageio(path: Path, pictures: List[np.ndarray]) -> None:
    """The default writer of imageio, pictures (H, W, 3) uint8 RGB."""
    from imageio import v2 as imageio

    imageio.mimsave(str(path), pictures, loop=0)


def draw_frames(count: int) -> Iterator[np.ndarray]:
    """A textured shape with skeleton lines over a moving wall, sensor noise, (848, 480, 3) BGR."""
    import cv2

    rng = np.random.RandomState(0)
    grey = cv2.resize(rng.uniform(60, 190, (24, 14)), SIZE_PX, interpolation=cv2.INTER_CUBIC)
    wall = grey[..., None] * (0.85, 0.95, 1.0)
    shade = cv2.resize(rng.uniform(0.75, 1.1, (12, 12)), (260, 260), interpolation=cv2.INTER_CUBIC)
    skin = shade[..., None] * (140.0, 165.0, 215.0)
    colours = [(60, 60, 230), (60, 200, 250), (90, 220, 90), (230, 170, 60), (220, 90, 200)]
    for index in range(count):
        phase = 2 * np.pi * index / 60
        picture = np.roll(wall, 2 * index, axis=1)
        left, top = int(110 + 80 * np.sin(phase)), int(300 + 120 * np.cos(phase))
        picture[top : top + 260, left : left + 260] = skin
        for finger, colour in enumerate(colours):
            tip = (left + 20 + 55 * finger, top - 120 + int(30 * np.sin(phase + finger)))
            cv2.line(picture, (left + 130, top + 250), tip, colour, 3, cv2.LINE_AA)
            cv2.circle(picture, tip, 6, colour, -1, cv2.LINE_AA)
        noise = rng.normal(0.0, 1.5, picture.shape)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


def read_frames(path: Path, count: int) -> Iterator[np.ndarray]:
    """The first frames of a video at 480x848, (848, 480, 3) uint8 BGR."""
    import cv2

    video = cv2.VideoCapture(str(path))
    for _ in range(count):
        read, image = video.read()
        if not read:
            break
        yield cv2.resize(image, SIZE_PX, interpolation=cv2.INTER_AREA)
    video.release()


def measure_writer(writer: Writer, pictures: List[np.ndarray], rgb: List[np.ndarray]) -> Dict:
    """Time, size and quality of one writer.

    Args:
        writer: What writes the GIF.
        pictures: What it is given.
        rgb: The same in RGB, to compare with what comes out.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.gif"
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        writer(path, pictures)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        count = len(pictures)
        return {
            "cpu_ms_per_frame": 1e3 * cpu_s / count,
            "wall_ms_per_frame": 1e3 * wall_s / count,
            "bytes_per_frame": path.stat().st_size / count,
            "psnr_db": mean_psnr_db(path, rgb),
        }


def mean_psnr_db(path: Path, rgb: List[np.ndarray]) -> float:
    """Mean over the frames of a GIF of the PSNR to the originals, in dB."""
    values = []
    shown = iter(show_evenly(path, len(rgb)))
    for wanted in rgb:
        error = next(shown).astype(np.float32) - wanted
        values.append(10 * np.log10(255.0**2 / max(float(np.mean(error**2)), 1e-9)))
    return float(np.mean(values))


def show_evenly(path: Path, count: int) -> Iterator[np.ndarray]:
    """What a GIF of even rate shows in each of ``count`` frames, (H, W, 3) RGB.

    Writers let a picture stand longer instead of repeating it.
    """
    from PIL import Image, ImageSequence

    with Image.open(path) as gif:
        if gif.n_frames == count:
            for frame in ImageSequence.Iterator(gif):
                yield np.asarray(frame.convert("RGB"))
            return
        total_ms = sum(frame.info.get("duration", 100) for frame in ImageSequence.Iterator(gif))
        end_ms, index = 0.0, 0
        for frame in ImageSequence.Iterator(gif):
            end_ms += frame.info.get("duration", 100)
            picture = np.asarray(frame.convert("RGB"))
            while index < count and (index + 0.5) * total_ms / count < end_ms:
                yield picture
                index += 1


def measure_memory_mib(name: str, video: Optional[Path]) -> Optional[float]:
    """Growth of the peak resident size for 100 frames more, in MiB; None where it can't be read."""
    context = multiprocessing.get_context("spawn")
    peaks = []
    for frames in MEMORY_FRAMES:
        with context.Pool(1) as pool:
            peaks.append(pool.apply(peak_mib, (name, frames, video)))
    low, high = peaks
    if low is None or high is None:
        return None
    return 100.0 * (high - low) / (MEMORY_FRAMES[1] - MEMORY_FRAMES[0])


def peak_mib(name: str, frames: int, video: Optional[Path]) -> Optional[float]:
    """Peak resident size of this process after writing ``frames`` frames, in MiB."""
    pool = load_pictures(video, MEMORY_POOL)
    pictures = [pool[index % len(pool)] for index in range(frames)]
    with tempfile.TemporaryDirectory() as folder:
        WRITERS[name](Path(folder) / "out.gif", pictures)
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return None if match is None else int(match.group(1)) / 1024


def load_pictures(video: Optional[Path], count: int) -> List[np.ndarray]:
    """The frames to write, drawn by code when there is no video."""
    return list(draw_frames(count) if video is None else read_frames(video, count))


def compare(video: Optional[Path], count: int) -> Dict:
    """Runs both writers and returns the figures."""
    import cv2
    import PIL

    cv2.setNumThreads(1)
    pictures = load_pictures(video, count)
    if not pictures:
        raise SystemExit(f"no frame can be read from {video}")
    rgb = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
    writers = {}
    for name, writer in WRITERS.items():
        given = rgb if name == "imageio" else pictures
        # The first call of each loads plug-ins; that is not the cost of a frame.
        measure_writer(writer, given[:2], rgb[:2])
        writers[name] = measure_writer(writer, given, rgb)
    for name, figures in writers.items():
        figures["peak_mib_per_100_frames"] = measure_memory_mib(name, video)
    return {
        "source": "drawn" if video is None else video.name,
        "frames": len(pictures),
        "size_px": list(SIZE_PX),
        "python": platform.python_version(),
        "pillow": PIL.__version__,
        "machine": platform.machine(),
        "writers": writers,
        "cpu_ratio": writers["imageio"]["cpu_ms_per_frame"]
        / writers["tracked"]["cpu_ms_per_frame"],
    }


def describe(report: Dict) -> str:
    """The report as text."""
    lines = [
        f"GIF, {report['frames']} frames {report['size_px'][0]}x{report['size_px'][1]} "
        f"({report['source']}), Python {report['python']}, Pillow {report['pillow']}, "
        f"{report['machine']}, one thread",
        "writer    CPU ms/f wall ms/f  PSNR dB   KiB/f  MiB/100f",
    ]
    for name, row in report["writers"].items():
        memory = row["peak_mib_per_100_frames"]
        lines.append(
            f"{name:8} {row['cpu_ms_per_frame']:9.2f} {row['wall_ms_per_frame']:9.2f} "
            f"{row['psnr_db']:8.2f} {row['bytes_per_frame'] / 1024:7.1f} "
            + ("      n/a" if memory is None else f"{memory:9.1f}")
        )
    lines.append(f"imageio takes {report['cpu_ratio']:.1f} times the CPU time of 'tracked'")
    return "\n".join(lines)


def parse_options(argv: List[str]) -> Tuple[Optional[Path], int, bool]:
    """Video, number of frames, whether JSON is wanted."""
    parser = argparse.ArgumentParser(description="our GIF writer against imageio's default")
    parser.add_argument("--video", type=Path, help="take the frames from this file")
    parser.add_argument("--frames", type=int, default=90, help="how many (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")
    options = parser.parse_args(argv)
    return options.video, options.frames, options.json


WRITERS: Dict[str, Writer] = {
    **{palette: partial(write_ours, palette) for palette in PALETTES},
    "imageio": write_imageio,
}


def main() -> None:
    """Command line of the bench."""
    video, frames, as_json = parse_options(sys.argv[1:])
    report = compare(video, frames)
    print(describe(report), file=sys.stderr)
    if as_json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
