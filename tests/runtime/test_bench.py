"""The bench: what it runs, how often, with how many callers, and what stops it."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import sleep
from typing import ClassVar, Dict, List, Mapping, Tuple

import numpy as np
import pytest
from bench_reports import QUICK, make_report

import tiny_onnx
from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import DeviceError, UsageError
from atlas_hpe_runtime.bench import bench_model, measure
from atlas_hpe_runtime.bench.report import Figures
from atlas_hpe_runtime.session import BASIS_HOST, BASIS_SIMULATED, RunTimes


class CountingSession:
    """Keeps what was asked of it; every session of a test counts into one list."""

    backend = "counting"
    basis = BASIS_SIMULATED
    inputs = (TensorSpec("x", (2, 1, 1, 1), "float32"),)
    opened: ClassVar[List[CountingSession]] = []
    last_breaks = False

    def __init__(self) -> None:
        self.calls: List[str] = []
        self.threads = set()
        self.most_in_flight = self.flying = 0
        self.open = True
        self.opened.append(self)

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        self.calls.append("run")
        return {}

    def run_timed(self, feeds: Mapping[str, np.ndarray]) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        self.calls.append("run_timed")
        return {}, RunTimes(1.0, 20.0, 300.0)

    def submit(self, feeds: Mapping[str, np.ndarray]) -> int:
        self.calls.append("submit")
        if self.last_breaks and self is self.opened[-1] and len(self.calls) == 10:
            raise DeviceError("the device fell off the table")
        self.threads.add(threading.get_ident())
        self.flying += 1
        self.most_in_flight = max(self.most_in_flight, self.flying)
        return len(self.calls)

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        sleep(0.001)
        self.flying -= 1
        return {}

    def close(self) -> None:
        self.open = False

    def __enter__(self) -> CountingSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> List[CountingSession]:
    opened: List[CountingSession] = []
    monkeypatch.setattr(CountingSession, "opened", opened)
    monkeypatch.setattr(measure, "open_session", lambda path, **options: CountingSession())
    return opened


@pytest.fixture
def any_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.om"
    path.write_bytes(b"model")
    return path


def test_runs_are_warmed_up_counted_and_multiplied_by_their_frames(
    any_file: Path, sessions: List[CountingSession]
) -> None:
    report = bench_model(any_file, QUICK)
    assert sessions[0].calls == ["run"] * 2 + ["run_timed"] * 5
    assert [session.calls for session in sessions[1:]] == [[]] * 3  # the loads
    assert not any(session.open for session in sessions)
    assert report.backend == "counting" and report.basis == BASIS_SIMULATED
    assert report.times["copy in"] == Figures(5, 1.0, 1.0, 1.0)
    assert report.times["execute"].p50 == 20 and report.times["copy out"].p50 == 300
    assert report.times["load"].samples == 3 and report.times["end to end"].samples == 5
    assert list(report.frames_per_s) == ["one by one"]


def test_rates_count_the_frames_of_a_run(
    any_file: Path, sessions: List[CountingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count()
    monkeypatch.setattr(measure, "perf_counter", lambda: float(next(ticks)))
    report = bench_model(any_file, replace(QUICK, in_flight=2))
    assert report.frames_per_run == 2
    assert report.times["end to end"].p99 == 1000  # a tick is a second
    # Five runs of two frames, each between two readings of the clock, and one reading more.
    assert report.frames_per_s["one by one"] == pytest.approx(2 * 5 / 11)
    assert report.frames_per_s["overlapped"] == pytest.approx(2 * 5 / 11)


def test_callers_have_a_session_each_and_keep_their_runs_in_flight(
    any_file: Path, sessions: List[CountingSession]
) -> None:
    report = bench_model(any_file, replace(QUICK, callers=3, in_flight=2, loops=6))
    callers = [session for session in sessions if "submit" in session.calls]
    assert len(callers) == 3 and callers[0] is sessions[0]
    for session in callers:
        assert session.calls.count("submit") == 6 and session.most_in_flight == 2
        assert session.flying == 0 and len(session.threads) == 1
        assert session.calls.index("submit") >= 2  # warmed up
    assert report.times["overlapped"].samples == 18
    # A result takes a millisecond, so one frame after the other would give 1000 runs/s at most.
    assert 0 < report.frames_per_s["overlapped"] < 3 * 2 * 1000


@pytest.mark.parametrize("more", [{"callers": 2}, {"in_flight": 2}])
def test_more_callers_or_more_frames_in_flight_are_both_overlapped(
    any_file: Path, sessions: List[CountingSession], more: Dict[str, int]
) -> None:
    report = bench_model(any_file, replace(QUICK, **more))  # type: ignore[arg-type]
    assert report.times["overlapped"].samples == 5 * more.get("callers", 1)


def test_an_error_in_one_caller_ends_all_and_is_told(
    any_file: Path, sessions: List[CountingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CountingSession, "last_breaks", True)
    with pytest.raises(DeviceError, match="fell off the table"):
        bench_model(any_file, replace(QUICK, callers=2, loops=1000))
    assert not any(session.open for session in sessions)
    assert sessions[0].calls.count("submit") < 1000


def test_options_reach_the_session(any_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: List[Dict[str, object]] = []

    def open_session(path: Path, **options: object) -> CountingSession:
        seen.append(options)
        return CountingSession()

    monkeypatch.setattr(measure, "open_session", open_session)
    asked = replace(QUICK, backend="acl", device=1, threads=3, in_flight=4, batch=2, half=True)
    bench_model(any_file, replace(asked, providers=("P",)))
    assert all(options == seen[0] for options in seen)
    assert seen[0] == {
        "backend": "acl",
        "device": 1,
        "threads": 3,
        "frames_in_flight": 4,
        "batch": 2,
        "half": True,
        "providers": ("P",),
    }


def test_a_report_that_can_not_be_compared_is_refused_before_anything_is_measured(
    any_file: Path, sessions: List[CountingSession]
) -> None:
    with pytest.raises(UsageError, match="can't be compared"):
        bench_model(any_file, QUICK, against=make_report())
    assert [session.calls for session in sessions] == [[]]


@pytest.mark.parametrize("name", ["warm_up", "loops", "loads", "callers", "in_flight", "batch"])
def test_impossible_settings_are_refused_by_name(any_file: Path, name: str) -> None:
    least = 0 if name == "warm_up" else 1
    with pytest.raises(UsageError) as caught:
        bench_model(any_file, replace(QUICK, **{name: least - 1}))
    assert caught.value.where == name


def test_a_real_model_is_benched(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    report = bench_model(path, replace(QUICK, threads=1, in_flight=2))
    assert (report.backend, report.basis) == ("onnxruntime", BASIS_HOST)
    assert sorted(report.times) == sorted(
        ("load", "copy in", "execute", "copy out", "end to end", "overlapped")
    )
    for figures in report.times.values():
        assert 0 <= figures.p50 <= figures.p90 <= figures.p99
    assert report.times["execute"].p50 <= report.times["end to end"].p50
    assert report.feeds[0].shape == (1, 3, 16, 16) and report.feeds[0].high <= 1
    assert report.machine.cores >= 1 and report.machine.processor
