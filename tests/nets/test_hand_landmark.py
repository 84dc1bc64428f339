from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from atlas_hpe.nets.hand_landmark import HandLandmark, hand_landmark

OUTPUTS = {
    "joints": (1, 21, 2), "score": (1, 21), "depth": (1, 21), "presence": (1, 1),
    "handedness": (1, 1),
}  # fmt: skip
PLAIN_OPERATORS = {
    "Add", "Constant", "Conv", "Gemm", "GlobalAveragePool", "Identity", "MatMul", "ReduceMax",
    "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Sub", "Transpose",
}  # fmt: skip


@pytest.fixture
def network() -> HandLandmark:
    torch.manual_seed(0)
    return hand_landmark().eval()


@pytest.fixture
def exported(network: HandLandmark, tmp_path: Path) -> Path:
    path = tmp_path / "hand_landmark.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network, (torch.zeros(1, 3, 128, 128),), str(path), opset_version=11, dynamo=False,
            input_names=["image"], output_names=list(OUTPUTS),
        )  # fmt: skip
    return path


def test_outputs_are_decoded_into_unit_ranges(network: HandLandmark) -> None:
    outputs = network(torch.randn(1, 3, 128, 128) * 3)
    assert [tuple(output.shape) for output in outputs] == list(OUTPUTS.values())
    for name, output in zip(OUTPUTS, outputs):
        assert name == "depth" or (output.min() >= 0 and output.max() <= 1)


def test_depth_is_relative_to_the_wrist(network: HandLandmark) -> None:
    depth = network(torch.randn(2, 3, 128, 128))[2]
    assert (depth[:, 0] == 0).all() and (depth[:, 1:] != 0).all()


def test_size_stays_within_the_budget(network: HandLandmark) -> None:
    assert sum(value.numel() for value in network.parameters()) < 1_900_000
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 128, 128))
    assert counter.get_total_flops() / 2 <= 0.2e9


def test_convolutions_are_plain_wide_and_followed_by_their_norm(network: HandLandmark) -> None:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.groups == 1 and module.kernel_size in {(1, 1), (3, 3)}
            assert module.out_channels % 16 == 0 or name == "heat"
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            layers = list(module)
            for before, after in zip(layers, layers[1:]):
                if isinstance(after, nn.BatchNorm2d):
                    assert isinstance(before, nn.Conv2d) and before.bias is None


def test_a_peak_decodes_to_the_centre_of_its_cell(network: HandLandmark) -> None:
    grid = network.grid
    assert tuple(grid[0]) == pytest.approx((0.5 / 32, 0.5 / 32))
    assert tuple(grid[33]) == pytest.approx((1.5 / 32, 1.5 / 32))
    assert tuple(grid[31]) == pytest.approx((31.5 / 32, 0.5 / 32))


def test_the_score_does_not_bend_the_heatmap(network: HandLandmark) -> None:
    raw = network.heads(network.features(torch.randn(1, 3, 128, 128)))
    raw.score_logits.sum().backward()
    assert network.heat.weight.grad is None


def test_the_graph_is_opset_11_with_plain_operators_only(exported: Path) -> None:
    graph = onnx.load(str(exported))
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", 11)]
    assert {node.op_type for node in graph.graph.node} <= PLAIN_OPERATORS
    modes = [
        attribute.s.decode()
        for node in graph.graph.node if node.op_type == "Resize"
        for attribute in node.attribute if attribute.name == "mode"
    ]  # fmt: skip
    assert modes == ["nearest", "nearest"]


def test_the_graph_says_what_the_network_says(exported: Path, network: HandLandmark) -> None:
    image = torch.randn(1, 3, 128, 128)
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(image)
    for got, want in zip(session.run(None, {"image": image.numpy()}), expected):
        assert np.abs(got - want.numpy()).max() < 1e-5
