"""Which back-end opens which file, and what is said where that can't be."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from types import ModuleType

import numpy as np
import pytest
from acl_board import negation, random_array, write_model

from atlas_hpe.errors import DeviceError, MissingExtraError, ModelFileError, UsageError
from atlas_hpe_runtime import Session, open_session
from atlas_hpe_runtime.backends import SessionOptions, acl, simulator
from atlas_hpe_runtime.backends.simulator import _make_gate
from atlas_hpe_runtime.simulator.install import install, uninstall
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

pytest.importorskip("onnxruntime")

SHAPE = (1, 3, 4, 4)


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_model(tmp_path, negation())


@pytest.fixture(autouse=True)
def settings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    for name in ("MODE", "CANN", "SOC", "DEVICES", "MEMORY_MB", "FAIL"):
        monkeypatch.delenv(f"ATLAS_HPE_SIM_{name}", raising=False)


def run_once(session: Session) -> None:
    x = random_array(SHAPE)
    np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_an_om_goes_to_the_board_and_without_one_the_fix_is_told(model_path: Path) -> None:
    with pytest.raises(MissingExtraError) as caught:
        open_session(model_path)
    assert caught.value.fix and "set_env.sh" in caught.value.fix
    assert "--backend simulator" in caught.value.fix


def test_the_simulator_takes_its_own_files_and_onnx(model_path: Path, tmp_path: Path) -> None:
    onnx = tmp_path / "tiny.onnx"
    onnx.write_bytes(negation())
    for path in (model_path, onnx):
        with open_session(path, backend="simulator") as session:
            assert session.backend == "simulator"
            run_once(session)


def test_sessions_share_the_simulated_device(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_HPE_SIM_MODE", "ep")
    machine = vars(_make_gate(SimulatorSettings(mode="ep")).module)["__simulated__"]
    with open_session(model_path, backend="simulator") as first:
        with open_session(model_path, backend="simulator") as second:
            kinds = [item.kind for item in machine.ledger.live()]
            assert (kinds.count("context"), kinds.count("model")) == (1, 2)
            run_once(first)
            run_once(second)
        run_once(first)
    assert [item.kind for item in machine.ledger.live()] == ["init"]


def test_threads_that_open_the_first_session_together_share_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(settings: SimulatorSettings) -> Machine:
        sleep(0.05)
        return Machine(settings)

    monkeypatch.setattr(simulator, "Machine", slow)
    monkeypatch.setenv("ATLAS_HPE_SIM_MEMORY_MB", "777")
    with ThreadPoolExecutor(4) as threads:
        gates = set(threads.map(lambda _: simulator._gate(), range(4)))
    assert len(gates) == 1


def test_a_program_that_runs_on_the_simulator_is_told_so(model_path: Path) -> None:
    machine = install(SimulatorSettings())
    try:
        for backend in ("auto", "acl", "simulator"):
            with open_session(model_path, backend=backend) as session:
                assert (session.backend, session.basis) == ("simulator", "simulated")
                assert any(item.kind == "model" for item in machine.ledger.live())
                run_once(session)
    finally:
        uninstall(machine)


def test_an_onnx_is_refused_by_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(negation())
    monkeypatch.setitem(sys.modules, "acl", ModuleType("acl"))
    with pytest.raises(ModelFileError, match=r"does not run \.onnx") as caught:
        open_session(path, backend="acl")
    assert caught.value.fix and "atc" in caught.value.fix


def test_a_model_in_memory_opens_too(model_path: Path) -> None:
    machine = install(SimulatorSettings())
    try:
        with acl.open_model(model_path.read_bytes(), SessionOptions()) as session:
            run_once(session)
    finally:
        uninstall(machine)


def test_a_real_om_is_refused_by_the_simulator(shared_data: Path) -> None:
    with pytest.raises(ModelFileError, match="real device"):
        open_session(shared_data / "om" / "hh_om.om", backend="simulator")


def test_a_damaged_model_is_told_in_words(tmp_path: Path) -> None:
    for name in ("broken.onnx", "broken.om", "broken.bin"):
        path = tmp_path / name
        path.write_bytes(b"\x08\x06nothing of use")
        with pytest.raises(ModelFileError, match="not an ONNX model") as caught:
            open_session(path, backend="simulator")
        assert caught.value.where == str(path)


def test_options_reach_the_device(model_path: Path) -> None:
    with pytest.raises(UsageError, match="batch 2"):
        open_session(model_path, backend="simulator", batch=2)
    with pytest.raises(UsageError, match="0 frames in flight"):
        open_session(model_path, backend="simulator", frames_in_flight=0)
    with pytest.raises(DeviceError, match="set_device"):
        open_session(model_path, backend="simulator", device=3)


def test_what_is_simulated_comes_from_the_environment(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_HPE_SIM_FAIL", "acl.mdl.execute_async=507011")
    session = open_session(model_path, backend="simulator")
    with session, pytest.raises(DeviceError, match="execute_async"):
        run_once(session)
