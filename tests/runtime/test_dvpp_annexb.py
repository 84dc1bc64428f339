"""Video files as annex-B access units."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import List, Tuple

import imageio_ffmpeg
import numpy as np
import pytest

from atlas_hpe.errors import InputError, MissingExtraError, SourceError
from atlas_hpe_runtime.acl.dvpp import annexb
from atlas_hpe_runtime.acl.dvpp.annexb import AccessUnit, AnnexBStream
from atlas_hpe_runtime.acl.dvpp.video_header import find_header, nal_units
from clips import encode, spot_frames, variable_rate

COUNT = 40
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "15", "-bf", "2")
H265 = ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "keyint=15:log-level=0")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return encode(spot_frames(COUNT, 160, 128), path, *H264)


def read(path: Path, codec: str = "h264") -> List[AccessUnit]:
    stream = AnnexBStream(path, codec)
    try:
        return list(stream)
    finally:
        stream.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize(
    ("codec", "options", "name"), [("h264", H264, "h264"), ("h265", H265, "hevc")]
)
def test_the_units_are_the_stream_cut_at_its_pictures(
    tmp_path: Path, codec: str, options: Tuple[str, ...], name: str
) -> None:
    path = encode(spot_frames(COUNT, 160, 128), tmp_path / "clip.mp4", *options)
    ffmpeg("-i", str(path), "-c", "copy", "-f", name, str(tmp_path / "whole"))
    units = read(path, codec)
    assert b"".join(unit.data for unit in units) == (tmp_path / "whole").read_bytes()
    assert len(units) == COUNT
    assert all(unit.data.startswith((b"\0\0\1", b"\0\0\0\1")) for unit in units)
    keys = [unit for unit in units if unit.is_key]
    assert len(keys) == 3
    assert all(find_header(unit.data, codec) is not None for unit in keys)
    assert all(find_header(unit.data, codec) is None for unit in units if not unit.is_key)


def test_each_unit_has_one_picture_and_its_time(clip: Path) -> None:
    units = read(clip)
    slices = [sum(nal[0] & 31 in (1, 5) for nal in nal_units(unit.data)) for unit in units]
    assert slices == [1] * COUNT
    times = [unit.time_s for unit in units]
    assert times != sorted(times)  # there are B frames: the order of decoding is another
    shown = np.array(sorted(times))
    assert np.allclose(shown - shown[0], np.arange(COUNT) / 25)
    assert all(unit.is_shown for unit in units)


def test_times_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.15, 0.5, 0.9]
    path = variable_rate(spot_frames(5, 160, 128), tmp_path / "variable.mp4", times_s)
    assert np.allclose([unit.time_s for unit in read(path)], times_s)


def test_a_raw_stream_is_read_too(tmp_path: Path, clip: Path) -> None:
    ffmpeg("-i", str(clip), "-c", "copy", str(tmp_path / "raw.h264"))
    units = read(tmp_path / "raw.h264")
    assert len(units) == COUNT
    wanted = b"".join(unit.data for unit in read(clip))
    assert b"".join(unit.data for unit in units) == wanted


def test_pictures_before_the_cut_of_an_edit_list_are_not_shown(tmp_path: Path, clip: Path) -> None:
    # A copy that begins inside a group of pictures needs the ones before it for decoding.
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.8", "-i", str(clip), "-c", "copy", str(cut))
    units = read(cut)
    assert units[0].is_key
    hidden = [unit for unit in units if not unit.is_shown]
    assert 3 <= len(hidden) < 8
    assert len(units) - len(hidden) == COUNT - 20


@pytest.mark.parametrize(("options", "full"), [([], False), (["-color_range", "pc"], True)])
def test_the_range_of_the_colours(tmp_path: Path, options: List[str], full: bool) -> None:
    path = encode(spot_frames(3, 160, 128), tmp_path / "clip.mp4", *H264, *options)
    stream = AnnexBStream(path, "h264")
    list(stream)
    assert stream.is_full_range() == full
    stream.close()


def test_names_with_odd_characters_are_read(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = Path("http:a b%03d'ä.mp4")
    odd.write_bytes(clip.read_bytes())
    assert len(read(odd)) == COUNT


def test_a_container_without_times_gives_none(tmp_path: Path, clip: Path) -> None:
    ffmpeg("-i", str(clip), "-c", "copy", str(tmp_path / "timeless.avi"))
    units = read(tmp_path / "timeless.avi")
    assert len(units) == COUNT
    assert any(unit.time_s is None for unit in units)
    assert all(unit.time_s is None or unit.time_s < 10 for unit in units)


def test_a_cover_picture_is_not_the_video(tmp_path: Path, clip: Path) -> None:
    cover = encode(spot_frames(1, 64, 48), tmp_path / "cover.png")
    with_cover = tmp_path / "cover.mp4"
    streams = ("-i", str(cover), "-i", str(clip), "-map", "0", "-map", "1", "-c", "copy")
    ffmpeg(*streams, "-disposition:v:0", "attached_pic", str(with_cover))
    assert len(read(with_cover)) == COUNT


def test_closing_early_ends_ffmpeg_and_frees_the_pipes(clip: Path) -> None:
    threads, files = set(threading.enumerate()), open_files()
    stream = AnnexBStream(clip, "h264")
    next(iter(stream))
    stream.close()
    stream.close()
    assert stream._ffmpeg._process.poll() is not None
    assert set(threading.enumerate()) <= threads
    assert open_files() == files


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        AnnexBStream(tmp_path / "none.mp4", "h264")


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_told_in_ffmpegs_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="can't be taken out") as caught:
        read(path)
    assert caught.value.where == str(path)
    assert "bad.mp4" in str(caught.value.why) or "Invalid data" in str(caught.value.why)
    assert "[error]" not in str(caught.value.why)


def test_another_codec_is_told(tmp_path: Path) -> None:
    path = encode(spot_frames(3, 160, 128), tmp_path / "old.mp4", "-c:v", "mpeg4")
    with pytest.raises(SourceError, match="can't be taken out") as caught:
        read(path)
    assert "mpeg4" in str(caught.value.why)


def test_a_truncated_file_gives_what_there_is(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 128, 160, 3), dtype=np.uint8)
    whole = encode(noise, tmp_path / "whole.mp4", *H264, "-movflags", "+faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    stream, units = AnnexBStream(cut, "h264"), []
    with contextlib.suppress(SourceError):
        for unit in stream:
            units.append(unit)
    stream.close()
    assert 5 < len(units) < COUNT


def test_a_stream_that_ends_inside_a_unit_is_told(tmp_path: Path) -> None:
    liar = tmp_path / "ffmpeg"
    liar.write_text(
        f"#!{sys.executable}\n"
        "import os, re, sys\n"
        "pipe = int(re.search(r'framecrc pipe:(\\d+)', ' '.join(sys.argv)).group(1))\n"
        "os.write(pipe, b'0, 0, 0, 1, 9, 0x0\\n')\n"
        "os.write(1, b'abc')\n"
        "sys.exit(3)\n"
    )
    liar.chmod(0o755)
    video = tmp_path / "a.mp4"
    video.write_bytes(b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annexb, "find_ffmpeg", lambda: str(liar))
        with pytest.raises(SourceError, match="can't be taken out") as caught:
            read(video)
    assert "ended with code 3" in str(caught.value.why)


def test_a_machine_without_ffmpeg_is_told(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("no ffmpeg exe could be found")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(MissingExtraError, match="needs an ffmpeg"):
        AnnexBStream(clip, "h264")


def test_an_ffmpeg_that_does_not_start_is_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("")
    files = open_files()
    monkeypatch.setattr(annexb, "find_ffmpeg", lambda: str(broken))
    with pytest.raises(SourceError, match="can't be started"):
        AnnexBStream(clip, "h264")
    assert open_files() == files
