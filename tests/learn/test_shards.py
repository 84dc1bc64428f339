from __future__ import annotations

from typing import Tuple

import pytest
import torch
from torch import Tensor, nn

from atlas_hpe.learn.schedule import Average, learning_rate
from atlas_hpe.learn.shards import Shards


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def test_shards_give_the_mean_gradient_and_the_mean_norm_statistics() -> None:
    model, data = _network(), torch.randn(12, 4)
    halves = []
    for index in range(2):
        alone = _network()
        alone(data[index::2]).square().mean().backward()
        halves.append(alone)
    shards = Shards(model, 2)

    def run(replica: nn.Module, index: int) -> Tuple[Tensor, int]:
        return replica(data[index::2]).square().mean(), index

    assert shards.backward(run) == [0, 1]
    shards.close()
    pairs = zip(model.parameters(), *(half.parameters() for half in halves))
    for got, first, second in pairs:
        assert torch.allclose(got.grad, (first.grad + second.grad) / 2, atol=1e-6)
    for replica in shards.replicas:
        mean = (halves[0][1].running_mean + halves[1][1].running_mean) / 2
        assert torch.allclose(replica[1].running_mean, mean)


def test_replicas_follow_the_parameters_of_the_first() -> None:
    shards = Shards(_network(), 2)
    with torch.no_grad():
        shards.replicas[0][0].weight.add_(1.0)
    assert shards.replicas[1][0].weight is shards.replicas[0][0].weight
    shards.close()


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    rates = [learning_rate(step / 100, step, 1.0, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) > 0.97
    assert rates[-1] == pytest.approx(0.005)
    assert all(later <= earlier for earlier, later in zip(rates[10:], rates[11:]))
    assert learning_rate(7.0, 1000, 1.0, 10) == pytest.approx(0.005)


def test_the_average_settles_on_weights_that_stay() -> None:
    model = _network()
    average = Average(model, decay=0.5)
    with torch.no_grad():
        model[0].weight.fill_(3.0)
    for step in range(40):
        average.update(model, step)
    assert torch.allclose(average.model[0].weight, torch.tensor(3.0))
    assert not average.model.training
