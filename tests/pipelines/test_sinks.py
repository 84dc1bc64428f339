"""What all sinks promise: checks before any work, whole files or none, one table of kinds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import SINKS, OutputOptions, check_output, kind_of, open_sink

KINDS = sorted(kind for kind in SINKS if kind.startswith("."))
PICTURES = [".gif", ".mp4", ".webm"]
SIZE_PX = (20, 16)


def make_frame(index: int, fps: float = 25.0) -> Frame:
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 10 + 5 * index, np.uint8)
    return Frame(index, index / fps, picture)


def write_clip(path: Path, frames: int = 3, **options: Any) -> None:
    with open_sink(path, fps=25.0, size_px=SIZE_PX, **options) as sink:
        for index in range(frames):
            frame = make_frame(index)
            sink.write(frame, frame.image, ())


def names_in(folder: Path) -> List[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_output_is_the_only_file(tmp_path: Path, kind: str) -> None:
    write_clip(tmp_path / f"clip{kind}")
    assert names_in(tmp_path) == [f"clip{kind}"]
    assert (tmp_path / f"clip{kind}").stat().st_size > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_invisible_until_it_is_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    with open_sink(path, fps=25.0, size_px=SIZE_PX) as sink:
        frame = make_frame(0)
        sink.write(frame, frame.image, ())
        assert not path.exists()
        (temporary,) = names_in(tmp_path)
        assert temporary.startswith(".clip.") and temporary.endswith(kind)
    assert path.exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path: Path, kind: str, error: type) -> None:
    def fail() -> None:
        with open_sink(tmp_path / f"clip{kind}", fps=25.0, size_px=SIZE_PX) as sink:
            frame = make_frame(0)
            sink.write(frame, frame.image, ())
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_abort_keeps_the_file_that_was_to_be_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    path.write_text("old")
    sink = open_sink(path, fps=25.0, size_px=SIZE_PX, force=True)
    sink.abort()
    sink.abort()
    assert path.read_text() == "old"
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_sink_takes_no_frame(tmp_path: Path, kind: str) -> None:
    sink = open_sink(tmp_path / f"clip{kind}", fps=25.0, size_px=SIZE_PX)
    sink.abort()
    sink.finish()
    frame = make_frame(0)
    with pytest.raises(OutputError, match="already closed"):
        sink.write(frame, frame.image, ())
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_file_is_refused_and_replaced_with_force(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    path.write_text("old")
    with pytest.raises(OutputError, match="exists already") as caught:
        open_sink(path, fps=25.0, size_px=SIZE_PX)
    assert caught.value.fix is not None and "--force" in caught.value.fix
    assert path.read_text() == "old"
    write_clip(path, force=True)
    assert path.read_bytes() != b"old"
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip{kind}"
    sink = open_sink(path, fps=25.0, size_px=SIZE_PX)
    frame = make_frame(0)
    sink.write(frame, frame.image, ())
    path.write_text("of another")
    with pytest.raises(OutputError, match="exists already"):
        sink.finish()
    assert path.read_text() == "of another"
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_symbolic_link_keeps_pointing_to_the_output(tmp_path: Path, kind: str) -> None:
    real = tmp_path / f"real{kind}"
    real.write_text("old")
    link = tmp_path / f"link{kind}"
    link.symlink_to(real)
    write_clip(link, force=True)
    assert link.is_symlink()
    assert real.read_bytes() != b"old"


@pytest.mark.parametrize("kind", PICTURES)
def test_no_frame_is_an_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OutputError, match="no frame came"):
        write_clip(tmp_path / f"clip{kind}", frames=0)
    assert names_in(tmp_path) == []


def test_a_run_without_frames_gives_an_empty_pose_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.jsonl", frames=0)
    assert (tmp_path / "clip.jsonl").read_bytes() == b""


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize(
    "picture",
    [
        None,
        np.zeros((16, 21, 3), np.uint8),
        np.zeros((16, 20, 3), np.float32),
        np.zeros((16, 20), np.uint8),
    ],
    ids=["missing", "size", "type", "grey"],
)
def test_a_picture_of_another_form_is_refused(tmp_path: Path, kind: str, picture: Any) -> None:
    sink = open_sink(tmp_path / f"clip{kind}", fps=25.0, size_px=SIZE_PX)
    with pytest.raises(OutputError, match="picture"):
        sink.write(make_frame(0), picture, ())
    sink.abort()


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_without_a_time_is_refused(tmp_path: Path, kind: str) -> None:
    frame = Frame(7, float("nan"), make_frame(0).image)
    sink = open_sink(tmp_path / f"clip{kind}", fps=25.0, size_px=SIZE_PX)
    with pytest.raises(OutputError, match="frame 7 has no presentation time"):
        sink.write(frame, frame.image, ())
    sink.abort()


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_unicode_name_works(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("手" * 80 + kind)
    write_clip(path)
    assert names_in(tmp_path) == [path.name]


def test_the_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_clip(tmp_path / "clip.gif")
    finally:
        os.umask(before)
    assert (tmp_path / "clip.gif").stat().st_mode & 0o777 == 0o640


def test_only_pictures_need_drawing(tmp_path: Path) -> None:
    wants = {}
    for kind in KINDS:
        sink = open_sink(tmp_path / f"clip{kind}", fps=25.0, size_px=SIZE_PX)
        wants[kind] = sink.wants_picture
        sink.abort()
    assert [kind for kind in KINDS if wants[kind]] == PICTURES


def test_the_suffix_is_read_in_any_case(tmp_path: Path) -> None:
    write_clip(tmp_path / "CLIP.GIF")
    assert (tmp_path / "CLIP.GIF").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("method", ["write", "publish"])
def test_a_full_disk_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from atlas_hpe.outfile import AtomicFile

    def refuse(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AtomicFile, method, refuse)
    with pytest.raises(OutputError, match="can't be written") as caught:
        write_clip(tmp_path / "clip.gif")
    assert caught.value.why == "No space left on device"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0.0},
        {"fps": -1.0},
        {"fps": float("nan")},
        {"fps": float("inf")},
        {"size_px": (0, 16)},
        {"options": OutputOptions(max_fps=0.0)},
        {"options": OutputOptions(max_fps=float("nan"))},
        {"options": OutputOptions(palette="grey")},
    ],
    ids=str,
)
def test_impossible_options_are_refused(tmp_path: Path, options: Dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        open_sink(tmp_path / "clip.gif", **{"fps": 25.0, "size_px": SIZE_PX, **options})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/clip.GIF", ".gif"),
        ("frames/", "/"),
        (Path("frames"), "/"),
        ("-", "-"),
        (Path("-"), "-"),
        ("frames", ""),
    ],
    ids=str,
)
def test_the_name_chooses_the_kind(path: Any, kind: str) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize("name", ["clip.avi", "frames", "-.txt"])
def test_an_unknown_kind_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="kind of output is not known") as caught:
        check_output(str(tmp_path / name), force=False)
    assert caught.value.why is not None and ".csv, .gif" in caught.value.why
    assert caught.value.fix is not None and "/ for pictures" in caught.value.fix


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_checked_can_be_opened(tmp_path: Path, kind: str) -> None:
    checked = check_output(str(tmp_path / f"clip{kind}"), force=False)
    assert checked == tmp_path / f"clip{kind}"
    write_clip(checked)
    assert names_in(tmp_path) == [f"clip{kind}"]
