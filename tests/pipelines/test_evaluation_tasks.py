"""Both ways to ask, with networks that know the truth: what is asked, and what counts."""

from __future__ import annotations

from dataclasses import replace
from typing import List

import evaluation_cases as cases
import numpy as np
import pytest

from atlas_hpe.errors import CardError, UsageError
from atlas_hpe.metrics import joint_errors, nme
from atlas_hpe_pipelines.evaluation.given import AskInBox, describe_given
from atlas_hpe_pipelines.evaluation.labels import LabelledHand
from atlas_hpe_pipelines.evaluation.turn import turn_picture
from atlas_hpe_pipelines.evaluation.whole import AskPipeline
from atlas_hpe_pipelines.tracking import HandDetector, HandReader

UPRIGHT = cases.hand_joints()


def turn_of_crop_deg(to_input: np.ndarray) -> float:
    """How far clockwise the square of the crop lies in ``picture()``."""
    return float(np.degrees(np.arctan2(to_input[0, 1], to_input[0, 0])))


def side_of_crop_px(to_input: np.ndarray) -> float:
    return float(cases.SIZE_PX / np.sqrt(abs(np.linalg.det(to_input[:, :2]))))


def nme_of(answer: object, hand: LabelledHand) -> float:
    error = nme(joint_errors(answer.joints, hand.joints, hand.visible))  # type: ignore[attr-defined]
    assert error is not None
    return error


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, 90.0, 200.0])
@pytest.mark.parametrize("passes", [1, 2, None])
def test_a_perfect_model_has_no_error_at_any_turn(turn_deg: float, passes: int) -> None:
    model = cases.Knower(UPRIGHT)
    image, hands = turn_picture(cases.picture(), [cases.label(UPRIGHT)], turn_deg)
    (answer,) = AskInBox(cases.CARD, model, passes=passes)(image, hands).hands
    assert nme_of(answer, hands[0]) < 1e-2  # the fake reads its place off whole grey values
    assert (answer.detected, answer.side) == (True, "right")


def test_an_answer_that_is_off_has_exactly_that_error() -> None:
    model = cases.Knower(UPRIGHT, off=(6.0, 8.0))
    hand = cases.label(UPRIGHT)  # 80 px high
    answers = AskInBox(cases.CARD, model, passes=1)(cases.picture(), [hand])
    assert nme_of(answers.hands[0], hand) == pytest.approx(10 / 80, abs=2e-3)
    assert answers.false_alarms == 0


@pytest.mark.parametrize("scale", [1.4, 2.0])
def test_the_first_crop_is_an_upright_square_around_the_visible_joints(scale: float) -> None:
    model = cases.Knower(UPRIGHT)
    visible = UPRIGHT[:, 1] < 140
    hand = LabelledHand(UPRIGHT, visible, None)
    AskInBox(cases.CARD, model, box_scale=scale, passes=1)(cases.picture(), [hand])
    low, high = UPRIGHT[visible].min(axis=0), UPRIGHT[visible].max(axis=0)
    assert side_of_crop_px(model.seen[0]) == pytest.approx(scale * (high - low).max(), rel=0.01)
    assert turn_of_crop_deg(model.seen[0]) == pytest.approx(0, abs=0.5)
    middle = model.seen[0] @ [*(low + high) / 2, 1]
    np.testing.assert_allclose(middle, cases.SIZE_PX / 2, atol=1)


def is_mirrored(to_input: np.ndarray) -> bool:
    return bool(np.linalg.det(to_input[:, :2]) < 0)


def crops_deg(model: cases.Knower) -> List[float]:
    return [round(turn_of_crop_deg(item)) for item in model.seen if not is_mirrored(item)]


@pytest.mark.parametrize(
    ("turn_deg", "passes", "expected"),
    [
        (0, None, [0]),  # upright already
        (60, None, [-60, 0]),
        (60, 1, [-60]),
        (60, 2, [-60, 0]),
        (0, 2, [0, 0]),
    ],
)
def test_the_second_pass_stands_upright_and_comes_when_it_has_to(
    turn_deg: float, passes: int, expected: List[float]
) -> None:
    model = cases.Knower(UPRIGHT)
    image, hands = turn_picture(cases.picture(), [cases.label(UPRIGHT)], turn_deg)
    AskInBox(cases.CARD, model, passes=passes)(image, hands)
    assert crops_deg(model) == expected
    if len(expected) == 2:
        assert side_of_crop_px(model.seen[1]) == pytest.approx(1.5 * 80, rel=0.01)
    mirrors = [is_mirrored(item) for item in model.seen]
    assert mirrors == [False] * len(expected) + [True] * (passes is None)


def test_the_joints_of_a_hand_that_the_model_does_not_accept_still_count() -> None:
    model = cases.Knower(UPRIGHT, presence=0.2)
    image, hands = turn_picture(cases.picture(), [cases.label(UPRIGHT)], 60)
    (answer,) = AskInBox(cases.CARD, model)(image, hands).hands
    assert crops_deg(model) == [-60, 0]
    assert not answer.detected
    assert nme_of(answer, hands[0]) < 1e-2


def test_joints_half_a_box_away_are_not_the_hand() -> None:
    hand = cases.label(UPRIGHT)
    for off_px, detected in ((39.0, True), (41.0, False)):
        model = cases.Knower(UPRIGHT, off=(off_px, 0.0))
        (answer,) = AskInBox(cases.CARD, model, passes=1)(cases.picture(), [hand]).hands
        assert answer.detected == detected
        assert answer.joints is not None


def test_numbers_that_are_none_are_no_answer() -> None:
    model = cases.Knower(np.full((21, 2), np.nan))
    (answer,) = AskInBox(cases.CARD, model)(cases.picture(), [cases.label(UPRIGHT)]).hands
    assert (answer.joints, answer.detected) == (None, False)


def test_the_first_answer_stays_where_the_second_look_gives_none() -> None:
    class OnceOnly(cases.Knower):
        def run(self, feeds: dict) -> dict:
            outputs = super().run(feeds)
            if len(self.seen) > 1:
                outputs["joints"] = np.full_like(outputs["joints"], np.nan)
            return outputs

    (answer,) = AskInBox(cases.CARD, OnceOnly(UPRIGHT), passes=2)(
        cases.picture(), [cases.label(UPRIGHT)]
    ).hands
    assert answer.joints is not None


def test_each_hand_of_a_picture_is_asked_about_and_timed() -> None:
    left, right = cases.hand_joints(70, 128, 60), cases.hand_joints(180, 128, 60)
    model = cases.Knower(left, right)
    hands = [cases.label(right), cases.label(left)]
    answers = AskInBox(cases.CARD, model)(cases.picture(), hands)
    assert [nme_of(*pair) < 1e-2 for pair in zip(answers.hands, hands)] == [True, True]
    assert len(answers.times_ms) == 2
    assert min(answers.times_ms) > 0


def test_a_network_for_whole_pictures_gets_one_pass_unless_two_are_asked_for() -> None:
    card = replace(cases.CARD, preprocess=replace(cases.CARD.preprocess, fit="letterbox"))
    image, hands = turn_picture(cases.picture(), [cases.label(UPRIGHT)], 60)
    for passes, count in ((None, 1), (2, 2)):
        model = cases.Knower(UPRIGHT)
        AskInBox(card, model, passes=passes)(image, hands)
        assert len(model.seen) == count
    assert side_of_crop_px(model.seen[1]) == pytest.approx(1.4 * 80, rel=0.01)


def test_a_card_that_does_not_fit_is_refused_before_any_picture() -> None:
    preprocess = replace(cases.CARD.preprocess, width_px=64)
    with pytest.raises(CardError, match="does not fit"):
        AskInBox(replace(cases.CARD, preprocess=preprocess), cases.Knower(UPRIGHT))
    with pytest.raises(UsageError, match="no crop"):
        AskInBox(cases.CARD, cases.Knower(UPRIGHT), box_scale=float("nan"))
    with pytest.raises(UsageError, match="depth"):
        AskInBox(replace(cases.CARD, task="depth-hand-3d"), cases.Knower(UPRIGHT))


@pytest.mark.parametrize(
    ("passes", "words"), [(None, "new hand"), (1, "one pass"), (2, "two passes")]
)
def test_the_task_is_told(passes: int, words: str) -> None:
    model = cases.Knower(UPRIGHT)
    assert words in describe_given(AskInBox(cases.CARD, model, passes=passes))
    whole = replace(cases.CARD, preprocess=replace(cases.CARD.preprocess, fit="stretch"))
    assert ("two passes" if passes == 2 else "one pass") in describe_given(
        AskInBox(whole, model, passes=passes)
    )


LEFT, RIGHT = cases.hand_joints(70, 128, 60), cases.hand_joints(180, 128, 60)


def ask_pipeline(model: cases.Knower, *boxes: tuple, max_hands: int = 2) -> AskPipeline:
    detector = HandDetector(cases.DETECTOR_CARD, cases.Pointer(*boxes))
    return AskPipeline(HandReader(cases.CARD, model), detector, max_hands)


def test_the_pipeline_finds_labelled_hands_and_pairs_them() -> None:
    ask = ask_pipeline(cases.Knower(LEFT, RIGHT), (70, 128, 40, 60), (180, 128, 40, 60))
    hands = [cases.label(RIGHT), cases.label(LEFT, "left")]
    answers = ask(cases.picture(), hands)
    assert [nme_of(*pair) < 1e-2 for pair in zip(answers.hands, hands)] == [True, True]
    assert all(answer.detected for answer in answers.hands)
    assert [answer.side for answer in answers.hands] == ["right", "right"]
    assert (answers.false_alarms, len(answers.times_ms)) == (0, 1)


def test_what_the_detector_does_not_see_is_missed() -> None:
    ask = ask_pipeline(cases.Knower(LEFT, RIGHT), (70, 128, 40, 60))
    hands = [cases.label(RIGHT), cases.label(LEFT)]
    answers = ask(cases.picture(), hands).hands
    assert [answer.detected for answer in answers] == [False, True]
    assert answers[0].joints is None


def test_a_hand_that_nobody_labelled_is_a_false_alarm() -> None:
    ask = ask_pipeline(cases.Knower(LEFT, RIGHT), (70, 128, 40, 60), (180, 128, 40, 60))
    assert ask(cases.picture(), [cases.label(LEFT)]).false_alarms == 1
    assert ask(cases.picture(), []).false_alarms == 2


def test_a_hand_without_presence_is_not_found() -> None:
    ask = ask_pipeline(cases.Knower(LEFT, presence=0.2), (70, 128, 40, 60))
    answers = ask(cases.picture(), [cases.label(LEFT)])
    assert (answers.hands[0].detected, answers.false_alarms) == (False, 0)


def test_no_more_hands_are_found_than_asked_for() -> None:
    ask = ask_pipeline(
        cases.Knower(LEFT, RIGHT), (70, 128, 40, 60), (180, 128, 40, 60), max_hands=1
    )
    answers = ask(cases.picture(), [cases.label(LEFT), cases.label(RIGHT)])
    assert sum(answer.detected for answer in answers.hands) == 1


def test_pictures_know_nothing_of_each_other() -> None:
    model = cases.Knower(LEFT)
    ask = ask_pipeline(model, (70, 128, 40, 60))
    first, second = (ask(cases.picture(), [cases.label(LEFT)]) for _ in range(2))
    np.testing.assert_array_equal(first.hands[0].joints, second.hands[0].joints)
    empty = replace(ask, detector=HandDetector(cases.DETECTOR_CARD, cases.Pointer()))
    assert empty(cases.picture(), [cases.label(LEFT)]).hands[0].joints is None
