"""How a hand is looked at when nobody knows yet how it is turned."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import List, Optional

import numpy as np
import pytest

from atlas_hpe_pipelines.tracking import Region, look_at_new_hand
from atlas_hpe_pipelines.tracking.first_look import is_far_off
from atlas_hpe_pipelines.tracking.region import turn_between

CROP_SCALE = 1.5


@dataclass(frozen=True, eq=False)
class _Answer:
    joints: np.ndarray
    joint_scores: np.ndarray
    handedness: Optional[str] = None


def _upright_joints() -> np.ndarray:
    rng = np.random.default_rng(0)
    joints = rng.uniform(-40, 40, (21, 2))
    joints[0], joints[9] = (0, 40), (0, 0)
    return joints


def _mean(one: _Answer, other: _Answer) -> _Answer:
    return replace(one, joints=(one.joints + other.joints) / 2)


@dataclass
class _Network:
    """Sees a hand that is turned by `turn_deg`; the more it stands upright, the surer."""

    turn_deg: float
    side: Optional[str] = None
    joints: np.ndarray = field(default_factory=_upright_joints)
    looks: List[Region] = field(default_factory=list)
    blind_at: Optional[int] = None

    def true_joints(self) -> np.ndarray:
        angle = math.radians(self.turn_deg)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turned: np.ndarray = self.joints @ turn.T + 100
        return turned

    def look(self, region: Region) -> Optional[_Answer]:
        self.looks.append(region)
        if len(self.looks) == self.blind_at:
            return None
        off = abs(turn_between(region.angle_rad, math.radians(self.turn_deg)))
        # Far from upright it errs, and it knows.
        wrong = np.full(2, 60.0 * max(0.0, off - 1.0))
        skewed = 4.0 if region.mirrored else 0.0
        return _Answer(
            self.true_joints() + wrong + skewed, np.full(21, 1.0 - off / math.pi), self.side
        )


def _look(network: _Network) -> Optional[_Answer]:
    return look_at_new_hand(network.look, Region(100, 100, 120), CROP_SCALE, _mean)


@pytest.mark.parametrize(("turn_deg", "looks"), [(0.0, 1), (20.0, 1), (-20.0, 1), (40.0, 2)])
def test_a_hand_that_stands_well_costs_one_look_or_two(turn_deg: float, looks: int) -> None:
    network = _Network(turn_deg)
    found = _look(network)
    assert found is not None and found.joints == pytest.approx(network.true_joints())
    assert len(network.looks) == looks


@pytest.mark.parametrize("turn_deg", [80.0, -100.0, 150.0, 180.0])
def test_an_unsure_answer_is_asked_again_at_quarter_turns(turn_deg: float) -> None:
    network = _Network(turn_deg)
    found = _look(network)
    assert found is not None and found.joints == pytest.approx(network.true_joints())
    turns = sorted(round(math.degrees(region.angle_rad)) % 360 for region in network.looks[:4])
    assert turns == [0, 90, 180, 270]


def test_nothing_at_the_first_look_ends_it() -> None:
    network = _Network(180.0, blind_at=1)
    assert _look(network) is None and len(network.looks) == 1


def test_a_quarter_turn_that_shows_nothing_is_passed_over() -> None:
    network = _Network(180.0, blind_at=2)
    assert _look(network) is not None


def test_a_hand_that_is_gone_when_seen_upright_is_none() -> None:
    assert _look(_Network(40.0, blind_at=2)) is None


def test_a_last_look_that_is_less_sure_does_not_count() -> None:
    network = _Network(40.0)
    answers: List[_Answer] = []

    def look(region: Region) -> Optional[_Answer]:
        answer = network.look(region)
        assert answer is not None
        answers.append(_Answer(answer.joints, np.full(21, 0.9 - 0.1 * len(answers))))
        return answers[-1]

    assert look_at_new_hand(look, Region(100, 100, 120), CROP_SCALE, _mean) is answers[0]
    assert len(answers) == 2


@pytest.mark.parametrize("turn_deg", [0.0, 40.0, 180.0])
def test_a_network_that_knows_sides_looks_into_a_mirror_last(turn_deg: float) -> None:
    network = _Network(turn_deg, side="left")
    found = _look(network)
    assert found is not None and found.joints == pytest.approx(network.true_joints() + 2.0)
    assert [region.mirrored for region in network.looks] == [False] * (len(network.looks) - 1) + [
        True
    ]
    last = network.looks[-1]
    assert last.angle_rad == pytest.approx(math.radians(turn_deg))
    side_px = np.ptp(network.joints, axis=0).max() * CROP_SCALE
    assert last.side_px == pytest.approx(0.9 * side_px, rel=1e-6)


def test_a_mirror_that_shows_nothing_changes_nothing() -> None:
    network = _Network(0.0, side="left", blind_at=2)
    found = _look(network)
    assert found is not None and found.joints == pytest.approx(network.true_joints())


@pytest.mark.parametrize(
    ("seen", "far"),
    [
        (Region(100, 100, 100, 0.0), False),
        (Region(114, 100, 100, 0.4), False),
        (Region(111, 111, 100, 0.0), True),
        (Region(100, 100, 100, -0.5), True),
        (Region(100, 100, 129, 0.0), False),
        (Region(100, 100, 131, 0.0), True),
        (Region(100, 100, 76, 0.0), True),
    ],
)
def test_what_far_off_means(seen: Region, far: bool) -> None:
    assert is_far_off(Region(100, 100, 100, 0.0), seen) == far
