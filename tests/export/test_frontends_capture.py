"""Choosing a front end: what is tried, what is verified, what is said when nothing works."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx_ir as ir  # noqa: E402
from frontend_checks import Calls, capture_with, find_difference  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from toy_networks import example, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import CheckFailedError, UsageError  # noqa: E402
from atlas_hpe_export.frontends import (  # noqa: E402
    CAPTURE_OPSET,
    FRONTENDS,
    Captured,
    Request,
    capture,
    choice,
)
from atlas_hpe_export.frontends.explain import explain  # noqa: E402

Verify = Callable[[onnx.ModelProto], Optional[str]]
# torch 2.13 announces the end of TorchScript at every use of it.
old_format = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def run_capture(
    network: nn.Module,
    *inputs: Tensor,
    frontend: str = "auto",
    verify: Optional[Verify] = None,
    program: Optional[torch.export.ExportedProgram] = None,
) -> Captured:
    return capture(
        network,
        inputs,
        input_names=[f"input_{index}" for index in range(len(inputs))],
        output_names=[],
        frontend=frontend,
        verify=verify,
        program=program,
    )


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_both_front_ends_write_one_opset_and_fixed_shapes(frontend: str) -> None:
    captured = run_capture(toy_heatmaps(), example(), frontend=frontend)
    assert [(item.domain, item.version) for item in captured.model.opset_import] == [
        ("", CAPTURE_OPSET)
    ]
    for item, shape in (
        (captured.model.graph.input[0], [1, 3, 16, 16]),
        (captured.model.graph.output[0], [1, 21, 16, 16]),
    ):
        assert [dim.dim_value for dim in item.type.tensor_type.shape.dim] == shape
    assert captured.frontend == frontend
    assert captured.reason == "asked for"
    assert captured.output_names == ("output",)
    assert captured.warnings == ()


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_all_constants_are_initialisers(frontend: str) -> None:
    """Constant nodes, and an Identity per weight that equals another one, are only in the way."""
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3), nn.Hardtanh()).eval()
    captured = run_capture(network, example(), frontend=frontend)
    operators = [node.op_type for node in captured.model.graph.node]
    assert operators == ["BatchNormalization", "Relu", "BatchNormalization", "Clip"]


def wrong_opset(model: ir.Model) -> None:
    model.graph.opset_imports[""] = 17


def wrong_output(model: ir.Model) -> None:
    model.graph.outputs[0].name = "other"


@pytest.mark.parametrize(
    ("change", "why"),
    [(wrong_opset, "it wrote opset 17, not 18"), (wrong_output, "it wrote the outputs")],
)
def test_a_front_end_that_writes_something_else_is_found_out(
    change: Callable[[ir.Model], None], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FRONTENDS["torchscript"]

    def changed(request: Request) -> ir.Model:
        model = real(request)
        change(model)
        return model

    monkeypatch.setattr(choice, "FRONTENDS", {"torchscript": changed})
    with pytest.raises(CheckFailedError) as caught:
        run_capture(toy_heatmaps(), example())
    assert why in str(caught.value.why)


def test_the_first_that_is_verified_is_taken() -> None:
    asked: List[int] = []

    def good(model: onnx.ModelProto) -> Optional[str]:
        asked.append(len(model.graph.node))
        return None

    captured = run_capture(toy_heatmaps(), example(), verify=good)
    assert captured.frontend == "torch-export"
    assert captured.reason == "tried first and verified"
    assert len(asked) == 1
    assert run_capture(toy_heatmaps(), example()).reason == "tried first"


def test_a_graph_that_says_something_else_is_passed_over() -> None:
    reasons: List[Optional[str]] = ["output differs by 3", None]
    captured = run_capture(toy_heatmaps(), example(), verify=lambda model: reasons.pop(0))
    assert captured.frontend == "torchscript"
    assert captured.reason == (
        "torch-export failed: its graph does not say what the network says: output differs by 3; "
        "torchscript was tried next and verified"
    )


def branch(image: Tensor) -> Tensor:
    return image * 2 if bool(image.sum() > 0) else image


def test_a_branch_on_values_is_refused_in_one_line_and_frozen_by_the_other() -> None:
    captured = run_capture(Calls(branch).eval(), torch.ones(2, 3))
    assert captured.frontend == "torchscript"
    assert captured.reason == (
        "torch-export failed: forward decides by the values of a tensor: return image * 2 if "
        "bool(image.sum() > 0) else image; torchscript was tried next"
    )
    assert any("Python boolean" in line for line in captured.warnings)
    assert len(set(captured.warnings)) == len(captured.warnings)
    assert all("\n" not in line for line in captured.warnings)


def test_a_front_end_that_was_asked_for_has_no_stand_in() -> None:
    with pytest.raises(CheckFailedError, match="'torch-export' can't write") as caught:
        run_capture(Calls(branch).eval(), torch.ones(2, 3), frontend="torch-export")
    assert "decides by the values of a tensor" in str(caught.value.why)
    assert "torch.where" in str(caught.value.fix)
    with pytest.raises(CheckFailedError, match="'torchscript' can't write") as caught:
        run_capture(
            toy_heatmaps(), example(), frontend="torchscript", verify=lambda model: "it is off"
        )
    assert "it is off" in str(caught.value.why)


@pytest.mark.parametrize(
    ("function", "operator", "fix"),
    [
        (lambda a: torch.linalg.svdvals(a), "linalg_svd", "on the host"),
        (lambda a: torch.linalg.pinv(a), "linalg_pinv", "torch.linalg.inv"),
        (lambda a: a.median(dim=1)[0], "median", "topk or sort"),
        (lambda a: torch.cumprod(a, 1), "cumprod", "other operators"),
    ],
)
def test_an_operator_without_a_form_is_named_with_what_to_do(
    function: Callable[[Tensor], Tensor], operator: str, fix: str
) -> None:
    with pytest.raises(CheckFailedError, match="no front end can write") as caught:
        run_capture(Calls(function).eval(), torch.randn(3, 3))
    why = str(caught.value.why)
    assert why.startswith("torch-export: ")
    assert f"torchscript: the operator '{operator}" in why
    assert fix in str(caught.value.fix)
    assert "\n" not in why and "\x1b" not in why and len(why) < 300


def test_the_innermost_cause_is_told_without_colours() -> None:
    outer = RuntimeError("Failed to convert. \x1b[96mThis is step 3/3\x1b[0m of many")
    outer.__cause__ = ValueError("\x1b[1mthe reason\x1b[0m\nand a trace")
    assert explain(outer) == ("the reason", None)


def test_sizes_that_depend_on_values_are_refused() -> None:
    with pytest.raises(CheckFailedError) as caught:
        run_capture(Calls(lambda image: image[image > 0]).eval(), torch.randn(3, 4))
    assert str(caught.value.why).count("no fixed size") == len(FRONTENDS)
    assert str(caught.value.fix).count("fixed sizes") == 1, "the same advice once"


def test_a_forward_that_fails_is_reported_once_with_its_own_words() -> None:
    with pytest.raises(CheckFailedError, match="fails on the example inputs") as caught:
        run_capture(Calls(lambda image: image @ torch.zeros(3, 3)).eval(), torch.ones(2, 4))
    assert "2x4 and 3x3" in str(caught.value.why)


def test_an_unknown_front_end_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no front end 'dynamo'") as caught:
        run_capture(toy_heatmaps(), example(), frontend="dynamo")
    assert caught.value.fix == "use auto, torch-export, torchscript"


@old_format
@pytest.mark.parametrize("make", [torch.jit.script, None], ids=["scripted", "traced"])
def test_a_torchscript_file_goes_through_torchscript_only(
    make: Optional[Callable[[nn.Module], nn.Module]], tmp_path: Path
) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.AdaptiveAvgPool2d(5),
        nn.SiLU(),
        nn.AdaptiveMaxPool2d(4),
    ).eval()
    scripted = make(network) if make else torch.jit.trace(network, example())
    torch.jit.save(scripted, tmp_path / "network.pt")
    loaded = torch.jit.load(tmp_path / "network.pt")
    captured = run_capture(loaded, example(), verify=lambda model: None)
    assert captured.frontend == "torchscript"
    assert captured.reason == "the only one for a TorchScript file and verified"
    assert captured.warnings == ()
    assert find_difference(network, captured, [torch.randn(1, 3, 16, 16)]) is None
    with pytest.raises(UsageError, match="can't go through the front end 'torch-export'"):
        run_capture(loaded, example(), frontend="torch-export")


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: Tensor) -> Dict[str, Tensor]:
        deep = self.conv(image)
        return {"maps": deep, "means": deep.mean(dim=(2, 3))}


@old_format
def test_a_scripted_module_may_return_a_dictionary() -> None:
    network = Named().eval()
    captured = run_capture(torch.jit.script(network), example())
    assert captured.output_names == ("maps", "means")
    assert find_difference(network, captured, [torch.randn(1, 3, 16, 16)]) is None


@pytest.mark.parametrize("frontend", ["auto", *FRONTENDS])
def test_a_program_of_torch_export_keeps_names_and_gets_fixed_shapes(
    frontend: str, tmp_path: Path
) -> None:
    network = Named().eval()
    batch = torch.export.Dim("batch", min=1, max=8)
    made = torch.export.export(network, (torch.zeros(2, 3, 16, 16),), dynamic_shapes=({0: batch},))
    torch.export.save(made, tmp_path / "network.pt2")
    program = torch.export.load(tmp_path / "network.pt2")
    module = program.module()
    captured = run_capture(module, example(), frontend=frontend, program=program)
    assert captured.frontend == ("torch-export" if frontend == "auto" else frontend)
    dims = captured.model.graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [1, 4, 14, 14]
    assert captured.output_names == ("maps", "means")
    assert find_difference(network, captured, [torch.randn(1, 3, 16, 16)]) is None


class HasANetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(4))

    def forward(self, image: Tensor) -> Dict[str, Tensor]:
        return {"maps": self.network(image)}


def test_a_program_is_taken_as_it_is_when_it_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = HasANetwork().eval()
    program = torch.export.export(network, (example(),))
    monkeypatch.delattr(torch.export, "export")
    captured = run_capture(program.module(), example(), program=program)
    assert [node.name for node in captured.model.graph.node] == [
        "/network/0/Conv",
        "/network/1/MatMul",
        "/network/1/MatMul_1",
    ]
    assert find_difference(network, captured, [torch.randn(1, 3, 16, 16)]) is None


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]


def test_a_program_keeps_its_train_that_raises() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    module = torch.export.export(network, (example(),)).module()
    run_capture(module, example(), frontend="torchscript")
    with pytest.raises(NotImplementedError):
        module.train()


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_fused_kernels_of_attention_come_apart(frontend: str) -> None:
    network, inputs = SelfAttention().eval(), [torch.randn(1, 5, 8)]
    captured = capture_with(frontend, network, inputs)
    assert find_difference(network, captured, inputs) is None
    assert torch.backends.mha.get_fastpath_enabled(), "as it was before"


def test_a_transformer_layer_of_pytorch_goes_through_torch_export() -> None:
    """PyTorch's tracer hands its own attention a tensor where that takes a bool."""
    network, inputs = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(1, 5, 8)
    captured = run_capture(network.eval(), inputs)
    assert captured.frontend == "torch-export"
    assert find_difference(network, captured, [inputs]) is None


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_gradients_switched_off_inside_forward_leave_no_trace(frontend: str) -> None:
    def frozen_part(image: Tensor) -> Tensor:
        with torch.no_grad():
            deep = functional.relu(image)
        return deep * 2

    image = torch.randn(1, 3, 4, 4, requires_grad=True)
    captured = capture_with(frontend, Calls(frozen_part).eval(), [image])
    assert {node.op_type for node in captured.model.graph.node} <= {"Relu", "Mul", "Constant"}
    assert torch.is_grad_enabled() and image.requires_grad
