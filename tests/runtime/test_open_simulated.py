"""Files for the simulator are told by their name, and nothing else takes them for an .om."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from acl_board import negation, random_array
from simulated import fresh

from atlas_hpe.errors import ModelFileError
from atlas_hpe.simulated_file import is_simulated_file, is_simulated_name
from atlas_hpe_runtime import Session, open_session
from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.backends import simulator
from atlas_hpe_runtime.simulator.child import LEDGERS
from atlas_hpe_runtime.simulator.install import install, uninstall
from atlas_hpe_runtime.simulator.model_file import MARKER, write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def no_acl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "acl", raising=False)


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    path = tmp_path / "hand.simulated.om"
    write_simulated_model(path, SimulatedModel(negation()))
    return path


def check_runs(session: Session) -> None:
    x = random_array((1, 3, 4, 4))
    np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
    assert (session.backend, session.basis) == ("simulator", "simulated")


@pytest.mark.parametrize("name", ["hand.simulated.om", "HAND.Simulated.OM"])
def test_the_name_sends_it_to_the_simulator(simulated: Path, name: str) -> None:
    path = simulated.with_name(name)
    simulated.rename(path)
    assert is_simulated_name(path)
    with open_session(path) as session:
        check_runs(session)


def test_under_the_simulate_command_the_ledger_is_that_of_the_command(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, machine = fresh()
    monkeypatch.setenv(LEDGERS, str(simulated.parent))
    monkeypatch.setattr(simulator, "load_acl", lambda: Acl(module, simulated=True))
    with open_session(simulated) as session:  # before anything imported acl
        assert any(item.kind == "model" for item in machine.ledger.live())
        check_runs(session)


@pytest.mark.parametrize("name", ["hand.om", "simulated.om", "hand.simulated.onnx", "simulated"])
def test_other_names_are_not_those_of_simulated_models(name: str) -> None:
    assert not is_simulated_name(Path(name))


def test_where_acl_is_the_simulator_every_om_goes_to_it(simulated: Path) -> None:
    other = simulated.with_name("hand.om")
    other.write_bytes(simulated.read_bytes())
    machine = install(SimulatorSettings())
    try:
        for path in (simulated, other):
            with open_session(path) as session:
                assert any(item.kind == "model" for item in machine.ledger.live())
                check_runs(session)
    finally:
        uninstall(machine)


def test_a_board_refuses_it(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = install(SimulatorSettings(fail="acl.mdl.load_from_file=500002"))
    monkeypatch.delattr(sys.modules["acl"], "__simulated__")  # as good as a board
    try:
        with pytest.raises(ModelFileError, match="runs on the simulator only") as caught:
            open_session(simulated, backend="acl")
    finally:
        monkeypatch.undo()
        uninstall(machine)
    assert caught.value.where == str(simulated)
    assert caught.value.fix
    assert "--backend simulator" in caught.value.fix
    assert "atlas-hpe convert" in caught.value.fix


def test_onnxruntime_refuses_it_by_name(simulated: Path) -> None:
    with pytest.raises(ModelFileError, match="runs on the simulator only"):
        open_session(simulated, backend="onnxruntime")


def test_it_is_known_by_its_content(simulated: Path) -> None:
    assert is_simulated_file(simulated)
    for content in (simulated.read_bytes()[1:], simulated.read_bytes()[:20], b""):
        simulated.write_bytes(content)
        assert not is_simulated_file(simulated)


def test_a_real_om_with_the_name_of_a_simulated_one_is_refused(simulated: Path) -> None:
    simulated.write_bytes(b"IMOD" + bytes(300))
    with pytest.raises(ModelFileError, match="compiled for a real device") as caught:
        open_session(simulated)
    assert caught.value.fix
    assert "--simulate" in caught.value.fix


def test_a_damaged_one_is_told_how_to_make_it_again(simulated: Path) -> None:
    simulated.write_bytes(simulated.read_bytes()[: len(MARKER) + 20])
    with pytest.raises(ModelFileError, match="damaged") as caught:
        open_session(simulated)
    assert caught.value.fix
    assert "convert MODEL.onnx --simulate" in caught.value.fix
