"""The detector's graph: shapes, size, operators, and what its outputs mean."""

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

from atlas_hpe.card import DecodeSpec
from atlas_hpe.nets import load_network
from atlas_hpe.nets.hand_detector import INPUT_SIZE_PX, SPEC, HandDetector, hand_detector

SHAPE = (1, 3, INPUT_SIZE_PX, INPUT_SIZE_PX)
PLAIN_OPERATORS = {"Add", "Constant", "Conv", "Identity", "Relu", "Resize", "Sigmoid"}
HEADS = {"score", "box", "direction"}


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return hand_detector().eval()


@pytest.fixture
def exported(network: nn.Module, tmp_path: Path) -> Path:
    path = tmp_path / "hand_detector.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network, (torch.zeros(SHAPE),), str(path), opset_version=11, dynamo=False,
            input_names=["image"], output_names=[output.name for output in SPEC.outputs],
        )  # fmt: skip
    return path


def test_outputs_have_the_shapes_of_the_specification(network: nn.Module) -> None:
    outputs = network(torch.randn(SHAPE) * 3)
    assert [tuple(output.shape) for output in outputs] == [spec.shape for spec in SPEC.outputs]
    assert outputs[0].min() >= 0 and outputs[0].max() <= 1


def test_a_fresh_network_sees_no_hands(network: nn.Module) -> None:
    score, _, _ = network(torch.randn(SHAPE))
    assert score.mean() < 0.1


def test_size_stays_within_the_budget(network: nn.Module) -> None:
    assert sum(value.numel() for value in network.parameters()) <= 950_000
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(SHAPE))
    assert counter.get_total_flops() / 2 <= 0.17e9


def test_convolutions_are_plain_and_wide(network: nn.Module) -> None:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.groups == 1 and module.kernel_size in {(1, 1), (3, 3)}
            assert module.out_channels % 16 == 0 or name in HEADS
            assert (module.bias is None) == (name not in HEADS)  # the norm has the offset


def test_every_cell_sees_a_hand_that_fills_the_picture(network: nn.Module) -> None:
    assert isinstance(network, HandDetector)
    image = torch.randn(SHAPE, requires_grad=True)
    network(image)[0][0, 0, 12, 12].backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum(dim=0).nonzero()
    assert (seen.amax(dim=0) - seen.amin(dim=0)).min() >= 0.75 * INPUT_SIZE_PX


def test_the_card_says_how_to_decode() -> None:
    assert load_network("hand_detector") is SPEC
    assert SPEC.task == "hand-detect" and SPEC.preprocess.fit == "letterbox"
    assert SPEC.decode == DecodeSpec(
        "centre-heatmap",
        {"score": "score", "box": "box", "direction": "direction"},
        {"min_score": 0.25, "max_overlap": 0.4},
    )


def test_the_graph_is_opset_11_with_plain_operators_only(exported: Path) -> None:
    graph = onnx.load(str(exported))
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", 11)]
    assert {node.op_type for node in graph.graph.node} <= PLAIN_OPERATORS


def test_the_graph_says_what_the_network_says(exported: Path, network: nn.Module) -> None:
    image = torch.randn(SHAPE)
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(image)
    for got, want in zip(session.run(None, {"image": image.numpy()}), expected):
        assert np.abs(got - want.numpy()).max() < 1e-4
