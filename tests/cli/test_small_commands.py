"""inspect and models, and the help of every verb."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import tiny_onnx
from atlas_hpe.cli import COMMANDS, cli
from atlas_hpe.cli.report import say_next
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


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_has_help(verb: str) -> None:
    assert output_of(verb, "--help").startswith("Usage:")


def test_the_next_command_can_be_typed_whatever_the_file_is_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_next("atlas-hpe", "check", "--force", Path("-a b.onnx"), Path("c.onnx"))
    assert capsys.readouterr().err == "next: atlas-hpe check --force './-a b.onnx' c.onnx\n"
