"""The pipeline with a detector: hands found anywhere, followed, and reported."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List

import numpy as np
import pytest
from marker_hands import (
    DetectorSession,
    LandmarkSession,
    Marker,
    detector_card,
    draw,
    landmark_card,
)

import clips
from atlas_hpe.card import DecodeSpec, ModelCard
from atlas_hpe.errors import CardError, OutputError, UsageError
from atlas_hpe_pipelines import Pipeline

FRAMES = 24


def markers(index: int) -> List[Marker]:
    return [Marker(80 + index, 150, 28, 3 * index), Marker(240, 150 - index, 28, -20, kind=1)]


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    frames = np.stack([draw(markers(index)).image[..., ::-1] for index in range(FRAMES)])
    return clips.encode(frames, tmp_path / "clip.mp4", "-crf", "5", "-pix_fmt", "yuv444p")


class Bench:
    """The models a test opens by name: ``hand`` and ``eye``, the detector."""

    def __init__(self) -> None:
        self.cards = {"hand": landmark_card(), "eye": detector_card()}
        self.sessions = {"hand": LandmarkSession(), "eye": DetectorSession()}

    def load_card(self, path: Path) -> ModelCard:
        return self.cards[path.stem]

    @contextmanager
    def open_session(self, path: Path, **_: object) -> Iterator[object]:
        session, card = self.sessions[path.stem], self.cards[path.stem]
        session.inputs, session.outputs = card.graphs[0].inputs, card.graphs[0].outputs
        yield session


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    monkeypatch.setattr("atlas_hpe_pipelines.opening.load_card", bench.load_card)
    monkeypatch.setattr("atlas_hpe_pipelines.opening.open_session", bench.open_session)
    shipped = "atlas_hpe_pipelines.opening.default_detector_path"
    monkeypatch.setattr(shipped, lambda: Path("eye.onnx"))
    return bench


def test_two_hands_are_found_and_followed(bench: Bench, clip_path: Path) -> None:
    pipeline = Pipeline(clip_path, "hand.onnx", smooth="off")
    for frame, hands in pipeline:
        assert len(hands) == 2
        for hand in hands:
            truth = markers(frame.index)[hand.handedness == "left"].joints()
            np.testing.assert_allclose(hand.joints, truth, atol=2)
    report = pipeline.report()
    assert (report.model, report.detector) == ("tiny hand", "tiny detector")
    assert (report.frames, report.frames_with_hand) == (FRAMES, FRAMES)
    assert (report.detections, report.tracks) == (1, 2)
    names = [stage.name for stage in report.stages]
    assert names == ["decode", "hands", "detect", "crop", "infer", "joints"]
    shares = [stage.share for stage in report.stages if stage.within is None]
    assert sum(shares) == pytest.approx(1)
    assert pipeline.region is None


def test_the_number_of_hands_is_the_most(bench: Bench, clip_path: Path) -> None:
    assert {len(hands) for _, hands in Pipeline(clip_path, "hand.onnx", max_hands=1)} == {1}
    with pytest.raises(UsageError, match="0 hands"):
        Pipeline(clip_path, "hand.onnx", max_hands=0)


def test_what_is_written_says_which_hand(bench: Bench, clip_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "hands.jsonl"
    for _ in Pipeline(clip_path, "hand.onnx", out=out):
        pass
    hands = json.loads(out.read_text().splitlines()[-1])["hands"]
    assert [hand["track_id"] for hand in hands] == [0, 1]
    assert {hand["handedness"] for hand in hands} == {"left", "right"}
    assert all(len(hand["depth"]) == 21 for hand in hands)


@pytest.mark.parametrize("how", ["box", "none", "not shipped", "whole frame"])
def test_without_a_detector_the_model_looks_at_one_place(
    how: str, bench: Bench, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "not shipped":
        shipped = "atlas_hpe_pipelines.opening.default_detector_path"
        monkeypatch.setattr(shipped, lambda: None)
    if how == "whole frame":
        card = bench.cards["hand"]
        bench.cards["hand"] = replace(card, preprocess=replace(card.preprocess, fit="letterbox"))
    pipeline = Pipeline(
        clip_path,
        "hand.onnx",
        box=(0, 0, 160, 240) if how == "box" else None,
        detector=None if how == "none" else "auto",
    )
    assert pipeline.region is not None
    hands = [hand for _, found in pipeline for hand in found]
    assert {hand.track_id for hand in hands} == {None}
    assert all(hand.depth is not None for hand in hands)
    report = pipeline.report()
    assert (report.detector, report.detections, report.tracks) == (None, 0, 0)
    assert bench.sessions["eye"].runs == 0
    assert [stage.name for stage in report.stages] == [
        "decode",
        "crop",
        "infer",
        "joints",
        "smooth",
    ]


def test_a_detector_of_ones_own(bench: Bench, clip_path: Path) -> None:
    bench.cards["mine"] = replace(detector_card(), name="mine")
    bench.sessions["mine"] = DetectorSession()
    pipeline = Pipeline(clip_path, "hand.onnx", detector="mine.onnx")
    assert len(list(pipeline)) == FRAMES
    assert pipeline.report().detector == "mine"


def test_a_detector_and_a_fixed_place_contradict(bench: Bench, clip_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        Pipeline(clip_path, "hand.onnx", detector="eye.onnx", box=(0, 0, 9, 9))
    card = bench.cards["hand"]
    bench.cards["hand"] = replace(card, preprocess=replace(card.preprocess, fit="stretch"))
    with pytest.raises(UsageError, match="can't be used with this model"):
        Pipeline(clip_path, "hand.onnx", detector="eye.onnx")


def test_a_model_that_is_no_detector_is_refused(bench: Bench, clip_path: Path) -> None:
    with pytest.raises(CardError, match="no hand detector"):
        Pipeline(clip_path, "hand.onnx", detector="hand.onnx")


def test_the_detector_is_not_written_over(bench: Bench, clip_path: Path, tmp_path: Path) -> None:
    detector = tmp_path / "eye.gif"
    detector.write_bytes(b"precious")
    with pytest.raises(OutputError, match="is read"):
        Pipeline(clip_path, "hand.onnx", detector=detector, out=detector, force=True)


def test_numbers_that_are_none_are_told(bench: Bench, clip_path: Path) -> None:
    bench.sessions["hand"].broken = True
    pipeline = Pipeline(clip_path, "hand.onnx")
    assert [hands for _, hands in pipeline] == [()] * FRAMES
    (warning,) = pipeline.report().warnings
    assert warning == (
        "tiny hand or tiny detector: the network gave NaN or infinite numbers in 24 of 24 frames"
    )


def test_a_model_without_presence_is_followed_by_its_joint_scores(
    bench: Bench, clip_path: Path
) -> None:
    roles = {"joints": "joints", "score": "depth"}  # 0 for the wrist, 0.25 for the others
    bench.cards["hand"] = replace(landmark_card(), decode=DecodeSpec("coordinates", roles))
    scores = [hand.score for _, hands in Pipeline(clip_path, "hand.onnx") for hand in hands]
    np.testing.assert_allclose(scores, [0.25 * 20 / 21] * 2 * FRAMES)
    bench.sessions["hand"].depth = 0.09
    assert {len(hands) for _, hands in Pipeline(clip_path, "hand.onnx")} == {0}
