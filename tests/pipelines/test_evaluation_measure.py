"""The front door: which tasks are done, with which files, and what the report says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import evaluation_cases as cases
import pytest

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CardError, UsageError
from atlas_hpe_pipelines.evaluation import Evaluation, EvaluationOptions, evaluate

MODULE = "atlas_hpe_pipelines.evaluation.measure"
LEFT, RIGHT = cases.hand_joints(70, 128, 60), cases.hand_joints(180, 128, 60)


class Bench:
    """Models by name, none of which is a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        self.cards: Dict[str, ModelCard] = {
            "model": cases.CARD,
            "detector": cases.DETECTOR_CARD,
            "shipped": cases.DETECTOR_CARD,
        }
        self.sessions = {
            "model": cases.Knower(LEFT, RIGHT),
            "detector": cases.Pointer((70, 128, 40, 60), (180, 128, 40, 60)),
            "shipped": cases.Pointer((70, 128, 40, 60)),
        }
        self.shipped: Optional[Path] = Path("shipped")
        self.opened: List[Tuple[str, str, int]] = []
        monkeypatch.setattr(f"{MODULE}.load_card", lambda path: self.cards[Path(path).name])
        monkeypatch.setattr(f"{MODULE}.open_session", self.open)
        monkeypatch.setattr(f"{MODULE}.default_detector_path", lambda: self.shipped)
        monkeypatch.setattr(f"{MODULE}.default_model_path", lambda: Path("model"))
        items = [
            cases.item("a.png", "two", LEFT, RIGHT),
            cases.item("b.png", "one", LEFT),
            cases.item("c.png", "one", LEFT, visible=[0] * 21),
        ]
        cases.write_set(folder, items)

    def open(self, path: Path, backend: str, threads: int) -> object:
        self.opened.append((Path(path).name, backend, threads))
        return self.sessions[Path(path).name]

    def evaluate(self, **options: object) -> Evaluation:
        return evaluate(self.folder, "model", EvaluationOptions(**options))  # type: ignore[arg-type]

    def takes_whole_pictures(self) -> None:
        card = self.cards["model"]
        preprocess = replace(card.preprocess, fit="letterbox")
        self.cards["model"] = replace(card, preprocess=preprocess)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path)


def test_both_tasks_are_done_with_what_ships(bench: Bench) -> None:
    found = evaluate(bench.folder)
    report = found.report
    assert (report.model, report.backend, report.basis) == ("tiny hand", "fake", "simulated")
    assert (report.pictures, report.left_out) == (3, 1)
    landmark, pipeline = report.tasks["landmark"], report.tasks["pipeline"]
    assert (landmark.all.hands, landmark.all.detection_rate) == (3, 1.0)
    assert landmark.all.nme_mean == pytest.approx(0, abs=1e-2)
    assert (pipeline.all.hands, pipeline.all.answered) == (3, 2)  # it points at the left one
    assert (landmark.false_alarms, pipeline.false_alarms) == (None, 1)
    assert (landmark.ms_per, pipeline.ms_per) == ("hand", "picture")
    assert [len(found.worst[name]) for name in ("landmark", "pipeline")] == [3, 3]
    assert bench.opened == [("model", "auto", 1), ("shipped", "auto", 1)]
    assert bench.sessions["model"].closed
    assert bench.sessions["shipped"].closed


def test_a_detector_a_back_end_and_a_number_of_hands_can_be_named(bench: Bench) -> None:
    report = bench.evaluate(detector="detector", backend="fake").report
    assert bench.opened == [("model", "fake", 1), ("detector", "fake", 1)]
    assert report.tasks["pipeline"].all.detection_rate == 1.0
    single = bench.evaluate(detector="detector", max_hands=1).report.tasks["pipeline"]
    assert single.all.answered == 2
    assert "1 at most" in single.what


@pytest.mark.parametrize("tasks", [("landmark",), ("pipeline",), ("landmark", "pipeline")])
def test_the_tasks_asked_for_are_done(bench: Bench, tasks: Tuple[str, ...]) -> None:
    assert tuple(bench.evaluate(tasks=tasks).report.tasks) == tasks


def test_the_pipeline_is_left_out_where_it_can_not_run(bench: Bench) -> None:
    bench.shipped = None
    assert list(bench.evaluate().report.tasks) == ["landmark"]
    with pytest.raises(UsageError, match="no detector is installed"):
        bench.evaluate(tasks=("landmark", "pipeline"))
    bench.takes_whole_pictures()
    bench.shipped = Path("shipped")
    assert list(bench.evaluate().report.tasks) == ["landmark"]
    with pytest.raises(UsageError, match="can't follow a detector"):
        bench.evaluate(tasks=("pipeline",))


def test_a_model_that_is_no_detector_is_refused(bench: Bench) -> None:
    with pytest.raises(CardError, match="no hand detector"):
        bench.evaluate(detector="model")


def test_turns_scale_passes_and_limit_arrive(bench: Bench) -> None:
    found = bench.evaluate(turns_deg=(0.0, 45.0, 135.0), tasks=("landmark",))
    turned = found.report
    assert turned.turns_deg == (0.0, 45.0, 135.0)
    task = turned.tasks["landmark"]
    assert (task.pictures, task.all.hands) == (9, 9)
    assert {name: item.hands for name, item in task.bins["rotation"].items()} == {
        "0-30 deg": 3, "30-90 deg": 3, "90-180 deg": 3,
    }  # fmt: skip
    assert task.all.nme_mean == pytest.approx(0, abs=1e-2)
    assert max(len(item.image) for item in found.worst["landmark"]) == 363  # the turned picture
    few = bench.evaluate(limit=2, passes=1, box_scale=2.0, tasks=("landmark",)).report
    assert few.pictures == 2
    assert "2 times as large; one pass" in few.tasks["landmark"].what


def test_a_picture_is_read_when_it_is_its_turn(bench: Bench) -> None:
    names = []

    def watch(pictures: list) -> object:
        for picture in pictures:
            names.append(picture.name)
            yield picture

    evaluate(bench.folder, "model", watch=watch)
    assert names == ["a.png", "b.png", "c.png"]
