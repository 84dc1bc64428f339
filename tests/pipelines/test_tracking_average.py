"""One hand from two looks."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.tracking import average_hands


def _hand(seed: int, side: Optional[str] = "left", depth: bool = True) -> HandPose:
    rng = np.random.default_rng(seed)
    return HandPose(
        joints=rng.uniform(0, 100, (21, 2)),
        joint_scores=rng.uniform(0.1, 1, 21),
        score=float(rng.uniform(0.5, 1)),
        box=(seed, 0.0, 1.0, 1.0),
        frame_index=3,
        time_s=0.1,
        handedness=side,
        handedness_score=0.8,
        depth=rng.normal(0, 5, 21) if depth else None,
    )


@given(st.integers(0, 1000))
def test_each_joint_lies_between_both_nearer_to_the_surer(seed: int) -> None:
    one, other = _hand(seed), _hand(seed + 1)
    mean = average_hands(one, other)
    to_one = np.linalg.norm(mean.joints - one.joints, axis=1)
    to_other = np.linalg.norm(mean.joints - other.joints, axis=1)
    apart = np.linalg.norm(one.joints - other.joints, axis=1)
    assert to_one + to_other == pytest.approx(apart)
    assert to_one * one.joint_scores == pytest.approx(to_other * other.joint_scores)
    assert mean.score == pytest.approx((one.score + other.score) / 2)
    assert mean.joint_scores == pytest.approx((one.joint_scores + other.joint_scores) / 2)
    assert mean.depth is not None and one.depth is not None and other.depth is not None
    assert (mean.depth <= np.maximum(one.depth, other.depth) + 1e-9).all()
    assert (mean.box, mean.frame_index, mean.handedness) == (one.box, 3, "left")


def test_a_joint_that_only_one_look_found_is_that_ones() -> None:
    one, other = _hand(0), _hand(1)
    one.joints[4] = np.nan
    one.joints[7], other.joints[7] = np.nan, np.nan
    mean = average_hands(one, other)
    assert mean.joints[4] == pytest.approx(other.joints[4])
    assert np.isnan(mean.joints[7]).all()
    assert np.isfinite(np.delete(mean.joints, 7, axis=0)).all()


def test_joints_without_any_score_count_the_same() -> None:
    one, other = _hand(0), _hand(1)
    one.joint_scores[:], other.joint_scores[:] = 0.0, 0.0
    assert average_hands(one, other).joints == pytest.approx((one.joints + other.joints) / 2)


def test_depth_and_side_that_are_unknown_stay_unknown() -> None:
    mean = average_hands(_hand(0, None, depth=False), _hand(1, None, depth=False))
    assert mean.depth is None and mean.handedness is None
