from __future__ import annotations

from pathlib import Path

import pytest
import torch
from learn_fakes import tiny_network

from atlas_hpe.errors import CheckpointError
from atlas_hpe.learn.checkpoints import load_training, load_weights, save_training, save_weights
from atlas_hpe.nets.hand_landmark import HandLandmark


def test_weights_come_back_to_the_bit_and_hold_floats_only(tmp_path: Path) -> None:
    first, second = tiny_network(), tiny_network()
    save_weights(tmp_path / "net.pt", first)
    load_weights(tmp_path / "net.pt", second)
    for mine, theirs in zip(first.state_dict().values(), second.state_dict().values()):
        assert torch.equal(mine, theirs)
    weights = torch.load(tmp_path / "net.pt", weights_only=True)
    assert {value.dtype for value in weights.values()} == {torch.float32}


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "net.pt", tiny_network())
    with pytest.raises(CheckpointError):
        load_weights(tmp_path / "net.pt", HandLandmark())
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="another network"):
        load_weights(tmp_path / "other.pt", tiny_network())


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        load_weights(path, tiny_network())
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
