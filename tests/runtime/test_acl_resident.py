"""Models that hand their tensors to each other on the device, without a copy to the host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acl_board import graph, negation, random_array, simulated_board, write_model

from atlas_hpe.errors import DeviceError, SessionError
from atlas_hpe_runtime.acl.tensors import read_tensor

pytest.importorskip("onnxruntime")

SHAPE = (1, 3, 4, 4)


@pytest.fixture
def minus(tmp_path: Path) -> Path:
    return write_model(tmp_path, negation(), "minus.om")


@pytest.fixture
def half(tmp_path: Path) -> Path:
    return write_model(tmp_path, graph("Sqrt", SHAPE), "root.om")


@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_three_models_in_a_row_copy_in_once_and_out_once(
    minus: Path, half: Path, mode: str
) -> None:
    x = random_array(SHAPE)
    with simulated_board(mode) as board, board.open(minus) as first, board.open(
        minus
    ) as second, board.open(half) as third:
        for _ in range(2):
            first.run_resident({"x": x})
        before = board.counts["acl.rt.memcpy"]
        tensors = first.run_resident({"x": x})
        tensors = second.run_resident({"x": tensors["y"]})
        y = third.run({"x": tensors["y"]})["y"]
        assert board.counts["acl.rt.memcpy"] == before + 2
    np.testing.assert_allclose(y, np.sqrt(x), rtol=1e-3)


def test_a_model_may_feed_itself(minus: Path) -> None:
    x = random_array(SHAPE)
    with simulated_board() as board, board.open(minus) as session:
        state = session.run_resident({"x": x})["y"]
        for step in range(5):
            state = session.run_resident({"x": state})["y"]
            np.testing.assert_array_equal(read_tensor(state), x if step % 2 == 0 else -x)


def test_host_arrays_are_taken_again_after_a_device_tensor(minus: Path) -> None:
    x = random_array(SHAPE)
    with simulated_board() as board, board.open(minus, frames_in_flight=1) as session:
        tensor = session.run_resident({"x": x})["y"]
        for _ in range(2):
            np.testing.assert_array_equal(session.run({"x": tensor})["y"], x)
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_a_tensor_is_good_through_the_next_run_and_then_gone(minus: Path) -> None:
    with simulated_board() as board, board.open(minus) as maker, board.open(minus) as user:
        tensor = maker.run_resident({"x": random_array(SHAPE)})["y"]
        maker.run({"x": random_array(SHAPE)})  # other runs do not matter
        maker.run_resident({"x": random_array(SHAPE, seed=1)})
        user.run({"x": tensor})
        maker.run_resident({"x": random_array(SHAPE, seed=2)})
        with pytest.raises(SessionError, match="no longer there") as caught:
            user.run({"x": tensor})
        assert "'y'" in str(caught.value)
        with pytest.raises(SessionError, match="no longer there"):
            read_tensor(tensor)


def test_a_tensor_of_a_closed_session_is_gone(minus: Path) -> None:
    with simulated_board() as board, board.open(minus) as user:
        with board.open(minus) as maker:
            tensor = maker.run_resident({"x": random_array(SHAPE)})["y"]
        with pytest.raises(SessionError, match="no longer there"):
            user.run({"x": tensor})


def test_a_tensor_of_another_device_is_refused(minus: Path) -> None:
    with simulated_board(devices=2) as board, board.open(minus) as maker, board.open(
        minus, device=1
    ) as user:
        tensor = maker.run_resident({"x": random_array(SHAPE)})["y"]
        with pytest.raises(SessionError, match="another device"):
            user.run({"x": tensor})


def test_a_tensor_of_the_wrong_shape_or_type_is_refused(minus: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path, negation((1, 3, 4, 5)), "other.om")
    with simulated_board() as board, board.open(minus) as user, board.open(other) as maker:
        tensor = maker.run_resident({"x": random_array((1, 3, 4, 5))})["y"]
        with pytest.raises(SessionError, match="does not fit"):
            user.run({"x": tensor})


def test_a_tensor_is_not_padded(minus: Path, tmp_path: Path) -> None:
    path = write_model(
        tmp_path,
        negation(("n", 3, 4, 4)),
        "batches.om",
        input_shapes={"x": (-1, 3, 4, 4)},
        dynamic_batch=(2, 4),
    )
    with simulated_board() as board, board.open(minus) as maker, board.open(path) as user:
        tensor = maker.run_resident({"x": random_array(SHAPE)})["y"]
        with pytest.raises(SessionError, match="smaller than the profile"):
            user.run({"x": tensor})
        pair = user.run_resident({"x": random_array((2, 3, 4, 4))})["y"]
        np.testing.assert_array_equal(user.run({"x": pair})["y"], random_array((2, 3, 4, 4)))


def test_a_failed_hand_over_leaves_the_session_usable(minus: Path) -> None:
    x = random_array(SHAPE)
    fail = "acl.update_data_buffer@1=500001"
    with simulated_board(fail=fail) as board, board.open(minus, frames_in_flight=1) as session:
        tensor = session.run_resident({"x": x})["y"]
        with pytest.raises(DeviceError, match="update_data_buffer"):
            session.run({"x": tensor})
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
