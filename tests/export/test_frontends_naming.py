"""Node names carry module paths, and nothing carries the paths of the developer's machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Dict, List

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import capture_with, find_difference  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from atlas_hpe_export.check.module_path import find_module  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS, Captured  # noqa: E402
from atlas_hpe_export.frontends.naming import strip_origins  # noqa: E402


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.act(self.bn(self.conv(x)))


class Network(nn.Module):
    """Every way in which people put modules into modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.Sigmoid(), Block()))
        self.blocks = nn.ModuleList([Block(), nn.Sequential(Block(), nn.Tanh())])
        self.heads = nn.ModuleDict({"left": nn.Linear(4, 2), "right": nn.Linear(4, 2)})
        self.group = nn.Module()
        self.group.inner = nn.ELU()
        self.shared = nn.PReLU()
        self.pool = nn.AdaptiveAvgPool2d(4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.shared(self.shared(self.stem(image)))
        for block in self.blocks:
            x = block(x)
        x = self.pool(self.group.inner(x)).mean(dim=(2, 3))
        return torch.softmax(self.heads["left"](x) * self.heads["right"](x), dim=1)


class Dictionary(Network):
    """The same with structured outputs, for which a front end gets it wrapped."""

    def forward(self, image: Tensor) -> Dict[str, Tensor]:  # type: ignore[override]
        return {"output": super().forward(image)}


EXPECTED = [
    "/stem/0/Conv",
    "/stem/1/0/Sigmoid",
    "/stem/1/1/conv/Conv",
    "/stem/1/1/act/Relu",
    "/stem/1/1/Add",
    "/shared/PRelu",
    "/shared/PRelu_1",
    "/blocks/0/conv/Conv",
    "/blocks/0/act/Relu",
    "/blocks/0/Add",
    "/blocks/1/0/conv/Conv",
    "/blocks/1/0/act/Relu",
    "/blocks/1/0/Add",
    "/blocks/1/1/Tanh",
    "/group/inner/Elu",
    "/pool/MatMul",
    "/pool/MatMul_1",
    "/ReduceMean",
    "/heads/left/Gemm",
    "/heads/right/Gemm",
    "/Mul",
    "/Softmax",
]


SHAPE = (1, 3, 7, 7)


@pytest.fixture(scope="module", params=[Network, Dictionary])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = request.param().eval()
    return made


@pytest.fixture(scope="module", params=FRONTENDS)
def captured(request: pytest.FixtureRequest, network: nn.Module) -> Captured:
    return capture_with(request.param, network, [torch.zeros(SHAPE)])


def names_of(captured: Captured) -> List[str]:
    return [node.name for node in captured.model.graph.node]


def test_names_are_module_path_and_operator(captured: Captured) -> None:
    assert names_of(captured) == EXPECTED


def test_the_named_graph_says_what_pytorch_says(captured: Captured, network: nn.Module) -> None:
    assert find_difference(network, captured, [torch.randn(SHAPE)]) is None


def test_a_finding_can_name_the_module(captured: Captured, network: nn.Module) -> None:
    found = {find_module(node) for node in captured.model.graph.node}
    assert found <= set(dict(network.named_modules()))
    assert {"stem.1.1.conv", "blocks.1.0.act", "heads.left", "pool", "group.inner", ""} <= found


def test_no_path_and_no_name_of_the_machine_is_in_the_file(captured: Captured) -> None:
    data = captured.model.SerializeToString()
    here = Path(__file__).resolve()
    for secret in (*here.parents[:-1], Path(torch.__file__).parent, Path.home(), here.name):
        assert str(secret).encode() not in data
    assert socket.gethostname().encode() not in data
    assert b".py" not in data and b"pkg.torch" not in data


def test_notes_and_doc_strings_go_at_every_depth() -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"], doc_string="/somebody/net.py")
    node.metadata_props.add(key="trace", value="/somebody/net.py")
    branch = onnx.helper.make_graph([node], "branch", [], [], doc_string="/somebody")
    outer = onnx.helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([outer], "g", [], []), doc_string="/somebody"
    )
    strip_origins(model)
    assert b"somebody" not in model.SerializeToString()
    assert model.graph.node[0].attribute[0].g.node[0].op_type == "Relu"


def test_a_name_that_two_modules_share_is_left_short() -> None:
    """TorchScript leaves out containers; where the rest is not unique the path is not made up."""

    class Sides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.ModuleDict({"act": nn.ReLU()})
            self.right = nn.ModuleDict({"act": nn.Tanh()})

        def forward(self, image: Tensor) -> Tensor:
            return self.right["act"](self.left["act"](image))

    captured = capture_with("torchscript", Sides().eval(), [torch.randn(1, 3)])
    assert names_of(captured) == ["/act/Relu", "/act/Tanh"]
    captured = capture_with("torch-export", Sides().eval(), [torch.randn(1, 3)])
    assert names_of(captured) == ["/left/act/Relu", "/right/act/Tanh"]
