"""``atlas-hpe evaluate`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest

import tiny_onnx

pytest.importorskip("onnxruntime")

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "evaluate"]
SIZE_PX = 64


def tiny_truth(box_px: float = 32.0) -> np.ndarray:
    """Joints that ``tiny_onnx.hand_model`` finds in a white square of the whole crop's middle."""
    spread = (np.arange(21)[:, None] - 10) * np.array([0.01, 0.005])
    return spread * 1.4 * box_px + SIZE_PX / 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures whose labels are what the model answers when it sees a crop 160 times a box."""
    (tmp_path / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    image = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    image[28:36, 28:36] = 255
    done, data = cv2.imencode(".png", image)
    assert done
    items = []
    for number, group in enumerate(("easy", "hard")):
        (tmp_path / f"{number}.png").write_bytes(data.tobytes())
        hand = {"keypoints": tiny_truth().tolist(), "side": "right"}
        items.append({"image": f"{number}.png", "group": group, "hands": [hand]})
    (tmp_path / "labels.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_set_is_told_on_stderr_and_written(folder: Path) -> None:
    # A box of 0.2 x 32 x 1.4 = 8.96 px: five times that is the crop the truth was made for.
    done = run(folder, "hand.onnx", "--data", ".", "--box-scale", "5", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for words in ("tiny hand", "2 pictures", "PCK@.1", "easy", "hard", "ms per hand", "wrote"):
        assert words in done.stderr
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["tasks"]["landmark"]["all"]["nme_mean"] == pytest.approx(0, abs=0.02)
    assert (folder / "out" / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "out" / "worst.png").read_bytes()[:4] == b"\x89PNG"


def test_json_goes_to_stdout_and_options_arrive(folder: Path) -> None:
    arguments = ["hand.onnx", "--data", "labels.json", "--rotation", "circle", "--passes", "2"]
    done = run(folder, *arguments, "--limit", "1", "--box-scale", "4", "--json")
    report = json.loads(done.stdout)
    assert (report["pictures"], report["turns_deg"]) == (1, [45.0 * step for step in range(8)])
    assert list(report["tasks"]) == ["landmark"]
    assert report["tasks"]["landmark"]["all"]["hands"] == 8
    assert "4 times as large; two passes" in report["tasks"]["landmark"]["what"]


def test_force_replaces(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "report.json").write_text("precious")
    refused = run(folder, "hand.onnx", "--data", ".", "--out", "out")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (folder / "out" / "report.json").read_text() == "precious"
    assert run(folder, "hand.onnx", "--data", ".", "--out", "out", "--force").returncode == 0


def spoil(folder: Path) -> None:
    (folder / "taken").write_text("")
    (folder / "empty").mkdir()
    labels = json.loads((folder / "labels.json").read_text())
    labels["items"][1]["hands"][0]["keypoints"].pop()
    (folder / "short.json").write_text(json.dumps(labels))
    labels["items"][1] = {"image": "gone.png", "hands": []}
    (folder / "gone.json").write_text(json.dumps(labels))
    (folder / "2.png").write_text("no picture")
    labels["items"][1] = {"image": "2.png", "hands": []}
    (folder / "broken.json").write_text(json.dumps(labels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option"),
        (["--data", "nowhere"], "does not exist"),
        (["--data", "empty"], "holds no labels"),
        (["--data", "short.json"], "21 x 2 keypoints"),
        (["--data", "gone.json"], "gone.png"),
        (["--data", "broken.json", "--out", "out"], "not a picture"),
        (["--data", "hand.onnx"], "not JSON"),
        (["--data", ".", "--rotation", "upside-down"], "is no turn"),
        (["--data", ".", "--rotation", "nan"], "is no turn"),
        (["--data", ".", "--rotation", "361"], "is no turn"),
        (["--data", ".", "--limit", "0"], "--limit"),
        (["--data", ".", "--box-scale", "nan"], "--box-scale"),
        (["--data", ".", "--task", "all"], "--task"),
        (["--data", ".", "--task", "pipeline"], "detector"),
        (["--data", ".", "--task", "pipeline", "--detector", "hand.onnx"], "fit 'letterbox'"),
        (["--data", ".", "--backend", "npu"], "no back-end 'npu'"),
        (["--data", ".", "--out", "taken"], "not a folder"),
        (["--data", ".", "--out", "nowhere/out"], "mkdir -p"),
    ],
)
def test_bad_input_is_one_clear_error_and_no_output(
    folder: Path, arguments: List[str], message: str
) -> None:
    spoil(folder)
    before = sorted(item.name for item in folder.iterdir())
    done = run(folder, "hand.onnx", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(item.name for item in folder.iterdir()) == before


def test_the_shipped_model_on_real_hands(shared_data: Path, tmp_path: Path) -> None:
    data = str(shared_data / "annotated")
    done = run(tmp_path, "--data", data, "--task", "landmark", "--json", "--out", "out")
    assert done.returncode == 0, done.stderr
    task = json.loads(done.stdout)["tasks"]["landmark"]
    hands = {name: figures["hands"] for name, figures in task["groups"].items()}
    assert hands == {"cocowb_tiny": 1, "handposex": 5, "interhand": 3}
    assert task["all"]["sided"] == 4
    assert task["groups"]["handposex"]["nme_mean"] < 0.2
    assert task["groups"]["handposex"]["detection_rate"] == 1
    assert len(list((tmp_path / "out").iterdir())) == 3
