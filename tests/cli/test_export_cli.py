"""``atlas-hpe export`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

import pytest

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


def names_in(folder: Path) -> List[str]:
    return sorted(item.name for item in folder.iterdir())


def run(
    folder: Path, *arguments: object, without: Optional[tuple] = None
) -> subprocess.CompletedProcess:
    command = COMMAND
    if without is not None:
        command = [sys.executable, "-c", WITHOUT.format(blocked=without)]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_help_needs_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("torch", "onnx", "onnxruntime", "onnxsim", "cv2", "PIL", "imageio")
    done = run(tmp_path, "export", "--help", without=heavy)
    assert done.returncode == 0, done.stderr
    assert "--arch" in done.stdout
    assert "[OPTIONS] [MODEL]" in done.stdout


@pytest.mark.parametrize("module", ["torch", "onnx"])
def test_a_missing_library_is_exit_3_with_the_pip_line(module: str, tmp_path: Path) -> None:
    done = run(tmp_path, "export", "model.pt", without=(module,))
    assert done.returncode == 3
    assert "pip install 'atlas-hpe[export]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert names_in(tmp_path) == []


@pytest.fixture(scope="module")
def exported(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first command of the README has been typed."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("cli")
    done = run(folder, "export", shared_data / "checkpoints" / "shallow_unet_model_final", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["opset"] == 11
    (folder / "said.txt").write_text(done.stderr, encoding="utf-8")
    return folder


def test_export_tells_what_it_did_and_what_to_type_next(exported: Path) -> None:
    said = (exported / "said.txt").read_text(encoding="utf-8")
    assert "resize_half_pixel x3: applied (the board's compiler" in said
    assert "parity passed on 4 samples: hands drawn" in said
    assert "wrote model.onnx: opset 11, IR 6" in said
    assert "next: atlas-hpe parity " in said
    assert "next: atlas-hpe run VIDEO --model model.onnx --out hands.gif" in said
    assert names_in(exported) == ["model.onnx", "said.txt"]


def test_a_second_export_needs_force(exported: Path, shared_data: Path) -> None:
    checkpoint = shared_data / "checkpoints" / "shallow_unet_model_final"
    before = (exported / "model.onnx").read_bytes()
    done = run(exported, "export", checkpoint)
    assert done.returncode == 2
    assert "add --force" in done.stderr
    assert (exported / "model.onnx").read_bytes() == before


def test_a_hostile_checkpoint_is_one_clear_error_and_no_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    (tmp_path / "clip.pt").write_bytes(b"\0\0\0\x18ftypisom" + bytes(200))
    done = run(tmp_path, "export", "clip.pt")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the file is nothing that an export starts from\n")
    assert names_in(tmp_path) == ["clip.pt"]


@pytest.mark.slow
def test_the_next_command_after_a_detector_uses_it_as_one(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from atlas_hpe.nets.hand_detector import hand_detector

    torch.save(hand_detector().state_dict(), tmp_path / "eye.pt")
    done = run(tmp_path, "export", "eye.pt", "--arch", "hand_detector", "--out", "eye.onnx")
    assert done.returncode == 0, done.stderr
    assert "run VIDEO --detector eye.onnx" in done.stderr
