"""inspect, models and doctor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import List

import pytest
from click.testing import CliRunner

import tiny_onnx
from atlas_hpe.cli import COMMANDS, cli
from atlas_hpe.errors import ModelFileError
from atlas_hpe.nets import NETWORKS


def output_of(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout if hasattr(result, "stdout") else result.output


def test_inspect_shows_tensors_operators_and_card(tmp_path: Path) -> None:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    text = output_of("inspect", str(path))
    for part in ("ai.onnx 11", "image float32 1x3x16x16", "MatMul x1", "tiny hand", "letterbox"):
        assert part in text


def test_inspect_json_holds_the_card(tmp_path: Path) -> None:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    report = json.loads(output_of("inspect", str(path), "--json"))
    assert report["card"]["name"] == "tiny hand"
    assert report["onnx"]["opsets"] == {"ai.onnx": 11}
    assert report["onnx"]["operators"]["Add"] == 2
    assert report["onnx"]["weights"] > 0


def test_inspect_of_a_model_without_a_card_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    nodes = [tiny_onnx.node("Relu", ["x"], ["y"])]
    path.write_bytes(tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}))
    assert "none: the pipelines can't run it" in output_of("inspect", str(path))


def test_inspect_of_something_else_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelFileError):
        CliRunner().invoke(cli, ["inspect", str(path)], catch_exceptions=False)


def test_models_lists_networks_and_the_default() -> None:
    text = output_of("models")
    assert "(default)" in text
    assert all(name in text for name in NETWORKS)
    assert json.loads(output_of("models", "--json"))["default"] == "hand_landmark"


def test_doctor_names_python_extras_and_fixes() -> None:
    report = json.loads(output_of("doctor", "--json"))
    names = [finding["name"] for finding in report["findings"]]
    for name in ("numpy", "opencv-python-headless", "onnxruntime", "torch", "onnx"):
        assert name in names
    for finding in report["findings"]:
        assert finding["present"] != bool(finding["fix"])
    assert report["python"] in output_of("doctor")


def test_doctor_tells_a_board_whose_environment_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {item["name"]: item for item in json.loads(output_of("doctor", "--json"))["findings"]}
    assert "set_env.sh" in found["back-end acl"]["fix"]
    monkeypatch.setitem(sys.modules, "acl", ModuleType("acl"))  # as the simulator is loaded
    assert "ok       back-end acl" in output_of("doctor")


def test_doctor_tells_the_command_for_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    hidden: List[str] = ["torch", "onnxruntime"]
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in hidden else real(name)
    )
    text = output_of("doctor")
    assert "pip install 'atlas-hpe[host]'" in text
    assert "missing" in text


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_has_help(verb: str) -> None:
    assert output_of(verb, "--help").startswith("Usage:")
