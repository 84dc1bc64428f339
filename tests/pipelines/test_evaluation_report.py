"""From answers to figures, tables and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Optional, Sequence

import cv2
import evaluation_cases as cases
import numpy as np
import pytest

from atlas_hpe.errors import OutputError
from atlas_hpe.metrics import joint_errors
from atlas_hpe_pipelines.evaluation import (
    Evaluation,
    EvaluationReport,
    check_evaluation_folder,
    describe_evaluation,
    evaluation_to_dict,
    write_evaluation,
)
from atlas_hpe_pipelines.evaluation.curve import draw_curve
from atlas_hpe_pipelines.evaluation.report import CURVE_THRESHOLDS, TaskReport
from atlas_hpe_pipelines.evaluation.results import Answer, HandResult, PictureResult
from atlas_hpe_pipelines.evaluation.tally import WORST_HANDS, TaskTally
from atlas_hpe_pipelines.evaluation.worst import draw_worst
from atlas_hpe_runtime.session import BASIS_BOARD, BASIS_HOST, BASIS_SIMULATED

TRAITS = {"rotation": "0-30 deg", "size": "64-128 px", "light": "medium", "sharpness": "fair"}


def result(
    off: Optional[float],
    said: Optional[str] = "right",
    side: Optional[str] = "right",
    **traits: str,
) -> HandResult:
    """A hand whose joints are all off by this share of its box; None for no answer."""
    hand = cases.label(cases.hand_joints(height_px=100.0), side)
    joints = None if off is None else hand.joints + np.array([100.0 * off, 0.0])
    found = np.full((21, 2), np.nan) if joints is None else joints
    answer = Answer(joints, off is not None and off < 0.5, None if off is None else said)
    errors = joint_errors(found, hand.joints)
    return HandResult(hand, answer, errors, {**TRAITS, **traits})


def shown(
    *hands: HandResult, group: str = "g", false_alarms: int = 0, times_ms: Sequence[float] = ()
) -> PictureResult:
    return PictureResult("p.png", group, cases.picture(), hands, false_alarms, tuple(times_ms))


def tally_of(*pictures: PictureResult, counts_false_alarms: bool = True) -> TaskTally:
    tally = TaskTally("what", "hand", counts_false_alarms=counts_false_alarms)
    for picture in pictures:
        tally.add(picture)
    return tally


def report_of(*pictures: PictureResult) -> TaskReport:
    return tally_of(*pictures).report()


def test_the_figures_are_those_of_the_definitions() -> None:
    hands = [result(0.0), result(0.15), result(0.6), result(None)]
    figures = report_of(shown(*hands)).all
    assert (figures.hands, figures.answered) == (4, 3)
    assert figures.detection_rate == 0.5
    assert figures.nme_mean == pytest.approx(0.25)
    assert figures.nme_median == pytest.approx(0.15)
    assert figures.pck_10 == 0.25  # the hand that was not found has 21 wrong joints
    assert figures.pck_20 == 0.5


def test_a_side_counts_where_it_is_labelled_and_named() -> None:
    hands = [
        result(0.0, said="left"),
        result(0.0),
        result(0.0),
        result(0.0, side=None),
        result(0.0, said=None),
        result(None),
    ]
    figures = report_of(shown(*hands)).all
    assert (figures.sided, figures.side_accuracy) == (3, pytest.approx(2 / 3))


def test_groups_and_bins_have_their_own_figures_and_empty_bins_are_left_out() -> None:
    report = report_of(
        shown(result(0.1), result(0.3, light="dark"), group="easy"),
        shown(result(0.2, rotation="90-180 deg"), group="hard"),
    )
    assert {name: item.hands for name, item in report.groups.items()} == {"easy": 2, "hard": 1}
    assert report.groups["easy"].nme_mean == pytest.approx(0.2)
    light = {name: item.nme_mean for name, item in report.bins["light"].items()}
    assert light == {"dark": pytest.approx(0.3), "medium": pytest.approx(0.15)}
    assert list(report.bins["rotation"]) == ["0-30 deg", "90-180 deg"]


def test_pictures_false_alarms_and_times_are_counted() -> None:
    pictures = [
        shown(result(0.0), false_alarms=2, times_ms=[1.0, 9.0]),
        shown(false_alarms=1, times_ms=[3.0]),
    ]
    report = report_of(*pictures)
    assert (report.pictures, report.false_alarms, report.ms_p50) == (2, 3, 3.0)
    assert tally_of(*pictures, counts_false_alarms=False).report().false_alarms is None


def test_a_set_without_hands_has_no_figures_and_still_a_report() -> None:
    report = report_of(shown())
    assert report.all.nme_mean is report.all.pck_10 is report.all.detection_rate is None
    assert (report.curve, report.ms_p50) == ((), None)
    draw_curve({"landmark": report}, "m")
    draw_worst([], "landmark")
    assert describe_evaluation(evaluation(report).report)


def test_the_curve_rises_where_the_errors_are() -> None:
    curve = report_of(shown(result(0.1), result(0.305))).curve
    assert len(curve) == len(CURVE_THRESHOLDS) == 51
    assert (CURVE_THRESHOLDS[0], CURVE_THRESHOLDS[-1]) == (0.0, 0.5)
    assert (curve[9], curve[30], curve[31], curve[50]) == (0.0, 0.5, 1.0, 1.0)


def test_the_worst_hands_come_first_and_the_rest_is_let_go() -> None:
    offs = [0.01 * number for number in range(30)]
    tally = tally_of(
        *(shown(result(off)) for off in [*offs[::2], *offs[1::2]]), shown(result(None))
    )
    worst = tally.worst()
    assert len(worst) == WORST_HANDS
    assert worst[0].error == np.inf
    expected = sorted(offs, reverse=True)[: WORST_HANDS - 1]
    np.testing.assert_allclose([item.error for item in worst[1:]], expected, atol=1e-9)


def test_equal_errors_keep_the_order_of_the_set() -> None:
    pictures = [replace(shown(result(None)), name=f"{number}.png") for number in range(20)]
    names = [item.name for item in tally_of(*pictures).worst()]
    assert names == [f"{number}.png" for number in range(WORST_HANDS)]


def evaluation(*reports: TaskReport, basis: str = BASIS_HOST) -> Evaluation:
    tasks = dict(zip(("landmark", "pipeline"), reports))
    report = EvaluationReport("net", "fake", basis, "labels.json", 1, 2, (0.0,), tasks)
    worst = tally_of(shown(result(0.3), result(None))).worst()
    return Evaluation(report, {name: worst for name in tasks})


def test_the_table_has_a_line_for_each_group_and_bin() -> None:
    one, two = shown(result(0.12), times_ms=[4.0]), shown(result(0.2, said="left"), group="hard")
    text = "\n".join(describe_evaluation(evaluation(report_of(one, two)).report))
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines["all"][1:] == ["2", "1.000", "0.160", "0.160", "0.000", "1.000", "0.500"]
    assert lines["hard"][-1] == "0.000"
    assert "rotation: 0-30 deg" in lines
    assert "0 false alarms in 2 pictures" in text
    assert "4.00 ms per hand (median, one thread, measured on this host" in text
    assert "2 labelled hands were left out" in text


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (BASIS_SIMULATED, "(median, a simulated device on this host, no time of a board, "),
        (BASIS_BOARD, "(median, measured on a board, "),
    ],
)
def test_a_time_says_what_it_is(basis: str, words: str) -> None:
    report = evaluation(report_of(shown(result(0.1), times_ms=[4.0])), basis=basis).report
    assert "4.00 ms per hand " + words in "\n".join(describe_evaluation(report))
    assert evaluation_to_dict(report)["basis"] == basis


def test_the_json_form_holds_everything() -> None:
    report = evaluation(report_of(shown(result(0.1))), report_of(shown(result(None)))).report
    data = json.loads(json.dumps(evaluation_to_dict(report), allow_nan=False))
    assert (data["version"], data["model"], data["pictures"], data["left_out"]) == (1, "net", 1, 2)
    assert data["tasks"]["landmark"]["all"]["nme_mean"] == pytest.approx(0.1)
    assert data["tasks"]["pipeline"]["all"]["nme_mean"] is None
    assert len(data["tasks"]["landmark"]["curve"]) == len(data["curve_thresholds"])


def test_the_curve_is_drawn_in_a_colour_for_each_task() -> None:
    report = report_of(shown(result(0.1)))
    one = draw_curve({"landmark": report}, "net")
    both = draw_curve({"landmark": report, "pipeline": report}, "net")
    blue, orange = (178, 114, 0), (0, 94, 213)
    assert (one == blue).all(axis=2).any()
    assert not (one == orange).all(axis=2).any()
    assert (both == orange).all(axis=2).any()
    assert one.shape == (540, 720, 3)


def test_the_curve_is_drawn_where_its_figures_are() -> None:
    blue = (178, 114, 0)
    picture = draw_curve({"landmark": report_of(shown(result(0.305), result(None)))}, "net")
    drawn = (picture == blue).all(axis=2)
    assert drawn[254:257, 600].any()  # half of the way up, at 0.43
    assert drawn[479:482, 200].any()  # at the bottom, at 0.1
    assert not (draw_curve({"landmark": report_of(shown())}, "net") == blue).all(axis=2).any()


def test_the_sheet_shows_both_skeletons() -> None:
    worst = tally_of(shown(result(0.3)), shown(result(None))).worst()
    sheet = draw_worst(worst, "landmark")
    blue, orange = (178, 114, 0), (0, 159, 230)
    missed, off = sheet[32:272, :240], sheet[32:272, 240:480]
    assert (missed == blue).all(axis=2).any()
    assert not (missed == orange).all(axis=2).any()
    assert (off == orange).all(axis=2).any()
    assert (sheet[300:] == 255).all()
    assert sheet.shape == (752, 960, 3)


def test_a_skeleton_lies_in_the_middle_of_its_tile_without_what_nobody_saw() -> None:
    blue = (178, 114, 0)
    whole = result(None)
    visible = np.arange(21) > 0
    part = replace(whole, label=replace(whole.label, visible=visible))
    tiles = [draw_worst(tally_of(shown(hand)).worst(), "t")[32:272, :240] for hand in (whole, part)]
    drawn = [(tile == blue).all(axis=2) for tile in tiles]
    rows = np.flatnonzero(drawn[0].any(axis=1))
    assert rows[0] == pytest.approx(120 - 75, abs=12)
    assert rows[-1] == pytest.approx(120 + 75, abs=12)
    assert np.argwhere(drawn[0])[:, 1].mean() == pytest.approx(120, abs=12)
    assert drawn[1].sum() < 0.7 * drawn[0].sum()  # no wrist, and no bone to it


def test_the_folder_gets_its_files_once(tmp_path: Path) -> None:
    found = evaluation(report_of(shown(result(0.1))), report_of(shown(result(0.2))))
    folder = tmp_path / "out"
    check_evaluation_folder(folder, force=False)
    written = write_evaluation(found, folder)
    assert [path.name for path in written] == ["curve.png", "worst.png", "report.json"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written)
    assert json.loads(written[2].read_text()) == json.loads(
        json.dumps(evaluation_to_dict(found.report))
    )
    sheet = cv2.imread(str(written[1]))
    assert sheet.shape == (2 * 752, 960, 3)
    assert ((sheet == (178, 114, 0)).all(axis=2)).any()
    with pytest.raises(OutputError, match="exists"):
        check_evaluation_folder(folder, force=False)
    with pytest.raises(OutputError, match="exists"):
        write_evaluation(found, folder)
    check_evaluation_folder(folder, force=True)
    write_evaluation(found, folder, force=True)


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        check_evaluation_folder(tmp_path / "file", force=True)
    with pytest.raises(OutputError, match="does not exist"):
        check_evaluation_folder(tmp_path / "nowhere" / "out", force=True)
