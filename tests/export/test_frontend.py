"""The exporter: true opset 11, the module untouched, refusals that say what to write instead."""

from __future__ import annotations

import warnings
from typing import Dict

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from torch import Tensor, nn  # noqa: E402
from toy_networks import TwoHeads, example, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import CheckFailedError, UsageError  # noqa: E402
from atlas_hpe_export import frontend  # noqa: E402
from atlas_hpe_export.frontend import Traced, trace_to_onnx  # noqa: E402


def trace(module: nn.Module, opset: int = 11, **names: object) -> Traced:
    options = {"input_names": ["image"], "output_names": [], **names}
    return trace_to_onnx(module, [example()], opset=opset, **options)  # type: ignore[arg-type]


def test_the_graph_has_opset_11_and_fixed_shapes() -> None:
    traced = trace(toy_heatmaps())
    assert [(item.domain, item.version) for item in traced.model.opset_import] == [("", 11)]
    dims = traced.model.graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [1, 21, 16, 16]
    assert traced.output_names == ("output",)
    assert traced.warnings == ()


def test_several_outputs_get_names_in_order() -> None:
    assert trace(TwoHeads().eval()).output_names == ("output_0", "output_1")
    named = trace(TwoHeads().eval(), output_names=["mean", "deep"])
    assert [item.name for item in named.model.graph.output] == ["mean", "deep"]


def test_a_file_with_another_opset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = frontend._export_bytes

    def as_opset_12(*arguments: object) -> bytes:
        return real(*arguments[:-1], 12)  # type: ignore[arg-type]

    monkeypatch.setattr(frontend, "_export_bytes", as_opset_12)
    with pytest.raises(CheckFailedError, match="did not write opset 11"):
        trace(toy_heatmaps())


class CountsItsCalls(nn.Module):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image * 2


def test_a_module_that_changes_during_export_is_an_error() -> None:
    with pytest.raises(CheckFailedError, match="changed the network") as caught:
        trace(CountsItsCalls().eval())
    assert caught.value.where == "calls"


def test_a_part_left_in_training_mode_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = frontend._export_bytes

    def back_to_training(module: nn.Module, *arguments: object) -> bytes:
        data = real(module, *arguments)  # type: ignore[arg-type]
        module.get_submodule("norm").train()
        return data

    monkeypatch.setattr(frontend, "_export_bytes", back_to_training)
    with pytest.raises(CheckFailedError, match="put back in training mode") as caught:
        trace(toy_heatmaps())
    assert caught.value.where == "norm"


class Einsum(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.einsum("nchw,nchw->nc", image, image)


class Inverse(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.linalg.inv(image + torch.eye(16))


class GridSample(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        grid = image.permute(0, 2, 3, 1)[..., :2]
        return nn.functional.grid_sample(image, grid, align_corners=False)


REFUSED: Dict[nn.Module, str] = {
    Einsum(): "matmul and transpose",
    Inverse(): "closed form",
    GridSample(): "gather arithmetic",
}


@pytest.mark.parametrize("network", REFUSED, ids=lambda network: type(network).__name__)
def test_an_operator_without_a_form_says_what_to_write_instead(
    network: nn.Module, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckFailedError, match="has no form in opset 11") as caught:
        trace(network.eval())
    assert REFUSED[network] in str(caught.value.fix)
    assert capfd.readouterr().out == "", "stdout belongs to --json"


class Dictionary(nn.Module):
    def forward(self, image: Tensor) -> Dict[str, Tensor]:
        return {"image": image}


def test_outputs_that_are_no_tensors_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="forward returned a dict"):
        trace(Dictionary().eval())
    with pytest.raises(UsageError, match="returns 2 outputs, 1 are named"):
        trace(TwoHeads().eval(), output_names=["only"])


class Fails(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image @ torch.zeros(3, 3)


def test_a_forward_that_fails_is_reported_with_its_own_words() -> None:
    with pytest.raises(CheckFailedError, match=r"must match|size|shapes"):
        trace(Fails().eval())


class Branches(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if bool(image.sum() > 0) else image


def test_what_the_tracer_freezes_becomes_a_warning_and_nothing_is_printed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        traced = trace(Branches().eval())
    assert any("Python boolean" in line for line in traced.warnings)
    assert len(set(traced.warnings)) == len(traced.warnings)
