"""``atlas-hpe parity`` as a user types it, on a laptop and on a board."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.card import load_card
from atlas_hpe.parity import BundleFacts, ask, bind_joints, record_bundle
from atlas_hpe_pipelines import decode_joints
from atlas_hpe_pipelines.drawn_hand import draw_samples

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()"]
WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Refuse())
from atlas_hpe.cli import main
main()
"""


def run(
    folder: Path, *arguments: object, without: Optional[Tuple[str, ...]] = None
) -> subprocess.CompletedProcess:
    command = COMMAND
    if without is not None:
        command = [sys.executable, "-c", WITHOUT.format(blocked=without)]
    return subprocess.run(
        [*command, "parity", *map(str, arguments)],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )


def names_in(folder: Path) -> List[str]:
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What goes to a board: a model, and a bundle recorded with it, both made without onnx."""
    pytest.importorskip("onnxruntime")
    from atlas_hpe_runtime import open_session

    folder = tmp_path_factory.mktemp("board")
    (folder / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    card = load_card(folder / "hand.onnx")
    facts = BundleFacts(
        reference="hand.pt",
        reference_kind="PyTorch",
        reference_sha256="0" * 64,
        model="hand.onnx",
        model_sha256="0" * 64,
        source="hands drawn by this project",
        card=card,
    )
    with open_session(folder / "hand.onnx") as session:
        answers = list(ask(session.run, draw_samples(card, 3), bind_joints(card, decode_joints)))
    record_bundle(folder / "same.npz", answers, facts)
    moved = [
        replace(item, outputs={**item.outputs, "joints": item.outputs["joints"] + 0.1})
        for item in answers
    ]
    record_bundle(folder / "moved.npz", moved, facts)
    return folder


def test_a_board_without_torch_and_onnx_replays(board: Path) -> None:
    before = names_in(board)
    done = run(
        board, "hand.onnx", "--replay", "same.npz", "--json", without=("torch", "onnx", "onnxsim")
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (rung,) = report["rungs"]
    assert report["passed"] is True
    assert rung["name"] == "replay"
    assert rung["samples"] == 3
    assert rung["joints"]["compared"] == 63
    assert rung["joints"]["source_px"]["max"] == 0
    assert "parity passed: hand.onnx against hand.pt (PyTorch, recorded in same.npz)" in done.stderr
    assert "through ONNX Runtime, not on a board" in done.stderr
    assert names_in(board) == before


def test_a_replay_that_differs_is_exit_1_after_the_report(board: Path, tmp_path: Path) -> None:
    done = run(
        tmp_path,
        board / "hand.onnx",
        "--replay",
        board / "moved.npz",
        "--json",
        "--pictures",
        "worst",
    )
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["passed"] is False
    assert report["pictures"] == ["worst/worst_replay.png"]
    assert (tmp_path / "worst" / "worst_replay.png").stat().st_size > 1000
    assert done.stderr.startswith("parity FAILED")
    assert "error: the model does not say what hand.pt" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hand.onnx", "--replay", "none.npz"), "the file does not exist"),
        (("hand.onnx", "--replay", "cut.npz"), "the parity bundle can't be used"),
        (("none.onnx", "--replay", "same.npz"), "the file does not exist"),
        (("hand.onnx", "hand.onnx", "--replay", "same.npz"), "and with nothing else"),
        (("hand.onnx", "--replay", "same.npz", "--rungs", "half"), "where: --rungs"),
        (("hand.onnx", "--replay", "same.npz", "--record", "x.npz"), "where: --record"),
        (("a", "b", "c"), "3 files were given"),
        (("hand.onnx", "--arch", "shallow_unet"), "no REFERENCE to make a network of"),
        (("hand.onnx", "--trust-pickle"), "where: --trust-pickle"),
        (("hand.onnx", "--replay", "same.npz", "--pictures", "hand.onnx"), "not a folder"),
        ((), "Missing argument"),
    ],
)
def test_what_can_not_be_is_exit_2_and_one_error(
    board: Path, arguments: Tuple[str, ...], words: str
) -> None:
    (board / "cut.npz").write_bytes((board / "same.npz").read_bytes()[:500])
    before = names_in(board)
    done = run(board, *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert names_in(board) == before


@pytest.fixture(scope="module")
def laptop() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")


@pytest.mark.usefixtures("laptop")
def test_an_onnx_file_alone_climbs_without_torch_and_is_recorded(
    board: Path, tmp_path: Path
) -> None:
    model = board / "hand.onnx"
    done = run(
        tmp_path, model, "--record", "b.npz", "--pictures", "worst", "--json", without=("torch",)
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [rung["name"] for rung in report["rungs"]] == ["half", "aipp"]
    assert report["left_out"] == {"onnx": "the file itself in float32 is the reference"}
    assert report["pictures"] == ["worst/worst_half.png", "worst/worst_aipp.png"]
    assert "estimated: emulated on this machine, not measured on a board" in done.stderr
    assert f"next: atlas-hpe parity {model} --replay b.npz" in done.stderr
    assert names_in(tmp_path) == ["b.npz", "worst"]
    again = run(tmp_path, model, "--record", "b.npz")
    assert again.returncode == 2
    assert "add --force" in again.stderr
    replayed = run(tmp_path, model, "--replay", "b.npz")
    assert replayed.returncode == 0, replayed.stderr


@pytest.mark.usefixtures("laptop")
def test_layers_and_bisect_find_the_node_that_was_changed(board: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(board / "hand.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name == "spread":
            values = onnx.numpy_helper.to_array(tensor) + np.float32(0.05)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, "spread"))
    onnx.save(model, str(tmp_path / "changed.onnx"))
    done = run(
        tmp_path,
        board / "hand.onnx",
        "changed.onnx",
        "--rungs",
        "onnx",
        "--layers",
        "--bisect",
        "small",
        "--json",
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    layers = report["layers"]["changed.onnx against hand.onnx"]["layers"]
    assert [layer["max_abs"] > 0.01 for layer in layers if layer["name"] == "joints"] == [True]
    assert report["bisection"]["what"] == "changed.onnx against hand.onnx"
    assert report["bisection"]["op_type"] == "Add"
    assert (tmp_path / "small" / "node.onnx").is_file()
    again = run(tmp_path, board / "hand.onnx", "changed.onnx", "--bisect", "small")
    assert again.returncode == 2
    assert "add --force" in again.stderr


@pytest.mark.usefixtures("laptop")
def test_photographs_without_a_hand_are_exit_1(board: Path, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((40, 40, 3), np.uint8))
    done = run(tmp_path, board / "hand.onnx", "--images", ".")
    assert done.returncode == 1
    assert "no joint was compared: neither found a hand in the 1 pictures of ." in done.stderr


@pytest.mark.usefixtures("laptop")
def test_an_unknown_rung_is_exit_2(board: Path) -> None:
    done = run(board, "hand.onnx", "--rungs", "onnx,board")
    assert done.returncode == 2
    assert "there is no rung 'board'" in done.stderr


@pytest.mark.parametrize("module", ["onnx", "onnxruntime"])
def test_a_missing_library_is_exit_3_with_the_pip_line(board: Path, module: str) -> None:
    done = run(board, "hand.onnx", without=(module,))
    assert done.returncode == 3, done.stderr
    assert "pip install 'atlas-hpe[" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("extra", [(), ("--layers",)])
def test_a_checkpoint_without_torch_is_exit_3_with_the_pip_line(
    board: Path, tmp_path: Path, extra: Tuple[str, ...]
) -> None:
    (tmp_path / "net.pt").write_bytes(b"")
    done = run(tmp_path, "net.pt", board / "hand.onnx", *extra, without=("torch",))
    assert done.returncode == 3, done.stderr
    assert "pip install 'atlas-hpe[export]'" in done.stderr
    assert "Traceback" not in done.stderr


#: The network that tiny_onnx.hand_model() is, with one weight that scales its answer.
NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        centres = (torch.arange(16) + 0.5) / 16
        rows, columns = torch.meshgrid(centres, centres, indexing="ij")
        self.register_buffer("grid", torch.stack([columns, rows], -1).reshape(-1, 2))
        spread = (torch.arange(21.0)[:, None] - 10) * torch.tensor([0.01, 0.005])
        self.register_buffer("spread", spread)

    def forward(self, image):
        cells = image.mean(1).flatten(1)
        centre = cells @ self.grid / (cells.sum(1, keepdim=True) + 1e-6)
        return (centre[:, None] + self.spread) * self.gain, cells.amax(1, keepdim=True)
"""


@pytest.fixture(scope="module")
def own_network(laptop: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own network: its code, its weights, and weights that are others."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NETWORK, encoding="utf-8")
    names: Dict[str, object] = {}
    exec(NETWORK, names)
    network = names["Net"]()
    torch.save(network.state_dict(), folder / "net.pt")
    network.gain.data += 0.05
    torch.save(network.state_dict(), folder / "other.pt")
    return folder


@pytest.mark.slow
def test_a_users_own_network_is_compared_through_its_factory(
    board: Path, own_network: Path
) -> None:
    done = run(
        own_network, "net.pt", board / "hand.onnx", "--factory", "net:Net", "--json", "--layers"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [rung["name"] for rung in report["rungs"]] == ["onnx", "half", "aipp"]
    assert report["reference"] == "net.pt (PyTorch)"
    assert report["rungs"][0]["joints"]["compared"] > 100
    assert set(report["layers"]) == {
        "hand.onnx against PyTorch, by module",
        "half against float32",
    }
    assert "next: atlas-hpe parity net.pt" in done.stderr
    assert "--images FOLDER" in done.stderr


@pytest.mark.slow
def test_other_weights_fail_with_exit_1_after_the_report(board: Path, own_network: Path) -> None:
    done = run(own_network, "other.pt", board / "hand.onnx", "--factory", "net:Net", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["passed"] is False
    assert done.stderr.index("parity FAILED") < done.stderr.index("error: the model does not say")
    assert "add --layers, or --bisect FOLDER" in done.stderr


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("damage", ["text", "cut", "card"])
def test_a_damaged_model_is_one_clear_error(board: Path, tmp_path: Path, damage: str) -> None:
    data = (board / "hand.onnx").read_bytes()
    bad = {
        "text": b"not a model",
        "cut": data[: len(data) // 2],
        "card": data.replace(b'"card_version": 1', b'"card_version": 7'),
    }[damage]
    (tmp_path / "bad.onnx").write_bytes(bad)
    for files in (
        ["bad.onnx"],
        [board / "hand.onnx", "bad.onnx"],
        ["bad.onnx", board / "hand.onnx"],
    ):
        done = run(tmp_path, *files)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: ")
        assert "bad.onnx" in done.stderr
        assert "Traceback" not in done.stderr


def test_help_shows_the_ladder_and_needs_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("torch", "onnx", "onnxruntime", "onnxsim", "cv2", "PIL", "imageio")
    done = run(tmp_path, "--help", without=heavy)
    assert done.returncode == 0, done.stderr
    for words in ("[OPTIONS] [REFERENCE] MODEL", "--replay FILE.npz", "--arch", "onnx,half,aipp"):
        assert words in done.stdout
