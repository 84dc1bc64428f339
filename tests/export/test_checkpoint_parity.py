"""A model from a stranger is looked at by our own reader before any library opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

import numpy as np
import pytest

import tiny_onnx

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from atlas_hpe.errors import AtlasHpeError, UsageError
from atlas_hpe_export import checkpoint_parity, compare_checkpoint


def weights_outside(folder: Path) -> bytes:
    (folder / "secret.bin").write_bytes(bytes(16))
    nodes = [tiny_onnx.node("Add", ["image", "w"], ["y"])]
    tensors = [tiny_onnx.external_tensor("w", [4], "../secret.bin")]
    return tiny_onnx.model(nodes, {"image": [4]}, {"y": [4]}, tensors)


def no_card(_folder: Path) -> bytes:
    nodes = [tiny_onnx.node("Relu", ["image"], ["y"])]
    return tiny_onnx.model(nodes, {"image": [4]}, {"y": [4]})


def newer_card(_folder: Path) -> bytes:
    return tiny_onnx.hand_model().replace(b'"card_version": 1', b'"card_version": 9')


def random_bytes(_folder: Path) -> bytes:
    return np.random.default_rng(0).bytes(4000)


REFUSED: Dict[Callable[[Path], bytes], str] = {
    weights_outside: "weights outside its own folder",
    no_card: "the model has no card",
    newer_card: "found 9, this release reads 1",
    random_bytes: "not an ONNX model",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_a_bad_model_is_refused_before_a_library_opens_it(
    make: Callable[[Path], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        pytest.fail("a library was given the file")

    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "model.onnx"
    path.write_bytes(make(tmp_path))
    monkeypatch.setattr(checkpoint_parity, "open_session", fail)
    monkeypatch.setattr(checkpoint_parity, "load_checkpoint", fail)
    with pytest.raises(AtlasHpeError) as caught:
        compare_checkpoint(tmp_path / "model.pt", path)
    assert REFUSED[make] in str(caught.value)


def test_pictures_need_a_reader(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pass prepare="):
        compare_checkpoint(tmp_path / "model.pt", tmp_path / "model.onnx", images=tmp_path)
