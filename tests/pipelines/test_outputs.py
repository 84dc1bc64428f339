"""The outputs of one run do not overwrite each other, nor what the run reads."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.outputs import Outputs
from atlas_hpe_pipelines.sinks import OutputOptions


def check(inputs: List[str], *out: str) -> None:
    Outputs(out, {}, OutputOptions(), force=True).check_apart([*inputs, None])


def make_pictures(folder: Path, count: int) -> None:
    import cv2

    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:06d}.png"), np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    "source",
    ["frames", "frames/", "frames/000000.png", "frames/*.png", "../here/frames", "link/000000.png"],
)
def test_a_folder_that_is_read_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    make_pictures(here / "frames", 2)
    (here / "link").symlink_to(here / "frames")
    monkeypatch.chdir(here)
    for out in ("frames/", "link/"):
        with pytest.raises(OutputError, match="would overwrite") as caught:
            check([source], out)
        assert caught.value.why == f"{source} is read"
        assert caught.value.where == out
    check([source], "frames2/", "frames/hands.gif", "hands.gif")


def test_no_output_lies_in_another_one(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    out = [f"{tmp_path}/frames/", f"{tmp_path}/frames/hands.gif"]
    for order in (out, out[::-1]):
        with pytest.raises(OutputError, match="would overwrite") as caught:
            check([], *order)
        assert caught.value.why == f"{tmp_path}/frames/hands.gif is to be in it"
    check([], f"{tmp_path}/frames/a.gif", f"{tmp_path}/frames/b.gif")


def test_the_same_output_twice(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="would overwrite") as caught:
        check([], f"{tmp_path}/a.gif", f"{tmp_path}/../{tmp_path.name}/a.gif")
    assert caught.value.why == "the same output is given twice"
    with pytest.raises(OutputError, match="would overwrite"):
        check([], "-", "-")


def test_standard_input_and_output_are_two_things() -> None:
    check(["-"], "-")
