"""`shallow_unet` against the published network: counts, names, weights."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from atlas_hpe.card import GraphSpec, ModelCard, Provenance, card_from_json, card_to_json  # noqa: E402
from atlas_hpe.nets import load_network  # noqa: E402
from atlas_hpe.nets.shallow_unet import SPEC, ShallowUNet  # noqa: E402

STAGES = ("down1", "down2", "down3", "bottleneck", "up1", "up2", "up3")


def count_macs(network: nn.Module) -> int:
    """Multiply-adds of all convolutions at the input of the specification."""
    macs: List[int] = []

    def add(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        macs.append(output[0].numel() * layer.weight[0].numel())

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(add)
    with torch.no_grad():
        network(torch.zeros(SPEC.inputs[0].shape))
    return sum(macs)


def test_it_has_the_published_number_of_parameters() -> None:
    assert sum(item.numel() for item in ShallowUNet().parameters()) == 491_206


def test_it_has_the_published_number_of_multiply_adds() -> None:
    assert round(count_macs(ShallowUNet().eval()) / 1e9, 4) == 0.7172


def test_its_names_are_those_of_the_published_checkpoints() -> None:
    names = {
        name.rpartition(".")[0] for name in ShallowUNet().state_dict() if name.endswith("weight")
    }
    expected = {f"conv_{stage}.double_conv.{i}" for stage in STAGES for i in (0, 1, 3, 4)}
    assert names == expected | {"conv_out.0"}


def test_each_block_puts_the_batch_norm_before_the_convolution() -> None:
    block = ShallowUNet().conv_up1.double_conv
    kinds = [type(layer).__name__ for layer in block]
    assert kinds == ["BatchNorm2d", "Conv2d", "ReLU"] * 2
    assert block[0].num_features == 192  # 128 upsampled and 64 of the skip


def test_outputs_are_heatmaps_as_the_specification_says() -> None:
    with torch.no_grad():
        heatmaps = ShallowUNet().eval()(torch.randn(SPEC.inputs[0].shape))
    assert tuple(heatmaps.shape) == SPEC.outputs[0].shape
    assert 0 <= float(heatmaps.min()) <= float(heatmaps.max()) <= 1


def test_the_published_checkpoint_loads_key_for_key(shared_data: Path) -> None:
    path = shared_data / "checkpoints" / "shallow_unet_model_final"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    network = ShallowUNet()
    network.load_state_dict(weights, strict=True)
    assert list(weights) == list(network.state_dict())


def test_its_specification_makes_a_valid_card() -> None:
    assert load_network("shallow_unet") is SPEC
    card = ModelCard(
        name=SPEC.name,
        task=SPEC.task,
        graphs=(GraphSpec("pose", SPEC.inputs, SPEC.outputs),),
        preprocess=SPEC.preprocess,
        decode=SPEC.decode,
        provenance=Provenance(network=SPEC.name),
        joint_order=SPEC.joint_order,
    )
    assert card_from_json(card_to_json(card), "test") == card
    assert [round(value / 255, 4) for value in card.preprocess.mean] == [0.3950, 0.4323, 0.2954]
    assert [round(value / 255, 4) for value in card.preprocess.std] == [0.1966, 0.1734, 0.1836]
