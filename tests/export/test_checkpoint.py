"""Checkpoints: good ones in every wrapping, bad ones with one clear error each."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Callable, Optional

import pytest

torch = pytest.importorskip("torch")

import hostile_files  # noqa: E402
from hostile_files import GOOD, HOSTILE  # noqa: E402

from atlas_hpe.errors import CheckpointError, MissingExtraError  # noqa: E402
from atlas_hpe_export.inputs import checkpoint as module_under_test  # noqa: E402
from atlas_hpe_export.inputs import zip_archive  # noqa: E402
from atlas_hpe_export.inputs.checkpoint import load_checkpoint  # noqa: E402


@pytest.mark.parametrize("write", HOSTILE, ids=lambda write: write.__name__)
def test_a_hostile_file_gives_one_clear_error(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    write(path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert HOSTILE[write] in str(caught.value)
    assert str(path) in str(caught.value.where)
    assert not (tmp_path / "was-run").exists(), "code in the checkpoint was run"
    assert sorted(tmp_path.iterdir()) == before


def test_the_attacks_are_real(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    hostile_files.code_of_the_shell(path)
    torch.load(path, weights_only=False)
    assert (tmp_path / "was-run").exists()


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    hostile_files.zip_bomb(path)
    tracemalloc.start()
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 5_000_000


def test_one_tensor_under_many_names_is_counted_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = torch.ones(100)  # 400 bytes
    torch.save({f"layer{index}": once for index in range(4)}, tmp_path / "model.pt")
    monkeypatch.setattr(module_under_test, "MAX_BYTES", 1600)
    assert len(load_checkpoint(tmp_path / "model.pt").state_dict) == 4
    monkeypatch.setattr(module_under_test, "MAX_BYTES", 1599)
    with pytest.raises(CheckpointError, match="its tensors claim 1600 bytes, 1599 are allowed"):
        load_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_damage_anywhere_is_a_clear_error_or_harmless(legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(GOOD, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            state_dict = load_checkpoint(path).state_dict
        except CheckpointError:
            continue
        assert all(isinstance(value, torch.Tensor) for value in state_dict.values())


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "model._orig_mod."])
def test_weights_are_found_in_every_wrapping(
    legacy: bool, key: Optional[str], prefix: str, tmp_path: Path
) -> None:
    weights = OrderedDict((prefix + name, value) for name, value in GOOD.items())
    content = weights if key is None else {"epoch": 3, key: weights, "optimizer": {"lr": 0.1}}
    path = tmp_path / "no_suffix"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = load_checkpoint(path)
    assert list(found.state_dict) == list(GOOD)
    assert all(torch.equal(found.state_dict[name], value) for name, value in GOOD.items())
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.path == path
    assert found.key == key
    assert found.other_keys == ()


def test_half_precision_shared_and_parameter_tensors_are_read(tmp_path: Path) -> None:
    shared = torch.nn.Parameter(torch.ones(2, 2))
    weights = {"a": shared, "b": shared, "half": torch.ones(2).half(), "n": torch.ones(3, 4).t()}
    torch.save(weights, tmp_path / "model.pt")
    found = load_checkpoint(tmp_path / "model.pt").state_dict
    assert not any(value.requires_grad for value in found.values())
    assert list(found) == list(weights)


def test_other_weights_in_the_file_are_named(tmp_path: Path) -> None:
    content = {"model": GOOD, "average": dict(GOOD), "optimiser": {"lr": 0.1}, "step": 3}
    torch.save(content, tmp_path / "training.pt")
    found = load_checkpoint(tmp_path / "training.pt")
    assert (found.key, found.other_keys) == ("model", ("average",))


def test_the_prefix_stays_when_not_every_name_has_it(tmp_path: Path) -> None:
    weights = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(weights, tmp_path / "model.pt")
    assert list(load_checkpoint(tmp_path / "model.pt").state_dict) == ["module.a", "b"]


def test_a_torch_with_known_holes_opens_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.save(GOOD, tmp_path / "model.pt")
    monkeypatch.setattr(module_under_test.torch, "__version__", "2.5.1+cu121")
    with pytest.raises(MissingExtraError, match=r"pip install 'torch>=2\.10'"):
        load_checkpoint(tmp_path / "model.pt")


def test_an_archive_of_too_many_entries_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(GOOD, tmp_path / "model.pt")
    monkeypatch.setattr(zip_archive, "_MAX_ENTRIES", 3)
    with pytest.raises(CheckpointError, match=r"it lists \d entries, 3 are allowed"):
        load_checkpoint(tmp_path / "model.pt")


def test_whole_numbers_are_weights_only_when_asked_for(tmp_path: Path) -> None:
    torch.save({**GOOD, "order": torch.ones(2, dtype=torch.int64)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="its type is int64"):
        load_checkpoint(tmp_path / "model.pt")
    found = load_checkpoint(tmp_path / "model.pt", integers=True)
    assert found.state_dict["order"].dtype is torch.int64
