"""``atlas-hpe check``: exit codes, streams, the next command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict

import numpy as np
import pytest

import tiny_onnx

pytest.importorskip("onnx", reason="the check reads graphs with the onnx package")


def write(path: Path, opset: int = 11) -> Path:
    nodes = [tiny_onnx.node("Mul", ["x", "x"], ["y"])]
    path.write_bytes(tiny_onnx.model(nodes, {"x": (1, 2)}, {"y": (1, 2)}, opset=opset))
    return path


def check(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "atlas_hpe", "check", *[str(item) for item in arguments]],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_model_that_passes_is_silent_on_stdout(tmp_path: Path) -> None:
    done = check(write(tmp_path / "m.onnx"), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "m.onnx: no blocker (Ascend310, CANN 6.0, opset 11, 1 node)" in done.stderr
    assert "next:" not in done.stderr


def test_a_warning_keeps_exit_code_0(tmp_path: Path) -> None:
    done = check(write(tmp_path / "m.onnx", opset=13), folder=tmp_path)
    assert done.returncode == 0
    assert "1 warning" in done.stderr
    assert "next: atlas-hpe export " in done.stderr


def test_a_blocker_is_exit_code_1_and_json_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", opset=17)
    done = check(path, "--json", folder=tmp_path)
    assert done.returncode == 1
    report: Dict[str, object] = json.loads(done.stdout)
    assert report["passed"] is False
    assert f"next: atlas-hpe export {path} --out fixed.onnx" in done.stderr
    assert done.stderr.splitlines()[-1].strip() == "why: not-registered"
    assert "Traceback" not in done.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["m.onnx"]


def test_samples_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.array([[300, 1]], np.float32))
    path = write(tmp_path / "m.onnx")
    done = check(path, "--inputs", tmp_path / "s.npz", folder=tmp_path)
    assert done.returncode == 1
    assert "reaches 9e+04" in done.stderr
    assert "estimated" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["missing.onnx"], "the file does not exist"),
        (["m.onnx", "--soc", "Ascend999"], "choose one of: Ascend310"),
        (["m.onnx", "--cann", "1.0"], "choose one of: 5.0, 5.1, 6.0"),
        (["m.onnx", "--inputs", "m.onnx"], "the samples can't be read"),
        (["notes.onnx"], "not an ONNX model"),
    ],
)
def test_bad_input_is_one_error_and_exit_code_2(arguments: list, part: str, tmp_path: Path) -> None:
    write(tmp_path / "m.onnx")
    (tmp_path / "notes.onnx").write_text("not a model", encoding="utf-8")
    done = check(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert part in done.stderr
    assert "Traceback" not in done.stderr
