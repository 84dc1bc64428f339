"""Which pictures make a clip, and in what order."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.errors import InputError
from atlas_hpe_pipelines.sources.listing import (
    list_folder,
    list_matches,
    list_named,
    natural_key,
    read_list,
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(paths: tuple) -> List[str]:
    return [path.name for path in paths]


def test_numbers_in_names_count_by_value() -> None:
    expected = ["1.png", "01.png", "2.png", "10.png", "a1b2.png", "a1b10.png", "B.png", "c.png"]
    ordered = sorted(reversed(expected), key=natural_key)
    assert ordered == ["01.png", "1.png", *expected[2:]]


@given(st.lists(st.integers(0, 10**12), unique=True, max_size=20), st.text(max_size=5))
def test_frames_are_ordered_by_their_number_whatever_their_name(
    numbers: List[int], prefix: str
) -> None:
    files = [f"{prefix}_{number}.png" for number in numbers]
    ordered = sorted(files, key=natural_key)
    assert ordered == [f"{prefix}_{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=8), unique=True, max_size=12), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_finding(
    files: List[str], random: object
) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)
    assert sorted(files, key=natural_key) == sorted(shuffled, key=natural_key)


def test_a_folder_gives_its_pictures_in_natural_order_and_counts_the_rest(tmp_path: Path) -> None:
    touch(tmp_path, "f10.png", "f9.JPG", "f1.webp", "notes.md", "clip.mp4")
    touch(tmp_path, ".hidden.png", ".DS_Store", "inner/f0.png")
    listing = list_folder(tmp_path)
    assert names(listing.paths) == ["f1.webp", "f9.JPG", "f10.png"]
    assert (listing.name, listing.left_out) == (str(tmp_path), 2)


def test_a_folder_without_pictures_says_what_it_has(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(InputError, match="the folder has no pictures") as caught:
        list_folder(tmp_path)
    assert caught.value.why is not None
    assert caught.value.why.startswith("of its 2 files none ends in .bmp, ")
    assert caught.value.fix == "name a video by itself"


def test_a_pattern_gives_its_pictures_in_natural_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "take10/1.png", "take2/10.png", "take2/9.png", "take2/x.txt", "take2/z.png/a")
    listing = list_matches(str(tmp_path / "take*" / "*"))
    found = [str(path.relative_to(tmp_path)) for path in listing.paths]
    assert found == ["take2/9.png", "take2/10.png", "take10/1.png"]
    assert listing.left_out == 1
    monkeypatch.chdir(tmp_path)
    assert len(list_matches("**/*.png").paths) == 3


def test_a_pattern_without_matches_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no file matches the pattern") as caught:
        list_matches("frames/*.png")
    assert caught.value.why == f"looked in {tmp_path}"
    touch(tmp_path, "frames/a.mp4")
    with pytest.raises(InputError, match="no picture matches the pattern"):
        list_matches("frames/*")


def test_a_list_keeps_its_order_and_is_relative_to_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "sub/a b.png")
    path = tmp_path / "list.txt"
    text = f"\ufeffb.png\r\n\r\n# a note\n  sub/a b.png  \n{tmp_path / 'b.png'}"
    path.write_bytes(text.encode("utf-8"))
    assert names(read_list(path).paths) == ["b.png", "a b.png", "b.png"]


def test_mistakes_in_a_list_are_told_with_their_line(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "folder/b.png")
    path = tmp_path / "list.txt"
    path.write_text("a.png\n\nabsent.png\n")
    with pytest.raises(InputError, match="a picture that does not exist") as caught:
        read_list(path)
    assert caught.value.where == f"{path}, line 3"
    path.write_text("folder\n")
    with pytest.raises(InputError, match="a folder, not a picture"):
        read_list(path)
    for nothing in ("", "# only a note\n\n"):
        path.write_text(nothing)
        with pytest.raises(InputError, match="the list names no pictures"):
            read_list(path)
    path.write_bytes(b"a\0b\xff")
    with pytest.raises(InputError, match="not a text file"):
        read_list(path)


def test_paths_given_in_python_are_checked_at_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.png")
    listing = list_named([tmp_path / "b.png", str(tmp_path / "a.png")])
    assert names(listing.paths) == ["b.png", "a.png"]
    assert listing.name == f"{tmp_path / 'b.png'} and 1 more"
    assert list_named([tmp_path / "b.png"]).name == str(tmp_path / "b.png")
    with pytest.raises(InputError, match="the list of pictures is empty"):
        list_named([])
    with pytest.raises(InputError, match="does not exist"):
        list_named([tmp_path / "b.png", tmp_path / "c.png"])
