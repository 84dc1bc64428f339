"""Sessions on pyACL: feeds and results, in both modes and both generations of pointers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import List

import numpy as np
import pytest
from acl_board import (
    MODES,
    graph,
    negation,
    random_array,
    simulated_board,
    slow_device,
    write_model,
)

import tiny_onnx
from atlas_hpe.errors import DeviceError, SessionError
from atlas_hpe_runtime.session import BASIS_SIMULATED

pytest.importorskip("onnxruntime")

SHAPE = (1, 3, 4, 4)
DTYPES = ["float32", "float16", "float64", "bool", "int8", "int16", "int32", "int64"]
DTYPES += ["uint8", "uint16", "uint32", "uint64"]


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_model(tmp_path, negation())


@pytest.mark.parametrize(("mode", "cann"), [*MODES, ("rc", "7.0")])
def test_a_model_runs_in_every_mode_and_generation(model_path: Path, mode: str, cann: str) -> None:
    x = random_array(SHAPE)
    with simulated_board(mode, cann) as board:
        for model in (model_path, model_path.read_bytes()):
            with board.open(model) as session:
                assert (session.backend, session.basis) == ("simulator", BASIS_SIMULATED)
                np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


@pytest.mark.parametrize(
    ("mode", "kinds"), [("rc", {3}), ("ep", {1, 2})], ids=["one memory", "a card"]
)
def test_copies_are_of_the_kind_of_the_mode(model_path: Path, mode: str, kinds: set) -> None:
    with simulated_board(mode) as board, board.open(model_path) as session:
        seen = set()
        call = board.acl.try_call

        def noted(name: str, *args: object) -> object:
            if name == "rt.memcpy":
                seen.add(args[4])
            return call(name, *args)

        board.acl.try_call = noted  # type: ignore[assignment,method-assign]
        session.run({"x": random_array(SHAPE)})
        board.acl.try_call = call  # type: ignore[method-assign]
    assert seen == kinds


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_type_comes_through(tmp_path: Path, dtype: str) -> None:
    numbers = dict(tiny_onnx.DTYPES)
    tiny_onnx.DTYPES.update(
        {"int8": 3, "uint16": 4, "int16": 5, "bool": 9, "uint32": 12, "uint64": 13}
    )
    try:
        onnx = graph("Identity", (2, 3), dtype)
    finally:
        tiny_onnx.DTYPES.clear()
        tiny_onnx.DTYPES.update(numbers)
    x = random_array((2, 3)).astype(dtype)
    with simulated_board() as board, board.open(write_model(tmp_path, onnx)) as session:
        assert session.inputs[0].dtype == dtype
        y = session.run({"x": x})["y"]
        # atc turns int64 outputs into int32; the description says so, and it is believed.
        assert session.outputs[0].dtype == ("int32" if dtype == "int64" else dtype)
        assert y.dtype == np.dtype(session.outputs[0].dtype)
        np.testing.assert_array_equal(y, x)


def test_half_precision_inputs_and_outputs_are_read_from_the_description(tmp_path: Path) -> None:
    path = write_model(tmp_path, negation(), fp16_inputs=("x",), output_dtypes={"y": "float16"})
    with simulated_board() as board, board.open(path) as session:
        assert session.inputs[0].dtype == session.outputs[0].dtype == "float16"
        x = random_array(SHAPE, "float16")
        y = session.run({"x": x})["y"]
        assert y.dtype == np.float16
        np.testing.assert_array_equal(y, -x)


def test_outputs_have_the_names_of_the_graph(model_path: Path) -> None:
    with simulated_board() as board, board.open(model_path) as session:
        assert [spec.name for spec in session.outputs] == ["y"]
        assert session.outputs[0].shape == SHAPE


def test_arrays_that_are_not_contiguous_are_taken(model_path: Path) -> None:
    x = random_array((1, 4, 4, 3)).transpose(0, 3, 1, 2)
    assert not x.flags.c_contiguous
    with simulated_board() as board, board.open(model_path) as session:
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_outputs_belong_to_the_caller(model_path: Path) -> None:
    with simulated_board() as board, board.open(model_path) as session:
        first = session.run({"x": random_array(SHAPE, seed=1)})["y"]
        before = first.copy()
        for seed in range(4):
            session.run({"x": random_array(SHAPE, seed=seed)})
        first += 0  # and may be written
    np.testing.assert_array_equal(first, before)


def test_submitted_runs_come_back_by_handle_in_any_order(model_path: Path) -> None:
    arrays = [random_array(SHAPE, seed=seed) for seed in range(7)]
    with simulated_board() as board, board.open(model_path, frames_in_flight=3) as session:
        # More than there are buffers: the oldest are brought in to make room.
        handles = [session.submit({"x": array}) for array in arrays]
        for place in (6, 0, 3, 1, 5, 2, 4):
            np.testing.assert_array_equal(session.result(handles[place])["y"], -arrays[place])


@pytest.mark.parametrize("frames", [2, 3])
def test_frames_are_in_flight_together(model_path: Path, frames: int) -> None:
    gate = threading.Event()
    with simulated_board() as board, board.open(model_path, frames_in_flight=frames) as session:
        with slow_device(board, lambda: gate.wait(20) or None):  # type: ignore[func-returns-value]
            handles = [session.submit({"x": random_array(SHAPE, seed=n)}) for n in range(frames)]
        gate.set()  # all were launched before one of them could finish
        for seed, handle in enumerate(handles):
            np.testing.assert_array_equal(
                session.result(handle)["y"], -random_array(SHAPE, seed=seed)
            )


def test_a_result_does_not_wait_for_the_next_frame(model_path: Path) -> None:
    second = threading.Event()
    with simulated_board() as board, board.open(model_path) as session:
        first = session.submit({"x": random_array(SHAPE)})
        with slow_device(board, lambda: second.wait(20) or None):  # type: ignore[func-returns-value]
            other = session.submit({"x": random_array(SHAPE, seed=1)})
        taken: List[object] = []
        thread = threading.Thread(target=lambda: taken.append(session.result(first)))
        thread.start()
        thread.join(10)
        assert taken
        assert not second.is_set()
        second.set()
        session.result(other)


def test_the_device_runs_the_frames_of_a_session_one_after_the_other(model_path: Path) -> None:
    gate, order = threading.Event(), []
    holds = iter([lambda: gate.wait(20), lambda: None])
    with simulated_board() as board, board.open(model_path) as session:
        with slow_device(board, lambda: next(holds)() and None):  # type: ignore[func-returns-value]
            handles = [session.submit({"x": random_array(SHAPE, seed=n)}) for n in range(2)]
        waiting = threading.Thread(target=lambda: order.append(session.result(handles[1])))
        waiting.start()
        waiting.join(0.3)
        assert not order  # the second has a stream of its own, yet waits for the first
        gate.set()
        waiting.join(20)
        assert order
        session.result(handles[0])


def test_an_event_that_was_waited_for_is_reset_so_that_the_next_wait_waits(
    model_path: Path,
) -> None:
    gate = threading.Event()
    with simulated_board() as board, board.open(model_path) as session:
        with slow_device(board, lambda: gate.wait(20) or None):  # type: ignore[func-returns-value]
            handles = [session.submit({"x": random_array(SHAPE)}) for _ in range(2)]
        gate.set()
        for handle in handles:
            session.result(handle)
        assert board.counts["acl.rt.stream_wait_event"] == 1
        assert board.counts["acl.rt.reset_event"] == 1


def test_a_result_is_taken_once(model_path: Path) -> None:
    with simulated_board() as board, board.open(model_path) as session:
        handle = session.submit({"x": random_array(SHAPE)})
        session.result(handle)
        with pytest.raises(SessionError, match=f"handle {handle}"):
            session.result(handle)


def test_bad_feeds_are_refused_by_name_shape_and_type(model_path: Path) -> None:
    x = random_array(SHAPE)
    with simulated_board() as board, board.open(model_path) as session:
        for feeds, message in (
            ({"z": x}, "do not match"),
            ({"x": x[:, :2]}, "input 'x' does not fit"),
            ({"x": x.astype(np.float64)}, "input 'x' does not fit"),
            ({"x": x.tolist()}, "input 'x' is a list"),
        ):
            with pytest.raises(SessionError, match=message):
                session.run(feeds)
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_a_closed_session_says_so(model_path: Path) -> None:
    with simulated_board() as board:
        session = board.open(model_path)
        handle = session.submit({"x": random_array(SHAPE)})
        session.close()
        session.close()
        for use in (
            lambda: session.run({"x": random_array(SHAPE)}),
            lambda: session.submit({"x": random_array(SHAPE)}),
            lambda: session.run_resident({"x": random_array(SHAPE)}),
            lambda: session.result(handle),
        ):
            with pytest.raises(SessionError, match="closed"):
                use()


def test_times_of_a_run_are_told(model_path: Path) -> None:
    with simulated_board() as board, board.open(model_path) as session:
        outputs, times = session.run_timed({"x": random_array(SHAPE)})
    assert sorted(outputs) == ["y"]
    assert min(times.copy_in_ms, times.execute_ms, times.copy_out_ms) > 0
    assert times.copy_in_ms + times.execute_ms + times.copy_out_ms < 20_000


def test_several_threads_share_sessions_and_the_device(tmp_path: Path) -> None:
    path = write_model(tmp_path, negation())
    wrong: List[object] = []
    with simulated_board("ep") as board, board.open(path) as shared:

        def work(number: int) -> None:
            x = random_array(SHAPE, seed=number)
            with board.open(path) as own:
                for _ in range(10):
                    for session in (shared, own):
                        y = session.result(session.submit({"x": x}))["y"]
                        if not np.array_equal(y, -x):
                            wrong.append(number)
                    if not np.array_equal(shared.run({"x": x})["y"], -x):
                        wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_sessions_close_from_any_thread_in_any_order(model_path: Path) -> None:
    with simulated_board() as board:
        first, second = board.open(model_path), board.open(model_path)
        thread = threading.Thread(target=first.close)
        thread.start()
        thread.join(20)
        x = random_array(SHAPE)
        np.testing.assert_array_equal(second.run({"x": x})["y"], -x)
        second.close()
        assert board.live() == {}


def test_a_model_that_is_not_there_or_damaged_is_told_with_its_path(tmp_path: Path) -> None:
    broken = tmp_path / "broken.om"
    broken.write_bytes(b"nothing of use")
    with simulated_board() as board:
        for path in (broken, tmp_path / "none.om"):
            with pytest.raises(DeviceError, match=r"mdl\.load_from_file") as caught:
                board.open(path)
            assert caught.value.where == str(path)
            assert board.live() == {}
        with pytest.raises(DeviceError, match=r"mdl\.load_from_mem") as caught:
            board.open(b"nothing of use")
        assert caught.value.where == "the model in memory"


def test_a_failed_run_is_told_and_the_session_goes_on(model_path: Path) -> None:
    x = random_array(SHAPE)
    fail = "acl.mdl.execute_async@2=507011"
    with simulated_board(fail=fail) as board, board.open(model_path) as session:
        session.run({"x": x})
        with pytest.raises(DeviceError, match="execute_async") as caught:
            session.run({"x": x})
        assert "507011" in str(caught.value)
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_the_error_of_a_run_is_told_rather_than_that_of_the_release(model_path: Path) -> None:
    faults = "acl.mdl.execute_async@1=507011,acl.rt.free@1=507000"
    with simulated_board(fail=faults) as board:
        with pytest.raises(DeviceError, match="execute_async"), board.open(model_path) as session:
            session.run({"x": random_array(SHAPE)})
        assert board.live() == {}


def test_a_wait_that_is_interrupted_can_be_taken_up_again(model_path: Path) -> None:
    x = random_array(SHAPE)
    with simulated_board() as board, board.open(model_path) as session:
        handle = session.submit({"x": x})
        call = board.acl.try_call

        def interrupted(name: str, *args: object) -> object:
            if name == "rt.synchronize_stream":
                raise KeyboardInterrupt
            return call(name, *args)

        board.acl.try_call = interrupted  # type: ignore[assignment,method-assign]
        with pytest.raises(KeyboardInterrupt):
            session.run({"x": x})  # on the other slot
        board.acl.try_call = call  # type: ignore[method-assign]
        np.testing.assert_array_equal(session.result(handle)["y"], -x)
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_a_fault_that_only_a_later_wait_tells_belongs_to_its_frame(model_path: Path) -> None:
    """The oldest frame is brought in to make room; its error waits for whoever takes it."""
    x = random_array(SHAPE)
    fail = "acl.rt.synchronize_stream@1=507011"
    with simulated_board(fail=fail) as board, board.open(model_path) as session:
        handles = [session.submit({"x": x}) for _ in range(3)]
        for handle in handles[1:]:
            np.testing.assert_array_equal(session.result(handle)["y"], -x)
        with pytest.raises(DeviceError, match="synchronize_stream"):
            session.result(handles[0])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_beside_others_a_context_that_fails_leaves_nothing(model_path: Path, count: int) -> None:
    with simulated_board(fail=f"acl.rt.set_context@{count}=507000") as board:
        board.acl.call("init")
        board.acl.call("rt.set_device", 0)
        theirs = board.acl.number("rt.create_context", 0)
        with pytest.raises(DeviceError, match="set_context"):
            board.open(model_path)
        assert board.live() == {"device": 1, "context": 1}
        with board.open(model_path) as session:
            x = random_array(SHAPE)
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
            assert board.acl.call("rt.get_context") == theirs
        board.acl.call("rt.destroy_context", theirs)
        board.acl.call("rt.reset_device", 0)
        board.acl.call("finalize")


def test_nothing_is_released_while_the_device_is_still_at_it(model_path: Path) -> None:
    """The wait for a frame fails, so that the frame counts as done before it is."""
    ended: List[bool] = []
    fail = "acl.rt.synchronize_stream@1=507012"
    with simulated_board(fail=fail) as board:
        session = board.open(model_path)
        with slow_device(board, lambda: ended.append(threading.Event().wait(0.5))):
            handle = session.submit({"x": random_array(SHAPE)})
        with pytest.raises(DeviceError, match="synchronize_stream"):
            session.result(handle)
        session.close()
        assert ended


def test_closing_waits_for_a_result_that_is_being_copied_out(model_path: Path) -> None:
    copying, go_on, taken = threading.Event(), threading.Event(), []
    with simulated_board() as board:
        session = board.open(model_path)
        handle = session.submit({"x": random_array(SHAPE)})
        call = board.acl.try_call

        def held(name: str, *args: object) -> object:
            if name == "rt.memcpy":
                copying.set()
                go_on.wait(20)
            return call(name, *args)

        board.acl.try_call = held  # type: ignore[assignment,method-assign]
        taker = threading.Thread(target=lambda: taken.append(session.result(handle)["y"]))
        taker.start()
        assert copying.wait(20)
        closer = threading.Thread(target=session.close)
        closer.start()
        closer.join(0.3)
        assert closer.is_alive()
        go_on.set()
        for thread in (closer, taker):
            thread.join(20)
        np.testing.assert_array_equal(taken[0], -random_array(SHAPE))
