"""``atlas-hpe convert`` as a user types it; runs on a board's Python too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

import pytest

import tiny_onnx
from atlas_hpe.card import load_card
from atlas_hpe.om_file import read_om_summary
from standin_tools import install_atc


@pytest.fixture(autouse=True)
def machine_with_atc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    install_atc(tmp_path / "bin")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("hand.onnx").write_bytes(tiny_onnx.hand_model())


def convert(*arguments: str) -> Tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "atlas_hpe", "convert", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_without_a_model_the_newest_one_is_taken_and_named() -> None:
    tiny = tiny_onnx.hand_model(32)
    Path("older.onnx").write_bytes(tiny)
    os.utime("older.onnx", (0, 0))
    status, out, said = convert("--soc", "Ascend310")
    assert (status, out) == (0, ""), said
    assert said.startswith("taking hand.onnx, the newest .onnx with a card in this folder\n")
    assert said.endswith("next: atlas-hpe inspect hand.om\n")
    assert read_om_summary("hand.om").models[0].soc == "Ascend310"


def test_every_option_reaches_the_compiler() -> None:
    status, out, said = convert(
        *("hand.onnx", "--soc", "310", "--out", "x.om", "--input", "nv21", "--matrix", "bt709"),
        *("--range", "full", "--source-size", "64x48", "--crop", "0,0,14,12"),
        *("--padding", "1,1,2,2", "--precision", "mixed", "--batch", "1,2"),
        *("--keep-dtype", "OpType::MatMul", "--fusion-off", "APass", "--tune", "ga", "--json"),
        *("--timeout-s", "60", "--", "--op_select_implmode=high_precision"),
    )
    assert status == 0, said
    report = json.loads(out)
    build = report["card"]["provenance"]["build"]["options"]
    assert build["precision_mode"] == "allow_mix_precision"
    assert build["dynamic_batch_size"] == "1,2"
    assert build["keep_dtype"] == "OpType::MatMul\n"
    assert build["fusion_switch_file"] == "APass:off\n"
    assert build["auto_tune_mode"] == "GA"
    assert build["op_select_implmode"] == "high_precision"
    assert report["card"]["preprocess"]["aipp"] == {
        "form": "nv21",
        "width_px": 64,
        "height_px": 48,
        "matrix": "bt709-wide",
        "crop": [0, 0, 14, 12],
        "padding": [1, 1, 2, 2],
    }
    assert (report["state"], report["path"]) == ("compiled", "x.om")
    assert "nv21 of 64x48 px (w x h), bt709-wide, by AIPP" in said


def test_flags_of_atc_need_no_model_before_them() -> None:
    status, _, said = convert("--", "--op_debug_level=1")
    assert status == 0, said
    build = load_card("hand.om").provenance.build
    assert build is not None
    assert build.options["op_debug_level"] == "1"


def test_a_second_time_is_up_to_date_and_force_compiles_anew() -> None:
    assert "compiled by atc, not yet run on a board" in convert("hand.onnx")[2]
    status, _, said = convert("hand.onnx")
    assert (status, "up to date" in said) == (0, True)
    assert "compiled by atc, not yet run on a board" in convert("hand.onnx", "--force")[2]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("missing.onnx",), 2, "does not exist"),
        (("hand.onnx", "--out", "hand.bin"), 2, "kind of output"),
        (("hand.onnx", "--batch", "none"), 2, "--batch"),
        (("hand.onnx", "--input", "yuyv"), 2, "--input"),
        (("hand.onnx", "--soc", "Ascend 1"), 2, "--soc"),
        (("hand.onnx", "--precision", "int8"), 2, "--precision"),
        (("hand.onnx", "--keep-dtype", "nothing"), 2, "E10016"),
        (("hand.onnx", "--docker", "an-image"), 4, "Docker"),
        (("hand.onnx", "--", "--mode=1"), 2, "--mode"),
        (("hand.onnx", "--out", "hand.simulated.om"), 2, "name of a simulated model"),
        (("hand.onnx", "--simulate", "--docker", "an-image"), 2, "needs no compiler"),
    ],
)
def test_what_can_not_be_done_is_one_clear_error(
    arguments: Tuple[str, ...], status: int, words: str
) -> None:
    before = sorted(Path().iterdir())
    found, out, said = convert(*arguments)
    assert (found, out) == (status, ""), said
    assert words in said
    assert "Traceback" not in said
    assert sorted(Path().iterdir()) == before


def test_a_failure_of_atc_is_explained_and_its_log_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STANDIN_ATC_FAULT", "library")
    status, _, said = convert("hand.onnx")
    assert status == 4
    assert "libascend_hal.so" in said
    assert "the whole log is hand.om.log" in said
    assert sorted(path.name for path in Path().iterdir()) == ["hand.om.log", "hand.onnx"]


def test_without_a_compiler_a_folder_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    status, _, said = convert("hand.onnx", "--input", "rgb")
    assert status == 4
    assert "sh hand.convert/convert.sh" in said
    assert sorted(path.name for path in Path("hand.convert").iterdir()) == [
        "aipp.cfg",
        "convert.sh",
        "hand.om.json",
        "hand.onnx",
    ]


def test_a_simulated_model_is_called_that_everywhere() -> None:
    pytest.importorskip("onnxruntime")
    status, out, said = convert("hand.onnx", "--simulate", "--json", "--fusion-off", "APass")
    assert status == 0, said
    report = json.loads(out)
    assert (report["path"], report["simulated"]) == ("hand.simulated.om", True)
    assert "simulated: no compiler ran" in said
    assert "compiled by atc" not in said
    assert said.startswith("warning: ")
    assert report["warnings"]


def test_a_compilation_goes_on_when_nobody_reads_along(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "atlas_hpe", "convert", "hand.onnx"]
    try:
        subprocess.run(command, stderr=writing, timeout=120, check=False)
    finally:
        os.close(writing)
    assert read_om_summary("hand.om").models[0].soc == "Ascend310"
    assert load_card("hand.om").provenance.build is not None
