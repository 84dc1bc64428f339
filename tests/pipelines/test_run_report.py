"""What a run says about itself: percentiles, shares, and the table a person reads."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Dict, Iterable

import pytest

from atlas_hpe_pipelines.run_report import OutputReport, RunReport, format_run_report, report_stages
from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_runtime.session import BASIS_HOST, BASIS_SIMULATED


def stage_times(times_ms: Iterable[float]) -> StageTimes:
    times = StageTimes()
    for time_ms in times_ms:
        times.add(time_ms / 1000)
    return times


def known_times() -> Dict[str, StageTimes]:
    """1..100 ms in an order that is not sorted, and a stage that takes a third of that."""
    return {
        "decode": stage_times(range(100, 0, -1)),
        "infer": stage_times([505.0] * 5),
    }


def make_report(times: Dict[str, StageTimes]) -> RunReport:
    return RunReport(
        source="clip.mp4",
        model="tiny hand",
        detector=None,
        backend="onnxruntime",
        basis=BASIS_HOST,
        frames=100,
        frames_with_hand=97,
        detections=0,
        tracks=0,
        total_s=8.0,
        frames_per_s=12.5,
        stages=report_stages(times),
        outputs=(OutputReport("hands.gif", 0),),
        warnings=(),
    )


def test_stages_come_in_order_with_percentiles_total_and_share() -> None:
    decode, infer = report_stages(known_times())
    assert (decode.name, infer.name) == ("decode", "infer")
    assert (decode.p50_ms, decode.p95_ms) == (
        pytest.approx(50, rel=0.01),
        pytest.approx(95, rel=0.01),
    )
    assert (infer.p50_ms, infer.p95_ms) == (pytest.approx(505), pytest.approx(505))
    assert (decode.total_ms, infer.total_ms) == (pytest.approx(5050), pytest.approx(2525))
    assert (decode.share, infer.share) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (decode.count, infer.count) == (100, 5)
    assert (decode.recent_ms, infer.recent_ms) == (pytest.approx(50.5), pytest.approx(505))


def test_queues_and_drops_are_told_for_each_stage() -> None:
    times = known_times()
    times["infer"].add_queue(1)
    times["infer"].add_queue(4)
    decode, infer = report_stages(times, drops={"decode": 7})
    assert (decode.queue_mean, decode.queue_most, decode.drops) == (0, 0, 7)
    assert (infer.queue_mean, infer.queue_most, infer.drops) == (2.5, 4, 0)


def test_steps_follow_their_stage_and_share_its_time() -> None:
    steps = {"infer": {"crop": stage_times([505.0]), "run": stage_times([505.0] * 4)}}
    stages = report_stages(known_times(), steps)
    assert [(stage.name, stage.within) for stage in stages] == [
        ("decode", None),
        ("infer", None),
        ("crop", "infer"),
        ("run", "infer"),
    ]
    shares = [stage.share for stage in stages]
    assert sum(shares[:2]) == pytest.approx(1)
    assert sum(shares[2:]) == pytest.approx(shares[1])


def test_stages_that_never_worked_have_no_share() -> None:
    (stage,) = report_stages({"decode": StageTimes()})
    assert (stage.p50_ms, stage.p95_ms, stage.total_ms, stage.share) == (0, 0, 0, 0)


def test_the_table_shows_rate_hands_and_a_row_for_each_stage() -> None:
    head, hands, _, *table = format_run_report(make_report(known_times())).splitlines()
    assert head.startswith("100 frames in 8.00 s = 12.5 frames/s (measured on this machine")
    assert "onnxruntime" in head
    assert hands == "a hand in 97 of 100 frames"
    assert [row.split() for row in table] == [
        ["stage", "p50", "ms", "p95", "ms", "share", "queue", "most", "drops"],
        ["decode", "49.95", "94.13", "67%", "0.0", "0", "0"],
        ["infer", "505.00", "505.00", "33%", "0.0", "0", "0"],
    ]
    assert len({len(row) for row in table}) == 1, "columns do not line up"


def test_steps_are_shown_below_their_stage_without_a_queue() -> None:
    times = known_times()
    times["infer"].add_queue(3)
    stages = report_stages(times, {"infer": {"run": stage_times([505.0])}}, {"infer": 12})
    report = replace(make_report(times), stages=stages)
    infer, run = format_run_report(report).splitlines()[-2:]
    assert infer.split() == ["infer", "505.00", "505.00", "33%", "3.0", "3", "12"]
    assert run.startswith("  run ")
    assert run.split() == ["run", "505.00", "505.00", "7%"]


def test_drops_lag_and_the_fallback_are_told() -> None:
    report = replace(
        make_report(known_times()), dropped=1, smoothing_lag_ms=12.6, fallback="no board"
    )
    assert format_run_report(report).splitlines()[2:6] == [
        "1 frame of the source dropped, to keep up with it",
        "smoothing makes joints 13 ms late",
        "decoded and cropped on the host: no board",
        "",
    ]


def test_a_report_is_json_as_it_is() -> None:
    text = json.dumps(asdict(make_report(known_times())))
    assert json.loads(text)["stages"][0]["queue_most"] == 0


def test_a_run_with_a_detector_says_how_often_it_ran() -> None:
    report = replace(make_report(known_times()), detector="eye", detections=1, tracks=2)
    lines = format_run_report(report).splitlines()
    assert lines[1] == ("a hand in 97 of 100 frames, 2 hands followed, the detector ran in 1 frame")


def test_times_of_a_simulated_device_are_never_called_measured() -> None:
    report = replace(make_report(known_times()), backend="simulator", basis=BASIS_SIMULATED)
    head = format_run_report(report).splitlines()[0]
    assert "(simulator: a simulated device on this machine, no figure of a board)" in head
    assert "measured" not in head
