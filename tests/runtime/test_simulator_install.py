"""How the simulated module gets to where programs import it from."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Iterator

import pytest

from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.simulator import Machine, SimulatorSettings, build_acl, install, uninstall


@pytest.fixture(autouse=True)
def no_acl(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    yield
    sys.modules.pop("acl", None)


def test_an_installed_simulator_can_be_imported_and_taken_away() -> None:
    machine = install(SimulatorSettings(soc="Ascend310P3"))
    import acl  # type: ignore[import-not-found]
    from acl import rt

    assert acl.get_soc_name() == "Ascend310P3"
    assert acl.rt is rt
    assert acl.__simulated__ is machine
    assert "no board" in acl.__doc__
    uninstall(machine)
    assert "acl" not in sys.modules
    assert machine.ledger.report() == "everything was released"
    uninstall(machine)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_HPE_SIM_MODE", "ep")
    machine = install()
    assert machine.settings.mode == "ep"
    uninstall(machine)


def test_a_loaded_module_is_not_replaced() -> None:
    machine = install(SimulatorSettings())
    with pytest.raises(UsageError) as caught:
        install(SimulatorSettings())
    assert caught.value.why == "it is simulated"
    uninstall(machine)
    real = ModuleType("acl")
    sys.modules["acl"] = real
    with pytest.raises(UsageError) as caught:
        install(SimulatorSettings())
    assert "board" in str(caught.value.why)
    uninstall(machine)
    assert sys.modules["acl"] is real


def test_only_the_own_simulator_is_taken_away() -> None:
    machine = install(SimulatorSettings())
    uninstall(Machine())
    assert "acl" in sys.modules
    uninstall(machine)


def test_machines_share_nothing() -> None:
    one, two = build_acl(Machine()), build_acl(Machine(SimulatorSettings(mode="ep")))
    assert one.init() == two.init() == 0
    assert one.rt.set_device(0) == 0
    assert two.rt.get_context() == (0, 107002)
    assert one.rt.get_run_mode() != two.rt.get_run_mode()


def test_a_fault_for_no_call_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        build_acl(Machine(SimulatorSettings(fail="acl.rt.mallok=207001")))
    assert "acl.rt.malloc" in str(caught.value.fix)
    old = SimulatorSettings(cann="5.0", fail="acl.util.bytes_to_ptr=100000")
    with pytest.raises(UsageError, match="bytes_to_ptr"):
        build_acl(Machine(old))


def test_calls_look_like_those_of_a_module() -> None:
    acl = build_acl(Machine())
    assert acl.rt.malloc.__name__ == "malloc"
    assert acl.rt.malloc.__module__ == "acl.rt"
    assert acl.init.__module__ == "acl"
    assert acl.rt.malloc.__doc__
