"""Dynamic models: the smallest profile that fits, padding, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import numpy as np
import pytest
from acl_board import Board, graph, negation, random_array, simulated_board, write_model

import tiny_onnx
from atlas_hpe.errors import SessionError, UsageError
from atlas_hpe_runtime.acl.profiles import Profile, choose_profile

pytest.importorskip("onnxruntime")


@pytest.fixture
def batch_path(tmp_path: Path) -> Path:
    return write_model(
        tmp_path,
        negation(("n", 3, 4, 4)),
        input_shapes={"x": (-1, 3, 4, 4)},
        dynamic_batch=(4, 1, 8),
    )


@pytest.fixture
def size_path(tmp_path: Path) -> Path:
    return write_model(
        tmp_path,
        negation((1, 3, "h", "w")),
        input_shapes={"x": (1, 3, -1, -1)},
        dynamic_image_size=((8, 8), (4, 6), (16, 4)),
    )


def settings_made(board: Board, call: str) -> List[tuple]:
    """Arguments of the calls of that name from now on."""
    made: List[tuple] = []
    whole = board.acl.try_call

    def noted(name: str, *args: object) -> object:
        if name == call:
            made.append(args[3:])
        return whole(name, *args)

    board.acl.try_call = noted  # type: ignore[assignment,method-assign]
    return made


@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_any_batch_up_to_the_largest_runs_and_comes_back_as_long(
    batch_path: Path, mode: str
) -> None:
    with simulated_board(mode) as board, board.open(batch_path) as session:
        assert session.inputs[0].shape == session.outputs[0].shape == (-1, 3, 4, 4)
        for batch in (1, 8, 3, 4, 5, 2, 1):
            x = random_array((batch, 3, 4, 4), seed=batch)
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_the_smallest_batch_that_fits_is_taken(batch_path: Path) -> None:
    with simulated_board() as board, board.open(batch_path, frames_in_flight=1) as session:
        made = settings_made(board, "mdl.set_dynamic_batch_size")
        for batch in (1, 3, 4, 5):
            session.run({"x": random_array((batch, 3, 4, 4))})
        assert made == [(1,), (4,), (8,)]  # and told only when it changes


def test_frames_in_flight_have_profiles_of_their_own(batch_path: Path) -> None:
    arrays = [random_array((batch, 3, 4, 4), seed=batch) for batch in (1, 8, 2, 5)]
    with simulated_board() as board, board.open(batch_path, frames_in_flight=3) as session:
        handles = [session.submit({"x": x}) for x in arrays]
        for handle, x in zip(handles, arrays):
            np.testing.assert_array_equal(session.result(handle)["y"], -x)


def test_padding_is_zero_whatever_was_there_before(tmp_path: Path) -> None:
    onnx = graph("ReduceSum", ("n", 3), out_shape=(1, 1), axes=[0, 1], keepdims=1)
    path = write_model(tmp_path, onnx, input_shapes={"x": (-1, 3)}, dynamic_batch=(1, 4))
    with simulated_board() as board, board.open(path, frames_in_flight=1) as session:
        session.run({"x": np.full((4, 3), 7, np.float32)})
        y = session.run({"x": np.ones((2, 3), np.float32)})["y"]
        assert session.outputs[0].shape == (1, 1)  # no batch in it, so nothing to cut
    np.testing.assert_array_equal(y, [[6]])


def test_only_the_batch_is_cut_off_the_outputs(tmp_path: Path) -> None:
    dynamic = {"input_shapes": {"x": (-1, 3)}, "dynamic_batch": (1, 3)}
    turned = graph("Transpose", ("n", 3), out_shape=(3, "n"), perm=[1, 0])
    twice = tiny_onnx.model(
        [tiny_onnx.node("Concat", ["x", "x"], ["y"], axis=0)], {"x": ("n", 3)}, {"y": ("m", 3)}
    )
    x = random_array((2, 3))
    with simulated_board() as board:
        for name, onnx, shape in (("a.om", turned, (3, 3)), ("b.om", twice, (6, 3))):
            with board.open(write_model(tmp_path, onnx, name, **dynamic)) as session:
                assert session.run({"x": x})["y"].shape == shape


def test_a_batch_that_is_too_large_is_refused_with_the_largest(batch_path: Path) -> None:
    with simulated_board() as board, board.open(batch_path) as session:
        with pytest.raises(SessionError, match="larger") as caught:
            session.run({"x": random_array((9, 3, 4, 4))})
        assert "[8, 3, 4, 4]" in str(caught.value)


def test_a_chosen_batch_is_used_for_every_frame(batch_path: Path) -> None:
    with simulated_board() as board, board.open(batch_path, batch=4) as session:
        for batch in (1, 4):
            x = random_array((batch, 3, 4, 4))
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
        with pytest.raises(SessionError, match="larger"):
            session.run({"x": random_array((5, 3, 4, 4))})


def test_pictures_are_padded_at_the_right_and_the_bottom(size_path: Path) -> None:
    with simulated_board() as board, board.open(size_path) as session:
        assert session.outputs[0].shape == (1, 3, -1, -1)
        made = settings_made(board, "mdl.set_dynamic_hw_size")
        for wanted, profile in (((4, 6), (4, 6)), ((3, 4), (4, 6)), ((9, 4), (16, 4))):
            x = random_array((1, 3, *wanted))
            y = session.run({"x": x})["y"]
            assert y.shape == (1, 3, *profile)
            np.testing.assert_array_equal(y[:, :, : wanted[0], : wanted[1]], -x)
            assert not y[:, :, wanted[0] :].any()
            assert not y[:, :, :, wanted[1] :].any()
            assert made[-1] == profile


def test_a_chosen_picture_size_is_used_for_every_frame(size_path: Path) -> None:
    with simulated_board() as board, board.open(size_path, image_size=(8, 8)) as session:
        assert session.run({"x": random_array((1, 3, 4, 6))})["y"].shape == (1, 3, 8, 8)


def test_sets_of_dims_fit_all_inputs(tmp_path: Path) -> None:
    onnx = tiny_onnx.model(
        [tiny_onnx.node("Add", ["a", "b"], ["y"])],
        {"a": ("n", "m"), "b": (1, "m")},
        {"y": ("n", "m")},
    )
    path = write_model(
        tmp_path,
        onnx,
        input_format="ND",
        input_shapes={"a": (-1, -1), "b": (1, -1)},
        dynamic_dims=((2, 3, 3), (4, 8, 8)),
    )
    with simulated_board() as board, board.open(path) as session:
        for rows, columns in ((2, 3), (1, 3), (4, 8)):
            a, b = random_array((rows, columns)), random_array((1, columns), seed=1)
            y = session.run({"a": a, "b": b})["y"]
            np.testing.assert_array_equal(y, a + b)
        with pytest.raises(SessionError, match="larger"):
            session.run({"a": random_array((5, 3)), "b": random_array((1, 3))})


@pytest.mark.parametrize(
    ("options", "wish"), [({"batch": 3}, "batch 3"), ({"image_size": (8, 8)}, "8")]
)
def test_a_profile_that_is_not_there_is_refused_with_those_that_are(
    batch_path: Path, options: dict, wish: str
) -> None:
    with simulated_board() as board:
        with pytest.raises(UsageError, match=wish) as caught:
            board.open(batch_path, **options)
        assert "[1, 3, 4, 4], or [4, 3, 4, 4], or [8, 3, 4, 4]" in str(caught.value)
        assert board.live() == {}


def test_a_static_model_has_its_own_batch_and_size_only(tmp_path: Path) -> None:
    path = write_model(tmp_path, negation((2, 3, 4, 6)))
    with simulated_board() as board:
        with board.open(path, batch=2, image_size=(4, 6)) as session:
            x = random_array((2, 3, 4, 6))
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
        for options in ({"batch": 1}, {"image_size": (6, 4)}):
            with pytest.raises(UsageError, match="no profile"):
                board.open(path, **options)


@pytest.mark.parametrize(
    ("wanted", "place"), [(((1, 2),), 0), (((2, 1),), 1), (((3, 3),), 2), (((1, 1),), 0)]
)
def test_the_first_profile_that_is_large_enough_in_every_axis_is_chosen(
    wanted: Tuple[Tuple[int, ...], ...], place: int
) -> None:
    profiles = [Profile(((1, 3),)), Profile(((2, 2),)), Profile(((4, 4),))]
    assert choose_profile(profiles, wanted) == place
