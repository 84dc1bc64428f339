"""A whole export: what is in the file, what stays untouched, what is left after a failure."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Callable, List, NoReturn

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import hostile_files  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from toy_networks import TOY_SPEC, TwoHeads, example, toy_decode, toy_heatmaps  # noqa: E402

import atlas_hpe_export  # noqa: E402
from atlas_hpe.card import ModelCard, load_card  # noqa: E402
from atlas_hpe.errors import (  # noqa: E402
    AtlasHpeError,
    CheckFailedError,
    CheckpointError,
    OutputError,
    UsageError,
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
    with pytest.raises(CheckFailedError, match="would refuse the graph") as caught:
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


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="add --force"):
        export_onnx(toy_heatmaps(), example(), path)
    assert path.read_bytes() == b"precious"
    export_onnx(toy_heatmaps(), example(), path, force=True)
    assert read_onnx_summary(path).opsets == {"ai.onnx": 11}


def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.onnx"
    real = finish._check_file

    def slow_check(*arguments: object) -> None:
        path.write_bytes(b"precious")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finish, "_check_file", slow_check)
    with pytest.raises(OutputError, match="exists already"):
        export_onnx(toy_heatmaps(), example(), path)
    assert path.read_bytes() == b"precious"
    assert names_in(tmp_path) == ["toy.onnx"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("toy.pt", "known are .onnx"),
        ("no/such/toy.onnx", "does not exist"),
        (".", "a folder, not a file"),
    ],
)
def test_an_impossible_output_is_refused_before_any_work(
    name: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=words):
        export_onnx(toy_heatmaps(), example(), tmp_path / name)


def test_the_checkpoint_itself_is_never_the_output(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    torch.save(load_network("shallow_unet").build().state_dict(), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="the input itself"):
        export_file(path, path, force=True)
    assert path.read_bytes() == before


def interrupt(*_arguments: object, **_options: object) -> NoReturn:
    raise KeyboardInterrupt


def fail_on_disk(*_arguments: object, **_options: object) -> NoReturn:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", [(job, "fit_to_board"), (finish, "_check_file")])
def test_an_interrupt_leaves_nothing(
    place: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*place, interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "_check_file", fail_on_disk)
    with pytest.raises(OutputError, match="No space left"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_a_graph_that_says_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.module_runner

    def wrong(module: nn.Module, *names: object) -> Callable[..., object]:
        run = real(module, *names)  # type: ignore[arg-type]
        return lambda feeds: {key: value + 0.5 for key, value in run(feeds).items()}

    monkeypatch.setattr(job, "module_runner", wrong)
    with pytest.raises(CheckFailedError, match="differs by 0.5"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    assert names_in(tmp_path) == []


def test_a_graph_that_departs_at_the_end_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.fit_to_board

    def with_another_weight(*arguments: object) -> tuple:
        model, steps = real(*arguments)  # type: ignore[arg-type]
        weight = next(item for item in model.graph.initializer if len(item.dims) == 4)
        changed = onnx.numpy_helper.to_array(weight) * 1.5
        weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
        return model, steps

    monkeypatch.setattr(job, "fit_to_board", with_another_weight)
    with pytest.raises(CheckFailedError, match="does not say what the network says"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    assert names_in(tmp_path) == []


def test_a_graph_unlike_its_specification_is_not_written(tmp_path: Path) -> None:
    wrong = replace(TOY_SPEC, outputs=(replace(TOY_SPEC.outputs[0], shape=(1, 21, 8, 8)),))
    with pytest.raises(CheckFailedError, match="outputs are not those of 'toy'"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=wrong)
    assert names_in(tmp_path) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = toy_heatmaps()
    network.conv.bias.data[3] = float("nan")
    with pytest.raises(CheckpointError, match=r"conv\.bias"):
        export_onnx(network, example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_wrong_arguments_are_usage_errors(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    with pytest.raises(UsageError, match="choose one of: Ascend310"):
        export_onnx(toy_heatmaps(), example(), path, target="Ascend910")
    with pytest.raises(UsageError, match="pass spec="):
        export_onnx(toy_heatmaps(), example(), path, decode_joints=toy_decode)
    options: tuple = ({"decode_in_graph": True}, {"licence": "MIT"}, {"attribution": ["us"]})
    for option in options:
        with pytest.raises(UsageError, match="needs a network with a specification"):
            export_onnx(toy_heatmaps(), example(), path, **option)
    with pytest.raises(UsageError, match="no front end 'dynamo'"):
        export_onnx(toy_heatmaps(), example(), path, frontend="dynamo")
    with pytest.raises(UsageError, match="tensor or a sequence"):
        export_onnx(toy_heatmaps(), [], path)
    with pytest.raises(UsageError, match="example inputs are not those"):
        export_onnx(toy_heatmaps(), torch.zeros(1, 3, 8, 8), path, spec=TOY_SPEC)


@pytest.mark.parametrize(
    "write",
    [write for write in hostile_files.HOSTILE if write not in hostile_files.PROGRAMS],
    ids=lambda write: write.__name__,
)
def test_a_hostile_checkpoint_leaves_no_file(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "model.pt")
    before = names_in(tmp_path)
    with pytest.raises(AtlasHpeError):
        export_file(tmp_path / "model.pt", tmp_path / "model.onnx")
    assert names_in(tmp_path) == before


def test_public_names_are_what_they_say() -> None:
    import pkgutil

    for item in pkgutil.iter_modules(atlas_hpe_export.__path__):
        __import__(f"atlas_hpe_export.{item.name}")
    modules = {item.name for item in pkgutil.iter_modules(atlas_hpe_export.__path__)}
    assert not modules & set(atlas_hpe_export.__all__), "a module would hide a public name"
    assert set(atlas_hpe_export.__all__) == set(atlas_hpe_export._HOMES)
    for name in atlas_hpe_export.__all__:
        assert getattr(atlas_hpe_export, name) is not None
