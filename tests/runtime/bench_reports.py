"""A report of a bench, for tests that change one thing of it."""

from __future__ import annotations

from dataclasses import replace

from atlas_hpe_runtime.bench import BenchReport, BenchSettings
from atlas_hpe_runtime.bench.feeds import FeedRange
from atlas_hpe_runtime.bench.machine import Machine
from atlas_hpe_runtime.bench.report import BenchedModel, Figures
from atlas_hpe_runtime.session import BASIS_BOARD

QUICK = BenchSettings(warm_up=2, loops=5, loads=3)


def make_report(**changes: object) -> BenchReport:
    report = BenchReport(
        model=BenchedModel("hand.om", "ab" * 32, "cd" * 32),
        backend="acl",
        basis=BASIS_BOARD,
        settings=QUICK,
        frames_per_run=1,
        feeds=(FeedRange("image", (1, 3, 4, 6), "uint8", 0.0, 255.0),),
        machine=Machine("Arm", 4, "Linux aarch64", "3.7.5", "1.21.6", "0.1.0"),
        times={"execute": Figures(5, 2.0, 3.0, 4.0)},
        frames_per_s={"one by one": 500.0},
    )
    return replace(report, **changes)
