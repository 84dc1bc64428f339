"""Each kind of file goes through a whole export, and says afterwards what it said before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Dict

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from toy_networks import TOY_SPEC, example, toy_heatmaps  # noqa: E402

from atlas_hpe.card import find_card, load_card  # noqa: E402
from atlas_hpe.errors import CheckpointError, ModelFileError  # noqa: E402
from atlas_hpe.onnx_file import read_onnx_summary  # noqa: E402
from atlas_hpe_export import export_file, export_onnx  # noqa: E402
from atlas_hpe_pipelines import decode_joints  # noqa: E402
from atlas_hpe_runtime import open_session  # noqa: E402


def write_traced(path: Path) -> None:
    torch.jit.save(torch.jit.trace(toy_heatmaps(), example()), str(path))


def write_scripted(path: Path) -> None:
    torch.jit.save(torch.jit.script(toy_heatmaps()), str(path))


def write_program(path: Path) -> None:
    torch.export.save(torch.export.export(toy_heatmaps(), (example(),)), path)


def write_pickled(path: Path) -> None:
    torch.save(toy_heatmaps(), path)


def write_onnx(path: Path) -> None:
    torch.onnx.export(toy_heatmaps(), (example(),), path, dynamo=False, opset_version=17)


def write_weights(path: Path) -> None:
    torch.save(toy_heatmaps().state_dict(), path)


SHAPE = {"input_shapes": ["1,3,16,16"]}
FACTORY = {"factory": "factories:build", **SHAPE}
KINDS: Dict[str, tuple] = {
    "traced": (write_traced, {}),
    "scripted": (write_scripted, SHAPE),
    "program": (write_program, {}),
    "pickled": (write_pickled, {"trust_pickle": True, **SHAPE}),
    "onnx": (write_onnx, {}),
    "factory": (write_weights, FACTORY),
}


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own module, found from the working directory."""
    (tmp_path / "factories.py").write_text(
        "from toy_networks import TOY_SPEC, ToyHeatmaps\n"
        "def build():\n    return ToyHeatmaps()\n"
        "SPEC = TOY_SPEC\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "factories", raising=False)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind_is_exported(kind: str, tmp_path: Path) -> None:
    write, options = KINDS[kind]
    write(tmp_path / "input")
    report = export_file(tmp_path / "input", tmp_path / "model.onnx", **options)
    summary = read_onnx_summary(report.path)
    assert summary.opsets == {"ai.onnx": 11}
    assert summary.operators["Resize"] == 1
    assert report.card is None
    assert report.check.passed
    picture = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = toy_heatmaps()(picture).numpy()
    with open_session(report.path) as session:
        (found,) = session.run({summary.inputs[0].name: picture.numpy()}).values()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("factories")
def test_a_specification_from_a_factory_gives_the_file_a_card(tmp_path: Path) -> None:
    write_weights(tmp_path / "weights.pt")
    report = export_file(
        tmp_path / "weights.pt",
        tmp_path / "model.onnx",
        factory="factories:SPEC",
        decode_in_graph=True,
        decode_joints=decode_joints,
    )
    card = load_card(report.path)
    assert card.provenance.network == TOY_SPEC.name
    assert card.provenance.checkpoint == "weights.pt"
    assert card.provenance.options == {"factory": "factories:SPEC", "decode_in_graph": "yes"}
    assert card.decode.where == "graph"


class Intrinsics(torch.nn.Module):
    """Pixels to rays by the inverse of the camera, which is an input."""

    def forward(self, pixels: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
        return torch.matmul(pixels, torch.inverse(camera).transpose(1, 2))


def test_a_camera_that_is_an_input_can_be_inverted(tmp_path: Path) -> None:
    camera = torch.tensor([[[1395.0, 0, 320], [0, 1395, 240], [0, 0, 1]]])
    traced = torch.jit.trace(Intrinsics(), (torch.rand(1, 21, 3), camera))
    torch.jit.save(traced, str(tmp_path / "camera.pt"))
    report = export_file(tmp_path / "camera.pt", tmp_path / "model.onnx")
    assert report.parity.passed
    assert "Inverse" not in read_onnx_summary(report.path).operators


def test_a_graph_that_does_not_run_is_named_by_its_own_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = onnx.helper.make_node("Crop", ["x"], ["y"], domain="mmcv")
    infos = [onnx.helper.make_tensor_value_info(name, 1, [1, 3, 8, 8]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "custom", infos[:1], infos[1:])
    opsets = [onnx.helper.make_opsetid("", 11), onnx.helper.make_opsetid("mmcv", 1)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "custom.onnx"
    )
    with pytest.raises(ModelFileError, match="does not run the model as it is") as caught:
        export_file(tmp_path / "custom.onnx", tmp_path / "model.onnx")
    assert caught.value.where == str(tmp_path / "custom.onnx")
    assert "mmcv" in str(caught.value.why)
    assert capfd.readouterr() == ("", "")


def test_an_onnx_file_of_ours_keeps_its_card(tmp_path: Path) -> None:
    first = export_onnx(
        toy_heatmaps(), example(), tmp_path / "a.onnx", spec=TOY_SPEC, licence="MIT", name="mine"
    )
    again = export_file(first.path, tmp_path / "b.onnx", attribution=["us"])
    assert first.card is not None
    card = load_card(again.path)
    assert (card.name, card.decode, card.graphs) == ("mine", first.card.decode, first.card.graphs)
    origin = card.provenance
    assert (origin.licence, origin.attribution) == ("MIT", ("us",))
    assert (origin.checkpoint, origin.frontend) == ("a.onnx", None)
    assert origin.graph_sha256 == first.card.provenance.graph_sha256


def test_a_pickled_module_is_refused_without_trust(tmp_path: Path) -> None:
    write_pickled(tmp_path / "input")
    with pytest.raises(CheckpointError, match="--trust-pickle"):
        export_file(tmp_path / "input", tmp_path / "model.onnx", **SHAPE)
    assert [item.name for item in tmp_path.iterdir()] == ["input"]


@pytest.mark.parametrize("write", [write_traced, write_program, write_onnx])
def test_the_input_is_left_as_it_was(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "input")
    before = (tmp_path / "input").read_bytes()
    export_file(tmp_path / "input", tmp_path / "model.onnx")
    assert (tmp_path / "input").read_bytes() == before
    assert find_card(tmp_path / "model.onnx") is None
