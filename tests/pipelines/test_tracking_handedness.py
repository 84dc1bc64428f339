"""The side of a hand is a vote of its frames."""

from __future__ import annotations

import pytest

from atlas_hpe_pipelines.tracking.handedness import SideVote, average_side, other_side


def test_without_a_vote_there_is_no_side() -> None:
    vote = SideVote()
    vote.add(None, None)
    assert vote.result() == (None, None)


def test_the_first_frame_decides_alone() -> None:
    vote = SideVote()
    vote.add("left", 0.8)
    assert vote.result() == ("left", pytest.approx(0.8))


def test_a_vote_turns_only_after_several_frames() -> None:
    vote = SideVote()
    for _ in range(30):
        vote.add("right", 1.0)
    sides = []
    for _ in range(20):
        vote.add("left", 1.0)
        sides.append(vote.result()[0])
    turned = sides.index("left")
    assert 8 <= turned <= 14
    assert sides == ["right"] * turned + ["left"] * (20 - turned)


def test_uncertain_frames_turn_it_later() -> None:
    vote = SideVote()
    for _ in range(30):
        vote.add("right", 1.0)
    for _ in range(20):
        vote.add("left", 0.55)
    assert vote.result()[0] == "right"


def test_a_frame_that_says_nothing_changes_nothing() -> None:
    vote = SideVote()
    vote.add("right", 0.9)
    vote.add(None, None)
    assert vote.result() == ("right", pytest.approx(0.9))


def test_a_mirror_swaps_the_sides() -> None:
    assert [other_side(side) for side in ("left", "right", None)] == ["right", "left", None]


def test_two_looks_weigh_the_same() -> None:
    assert average_side(("left", 0.9), ("right", 0.6)) == ("left", pytest.approx(0.65))
    assert average_side(("right", 0.7), (None, None)) == ("right", pytest.approx(0.7))
    assert average_side((None, None), (None, None)) == (None, None)
