"""Every call of a session's life fails once: one error that names it, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import numpy as np
import pytest
from acl_board import Board, negation, random_array, simulated_board, write_model

from atlas_hpe.errors import DeviceError
from atlas_hpe_runtime.acl.owner import finalise

pytest.importorskip("onnxruntime")

SHAPE = (1, 3, 4, 4)
CODE = 507000


def live_a_life(board: Board, path: Path) -> None:
    """Open, run in every way, close."""
    x = random_array(SHAPE)
    with board.open(path) as session:
        handles = [session.submit({"x": x}) for _ in range(2)]
        for handle in handles:
            np.testing.assert_array_equal(session.result(handle)["y"], -x)
        tensors = session.run_resident({"x": x})
        np.testing.assert_array_equal(session.run({"x": tensors["y"]})["y"], x)
        session.run({"x": x})


def models(folder: Path) -> Dict[str, Path]:
    dynamic = {"input_shapes": {"x": (-1, 3, 4, 4)}, "dynamic_batch": (1, 2)}
    return {
        "static": write_model(folder, negation(), "static.om"),
        "dynamic": write_model(folder, negation(("n", 3, 4, 4)), "dynamic.om", **dynamic),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "cann", "kind"), [("rc", "5.0", "static"), ("ep", "6.0", "dynamic")]
)
def test_any_call_may_fail_and_nothing_is_left(
    tmp_path: Path, mode: str, cann: str, kind: str
) -> None:
    path = models(tmp_path)[kind]
    with simulated_board(mode, cann) as board:
        live_a_life(board, path)
        counts = board.counts
    assert len(counts) > 30
    for name, count in counts.items():
        for number in sorted({1, count}):
            with simulated_board(mode, cann, fail=f"{name}@{number}={CODE}") as board:
                with pytest.raises(DeviceError) as caught:
                    live_a_life(board, path)
                assert name in str(caught.value), (name, number)
                assert caught.value.fix, name
                assert board.live() == {}, (name, number)
                live_a_life(board, path)  # and the next session opens


def test_a_failing_end_of_acl_is_told(tmp_path: Path) -> None:
    with simulated_board(fail=f"acl.finalize@1={CODE}") as board:
        live_a_life(board, models(tmp_path)["static"])
        with pytest.raises(DeviceError, match=r"acl\.finalize"):
            finalise(board.acl)
