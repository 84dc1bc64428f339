"""Two training processes: the rows they get, and the weights they end with."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from learn_fakes import stick_mixture, tiny_network

from atlas_hpe.errors import DeviceError, UsageError
from atlas_hpe.learn.feed import feed_batches
from atlas_hpe.learn.landmark.task import LandmarkTask
from atlas_hpe.learn.plan import TrainingPlan

PLAN = TrainingPlan(steps=3, batch_size=8, workers=0)
TASK = LandmarkTask(stick_mixture(), [], tiny_network)


def _first(count: int, **options: int) -> list:
    feed = feed_batches(TASK, PLAN, 5, **options)
    batches = list(itertools.islice(feed, count))
    feed.close()
    return batches


def test_processes_share_the_very_batch_of_one() -> None:
    whole, even, odd = _first(2), _first(2, rank=0, world=2), _first(2, rank=1, world=2)
    for batch, first, second in zip(whole, even, odd):
        for name, value in batch.items():
            assert torch.equal(value[0::2].nan_to_num(), first[name].nan_to_num())
            assert torch.equal(value[1::2].nan_to_num(), second[name].nan_to_num())


def test_a_killed_worker_is_named() -> None:
    class Killed:
        name, pictures = "killed", 1

        def batch(self, *args: object) -> dict:
            os._exit(9)

    feed = feed_batches(Killed(), TrainingPlan(steps=1, workers=1), 0)
    with pytest.raises(DeviceError, match="pictures ended"):
        next(feed)


_TWO = """
    import io, os, sys, torch
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_feed_and_steps import PLAN, TASK
    from atlas_hpe.learn.loop import train
    from atlas_hpe.learn.machine import open_fabric
    import atlas_hpe.learn.loop as loop
    kept = []
    make = loop.new_state
    loop.new_state = lambda *words: kept.append(make(*words)) or kept[0]
    fabric = open_fabric("float32")
    train(TASK, PLAN, Path(sys.argv[1]), fabric=fabric, live=io.StringIO())
    torch.save(dict(kept[0].network.named_parameters()), f"{sys.argv[1]}/rank{fabric.global_rank}")
"""


@pytest.mark.slow
def test_two_processes_end_with_equal_weights(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(_TWO))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*launch, str(script), str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}") for rank in (0, 1))
    assert first and all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    from atlas_hpe.learn.loop import train

    class Three:
        world_size = 3

    with pytest.raises(UsageError, match="3 processes"):
        train(TASK, PLAN, tmp_path, fabric=Three())
