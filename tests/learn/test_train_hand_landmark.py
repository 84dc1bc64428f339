from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest
import torch
from learn_fakes import stick_hands, stick_mixture, tiny_network

from atlas_hpe.errors import CheckpointError, OutputError, UsageError
from atlas_hpe.learn.landmark_run import load_training
from atlas_hpe.learn.train_hand_landmark import (
    TrainingPlan,
    train_default_model,
    train_hand_landmark,
)
from atlas_hpe.nets.hand_landmark import HandLandmark

PLAN = TrainingPlan(epochs=6, batch_size=12, warm_up_steps=1, report_steps=1, save_seconds=0.0)


def _run(folder: Path, plan: TrainingPlan = PLAN, **options: object) -> None:
    torch.manual_seed(plan.seed)
    train_hand_landmark(
        stick_mixture(),
        stick_hands(3),
        plan,
        folder,
        model=tiny_network(),
        live=io.StringIO(),
        **options,
    )


def _rows(folder: Path) -> list:
    with (folder / "curves.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def _stop_after(ticks: int) -> Callable[[], float]:
    state = {"ticks": 0}

    def clock() -> float:
        state["ticks"] += 1
        if state["ticks"] > ticks:
            raise KeyboardInterrupt
        return float(state["ticks"])

    return clock


def test_the_loss_falls_on_a_dozen_drawn_hands(tmp_path: Path) -> None:
    _run(tmp_path, replace(PLAN, epochs=40, peak_rate=5e-3))
    losses = [float(row["total"]) for row in _rows(tmp_path)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_a_run_leaves_weights_curves_and_a_contact_sheet(tmp_path: Path) -> None:
    _run(tmp_path)
    weights = torch.load(tmp_path / "hand_landmark.pt", weights_only=True)
    assert all(value.dtype == torch.float32 for value in weights.values())
    names = {path.name for path in tmp_path.iterdir()}
    assert {"curves.csv", "curves.png", "predictions.png", "training.pt"} <= names
    assert not [name for name in names if ".part" in name]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_resumed_run_continues_exactly(tmp_path: Path, threads: int) -> None:
    plan = replace(PLAN, threads=threads)
    _run(tmp_path / "whole", plan)
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "cut", plan, clock=_stop_after(16))
    assert 0 < len(_rows(tmp_path / "cut")) < 6
    _run(tmp_path / "cut", plan, resume=True)
    whole, cut = (load_training(tmp_path / name / "training.pt") for name in ("whole", "cut"))
    for part in ("model", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, cut[part][name]), name
    columns = ("step", "total", "nme_held_out")
    rows = [
        [[row[name] for name in columns] for row in _rows(tmp_path / which)]
        for which in ("whole", "cut")
    ]
    assert rows[0] == rows[1]


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _run(tmp_path / name, replace(PLAN, epochs=1, seed=seed))
    a, b, c = (
        torch.load(tmp_path / name / "hand_landmark.pt", weights_only=True) for name in "abc"
    )
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


def test_minutes_end_the_run_by_the_clock(tmp_path: Path) -> None:
    state = {"now": 0.0}

    def clock() -> float:
        state["now"] += 5.0
        return state["now"]

    _run(tmp_path, replace(PLAN, epochs=None, minutes=1.0), clock=clock)
    rows = _rows(tmp_path)
    assert float(rows[-1]["minutes"]) >= 1.0
    assert float(rows[-1]["rate"]) < 0.5 * float(rows[0]["rate"])


def test_a_plan_needs_exactly_one_end(tmp_path: Path) -> None:
    for plan in (TrainingPlan(), TrainingPlan(epochs=1, minutes=1.0), TrainingPlan(epochs=0)):
        with pytest.raises(UsageError):
            _run(tmp_path, plan)


def test_resuming_with_another_seed_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, replace(PLAN, epochs=1))
    with pytest.raises(CheckpointError, match="--seed 0"):
        _run(tmp_path, replace(PLAN, epochs=2, seed=5), resume=True)


def test_resuming_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no training checkpoint"):
        _run(tmp_path, resume=True)


def test_resuming_another_network_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, replace(PLAN, epochs=1))
    other = HandLandmark(widths=(16, 16, 16, 32), coarse_blocks=1)
    with pytest.raises(CheckpointError, match="another network"):
        train_hand_landmark(
            stick_mixture(),
            [],
            replace(PLAN, epochs=2),
            tmp_path,
            model=other,
            resume=True,
            live=io.StringIO(),
        )


def test_a_folder_with_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "training.pt").write_bytes(b"")
    with pytest.raises(OutputError, match="--force"):
        train_default_model(tmp_path, tmp_path, PLAN)
