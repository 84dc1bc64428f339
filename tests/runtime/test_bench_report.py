"""Reports of the bench: their figures, words and files, and what is not compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, List

import pytest
from bench_reports import QUICK, make_report
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.errors import InputError, OutputError, UsageError
from atlas_hpe_runtime.bench import (
    bench_to_dict,
    check_comparable,
    describe_bench,
    describe_comparison,
    read_bench_report,
    write_bench_report,
)
from atlas_hpe_runtime.bench.report import BenchedModel, Figures, summarise
from atlas_hpe_runtime.session import BASIS_BOARD, BASIS_EMULATED, BASIS_HOST, BASIS_SIMULATED


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_a_percentile_is_the_smallest_sample_that_enough_samples_do_not_exceed(
    samples: List[float],
) -> None:
    figures = summarise(samples)
    assert figures.samples == len(samples)
    for share, value in ((50, figures.p50), (90, figures.p90), (99, figures.p99)):
        assert value in samples
        below = sum(sample < value for sample in samples)
        assert 100 * below < share * len(samples) <= 100 * sum(s <= value for s in samples)


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (BASIS_BOARD, "measured on a board"),
        (BASIS_HOST, "measured on this host"),
        (BASIS_EMULATED, "half precision emulated: time of the emulation by"),
        (BASIS_SIMULATED, "simulated, no board ran"),
    ],
)
def test_every_figure_says_what_it_is_and_on_what(basis: str, words: str) -> None:
    times = {step: Figures(9, 1.0, 2.0, 3.0) for step in ("load", "execute", "overlapped")}
    rates = {"one by one": 10.0, "overlapped": 20.0}
    report = make_report(basis=basis, times=times, frames_per_s=rates)
    head, *lines = describe_bench(report)
    assert "hand.om" in head and len(lines) == 5
    for line in lines:
        assert words in line and "Arm" in line
        assert ("simulated" in line) == (basis == BASIS_SIMULATED)
        assert "device time" not in line
    if basis == BASIS_SIMULATED:
        assert all(line.split()[0] == "simulated" for line in lines)
        assert all("says nothing of a device" in line for line in lines)


def test_the_overlapped_lines_name_callers_and_frames_in_flight() -> None:
    settings = replace(QUICK, callers=3, in_flight=2)
    report = make_report(
        settings=settings,
        times={"overlapped": Figures(9, 1.0, 2.0, 3.0)},
        frames_per_s={"overlapped": 20.0},
    )
    assert all("3 callers, 2 in flight" in line for line in describe_bench(report)[1:])


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    report = make_report(settings=replace(QUICK, threads=2, providers=("A", "B")))
    path = write_bench_report(report, tmp_path / "report.json", force=False)
    assert read_bench_report(path) == report
    assert json.loads(path.read_text()) == json.loads(json.dumps(bench_to_dict(report)))
    with pytest.raises(OutputError, match="exists already"):
        write_bench_report(report, path, force=False)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bench_version": 2}, "version is 2"),
        ({"model": None}, "'model' is not an object"),
        ({"model": {"file": "hand.om", "sha256": None}}, "'sha256' of the model is not a text"),
        ({"times": {"execute": {"samples": 1, "p50": "fast", "p90": 1, "p99": 1}}}, "p50"),
        ({"times": {"execute": {"samples": 1, "p50": 1, "p90": 1}}}, "p99"),
        ({"times": {"execute": 3}}, "int"),
        ({"frames_per_s": {"one by one": -1}}, "no time or rate"),
        ({"feeds": {}}, "'feeds' is not an array"),
        ({"settings": {}}, "lacks 'providers'"),
    ],
)
def test_a_damaged_report_is_one_clear_error(
    tmp_path: Path, change: Dict[str, object], why: str
) -> None:
    document = json.loads(json.dumps(bench_to_dict(make_report())))
    document.update(change)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="not a report of atlas-hpe bench") as caught:
        read_bench_report(path)
    assert why in str(caught.value.why)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "{}", '{"bench_version": NaN}', "\0"])
def test_a_file_that_is_no_report_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a report of atlas-hpe bench"):
        read_bench_report(path)


@pytest.mark.parametrize(
    ("mine", "theirs", "why"),
    [
        ({}, {"model": BenchedModel("foot.om", "ef" * 32)}, "different models"),
        (
            {"model": BenchedModel("a", "ab" * 32)},
            {"model": BenchedModel("b", "ef" * 32)},
            "different models",
        ),
        ({}, {"frames_per_run": 4}, "1 frames in one and 4"),
        ({"basis": BASIS_SIMULATED}, {}, "'simulated', of the other 'measured on a board'"),
        ({"basis": BASIS_HOST}, {"basis": BASIS_SIMULATED}, "simulated"),
        ({"basis": BASIS_HOST}, {"basis": BASIS_EMULATED}, "emulated"),
    ],
)
def test_what_says_nothing_side_by_side_is_refused(
    mine: Dict[str, object], theirs: Dict[str, object], why: str
) -> None:
    with pytest.raises(UsageError, match="can't be compared") as caught:
        describe_comparison(make_report(**mine), make_report(**theirs))
    assert why in str(caught.value.why)
    with pytest.raises(UsageError, match="can't be compared"):
        check_comparable(make_report(**theirs), make_report(**mine))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({}, {"basis": BASIS_HOST, "backend": "onnxruntime"}),
        ({"basis": BASIS_SIMULATED}, {"basis": BASIS_SIMULATED}),
        ({}, {"model": BenchedModel("hand.onnx", "ef" * 32, "cd" * 32)}),  # the same graph
        ({"model": BenchedModel("a", "ab" * 32)}, {"model": BenchedModel("b", "ab" * 32)}),
    ],
)
def test_the_same_network_may_be_compared_across_machines(
    mine: Dict[str, object], theirs: Dict[str, object]
) -> None:
    check_comparable(make_report(**mine), make_report(**theirs))


def test_a_comparison_shows_ratios_of_what_both_have_and_what_was_not_the_same() -> None:
    other = make_report(
        backend="onnxruntime",
        basis=BASIS_HOST,
        settings=replace(QUICK, threads=2),
        times={"execute": Figures(5, 8.0, 9.0, 9.0), "load": Figures(1, 1.0, 1.0, 1.0)},
        frames_per_s={"one by one": 125.0, "overlapped": 1.0},
    )
    lines = describe_comparison(make_report(), other)
    text = "\n".join(lines)
    assert "measured on a board" in lines[0] and "measured on this host" in lines[1]
    assert "threads, None here, 2 there" in text and "back-end, acl here" in text
    ratios = [line.split() for line in lines if "ratio" in line]
    assert [line[-1] for line in ratios] == ["0.25", "4.00"]
    assert ratios[0][-4:-2] == ["2.000", "8.000"]
