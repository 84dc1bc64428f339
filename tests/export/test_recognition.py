"""Which network is it, and if none: which is nearest and what differs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Dict

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from atlas_hpe.errors import CheckpointError, UsageError  # noqa: E402
from atlas_hpe.nets import NETWORKS, load_network  # noqa: E402
from atlas_hpe_export.inputs.recognition import recognise  # noqa: E402


def fresh_weights(name: str = "shallow_unet") -> Dict[str, Tensor]:
    return dict(load_network(name).build().state_dict())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_recognises_its_own_weights(name: str) -> None:
    assert recognise(fresh_weights(name)).name == name
    assert recognise(fresh_weights(name), arch=name).name == name


def test_counters_of_batch_norms_count_for_nothing() -> None:
    weights = fresh_weights()
    without = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    assert recognise(without).name == "shallow_unet"


def test_missing_statistics_are_left_to_the_message_that_names_the_layer() -> None:
    weights = {k: v for k, v in fresh_weights().items() if "running" not in k}
    assert recognise(weights).name == "shallow_unet"


def test_strangers_are_told_the_nearest_network_and_the_differences() -> None:
    weights = fresh_weights()
    del weights["conv_out.0.weight"]
    weights["head.weight"] = torch.zeros(3)
    weights["conv_up1.double_conv.1.weight"] = torch.zeros(64, 96, 3, 3)
    with pytest.raises(CheckpointError) as caught:
        recognise(weights)
    text = str(caught.value)
    assert "nearest is 'shallow_unet', 3 differences" in text
    assert "1 missing: conv_out.0.weight" in text
    assert "1 unexpected: head.weight" in text
    assert "conv_up1.double_conv.1.weight (64, 96, 3, 3) for (64, 192, 3, 3)" in text
    assert "atlas_hpe.export_onnx" in text


def test_a_wrong_arch_lists_the_first_names_only() -> None:
    with pytest.raises(CheckpointError) as caught:
        recognise({"a.weight": torch.zeros(1)}, arch="shallow_unet")
    text = str(caught.value)
    assert "do not fit the network 'shallow_unet'" in text
    assert "43 missing: conv_down1.double_conv.0.weight, " in text
    assert "and 40 more" in text
    assert len(text) < 600


def test_an_unknown_arch_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"choose one of: .*shallow_unet"):
        recognise({}, arch="resnet_1001")


def test_recognition_reads_shapes_only() -> None:
    shapes = {name: SimpleNamespace(shape=value.shape) for name, value in fresh_weights().items()}
    assert recognise(shapes).name == "shallow_unet"  # type: ignore[arg-type]
