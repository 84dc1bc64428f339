from __future__ import annotations

import pytest
import torch
from torch import nn

from atlas_hpe.learn.schedule import average_of, learning_rate


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    rates = [learning_rate(step / 100, step, 1.0, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) > 0.97
    assert rates[-1] == pytest.approx(0.005)
    assert all(later <= earlier for earlier, later in zip(rates[10:], rates[11:]))
    assert learning_rate(7.0, 1000, 1.0, 10) == pytest.approx(0.005)


def test_the_average_follows_slowly_and_settles_on_what_stays() -> None:
    model = _network()
    average = average_of(model, decay=0.5)
    average.update_parameters(model)
    with torch.no_grad():
        model[0].weight.fill_(3.0)
        model[1].running_mean.fill_(2.0)
    average.update_parameters(model)
    assert not torch.allclose(average.module[0].weight, torch.tensor(3.0))
    for _ in range(40):
        average.update_parameters(model)
    assert torch.allclose(average.module[0].weight, torch.tensor(3.0))
    assert torch.allclose(average.module[1].running_mean, torch.tensor(2.0))
    assert not average.module.training
    assert not any(value.requires_grad for value in average.parameters())


def test_the_decay_bounds_the_memory() -> None:
    model = _network()
    average = average_of(model, decay=0.0)
    average.update_parameters(model)
    with torch.no_grad():
        model[0].weight.fill_(3.0)
    average.update_parameters(model)
    assert torch.equal(average.module[0].weight, model[0].weight)
