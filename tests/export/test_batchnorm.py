"""The batch-norm faults of the seed report, each repaired or named."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from toy_networks import TwoHeads, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import CheckpointError  # noqa: E402
from atlas_hpe_export.batchnorm import (  # noqa: E402
    check_finite,
    freeze,
    repair_batch_norms,
    repair_state_dict,
)


def test_counters_are_dropped_and_the_rest_loads_strictly() -> None:
    network = toy_heatmaps()
    weights, notes = repair_state_dict(network.state_dict(), network)
    network.load_state_dict(weights, strict=True)
    assert notes == ("dropped 1 num_batches_tracked, training counters",)


def test_missing_counters_are_not_needed() -> None:
    network = toy_heatmaps()
    given = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    weights, notes = repair_state_dict(given, network)
    network.load_state_dict(weights, strict=True)
    assert notes == ("1 num_batches_tracked were missing and are not needed",)


def test_missing_statistics_name_the_layer() -> None:
    network = TwoHeads()
    given = {k: v for k, v in network.state_dict().items() if "running_var" not in k}
    with pytest.raises(CheckpointError, match=r"layer 'body\.1'"):
        repair_state_dict(given, network)


@pytest.mark.parametrize("eps", [1, torch.tensor(1.0)], ids=["integer", "tensor"])
def test_eps_becomes_a_float(eps: object) -> None:
    network = toy_heatmaps()
    network.norm.eps = eps  # type: ignore[assignment]
    (note,) = repair_batch_norms(network)
    assert type(network.norm.eps) is float
    assert network.norm.eps == 1.0
    assert "layer 'norm'" in note


@pytest.mark.parametrize("eps", [float("nan"), -1.0, "1e-5"])
def test_an_impossible_eps_is_named(eps: object) -> None:
    network = toy_heatmaps()
    network.norm.eps = eps  # type: ignore[assignment]
    with pytest.raises(CheckpointError, match="layer 'norm'"):
        repair_batch_norms(network)


def test_a_layer_without_statistics_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    with pytest.raises(CheckpointError, match="layer '1'"):
        repair_batch_norms(network)


def test_statistics_that_are_there_are_used() -> None:
    network = toy_heatmaps()
    network.norm.track_running_stats = False
    assert repair_batch_norms(network) == ("layer 'norm': set track_running_stats",)
    assert network.norm.track_running_stats


def test_a_healthy_network_needs_nothing() -> None:
    assert repair_batch_norms(toy_heatmaps()) == ()
    assert freeze(toy_heatmaps().train()) == ()


class Stubborn(nn.Module):
    """Keeps its batch norm in training mode whatever it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def train(self, mode: bool = True) -> Stubborn:
        super().train(mode)
        self.norm.training = True
        return self


def test_a_stubborn_part_is_put_in_eval_mode_too() -> None:
    network = nn.Sequential(Stubborn())
    assert freeze(network) == ("layer '0.norm' stayed in training mode and was put in eval",)
    assert not any(part.training for part in network.modules())


@pytest.mark.parametrize("name", ["conv.weight", "norm.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_name_the_tensor(name: str, value: float) -> None:
    network = toy_heatmaps()
    network.state_dict()[name].view(-1)[:2] = value
    with pytest.raises(CheckpointError) as caught:
        check_finite(network)
    assert f"tensor '{name}'" in str(caught.value)
    assert "2 of " in str(caught.value)
