"""Module by module: which node of the graph is which call of a PyTorch module."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from parity_graphs import floats, model_of  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from atlas_hpe_export.frontends import FRONTENDS, capture  # noqa: E402
from atlas_hpe_export.parity.intermediates import group_tensors, list_tensors  # noqa: E402
from atlas_hpe_export.parity.layers import LayerReport  # noqa: E402
from atlas_hpe_export.parity.modules import compare_modules  # noqa: E402


class Block(nn.Module):
    def __init__(self, into: int, out: int, *, norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, padding=1)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()
        self.act = nn.ReLU(inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(image)))


class Network(nn.Module):
    """One pool called twice, a block called twice on one shape, activations that work in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Block(3, 4)
        self.again = Block(4, 4)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 4 * 4, 5)

    def forward(self, image: Tensor) -> Tensor:
        deep = self.pool(self.first(image))
        deep = self.again(self.again(deep))
        return self.head(self.drop(self.pool(deep)).flatten(1))


def network() -> Network:
    torch.manual_seed(0)
    made = Network()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.5)
            part.running_var.uniform_(0.5, 2)
    return made.eval()


def export(module: nn.Module, shape: Tuple[int, ...], path: Path, *, fold: bool) -> onnx.ModelProto:
    """By TorchScript's exporter, whose node names are the convention's."""
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        module,
        (torch.zeros(shape),),
        str(path),
        dynamo=False,
        opset_version=11,
        input_names=["image"],
        output_names=["joints"],
        training=mode,
        do_constant_folding=fold,
    )
    return onnx.load(str(path))


SHAPE = (1, 3, 16, 16)


def image_feeds() -> Dict[str, np.ndarray]:
    return {"image": np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)}


def names(report: LayerReport) -> List[str]:
    return [layer.tensor.name for layer in report.layers]


CALLS = [
    "first.conv",
    "first.norm",
    "first.act",
    "pool",
    "again.conv",
    "again.norm",
    "again.act",
    "again.conv (call 2)",
    "again.norm (call 2)",
    "again.act (call 2)",
    "pool (call 2)",
    "head",
]


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_modules_are_compared_in_the_order_of_execution(fold: bool, tmp_path: Path) -> None:
    made = network()
    model = export(made, SHAPE, tmp_path / "model.onnx", fold=fold)
    report = compare_modules(made, model, image_feeds())
    # Where a batch norm is folded, the tensor of its convolution is the batch norm's.
    assert names(report) == [name for name in CALLS if not fold or ".conv" not in name]
    assert max(layer.tensor.max_abs for layer in report.layers) < 1e-5
    by_name = {layer.tensor.name: layer for layer in report.layers}
    assert by_name["first.norm"].op_type == "BatchNorm2d"
    assert by_name["first.norm"].module == "first.norm"
    assert by_name["first.norm"].node == (
        "/first/conv/Conv" if fold else "/first/norm/BatchNormalization"
    )
    assert [reason.split(":")[0] for reason in report.skipped] == ["Dropout 'drop'"]


@pytest.mark.slow
@pytest.mark.parametrize("frontend", sorted(FRONTENDS))
def test_modules_are_found_in_what_a_front_end_writes(frontend: str) -> None:
    made = network()
    options = {"input_names": ["image"], "output_names": ["joints"], "frontend": frontend}
    captured = capture(made, [torch.zeros(SHAPE)], **options)
    report = compare_modules(made, captured.model, image_feeds())
    expected = {name for name in CALLS if ".conv" not in name}
    assert expected <= set(names(report)) <= set(CALLS)
    assert max(layer.tensor.max_abs for layer in report.layers) < 1e-5


@pytest.mark.filterwarnings("ignore")
def test_a_wrong_weight_shows_in_its_module(tmp_path: Path) -> None:
    made = network()
    model = export(made, SHAPE, tmp_path / "model.onnx", fold=False)
    with torch.no_grad():
        made.again.conv.weight.mul_(1.1)
    report = compare_modules(made, model, image_feeds())
    wrong = [layer.tensor.name for layer in report.layers if layer.tensor.max_abs > 1e-3]
    assert wrong == CALLS[4:]


@pytest.mark.filterwarnings("ignore")
def test_modules_are_compared_in_parts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    model = export(made, SHAPE, tmp_path / "model.onnx", fold=False)
    whole = compare_modules(made, model, image_feeds())
    monkeypatch.setattr(
        "atlas_hpe_export.parity.modules.group_tensors",
        lambda tensors: group_tensors(tensors, max_bytes=2000),
    )
    parts = compare_modules(made, model, image_feeds())
    assert names(parts) == names(whole)
    # What is asked for decides which nodes ONNX Runtime fuses, so the last digits may differ.
    assert max(layer.tensor.max_abs for layer in parts.layers) < 1e-5


def test_hooks_are_taken_off_again() -> None:
    made = nn.Sequential(nn.ReLU())
    x = floats(2)
    model = model_of(
        [helper.make_node("Relu", ["image"], ["y"], "/0/Relu")], {"image": x}, {"y": x}
    )
    assert names(compare_modules(made, model, {"image": x})) == ["0"]
    assert not made[0]._forward_hooks


def test_a_network_that_is_one_leaf_is_its_root() -> None:
    x = np.float32([-1, 2])
    model = model_of([helper.make_node("Relu", ["image"], ["y"], "/Relu")], {"image": x}, {"y": x})
    report = compare_modules(nn.ReLU(), model, {"image": x})
    assert names(report) == ["the network"]
    assert report.layers[0].tensor.max_abs == 0


# What a match of modules and nodes turns on, with graphs written by hand.


def chain(*names: str, shape: Tuple[int, ...] = (2,)) -> onnx.ModelProto:
    """Relu after Relu; the names are those of the nodes."""
    last = len(names) - 1
    nodes = [
        helper.make_node(
            "Relu", [f"t{i - 1}" if i else "image"], ["y" if i == last else f"t{i}"], name
        )
        for i, name in enumerate(names)
    ]
    return model_of(nodes, {"image": floats(*shape)}, {"y": floats(*shape)})


class Calls(nn.Module):
    """Calls its parts in a given order, each on what the one before returned."""

    def __init__(self, order: List[str], **parts: nn.Module) -> None:
        super().__init__()
        self.order = order
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, image: Tensor) -> Tensor:
        for name in self.order:
            image = getattr(self, name)(image)
        return image


def nodes_of(report: LayerReport) -> List[str]:
    return [layer.node for layer in report.layers]


def test_a_part_whose_name_ends_in_a_number_is_itself() -> None:
    made = Calls(["act", "act_1"], act=nn.ReLU(), act_1=nn.ReLU())
    report = compare_modules(made, chain("/act/Relu", "/act_1/Relu"), {"image": floats(2)})
    assert names(report) == ["act", "act_1"]
    assert nodes_of(report) == ["/act/Relu", "/act_1/Relu"]


def test_the_last_node_of_a_call_counts() -> None:
    made = Calls(["act", "act"], act=nn.ReLU())
    model = chain("/act/Relu", "/act/Relu_1", "/act/Relu_2", "/act/Relu_3")
    report = compare_modules(made, model, {"image": floats(2)})
    assert names(report) == ["act", "act (call 2)"]
    assert nodes_of(report) == ["/act/Relu_1", "/act/Relu_3"]


def test_nodes_that_can_not_be_shared_out_evenly_are_no_match() -> None:
    made = Calls(["act", "act"], act=nn.ReLU())
    model = chain("/act/Relu", "/act/Relu_1", "/act/Relu_2")
    report = compare_modules(made, model, {"image": floats(2)})
    assert names(report) == []
    assert len(report.skipped) == 2


class Beside(nn.Module):
    """A batch norm that runs after a convolution, and not on what it returned."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, image: Tensor) -> Tensor:
        deep = self.conv(image)
        return deep + self.norm(image)


def test_a_batch_norm_of_something_else_is_not_folded() -> None:
    model = chain("/conv/Relu", shape=(1, 2, 4, 4))
    report = compare_modules(Beside().eval(), model, {"image": floats(1, 2, 4, 4)})
    assert names(report) == ["conv"]
    assert [reason.split(":")[0] for reason in report.skipped] == ["BatchNorm2d 'norm'"]


def test_feeds_stay_as_they_are_under_a_network_that_works_in_place() -> None:
    feeds = {"image": np.float32([-1, 1])}
    feeds["image"].setflags(write=False)
    made = Calls(["act"], act=nn.ReLU(inplace=True))
    report = compare_modules(made, chain("/act/Relu"), feeds)
    assert report.layers[0].tensor.max_abs == 0
    np.testing.assert_array_equal(feeds["image"], [-1, 1])


class Pair(nn.Module):
    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor]:
        return image, image


class UsesPair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()

    def forward(self, image: Tensor) -> Tensor:
        return self.pair(image)[0].relu()


def test_a_module_without_a_tensor_of_its_own_is_named() -> None:
    x = floats(2)
    model = model_of([helper.make_node("Relu", ["image"], ["y"], "/Relu")], {"image": x}, {"y": x})
    report = compare_modules(UsesPair(), model, {"image": x})
    assert report.layers == ()
    assert report.skipped == ("Pair 'pair': no node named after it makes a tensor of its shape",)


def test_a_module_that_returns_two_tensors_matches_none() -> None:
    x = floats(2)
    nodes = [
        helper.make_node("NonZero", ["image"], ["where"]),
        helper.make_node("Cast", ["where"], ["y"], "/pair/Cast", to=1),
    ]
    model = model_of(nodes, {"image": x}, {"y": x})
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert list_tensors(model)[0].shape is None
    assert compare_modules(UsesPair(), model, {"image": x}).layers == ()
