"""Runs the programs of docs/board.md on the simulator, in both of its modes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

import tiny_onnx
from atlas_hpe.aipp import aipp_spec, choose_aipp_input
from atlas_hpe.card import PreprocessSpec
from atlas_hpe_runtime.acl.api import load_acl
from atlas_hpe_runtime.acl.owner import finalise
from atlas_hpe_runtime.simulator import SimulatorSettings, install, uninstall
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from clips import encode, spot_frames
from dvpp_device import jpeg_bytes, smooth_picture

pytest.importorskip("onnxruntime")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "board.md"
TEXT = GUIDE.read_text(encoding="utf-8")
PROGRAMS: List[str] = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
#: What each of them prints: frames in the order of submission, tensors that arrived, 21 joints,
#: and a video that the device decoded.
SHOWN = [
    "simulator - simulated\n" + "".join(rf"\[\[{n}\.\]\]\n" for n in range(6)),
    r"\(1, 21, 2\)\n-1\.0\n",
    r"\[(\s?\[[^\[\]]+\]\n?){21}\]\n",
    r"decoded by the device\n0\.0\n0\.04\n0\.08\n0\.12\n0\.16\n",
]
SIZE_PX = 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a reader of the guide would have."""
    folder = tmp_path_factory.mktemp("guide")
    pose = tiny_onnx.hand_model(SIZE_PX)
    write_simulated_model(folder / "pose.om", SimulatedModel(pose))
    preprocess = PreprocessSpec(SIZE_PX, SIZE_PX, "rgb", "stretch", (0.0,) * 3, (255.0,) * 3)
    pictures = choose_aipp_input(preprocess, "nv12", colour_range="full")
    aipp = {"image": aipp_spec(preprocess, pictures)}
    write_simulated_model(folder / "pose_aipp.om", SimulatedModel(pose, aipp=aipp))
    for name, source, target in (("features", "image", "features"), ("head", "features", "joints")):
        node = tiny_onnx.node("Neg", [source], [target])
        onnx = tiny_onnx.model([node], {source: (1, 21, 2)}, {target: (1, 21, 2)})
        write_simulated_model(folder / f"{name}.om", SimulatedModel(onnx))
    (folder / "hand.jpg").write_bytes(jpeg_bytes(smooth_picture(320, 240)))
    options = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    encode(spot_frames(5, 160, 128), folder / "video.mp4", *options)
    return folder


@pytest.fixture(params=["rc", "ep"])
def board(
    request: pytest.FixtureRequest, models: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A simulated board on which nothing may be left, and nothing may have been misused."""
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    monkeypatch.chdir(models)
    machine = install(SimulatorSettings(mode=request.param))
    try:
        yield
        finalise(load_acl())
        assert machine.ledger.live() == ()
        assert machine.ledger.notes() == ()
    finally:
        uninstall(machine)


def run(program: str) -> None:
    exec(compile(program, str(GUIDE), "exec"), {"__name__": "__main__"})


def test_every_block_of_the_guide_is_a_program_that_is_run() -> None:
    assert len(PROGRAMS) == len(SHOWN) == TEXT.count("```") / 2


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_the_program_shows_what_the_guide_says_and_leaves_nothing(
    board: None, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run(PROGRAMS[number])
    assert re.fullmatch(SHOWN[number], capsys.readouterr().out, re.DOTALL)


def test_the_command_of_the_guide_runs_a_program(models: Path) -> None:
    (models / "program.py").write_text(PROGRAMS[0], encoding="utf-8")
    (command,) = re.findall(r"^ {4}atlas-hpe (simulate -- )python (program\.py)\b", TEXT, re.M)
    words = [*command[0].split(), sys.executable, command[1]]
    done = subprocess.run(
        [sys.executable, "-m", "atlas_hpe", *words],
        cwd=str(models),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("simulator - simulated\n")
    assert "everything was released" in done.stderr
