"""A whole export: what is in the file, what stays untouched, what is left after a failure."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import List

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from torch import Tensor, nn  # noqa: E402
from toy_networks import TOY_SPEC, TwoHeads, example, toy_decode, toy_heatmaps  # noqa: E402

import atlas_hpe_export  # noqa: E402
from atlas_hpe.card import ModelCard, load_card  # noqa: E402
from atlas_hpe.errors import (  # noqa: E402
    CheckFailedError,
)
from atlas_hpe.nets import NETWORKS, load_network  # noqa: E402
from atlas_hpe.onnx_file import read_onnx_summary  # noqa: E402
from atlas_hpe_export import export_file, export_onnx, finish, job  # noqa: E402
from atlas_hpe_export.export_report import describe_export, export_to_dict  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS  # noqa: E402
from atlas_hpe_export.steps import Step  # noqa: E402
from atlas_hpe_pipelines import decode_joints  # noqa: E402
from atlas_hpe_runtime import open_session  # noqa: E402


def names_in(folder: Path) -> List[str]:
    return sorted(item.name for item in folder.iterdir())


def test_any_module_becomes_a_file_that_the_board_takes(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    report = export_onnx(TwoHeads(), example(), path)
    summary = read_onnx_summary(path)
    assert summary.opsets == {"ai.onnx": 11}
    assert summary.ir_version == 6
    assert summary.external_files == ()
    onnx.checker.check_model(str(path), full_check=True)
    assert (report.opset, report.ir_version, report.card) == (11, 6, None)
    assert report.parity.passed
    assert report.sizes["file_bytes"] == path.stat().st_size
    assert any("no model card" in line for line in report.warnings)
    assert names_in(tmp_path) == ["two.onnx"]


def test_the_file_says_what_the_module_says(tmp_path: Path) -> None:
    network = toy_heatmaps()
    export_onnx(network, example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    picture = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        expected = network(picture).numpy()
    with open_session(tmp_path / "toy.onnx") as session:
        found = session.run({"image": picture.numpy()})["heatmaps"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_card_is_in_the_file_and_tells_how_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    report = export_onnx(
        toy_heatmaps(),
        example(),
        path,
        spec=TOY_SPEC,
        decode_joints=toy_decode,
        name="a toy",
        licence="Apache-2.0",
        attribution=["nobody"],
    )
    card = load_card(path)
    assert card == report.card
    assert card.name == "a toy"
    assert card.graphs[0].inputs == TOY_SPEC.inputs
    origin = card.provenance
    assert (origin.network, origin.opset, origin.soc) == ("toy", 11, "Ascend310")
    assert (origin.licence, origin.attribution) == ("Apache-2.0", ("nobody",))
    assert "resize_half_pixel x1" in origin.rewrites
    assert origin.rewrites == report.rewrites
    assert origin.tools["torch"] == torch.__version__
    assert origin.parity["joint_max_px"] < 0.01
    assert origin.parity["joints_compared"] > 0


def test_the_report_is_json_and_text(tmp_path: Path) -> None:
    report = export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    document = json.loads(json.dumps(export_to_dict(report), allow_nan=False))
    assert document["card"]["provenance"]["opset"] == 11
    assert document["parity"]["passed"] is True
    assert {step["name"] for step in document["steps"]} > {"simplify", "resize_half_pixel"}
    text = "\n".join(describe_export(report))
    assert "resize_half_pixel x1: applied (the board's compiler honours" in text
    assert "noise from a seed, no photographs" in text


@pytest.mark.parametrize("training", [False, True])
def test_the_module_given_is_left_exactly_as_it_was(training: bool, tmp_path: Path) -> None:
    network = toy_heatmaps().train(training)
    network.norm.eps = 1  # type: ignore[assignment]
    before = copy.deepcopy(network.state_dict())
    export_onnx(network, example(), tmp_path / "toy.onnx")
    assert [part.training for part in network.modules()] == [training] * 3
    assert network.norm.eps == 1
    assert type(network.norm.eps) is int
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_an_integer_eps_is_repaired_and_told(tmp_path: Path) -> None:
    network = toy_heatmaps()
    network.norm.eps = 1  # type: ignore[assignment]
    report = export_onnx(network, example(), tmp_path / "toy.onnx")
    assert any("eps 1 became the float 1.0" in step.reason for step in report.steps)
    assert report.parity.passed


def test_a_half_precision_module_is_exported_in_float32(tmp_path: Path) -> None:
    export_onnx(toy_heatmaps().half(), example().half(), tmp_path / "toy.onnx")
    assert read_onnx_summary(tmp_path / "toy.onnx").inputs[0].dtype == "float32"


class Quantised(nn.Module):
    """ONNX says it with QuantizeLinear, which the compiler's parser knows at no opset."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(image, 0.1, 0, -128, 127)


def test_what_the_compiler_would_refuse_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match="is not fit for Ascend310") as caught:
        export_onnx(Quantised(), example(), tmp_path / "int8.onnx")
    assert "--allow-blockers" in str(caught.value)
    assert names_in(tmp_path) == []


def test_what_the_compiler_would_refuse_is_written_when_that_is_wanted(tmp_path: Path) -> None:
    report = export_onnx(Quantised(), example(), tmp_path / "int8.onnx", allow_blockers=True)
    assert not report.check.passed
    assert any("blocker" in line for line in report.warnings)
    assert names_in(tmp_path) == ["int8.onnx"]


def test_the_build_record_tells_all_that_was_done(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    export_onnx(toy_heatmaps(), example(), path, spec=TOY_SPEC, frontend="torchscript")
    origin = load_card(path).provenance
    assert origin.frontend == "torchscript"
    assert origin.options == {"frontend": "torchscript"}
    assert origin.graph_sha256 == finish.hash_graph(onnx.load(str(path)))
    assert {"torch", "onnx", "onnx-ir", "onnxruntime"} <= set(origin.tools)


def test_a_file_without_a_card_keeps_its_build_record(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    report = export_onnx(TwoHeads(), example(), path, frontend="torchscript")
    record = json.loads(read_onnx_summary(path).metadata[finish.BUILD_METADATA_KEY])
    assert record["network"] == "TwoHeads"
    assert record["options"] == {"frontend": "torchscript"}
    assert tuple(record["rewrites"]) == report.rewrites
    assert record["graph_sha256"] == finish.hash_graph(onnx.load(str(path)))
    assert record["parity"]["tensor_max_abs"] < 1e-5


def test_a_change_that_was_undone_is_in_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step("fold", "reverted", "output 'heatmaps' moved by up to 1")
    real = job.fit_to_board

    def with_a_reverted_step(*arguments: object) -> tuple:
        model, steps = real(*arguments)  # type: ignore[arg-type]
        return model, (*steps, step)

    monkeypatch.setattr(job, "fit_to_board", with_a_reverted_step)
    report = export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    assert report.card is not None
    reverted = "fold: reverted, output 'heatmaps' moved by up to 1"
    assert reverted in report.card.provenance.refused
    assert not any(line.startswith("fold") for line in report.rewrites)


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_joints_leave_the_graph_when_it_decodes(frontend: str, tmp_path: Path) -> None:
    report = export_onnx(
        toy_heatmaps(),
        example(),
        tmp_path / "toy.onnx",
        spec=TOY_SPEC,
        decode_joints=decode_joints,
        decode_in_graph=True,
        frontend=frontend,
    )
    assert report.card is not None
    assert report.card.decode.where == "graph"
    outputs = read_onnx_summary(report.path).outputs
    assert [(item.name, item.shape) for item in outputs] == [
        ("joints", (1, 21, 2)),
        ("score", (1, 21)),
        ("mass", (1, 21)),
    ]
    assert report.parity.joints is not None
    assert report.parity.joints.compared > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_exports_with_fresh_weights(name: str, tmp_path: Path) -> None:
    spec = load_network(name)
    torch.manual_seed(0)
    torch.save(spec.build().state_dict(), tmp_path / "fresh.pt")
    report = export_file(
        tmp_path / "fresh.pt", tmp_path / "fresh.onnx", decode_joints=decode_joints
    )
    assert report.card is not None
    assert report.card.provenance.network == name
    assert report.card.provenance.checkpoint == "fresh.pt"
    assert not any("looked up" in line or "exporter" in line for line in report.warnings)
    assert "Identity" not in read_onnx_summary(tmp_path / "fresh.onnx").operators


def test_it_is_said_which_weights_were_taken(tmp_path: Path) -> None:
    weights = load_network("hand_landmark").build().state_dict()
    torch.save({"model": weights, "average": dict(weights)}, tmp_path / "training.pt")
    report = export_file(tmp_path / "training.pt", tmp_path / "model.onnx")
    assert report.steps[0].reason == (
        "took the weights under 'model'; those under 'average' have the same names"
    )


def test_a_comparison_without_a_joint_is_pointed_out(tmp_path: Path) -> None:
    def no_hand(_card: ModelCard, _outputs: object) -> np.ndarray:
        return np.full((21, 2), np.nan)

    report = export_onnx(
        toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC, decode_joints=no_hand
    )
    assert any("no joint was compared" in line for line in report.warnings)
    assert str(describe_export(report)).count("no joint was compared") == 1


def test_public_names_are_what_they_say() -> None:
    import pkgutil

    for item in pkgutil.iter_modules(atlas_hpe_export.__path__):
        __import__(f"atlas_hpe_export.{item.name}")
    modules = {item.name for item in pkgutil.iter_modules(atlas_hpe_export.__path__)}
    assert not modules & set(atlas_hpe_export.__all__), "a module would hide a public name"
    assert set(atlas_hpe_export.__all__) == set(atlas_hpe_export._HOMES)
    for name in atlas_hpe_export.__all__:
        assert getattr(atlas_hpe_export, name) is not None
