"""A replay says what a direct comparison says, and says on what it ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity_cases import CARD, FACTS, Outputs, answers, change, give, joints_of, sample

from atlas_hpe.aipp import aipp_buffer, aipp_input_shape, bgr_to_nv12
from atlas_hpe.card import AippInput, DecodeSpec, ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.errors import CardError, CheckFailedError, InputError, UsageError
from atlas_hpe.parity import (
    TOLERANCES,
    Answer,
    Comparison,
    LadderReport,
    ParityReport,
    Sample,
    describe_ladder,
    record_bundle,
    replay_bundle,
)

FLOATS = (TensorSpec("y", (1, 42), "float32"),)


class FakeSession:
    """A back-end that runs a Python function."""

    def __init__(
        self,
        run: Callable[[Outputs], Outputs],
        backend: str = "onnxruntime",
        inputs: Tuple[TensorSpec, ...] = FLOATS,
        basis: str = "measured on this host",
    ) -> None:
        self.backend = backend
        self.basis = basis
        self.inputs = inputs
        self.fed: List[Outputs] = []
        self._run = run

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        self.fed.append(feeds)
        return dict(self._run(feeds))


def replay(path: Path, session: FakeSession) -> LadderReport:
    return replay_bundle(path, session, model="net.om", decode_joints=joints_of)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.npz"
    record_bundle(path, answers(3), FACTS)
    return path


@given(st.floats(0, 0.1), st.integers(0, 2**32 - 1))
def test_a_replay_says_what_a_direct_comparison_says(
    tmp_path_factory: pytest.TempPathFactory, spread: float, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    record_bundle(path, answers(), FACTS, force=True)
    noise = np.random.default_rng(seed).normal(0, spread, (1, 42)).astype(np.float32)
    run = change(lambda values: values.__iadd__(noise))
    direct = Comparison(CARD, joints_of)
    for answer in answers():
        direct.add(answer, run(answer.sample.feeds))
    expected: ParityReport = direct.report(TOLERANCES["float32"], "made-up samples, recorded")
    (rung,) = replay(path, FakeSession(run)).rungs
    assert rung.parity == expected


def test_the_report_names_reference_bundle_and_model(bundle: Path) -> None:
    report = replay(bundle, FakeSession(give))
    assert report.passed
    text = "\n".join(describe_ladder(report))
    assert "net.om against net.pt (PyTorch, recorded in bundle.npz)" in text
    assert "on 3 samples: made-up samples, recorded" in text


@pytest.mark.parametrize(
    ("backend", "basis", "words", "limit"),
    [
        ("onnxruntime", "measured on this host", "through ONNX Runtime, not on a board", "float32"),
        ("simulator", "simulated", "through the back-end 'simulator': simulated", "half"),
        ("acl", "measured on a board", "through the back-end 'acl': measured on a board", "half"),
        ("acllite", "measured on a board", "'acllite': measured on a board", "half"),
    ],
)
def test_a_board_is_named_only_when_one_ran(
    bundle: Path, backend: str, basis: str, words: str, limit: str
) -> None:
    (rung,) = replay(bundle, FakeSession(give, backend, basis=basis)).rungs
    assert words in rung.what
    assert ("measured on a board" in rung.what) == (basis == "measured on a board")
    assert rung.parity.tensor_limit == TOLERANCES[limit].tensor


def test_a_model_that_moved_fails(bundle: Path) -> None:
    report = replay(bundle, FakeSession(change(lambda values: values.fill(9))))
    assert not report.passed
    assert report.failures[0].startswith("replay: output 'y' differs")


@pytest.mark.parametrize(
    "inputs",
    [
        (TensorSpec("x", (1, 42), "float32"),),
        (TensorSpec("y", (1, 41), "float32"),),
        (TensorSpec("y", (42,), "float32"),),
        (TensorSpec("y", (1, 42), "int32"),),
        (*FLOATS, TensorSpec("z", (1,), "float32")),
        (TensorSpec("y", (1, 24, 17), "uint8"),),
        (),
    ],
)
def test_a_model_that_takes_something_else_is_refused(
    bundle: Path, inputs: Tuple[TensorSpec, ...]
) -> None:
    session = FakeSession(give, inputs=inputs)
    with pytest.raises(CheckFailedError, match="does not take the inputs") as caught:
        replay(bundle, session)
    assert "recorded are 'y' float32 [1, 42]" in str(caught.value.why)
    assert session.fed == []


def test_an_open_dimension_takes_what_was_recorded(bundle: Path) -> None:
    assert replay(bundle, FakeSession(give, inputs=(TensorSpec("y", (-1, 42), "float32"),))).passed


@pytest.mark.parametrize("shape", [(1, 24, 16), (24, 16), (384,)])
def test_a_model_with_aipp_is_fed_the_picture_in_nv12(bundle: Path, shape: Tuple[int, ...]) -> None:
    wanted = iter(answers(3))
    session = FakeSession(
        lambda _feeds: next(wanted).outputs, "acl", (TensorSpec("picture", shape, "uint8"),)
    )
    report = replay(bundle, session)
    assert report.passed
    for answer, fed in zip(answers(3), session.fed):
        assert answer.sample.crop is not None
        assert fed["picture"].shape == shape
        np.testing.assert_array_equal(
            fed["picture"].reshape(24, 16), bgr_to_nv12(answer.sample.crop)
        )
    assert report.rungs[0].parity.tensor_limit is None  # the limits of NV12, not those of half
    assert report.rungs[0].parity.joint_limits.median_px == TOLERANCES["aipp"].joint_median * 128


def test_a_model_that_takes_halves_gets_what_was_recorded_as_halves(bundle: Path) -> None:
    session = FakeSession(
        lambda feeds: {"y": feeds["y"].astype(np.float32)},
        "acl",
        (TensorSpec("y", (1, 42), "float16"),),
    )
    replay(bundle, session)
    for answer, fed in zip(answers(3), session.fed):
        assert fed["y"].dtype == np.float16
        np.testing.assert_array_equal(fed["y"], answer.outputs["y"].astype(np.float16))


def aipp_card(aipp: AippInput, colour: str = "rgb") -> ModelCard:
    """The model's card at the size of the recorded pictures."""
    channels = 1 if colour == "gray" else 3
    preprocess = PreprocessSpec(
        *(16, 16, colour, "letterbox", (0.0,) * channels, (255.0,) * channels),
        where="aipp",
        aipp=aipp,
    )
    return replace(CARD, preprocess=preprocess)


@pytest.mark.parametrize(
    ("aipp", "colour", "limit"),
    [
        (AippInput("nv21", 16, 16, "bt709-wide"), "rgb", "aipp"),
        (AippInput("bgr", 16, 16), "rgb", "half"),
        (AippInput("xrgb", 32, 24, crop=(4, 2, 16, 16)), "rgb", "half"),
        (AippInput("rgb", 14, 12, padding=(1, 1, 2, 2)), "rgb", "aipp"),
        (AippInput("rgb", 16, 16), "gray", "aipp"),
        (AippInput("gray", 16, 16), "gray", "half"),
    ],
)
@pytest.mark.parametrize("batch", [1, -1])
def test_a_card_says_in_which_form_the_picture_is_fed(
    bundle: Path, aipp: AippInput, colour: str, limit: str, batch: int
) -> None:
    wanted = iter(answers(3))
    shape = (batch, *aipp_input_shape(aipp)[1:])
    session = FakeSession(
        lambda _feeds: next(wanted).outputs, "acl", (TensorSpec("picture", shape, "uint8"),)
    )
    card = aipp_card(aipp, colour)
    report = replay_bundle(bundle, session, model="net.om", card=card, decode_joints=joints_of)
    assert report.passed
    for answer, fed in zip(answers(3), session.fed):
        assert answer.sample.crop is not None
        np.testing.assert_array_equal(fed["picture"], aipp_buffer(answer.sample.crop, aipp))
    joints = report.rungs[0].parity.joint_limits
    assert joints.median_px == TOLERANCES[limit].joint_median * 16
    assert (report.rungs[0].parity.tensor_limit is None) == (limit == "aipp")


def test_a_card_that_does_not_fit_the_model_is_told(bundle: Path) -> None:
    card = aipp_card(AippInput("rgb", 16, 16))
    session = FakeSession(give, "acl", (TensorSpec("picture", (1, 24, 16, 1), "uint8"),))
    with pytest.raises(CheckFailedError, match="does not take the inputs") as caught:
        replay_bundle(bundle, session, model="net.om", card=card)
    assert "needs its card" in str(caught.value.fix)
    assert session.fed == []


@pytest.mark.parametrize(
    "aipp",
    [
        AippInput("nv12", 15, 16, "bt601-narrow", padding=(1, 0, 0, 0)),
        AippInput("rgb", 20, 20, crop=(8, 0, 16, 16)),
    ],
)
def test_a_card_whose_aipp_can_not_be_is_told(bundle: Path, aipp: AippInput) -> None:
    session = FakeSession(give, inputs=(TensorSpec("y", aipp_input_shape(aipp), "uint8"),))
    with pytest.raises(CardError, match="AIPP is not possible"):
        replay_bundle(bundle, session, model="net.om", card=aipp_card(aipp))
    assert session.fed == []


def test_pictures_of_another_size_than_the_cards_are_told(bundle: Path) -> None:
    card = aipp_card(AippInput("rgb", 8, 8))
    card = replace(card, preprocess=replace(card.preprocess, width_px=8, height_px=8))
    session = FakeSession(give, inputs=(TensorSpec("y", (1, 8, 8, 3), "uint8"),))
    with pytest.raises(UsageError, match="they make 8x8 px, the picture has 16x16"):
        replay_bundle(bundle, session, model="net.om", card=card)


def test_a_uint8_input_that_was_recorded_is_fed_as_it_is(tmp_path: Path) -> None:
    pixels = np.arange(384, dtype=np.uint8).reshape(1, 24, 16)
    crop = np.zeros((16, 16, 3), np.uint8)
    asked = Sample("a", {"picture": pixels}, crop=crop)
    record_bundle(tmp_path / "b.npz", [Answer(asked, {"y": np.ones(1)})], FACTS)
    session = FakeSession(
        lambda _feeds: {"y": np.ones(1)}, inputs=(TensorSpec("picture", (1, 24, 16), "uint8"),)
    )
    replay_bundle(tmp_path / "b.npz", session, model="net.onnx")
    np.testing.assert_array_equal(session.fed[0]["picture"], pixels)


def test_a_model_that_decodes_itself_is_compared_in_joints(bundle: Path) -> None:
    own = replace(CARD, decode=DecodeSpec(kind="coordinates", outputs={"joints": "joints"}))

    def run(feeds: Outputs) -> Outputs:
        return {"joints": feeds["y"].reshape(1, 21, 2)}

    report = replay_bundle(
        bundle,
        FakeSession(run),
        model="net.onnx",
        card=own,
        decode_joints=lambda card, outputs: outputs[card.decode.outputs["joints"]][0],
    )
    assert report.rungs[0].parity.tensors == ()
    assert report.rungs[0].parity.joints is not None
    assert report.rungs[0].parity.joints.compared == 63
    assert report.passed


def test_a_bundle_without_joints_is_compared_in_tensors(tmp_path: Path) -> None:
    record_bundle(
        tmp_path / "b.npz",
        [Answer(sample(), {"y": sample().feeds["y"]})],
        replace(FACTS, card=None),
    )
    report = replay(tmp_path / "b.npz", FakeSession(give))
    assert report.rungs[0].parity.joints is None
    assert report.passed


def test_a_damaged_bundle_is_refused_before_the_model_runs(tmp_path: Path) -> None:
    (tmp_path / "b.npz").write_bytes(b"not a zip")
    session = FakeSession(give)
    with pytest.raises(InputError, match="can't be used"):
        replay(tmp_path / "b.npz", session)
    assert session.fed == []


def test_a_float16_file_is_allowed_its_rounding_in_a_replay(bundle: Path) -> None:
    limits = []
    for precision in ("float32", "float16"):
        card = replace(CARD, provenance=replace(CARD.provenance, precision=precision))
        session = FakeSession(lambda feeds: {"y": feeds["y"]})
        report = replay_bundle(bundle, session, model="net.onnx", card=card)
        limits.append(report.rungs[0].parity.tensor_limit)
    assert limits == [TOLERANCES["float32"].tensor, TOLERANCES["float16-graph"].tensor]
