from __future__ import annotations

import csv
import io
import math
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional

import numpy as np
import pytest
import torch
from learn_fakes import stick_hands, stick_mixture, tiny_network
from torch import Tensor, nn

from atlas_hpe.errors import CheckFailedError, CheckpointError, InputError, UsageError
from atlas_hpe.learn.checkpoints import load_training, load_weights, save_weights
from atlas_hpe.learn.landmark.task import LandmarkTask
from atlas_hpe.learn.loop import TrainingReport, train
from atlas_hpe.learn.plan import TrainingPlan
from atlas_hpe.learn.task import ALL_ROWS, TrainingTask
from atlas_hpe.nets.hand_landmark import HandLandmark

PLAN = TrainingPlan(
    steps=6,
    batch_size=12,
    warm_up_steps=1,
    report_steps=1,
    save_seconds=0.0,
    precision="float32",
    workers=0,
)


@dataclass(frozen=True)
class LineTask:
    """Fits y = 3 x + 1; quick, with a random layer and a batch norm. Bad steps have a NaN label."""

    bad: Callable[[int], bool] = lambda step: False
    name: str = "line"
    pictures: int = 24

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))

    def batch(
        self, seed: int, step: int, size: int, rows: slice = ALL_ROWS
    ) -> Dict[str, np.ndarray]:
        x = np.random.default_rng((seed, step)).random((size, 1), dtype=np.float32)[rows]
        return {"x": x * np.float32("nan") if self.bad(step) else x, "y": 3 * x + 1}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        error = network(batch["x"]).float() - batch["y"]
        return {"total": error.square().mean(), "size": torch.tensor(float(len(error)))}

    def measure(self, network: nn.Module) -> Dict[str, float]:
        with torch.no_grad():
            return {"at_half": float(network(torch.full((1, 1), 0.5)))}

    def sheet(self, network: nn.Module) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)


def sticks(build: Callable[[], nn.Module] = tiny_network) -> LandmarkTask:
    return LandmarkTask(stick_mixture(), stick_hands(3), build)


def run(
    folder: Path,
    plan: TrainingPlan = PLAN,
    task: Optional[TrainingTask] = None,
    live: Optional[io.StringIO] = None,
    **options: object,
) -> TrainingReport:
    live = io.StringIO() if live is None else live
    return train(LineTask() if task is None else task, plan, folder, live=live, **options)


def rows(folder: Path) -> List[Dict[str, str]]:
    with (folder / "curves.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def same_weights(first: Path, second: Path) -> bool:
    a, b = load_training(first / "training.pt"), load_training(second / "training.pt")
    pairs = [(a[part][name], b[part][name]) for part in ("model", "average") for name in a[part]]
    moments = zip(a["optimiser"]["state"].values(), b["optimiser"]["state"].values())
    pairs += [(one["exp_avg"], other["exp_avg"]) for one, other in moments]
    return a["step"] == b["step"] and all(torch.equal(one, other) for one, other in pairs)


def stop_after(ticks: int) -> Callable[[], float]:
    state = {"ticks": 0}

    def clock() -> float:
        state["ticks"] += 1
        if state["ticks"] > ticks:
            raise KeyboardInterrupt
        return float(state["ticks"])

    return clock


@pytest.mark.slow
def test_the_loss_falls_on_a_few_dozen_hands(tmp_path: Path) -> None:
    plan = replace(PLAN, steps=60, peak_rate=5e-3, workers=0)
    run(tmp_path, plan, LandmarkTask(stick_mixture(36), stick_hands(3), tiny_network))
    losses = [float(row["total"]) for row in rows(tmp_path)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_a_run_leaves_weights_curves_and_a_contact_sheet(tmp_path: Path) -> None:
    report = run(tmp_path, task=sticks())
    assert report.weights == tmp_path / "hand_landmark.pt" and report.steps == 6
    weights = torch.load(report.weights, weights_only=True)
    assert all(value.dtype == torch.float32 for value in weights.values())
    tiny_network().load_state_dict(weights, strict=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"curves.csv", "curves.png", "predictions.png", "training.pt"} <= names
    assert not [name for name in names if ".part" in name]
    assert {"nme", "pck10"} <= set(report.figures)
    last = float(rows(tmp_path)[-1]["held_out_nme"])
    assert last == pytest.approx(report.figures["nme"], abs=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_resumed_run_continues_to_the_bit(tmp_path: Path, precision: str) -> None:
    plan = replace(PLAN, precision=precision)
    run(tmp_path / "whole", plan, sticks())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", plan, sticks(), clock=stop_after(30))
    assert 0 < len(rows(tmp_path / "cut")) < 6
    run(tmp_path / "cut", plan, sticks(), resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")
    kept = [
        [[row[name] for name in ("step", "rate", "total", "held_out_nme")] for row in rows(folder)]
        for folder in (tmp_path / "whole", tmp_path / "cut")
    ]
    assert kept[0] == kept[1]


def test_random_layers_continue_too(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", clock=stop_after(30))
    torch.rand(5)
    run(tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_step_and_saves_it(tmp_path: Path, number: signal.Signals) -> None:
    def stop(step: int) -> bool:
        if step == 2:
            os.kill(os.getpid(), number)
        return False

    run(tmp_path / "whole")
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", replace(PLAN, save_seconds=1e9), LineTask(bad=stop))
    assert signal.getsignal(number) is before
    assert load_training(tmp_path / "cut" / "training.pt")["step"] == 3
    run(tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")


def test_a_second_stop_does_not_wait_for_the_step(tmp_path: Path) -> None:
    def stop(step: int) -> bool:
        for _ in range(2 if step == 2 else 0):
            os.kill(os.getpid(), signal.SIGINT)
        return False

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, replace(PLAN, save_seconds=1e9), LineTask(bad=stop))
    assert not (tmp_path / "training.pt").exists()


def test_the_number_of_workers_decides_nothing(tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        run(tmp_path / str(workers), replace(PLAN, workers=workers), sticks())
    assert same_weights(tmp_path / "0", tmp_path / "1")
    assert same_weights(tmp_path / "0", tmp_path / "2")


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, replace(PLAN, seed=seed))
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_minutes_end_the_run_by_the_clock(tmp_path: Path) -> None:
    state = {"now": 0.0}

    def clock() -> float:
        state["now"] += 1.0
        return state["now"]

    report = run(tmp_path, replace(PLAN, steps=None, minutes=1.0), clock=clock)
    assert 60.0 <= report.seconds < 70.0
    table = rows(tmp_path)
    assert float(table[-1]["rate"]) < 0.2 * float(table[0]["rate"])


def test_an_epoch_is_as_many_pictures_as_the_task_has(tmp_path: Path) -> None:
    assert run(tmp_path, replace(PLAN, steps=None, epochs=3)).pictures == 3 * 24


def test_a_step_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    task = LineTask(bad=lambda step: step in (0, 3))
    report = run(tmp_path, task=task)
    assert report.steps == 6 and math.isfinite(report.figures["at_half"])
    assert all(value.isfinite().all() for value in load_weights(tmp_path / "line.pt").values())
    assert rows(tmp_path)[3]["total"] == ""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", task=task, clock=stop_after(34))
    run(tmp_path / "cut", task=task, resume=True)
    assert same_weights(tmp_path, tmp_path / "cut")


def test_a_run_that_only_skips_ends_with_one_clear_error(tmp_path: Path) -> None:
    task = LineTask(bad=lambda step: step > 2)
    with pytest.raises(CheckFailedError, match="not finite for 20 steps"):
        run(tmp_path, replace(PLAN, steps=99), task)
    weights = load_training(tmp_path / "training.pt")["model"]
    assert all(value.isfinite().all() for value in weights.values())


def test_a_network_starts_from_given_weights(tmp_path: Path) -> None:
    given = tiny_network()
    save_weights(tmp_path / "given.pt", given)
    still = replace(PLAN, steps=1, peak_rate=0.0, average_decay=0.0)
    run(tmp_path, still, sticks(), start_from=tmp_path / "given.pt")
    weights = load_weights(tmp_path / "hand_landmark.pt")
    for name, value in given.named_parameters():
        assert torch.equal(value, weights[name]), name


def test_new_parts_of_a_network_start_anew_and_are_named(tmp_path: Path) -> None:
    weights = LineTask().network().state_dict()
    torch.save({name: weights[name] for name in list(weights)[:1]}, tmp_path / "part.pt")
    live = io.StringIO()
    run(tmp_path, live=live, start_from=tmp_path / "part.pt")
    assert "start anew: 0.bias" in live.getvalue()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "line.pt", LineTask().network())
    with pytest.raises(CheckpointError, match="another network"):
        run(tmp_path, task=sticks(), start_from=tmp_path / "line.pt")


def test_resuming_and_starting_from_weights_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        run(tmp_path, resume=True, start_from=tmp_path / "line.pt")


def test_resuming_with_another_seed_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(CheckpointError, match="--seed 0 --batch-size 12"):
        run(tmp_path, replace(PLAN, seed=5), resume=True)


def test_resuming_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no training checkpoint"):
        run(tmp_path, resume=True)


def test_resuming_another_network_is_refused(tmp_path: Path) -> None:
    run(tmp_path, replace(PLAN, steps=1), sticks())
    other = sticks(lambda: HandLandmark(widths=(16, 16, 16, 32), coarse_blocks=1))
    with pytest.raises(CheckpointError, match="another network"):
        run(tmp_path, task=other, resume=True)


def test_a_resumed_run_may_measure_other_things(tmp_path: Path) -> None:
    run(tmp_path)
    text = (tmp_path / "curves.csv").read_text().replace("held_out_at_half", "old_name")
    (tmp_path / "curves.csv").write_text(text)
    run(tmp_path, replace(PLAN, steps=8), resume=True)
    table = rows(tmp_path)
    assert len(table) == 8
    assert table[0]["held_out_at_half"] == "" and table[-1]["old_name"] == ""


def test_damaged_curves_of_a_run_are_named(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "curves.csv").write_text("step,total\nthree,four\n")
    with pytest.raises(InputError, match="figures of the run") as failure:
        run(tmp_path, resume=True)
    assert "curves.csv" in str(failure.value)


def test_the_live_line_has_speed_loss_figures_and_the_time_left(tmp_path: Path) -> None:
    live = io.StringIO()
    run(tmp_path, live=live)
    lines = live.getvalue().splitlines()
    assert len(lines) == 6
    for word in ("step 6", "loss ", "at_half ", "pictures/s", "min left"):
        assert word in lines[-1]


def test_a_terminal_gets_one_line_that_rewrites_itself(tmp_path: Path) -> None:
    live = io.StringIO()
    live.isatty = lambda: True  # type: ignore[method-assign]
    seconds = iter(range(10_000))
    run(tmp_path, replace(PLAN, report_steps=100), live=live, clock=lambda: float(next(seconds)))
    text = live.getvalue()
    assert text.count("\r") >= 3 and text.endswith("\n") and text.count("\n") == 1


def test_gradients_are_clipped(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Steep(LineTask):
        def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
            return {"total": 1e6 * super().loss(network, batch)["total"]}

    run(tmp_path, replace(PLAN, steps=1), Steep())
    moments = load_training(tmp_path / "training.pt")["optimiser"]["state"].values()
    norm = math.sqrt(sum(float(each["exp_avg"].square().sum()) for each in moments))
    assert norm == pytest.approx(0.1 * 5.0, rel=1e-3)


def test_bad_steps_apart_from_each_other_do_not_end_a_run(tmp_path: Path) -> None:
    task = LineTask(bad=lambda step: step % 2 == 1)
    assert (
        run(tmp_path, replace(PLAN, steps=44, report_steps=50, save_seconds=1e9), task).steps == 44
    )


def test_norms_and_biases_do_not_decay(tmp_path: Path) -> None:
    run(tmp_path, replace(PLAN, steps=1, weight_decay=0.3))
    groups = load_training(tmp_path / "training.pt")["optimiser"]["param_groups"]
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.3, 2), (0, 4)]
