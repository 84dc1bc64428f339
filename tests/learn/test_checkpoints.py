from __future__ import annotations

from pathlib import Path

import pytest
import torch
from learn_fakes import tiny_network

from atlas_hpe.errors import CheckpointError
from atlas_hpe.learn.checkpoints import load_training, save_training, save_weights


def test_weights_come_back_to_the_bit_and_hold_floats_only(tmp_path: Path) -> None:
    network = tiny_network()
    save_weights(tmp_path / "net.pt", network)
    weights = torch.load(tmp_path / "net.pt", weights_only=True)
    assert {value.dtype for value in weights.values()} == {torch.float32}
    for name, value in weights.items():
        assert torch.equal(value, network.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        load_training(path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 99}, tmp_path / "training.pt")
    with pytest.raises(CheckpointError, match="format"):
        load_training(tmp_path / "training.pt")


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    save_training(path, {"step": 1})
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        save_training(path, {"step": lambda: 2})
    assert load_training(path)["step"] == 1
