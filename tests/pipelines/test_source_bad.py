"""Bad recorded sources, each with its clear outcome: one error, or frames and a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import cv2
import numpy as np
import pytest

import clips
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_pipelines.sources import open_source

Make = Callable[[Path], object]
#: Name -> how it is made, and parts of the one error that is expected.
ERRORS: Dict[str, Tuple[Make, List[str]]] = {}
#: Name -> how it is made, frames that come, and a part of the warning (None: there is none).
FRAMES: Dict[str, Tuple[Make, int, Optional[str]]] = {}


def fails(*said: str) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        ERRORS[make.__name__] = (make, list(said))
        return make

    return add


def gives(frames: int, warning: Optional[str] = None) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        FRAMES[make.__name__] = (make, frames, warning)
        return make

    return add


def clip(folder: Path, *options: str, count: int = 20, suffix: str = ".mp4") -> Path:
    return clips.encode(clips.spot_frames(count), folder / f"clip{suffix}", *options)


def pictures(folder: Path, count: int = 5) -> List[Path]:
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((6, 8, 3), np.uint8))
    return paths


@fails("no frame can be decoded", "the file is empty (0 bytes)", "copy or record it again")
def empty_file(folder: Path) -> Path:
    (folder / "clip.mp4").touch()
    return folder / "clip.mp4"


@fails("no frame can be decoded", "its index (the moov box) is missing", "record as .mkv")
def mp4_without_its_index(folder: Path) -> Path:
    path = clip(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@fails("no frame can be decoded", "FFmpeg does not read it as a video", "copy it again")
def text_called_mp4(folder: Path) -> Path:
    (folder / "notes.mp4").write_text("these are notes\n" * 100)
    return folder / "notes.mp4"


@fails("no frame can be decoded", "FFmpeg does not read it as a video")
def random_bytes(folder: Path) -> Path:
    (folder / "clip.mkv").write_bytes(np.random.default_rng(0).bytes(20_000))
    return folder / "clip.mkv"


@fails("no frame can be decoded", "it holds sound and no pictures", "name a file with pictures")
def sound_only(folder: Path) -> Path:
    return clips.make("sine=duration=1", folder / "sound.mp4")


@fails("no frame can be decoded", "no frame that can be decoded")
def video_without_frames(folder: Path) -> Path:
    return clip(folder, "-frames:v", "0", "-movflags", "+empty_moov")


@fails("the source does not exist", "did you mean")
def missing_file(folder: Path) -> str:
    return f"{clip(folder)}4"


@fails("the folder has no pictures", "of its 1 files none ends in")
def folder_of_videos(folder: Path) -> Path:
    clip(folder)
    return folder


@fails("the folder has no pictures", "of its 0 files")
def empty_folder(folder: Path) -> Path:
    return folder


@fails("none of the 3 pictures can be decoded", "it is not a picture, or it is damaged")
def folder_of_damaged_pictures(folder: Path) -> Path:
    for path in pictures(folder, 3):
        path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@fails("no file matches the pattern", "looked in")
def pattern_without_matches(folder: Path) -> str:
    return str(folder / "*.png")


@fails("a picture that does not exist", "list.txt, line 2")
def list_with_a_wrong_line(folder: Path) -> Path:
    pictures(folder, 1)
    (folder / "list.txt").write_text("0.png\n1.png\n")
    return folder / "list.txt"


@fails("the list of pictures is empty")
def no_paths(_: Path) -> List[Path]:
    return []


@fails("the picture can't be decoded", "it is cut off")
def truncated_jpeg(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (folder / "a.jpg").write_bytes(whole[: len(whole) // 2])
    return folder / "a.jpg"


@fails("found a device or a pipe", "save it to a file")
def named_pipe(folder: Path) -> Path:
    os.mkfifo(str(folder / "clip.mp4"))
    return folder / "clip.mp4"


@fails("found a device or a pipe")
def device_that_never_ends(_: Path) -> str:
    return "/dev/zero"


@gives(20)
def one_pixel_wide(folder: Path) -> Path:
    frames = np.zeros((20, 1, 1, 3), np.uint8)
    return clips.encode(frames, folder / "clip.mkv", "-c:v", "png")


@gives(2)
def very_large_pictures(folder: Path) -> Path:
    options = ["-frames:v", "2", "-preset", "ultrafast"]
    return clips.make("color=c=red:size=7680x4320:rate=25", folder / "clip.mp4", *options)


@gives(4, "pictures left out: 1 of 5")
def folder_with_a_damaged_picture(folder: Path) -> Path:
    pictures(folder)[2].write_bytes(b"not a picture")
    return folder


@gives(5, "files that are no pictures: 2")
def folder_with_mixed_files(folder: Path) -> Path:
    pictures(folder)
    clip(folder)
    (folder / "notes.txt").touch()
    (folder / ".hidden").touch()
    return folder


@gives(5, "30 frames/s assumed")
def pictures_without_a_rate(folder: Path) -> Path:
    pictures(folder)
    return folder


@gives(10, "of the 20 frames it declares")
def mp4_cut_off_behind_its_index(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    options = ["-movflags", "+faststart", "-c:v", "mpeg4", "-q:v", "2", "-g", "1"]
    path = clips.encode(noise, folder / "clip.mp4", *options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("name", ERRORS)
def test_a_bad_source_is_one_clear_error(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, said = ERRORS[name]
    with pytest.raises(AtlasHpeError) as caught:
        open_source(make(tmp_path))  # type: ignore[arg-type]
    for part in said:
        assert part in str(caught.value)
    assert caught.value.exit_code == 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", FRAMES)
def test_an_odd_source_gives_its_frames_and_a_warning(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, count, warning = FRAMES[name]
    source = open_source(make(tmp_path))  # type: ignore[arg-type]
    # Whether the frame that is cut through counts depends on FFmpeg.
    off_by = 1 if "cut_off" in name else 0
    assert abs(sum(1 for _ in source.frames()) - count) <= off_by
    if warning is None:
        assert source.warnings == []
    else:
        assert any(warning in line for line in source.warnings)
    source.close()
    assert capfd.readouterr().err == ""


#: Damages the files named in many ways; each must give frames or one of our errors.
_FUZZ = """
import random, sys
from pathlib import Path
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_pipelines.sources import open_source

target, victim, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
whole, rng = victim.read_bytes(), random.Random(7)
for _ in range(rounds):
    data = bytearray(whole)
    for _ in range(rng.choice((1, 5, 50))):
        at = rng.randrange(len(data))
        data[at] = rng.randrange(256)
    if rng.random() < 0.5:
        data = data[: rng.randrange(len(data))]
    victim.write_bytes(data)
    try:
        source = open_source(target)
        last_s, frames = 0.0, 0
        for frame in source.frames():
            assert frame.time_s >= last_s and frame.image.ndim == 3
            last_s, frames = frame.time_s, frames + 1
            assert frames < 1000
        source.close()
    except AtlasHpeError as error:
        assert error.what
print("survived")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [".mp4", ".mkv", ".gif", "depth.mkv", ".png", ".jpg", "depth.png"])
def test_damaged_bytes_give_frames_or_one_clear_error(tmp_path: Path, kind: str) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (6, 24, 32, 3), np.uint8)
    depth = frames[..., 0].astype(np.uint16) * 250
    target = victim = tmp_path / f"clip{kind}"
    if kind == "depth.mkv":
        clips.encode_depth(depth, victim)
    elif kind == "depth.png":
        cv2.imwrite(str(victim), depth[0])
    elif kind in (".png", ".jpg"):
        target = tmp_path
        for number in (1, 2, 3):
            victim = tmp_path / f"{number}{kind}"
            cv2.imwrite(str(victim), frames[number])
    else:
        clips.encode(frames, victim)
    done = subprocess.run(
        [sys.executable, "-c", _FUZZ, str(target), str(victim), "40"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout == "survived\n", done.stderr[-2000:]
