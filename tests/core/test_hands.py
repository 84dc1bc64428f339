"""hand21: names, bones, and the orders that datasets and networks are mapped from."""

from __future__ import annotations

from typing import Dict, List

import numpy as np
import pytest

from atlas_hpe.hands import (
    BONES,
    FINGER_JOINTS,
    FINGERS,
    JOINT_NAMES,
    NUM_JOINTS,
    PARENTS,
    to_hand21,
)

#: Source -> native index of each hand21 joint, for sources that have exactly these 21 joints.
KNOWN_ORDERS: Dict[str, List[int]] = {
    "FreiHAND": list(range(21)),
    "STB": [0, 17, 18, 19, 20, 13, 14, 15, 16, 9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4],
    "InterHand": [20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16],
    "RHD": [0, 4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17],
    "FPHA": [0, 1, 6, 7, 8, 2, 9, 10, 11, 3, 12, 13, 14, 4, 15, 16, 17, 5, 18, 19, 20],
    "MSRA": [0, 17, 18, 19, 20, *range(1, 17)],
    "MANO and tips": [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20],
}


def test_there_are_21_joints_with_names_of_their_own() -> None:
    assert len(JOINT_NAMES) == len(set(JOINT_NAMES)) == len(PARENTS) == NUM_JOINTS == 21
    assert JOINT_NAMES[0] == "wrist"
    assert JOINT_NAMES[4] == "thumb4"
    assert JOINT_NAMES[20] == "little4"


def test_the_bones_form_a_tree_rooted_at_the_wrist() -> None:
    assert len(BONES) == NUM_JOINTS - 1
    assert sorted(child for _, child in BONES) == list(range(1, NUM_JOINTS))
    for joint in range(NUM_JOINTS):
        steps = 0
        while joint != 0:
            joint = PARENTS[joint]
            steps += 1
            assert 0 <= joint < NUM_JOINTS
            assert steps <= 4


def test_every_finger_is_a_chain_from_the_wrist_to_its_tip() -> None:
    assert [joint for finger in FINGER_JOINTS for joint in finger] == list(range(1, NUM_JOINTS))
    for finger, joints in zip(FINGERS, FINGER_JOINTS):
        assert [JOINT_NAMES[joint] for joint in joints] == [f"{finger}{n}" for n in (1, 2, 3, 4)]
        for parent, child in zip((0, *joints), joints):
            assert (parent, child) in BONES


@pytest.mark.parametrize("source", sorted(KNOWN_ORDERS))
def test_known_orders_are_permutations(source: str) -> None:
    assert sorted(KNOWN_ORDERS[source]) == list(range(NUM_JOINTS))


@pytest.mark.parametrize("source", sorted(KNOWN_ORDERS))
def test_reordering_puts_each_native_joint_in_its_place(source: str) -> None:
    order = KNOWN_ORDERS[source]
    native = np.arange(2 * 21 * 3).reshape(2, 21, 3)
    canonical = to_hand21(native, order)
    assert canonical.shape == native.shape
    for joint, native_joint in enumerate(order):
        np.testing.assert_array_equal(canonical[:, joint], native[:, native_joint])


def test_reordering_undone_by_the_inverse_permutation() -> None:
    order = KNOWN_ORDERS["RHD"]
    joints = np.random.default_rng(0).normal(size=(21, 2))
    np.testing.assert_array_equal(to_hand21(to_hand21(joints, order), np.argsort(order)), joints)
