"""A folder of pictures: whole or not there, and nothing of the user's is ever lost."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest

from atlas_hpe.errors import OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import check_output, open_sink
from atlas_hpe_pipelines.sinks.whole_folder import WholeFolder

SIZE_PX = (20, 16)


def make_picture(index: int) -> np.ndarray:
    rng = np.random.RandomState(index)
    return rng.randint(0, 256, (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.uint8)


def write_folder(path: Path, indices: List[int], force: bool = False) -> None:
    with open_sink(f"{path}/", fps=25, size_px=SIZE_PX, force=force) as sink:
        for index in indices:
            picture = make_picture(index)
            sink.write(Frame(index, index / 25, picture), picture, ())


def names_in(folder: Path) -> List[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_pictures_are_named_by_their_frame_and_lose_nothing(tmp_path: Path) -> None:
    import cv2

    write_folder(tmp_path / "frames", [0, 1, 7, 1_234_567])
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == [
        "000000.png",
        "000001.png",
        "000007.png",
        "1234567.png",
    ]
    for index in (0, 1, 7):
        read = cv2.imread(str(tmp_path / "frames" / f"{index:06d}.png"))
        np.testing.assert_array_equal(read, make_picture(index))


def test_the_folder_is_invisible_until_it_is_whole(tmp_path: Path) -> None:
    with open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX) as sink:
        sink.write(Frame(0, 0.0, make_picture(0)), make_picture(0), ())
        (temporary,) = names_in(tmp_path)
        assert temporary.startswith(".frames.") and temporary.endswith(".part")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type) -> None:
    def fail() -> None:
        with open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX) as sink:
            sink.write(Frame(0, 0.0, make_picture(0)), make_picture(0), ())
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(tmp_path) == []


def test_no_frame_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame came"):
        write_folder(tmp_path / "frames", [])
    assert names_in(tmp_path) == []


def test_a_folder_that_is_lost_is_removed(tmp_path: Path) -> None:
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX)
    assert len(names_in(tmp_path)) == 1
    del sink
    assert names_in(tmp_path) == []


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    write_folder(tmp_path / "frames", [0])
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == ["000000.png"]


def test_earlier_pictures_are_replaced_only_with_force(tmp_path: Path) -> None:
    write_folder(tmp_path / "frames", [0, 1, 2])
    with pytest.raises(OutputError, match="exists already") as caught:
        write_folder(tmp_path / "frames", [5])
    assert caught.value.fix is not None and "--force" in caught.value.fix
    assert len(names_in(tmp_path / "frames")) == 3
    write_folder(tmp_path / "frames", [5], force=True)
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == ["000005.png"]


@pytest.mark.parametrize("name", ["notes.txt", "000001.jpg", "1.png", "x000001.png", ".hidden"])
@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_other_files_is_never_replaced(
    tmp_path: Path, name: str, force: bool
) -> None:
    write_folder(tmp_path / "frames", [0])
    (tmp_path / "frames" / name).write_text("of the user")
    with pytest.raises(OutputError, match="something else") as caught:
        check_output(f"{tmp_path}/frames/", force=force)
    assert caught.value.why is not None and name in caught.value.why
    assert names_in(tmp_path / "frames") == sorted(["000000.png", name])


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_only_has_the_name_of_a_picture_is_never_removed(tmp_path: Path, kind: str) -> None:
    write_folder(tmp_path / "frames", [0])
    place = tmp_path / "frames" / "000001.png"
    if kind == "folder":
        place.mkdir()
    else:
        (tmp_path / "notes.txt").write_text("of the user")
        place.symlink_to(tmp_path / "notes.txt")
    with pytest.raises(OutputError, match="something else"):
        check_output(f"{tmp_path}/frames/", force=True)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    write_folder(tmp_path / "frames", [0])
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX, force=True)
    sink.write(Frame(3, 0.0, make_picture(3)), make_picture(3), ())
    (tmp_path / "frames" / "notes.txt").write_text("of the user")
    with pytest.raises(OutputError, match="something else"):
        sink.finish()
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == ["000000.png", "notes.txt"]


def test_a_file_that_appears_at_the_last_moment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "frames", [0])
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX, force=True)
    sink.write(Frame(3, 0.0, make_picture(3)), make_picture(3), ())
    rename = Path.rename

    def add_before(self: Path, target: Path) -> Path:
        if self.name == "frames":
            (self / "notes.txt").write_text("of the user")
        rename(self, target)
        return Path(target)

    monkeypatch.setattr(Path, "rename", add_before)
    with pytest.raises(OutputError, match="something else"):
        sink.finish()
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == ["000000.png", "notes.txt"]


def test_pictures_that_appear_meanwhile_are_kept_without_force(tmp_path: Path) -> None:
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX)
    sink.write(Frame(3, 0.0, make_picture(3)), make_picture(3), ())
    write_folder(tmp_path / "frames", [0])
    with pytest.raises(OutputError, match="exists already"):
        sink.finish()
    assert names_in(tmp_path / "frames") == ["000000.png"]


def test_the_old_pictures_come_back_when_the_last_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "frames", [0])
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=SIZE_PX, force=True)
    sink.write(Frame(3, 0.0, make_picture(3)), make_picture(3), ())
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(28, "No space left on device")
        rename(self, target)
        return Path(target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="can't be written"):
        sink.finish()
    assert names_in(tmp_path) == ["frames"]
    assert names_in(tmp_path / "frames") == ["000000.png"]


def test_a_symbolic_link_keeps_pointing_to_the_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "real", [0])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_folder(tmp_path / "link", [4], force=True)
    assert (tmp_path / "link").is_symlink()
    assert names_in(tmp_path / "real") == ["000004.png"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/frames/", "does not exist"),
        ("clip.gif/", "can't have a suffix"),
        ("file/", "is a file"),
        ("../", "name of its own"),
    ],
)
def test_an_impossible_place_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("of the user")
    with pytest.raises(OutputError, match=words):
        check_output(f"{tmp_path}/{name}", force=True)
    assert names_in(tmp_path) == ["file"]


def test_a_mount_point_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: str(path) == str(volume))
    with pytest.raises(OutputError, match="mounted") as caught:
        check_output(f"{volume}/", force=True)
    assert caught.value.fix == f"name a folder in it, for example, {volume}/frames/"
    write_folder(volume / "frames", [0])
    assert names_in(volume / "frames") == ["000000.png"]


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    sink = open_sink(f"{tmp_path}/frames/", fps=25, size_px=(4, 4))
    with pytest.raises(OutputError, match="form of this output"):
        sink.write(Frame(0, 0.0, make_picture(0)), make_picture(0), ())
    sink.abort()
    assert names_in(tmp_path) == []


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OutputError, match="can't be written") as caught:
        write_folder(tmp_path / "frames", [0])
    assert caught.value.why == "No space left on device"
    assert names_in(tmp_path) == []


def test_discarding_twice_does_nothing(tmp_path: Path) -> None:
    folder = WholeFolder(tmp_path / "frames", force=False)
    folder.discard()
    folder.discard()
    assert names_in(tmp_path) == []
