"""The one door for ONNX files, and that parity goes through it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

import numpy as np
import onnx
import pytest
from hostile_onnx import hostile_models

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export import bisect_model, check_onnx, compare_model_layers, run_ladder

MODELS = hostile_models()
#: Files that would read what they may not, or keep a library busy for ever.
UNSAFE = [
    name
    for name in MODELS
    if name.startswith(("function", "billion", "nested", "weights_at", "weights_offset"))
    or name == "weights_share_one_large_file"
]
FEEDS = {"x": np.ones((1, 3, 4, 4), np.float32)}
DOORS: Dict[str, Callable[[Path], object]] = {
    "check": check_onnx,
    "ladder": run_ladder,
    "layers": lambda path: compare_model_layers(path, FEEDS),
    "bisect": lambda path: bisect_model(path, FEEDS, path.parent / "out"),
    "reference of layers": lambda path: compare_model_layers(harmless(path), FEEDS, path),
    "reference of ladder": lambda path: run_ladder(harmless(path), path),
}


def harmless(beside: Path) -> Path:
    path = beside.with_name("harmless.onnx")
    x, y = (onnx.helper.make_tensor_value_info(name, 1, (1, 3, 4, 4)) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    opsets = [onnx.helper.make_opsetid("", 11)]
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()
    )
    return path


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_file_is_refused_at_every_door(name: str, door: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    MODELS[name](path)
    with pytest.raises(ModelFileError):
        DOORS[door](path)


@pytest.mark.parametrize("door", ["layers", "bisect"])
def test_a_weight_that_is_too_short_is_one_clear_error(door: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    MODELS["weights_length_too_short"](path)
    with pytest.raises(ModelFileError, match="the constant 'w' of the model is damaged"):
        DOORS[door](path)
