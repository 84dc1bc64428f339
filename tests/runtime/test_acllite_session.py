"""The AclLite back-end behind the Session contract, on the simulator, with a stand-in class."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Callable, Dict, Iterator, List

import numpy as np
import pytest
import standin_acllite
from acl_board import MODES, negation, random_array, write_model

import tiny_onnx
from atlas_hpe.errors import (
    AtlasHpeError,
    DeviceError,
    MissingExtraError,
    ModelFileError,
    SessionError,
    UsageError,
)
from atlas_hpe_runtime import Session, open_session
from atlas_hpe_runtime.acl.api import load_acl
from atlas_hpe_runtime.acl.codes import explain
from atlas_hpe_runtime.acl.memory import write_array
from atlas_hpe_runtime.acl.owner import finalise
from atlas_hpe_runtime.acllite import session as acllite_session
from atlas_hpe_runtime.session import BASIS_SIMULATED
from atlas_hpe_runtime.simulator.install import install, uninstall
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

pytest.importorskip("onnxruntime")

Start = Callable[..., Machine]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Put a simulated board in place, on which nothing may be left at the end."""
    machines: List[Machine] = []

    def begin(**settings: str) -> Machine:
        machines.append(install(SimulatorSettings(**settings)))  # type: ignore[arg-type]
        return machines[0]

    monkeypatch.setitem(sys.modules, "acllite_model", standin_acllite)
    yield begin
    for machine in machines:
        left = live(machine)
        finalise(load_acl())
        uninstall(machine)
        assert left == {}


def live(machine: Machine) -> Dict[str, int]:
    return dict(Counter(item.kind for item in machine.ledger.live() if item.kind != "init"))


def open_lite(path: Path, **options: object) -> Session:
    return open_session(path, backend="acllite", **options)  # type: ignore[arg-type]


def write_batches(folder: Path) -> Path:
    """A negation of two or four rows."""
    onnx = negation(("n", 3))
    return write_model(folder, onnx, input_shapes={"x": (-1, 3)}, dynamic_batch=(2, 4))


@pytest.mark.parametrize(("mode", "cann"), MODES)
def test_a_model_runs_in_both_modes_and_pointer_generations(
    start: Start, tmp_path: Path, mode: str, cann: str
) -> None:
    start(mode=mode, cann=cann)
    feed = random_array((1, 3, 4, 4))
    with open_lite(write_model(tmp_path, negation())) as session:
        assert session.backend == "acllite" and session.basis == BASIS_SIMULATED
        assert [(item.name, item.shape) for item in session.inputs] == [("x", (1, 3, 4, 4))]
        for factor in (1, 2):
            found = session.run({"x": feed * np.float32(factor)})
            np.testing.assert_array_equal(found["y"], -feed * factor)


@pytest.mark.parametrize("dtype", ["float16", "int32", "float32"])
def test_other_types_come_through(start: Start, tmp_path: Path, dtype: str) -> None:
    start()
    feed = random_array((2, 3), dtype)
    with open_lite(write_model(tmp_path, negation((2, 3), dtype))) as session:
        found = session.run({"x": feed})["y"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, -feed)


def test_booleans_are_told_apart_from_bytes(start: Start, tmp_path: Path) -> None:
    start()
    nodes = [tiny_onnx.node("Greater", ["x", "zero"], ["y"])]
    zero = [tiny_onnx.tensor("zero", np.zeros(1, np.float32))]
    types = {"y": "bool"}
    onnx = tiny_onnx.model(nodes, {"x": (3,)}, {"y": (3,)}, zero, dtypes=types)
    with open_lite(write_model(tmp_path, onnx)) as session:
        found = session.run({"x": np.float32([1, -1, 2])})["y"]
    assert found.dtype == bool and found.tolist() == [True, False, True]


def test_wrong_feeds_never_reach_acllite(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = start()
    with open_lite(write_model(tmp_path, negation())) as session:
        for feed in (np.zeros((1, 3, 4, 5), np.float32), np.zeros((1, 3, 4, 4), np.float64)):
            for use in (session.run, session.run_timed, session.submit):
                with pytest.raises(SessionError, match="does not fit"):
                    use({"x": feed})
        with pytest.raises(SessionError, match="got nothing"):
            session.run({})
    assert "acl.mdl.execute" not in machine.faults.counts()


def test_a_strided_feed_is_understood(start: Start, tmp_path: Path) -> None:
    start()
    feed = random_array((4, 4, 3, 1)).T
    with open_lite(write_model(tmp_path, negation())) as session:
        np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)


def test_outputs_belong_to_the_caller(start: Start, tmp_path: Path) -> None:
    start()
    with open_lite(write_model(tmp_path, negation())) as session:
        first = session.run({"x": random_array((1, 3, 4, 4))})["y"]
        before = first.copy()
        session.run({"x": random_array((1, 3, 4, 4), seed=1)})
        np.testing.assert_array_equal(first, before)
        assert first.flags.owndata and first.flags.writeable


def test_every_batch_up_to_the_largest_runs_and_nothing_piles_up(
    start: Start, tmp_path: Path
) -> None:
    machine = start()
    path = write_model(
        tmp_path, negation(("n", 3)), input_shapes={"x": (-1, 3)}, dynamic_batch=(2, 4)
    )
    with open_lite(path) as session:
        assert session.inputs[0].shape == session.outputs[0].shape == (-1, 3)
        session.run({"x": random_array((4, 3))})
        before = live(machine)
        for batch in (1, 2, 3, 4, 1):
            feed = random_array((batch, 3), seed=batch)
            np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)
        assert live(machine) == before
        with pytest.raises(SessionError, match="larger than the model"):
            session.run({"x": random_array((5, 3))})


def test_the_batch_asked_for_is_the_only_one(start: Start, tmp_path: Path) -> None:
    start()
    path = write_model(
        tmp_path, negation(("n", 3)), input_shapes={"x": (-1, 3)}, dynamic_batch=(2, 4)
    )
    with open_lite(path, batch=2) as session:
        feed = random_array((2, 3))
        np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)
        with pytest.raises(SessionError, match="larger than the model"):
            session.run({"x": random_array((3, 3))})
    with pytest.raises(UsageError, match="no profile for batch 3"):
        open_lite(path, batch=3)


def test_dynamic_picture_sizes_are_left_to_the_acl_back_end(start: Start, tmp_path: Path) -> None:
    start()
    onnx = negation((1, 3, "h", "w"))
    path = write_model(
        tmp_path, onnx, input_shapes={"x": (1, 3, -1, -1)}, dynamic_image_size=((4, 4), (8, 8))
    )
    with pytest.raises(ModelFileError, match="picture sizes") as caught:
        open_lite(path)
    assert "--backend acl" in str(caught.value)


def test_submitted_runs_come_back_by_handle(start: Start, tmp_path: Path) -> None:
    start()
    feeds = [random_array((1, 3, 4, 4), seed=seed) for seed in range(3)]
    with open_lite(write_model(tmp_path, negation())) as session:
        handles = [session.submit({"x": feed}) for feed in feeds]
        for handle, feed in reversed(list(zip(handles, feeds))):
            np.testing.assert_array_equal(session.result(handle)["y"], -feed)
        with pytest.raises(SessionError, match=f"handle {handles[0]}"):
            session.result(handles[0])
        session.submit({"x": feeds[0]})  # dropped by the end of the block


def test_threads_may_share_a_session_and_a_device(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    path = write_model(tmp_path, negation())

    def write_and_dawdle(*args: object) -> None:
        write_array(*args)  # type: ignore[arg-type]
        sleep(0.001)

    monkeypatch.setattr(acllite_session, "write_array", write_and_dawdle)

    def use(session: Session, seed: int) -> None:
        feed = random_array((1, 3, 4, 4), seed=seed)
        for _ in range(10):
            np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)

    with open_lite(path) as one, open_lite(path) as two, ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(use, (one, two)[seed % 2], seed) for seed in range(4)]:
            job.result()


def test_the_device_goes_with_the_last_session_also_one_of_another_back_end(
    start: Start, tmp_path: Path
) -> None:
    machine = start()
    path = write_model(tmp_path, negation())
    feed = random_array((1, 3, 4, 4))
    first, second = open_lite(path), open_session(path, backend="acl")
    assert live(machine)["context"] == 1
    first.close()
    np.testing.assert_array_equal(second.run({"x": feed})["y"], -feed)
    second.close()
    assert live(machine) == {}


def test_a_device_tensor_is_refused_and_not_taken_for_an_array(
    start: Start, tmp_path: Path
) -> None:
    start()
    path = write_model(tmp_path, negation())
    feed = random_array((1, 3, 4, 4))
    with open_lite(path) as lite, open_session(path, backend="acl") as session:
        tensor = session.run_resident({"x": feed})["y"]  # type: ignore[attr-defined]
        with pytest.raises(SessionError, match="input 'x' is a DeviceTensor") as caught:
            lite.run({"x": tensor})
    assert "read_tensor()" in str(caught.value)


def test_a_program_that_started_acl_itself_keeps_its_device(start: Start, tmp_path: Path) -> None:
    start()
    acl = sys.modules["acl"]
    assert acl.init() == 0 and acl.rt.set_device(0) == 0
    own, code = acl.rt.create_context(0)
    assert code == 0
    feed = random_array((1, 3, 4, 4))
    with open_lite(write_model(tmp_path, negation())) as session:
        assert acl.rt.get_context() == (own, 0)
        np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)
    assert acl.rt.get_context() == (own, 0)
    assert acl.rt.destroy_context(own) == 0
    assert acl.rt.reset_device(0) == 0 and acl.finalize() == 0


def test_none_becomes_an_error_that_repeats_what_acllite_printed(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    start(fail="acl.mdl.execute@2=507011")
    feed = random_array((1, 3, 4, 4))
    with open_lite(write_model(tmp_path, negation())) as session:
        session.run({"x": feed})
        with pytest.raises(DeviceError, match="AclLite failed at a run") as caught:
            session.run({"x": feed})
        assert "it returned None; Execute model failed" in str(caught.value.why)
        assert "507011" in str(caught.value.why) and "\033" not in str(caught.value)
        assert explain(507011).meaning in str(caught.value.why)
        assert caught.value.fix == explain(507011).fix
        np.testing.assert_array_equal(session.run({"x": feed})["y"], -feed)
    assert capsys.readouterr().out == ""  # standard output is for data


def test_an_error_of_a_dynamic_run_leaves_no_hidden_input_behind(
    start: Start, tmp_path: Path
) -> None:
    machine = start(fail="acl.mdl.execute@1=507011")
    path = write_model(
        tmp_path, negation(("n", 3)), input_shapes={"x": (-1, 3)}, dynamic_batch=(2, 4)
    )
    with open_lite(path) as session:
        before = live(machine)
        with pytest.raises(DeviceError, match="failed at a run"):
            session.run({"x": random_array((2, 3))})
        assert live(machine) == before


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "call",
    [
        "acl.rt.get_run_mode@2=500000",
        "acl.mdl.load_from_file=507009",
        "acl.mdl.get_desc@1=500000",
        "acl.rt.malloc@1=200000",
        "acl.rt.malloc@2=200000",
    ],
)
def test_a_model_that_can_not_be_opened_is_one_error_and_leaves_nothing(
    start: Start, tmp_path: Path, call: str, capsys: pytest.CaptureFixture
) -> None:
    machine = start(fail=call)
    path = write_model(tmp_path, negation())
    with pytest.raises(DeviceError) as caught:
        open_lite(path)
    assert call.split("=")[1] in str(caught.value.why)
    del caught
    gc.collect()  # __del__ has nothing more to say
    assert live(machine) == {}
    told = capsys.readouterr()
    assert told.out == told.err == ""


def test_a_half_built_model_is_refused(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = start()
    path = write_model(tmp_path, negation())
    monkeypatch.setattr(standin_acllite, "is_file", lambda path: False)
    with pytest.raises(DeviceError, match="loading the model") as caught:
        open_lite(path)
    assert "half built; " in str(caught.value.why) and "--backend acl" in str(caught.value.fix)
    assert "model_path failed" in str(caught.value.why) and caught.value.where == str(path)
    assert live(machine) == {}


def test_what_is_missing_is_named(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path, negation())
    monkeypatch.setitem(sys.modules, "acl", None)
    with pytest.raises(AtlasHpeError) as caught:
        open_lite(path)
    assert caught.value.exit_code in (3, 4) and "set_env.sh" in str(caught.value.fix)
    monkeypatch.delitem(sys.modules, "acl")
    start()
    monkeypatch.delitem(sys.modules, "acllite_model")
    with pytest.raises(MissingExtraError, match="AclLite, which was not found") as missing:
        open_lite(path)
    assert "PYTHONPATH" in str(missing.value.fix)
    broken = (
        "import constants_of_acllite",
        "import sys",
        "raise ImportError('no PIL')",
        "raise Exception('acl.rt.get_run_mode failed')",
        "x =",
    )
    for number, source in enumerate(broken):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "acllite_model.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        with pytest.raises(DeviceError, match="there but can't be loaded"):
            open_lite(path)
        monkeypatch.delitem(sys.modules, "acllite_model", raising=False)


def test_a_closed_session_says_so(start: Start, tmp_path: Path) -> None:
    start()
    session = open_lite(write_model(tmp_path, negation()))
    session.close()
    session.close()
    for use in (session.run, session.run_timed, session.submit):
        with pytest.raises(SessionError, match="closed"):
            use({"x": random_array((1, 3, 4, 4))})
    with pytest.raises(SessionError, match="closed"):
        session.result(1)


def test_times_are_told_and_fit_the_run(start: Start, tmp_path: Path) -> None:
    start()
    with open_lite(write_model(tmp_path, negation())) as session:
        outputs, times = session.run_timed({"x": random_array((1, 3, 4, 4))})
    assert list(outputs) == ["y"]
    assert min(times.copy_in_ms, times.execute_ms) > 0 and times.copy_out_ms >= 0
