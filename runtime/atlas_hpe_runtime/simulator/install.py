"""The module ``acl``, and how it gets to where programs import it from."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from types import ModuleType
from typing import List, Optional

from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.simulator.calls import bind
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["build_acl", "install", "uninstall"]

_PACKAGE = __name__.rpartition(".")[0]
# Parts that hold no calls and are not needed to run a program.
_NO_CALLS = ("install", "child", "launch", "sweep")
_SUBMODULES = ("rt", "mdl", "util", "media")


def build_acl(machine: Machine) -> ModuleType:
    """The module ``acl`` with ``acl.rt``, ``acl.mdl``, ``acl.util`` and ``acl.media``.

    All functions of this package that ``acl_call`` marks are in it, if the machine's generation
    has them. ``acl.__simulated__`` is the machine.

    Args:
        machine: What the calls work on.

    Raises:
        UsageError: A fault is ordered for a call that does not exist.
    """
    calls = bind(machine, _call_modules())
    for name in machine.faults.names():
        if name not in calls:
            near = difflib.get_close_matches(name, calls, 3)
            raise UsageError(
                f"there is no call '{name}' that could fail",
                where="--fail, ATLAS_HPE_SIM_FAIL",
                why=f"CANN {machine.settings.cann} as simulated has {len(calls)} calls",
                fix="did you mean " + ", ".join(near) if near else None,
            )
    acl = ModuleType("acl", f"{machine.title} (no board)")
    modules = {"acl": acl}
    for name in _SUBMODULES:
        modules[f"acl.{name}"] = ModuleType(f"acl.{name}")
        setattr(acl, name, modules[f"acl.{name}"])
    for name, call in calls.items():
        home, _, last = name.rpartition(".")
        setattr(modules[home], last, call)
    acl.__dict__["__simulated__"] = machine
    return acl


def install(settings: Optional[SimulatorSettings] = None) -> Machine:
    """Make ``import acl`` give the simulator, in this process.

    Args:
        settings: What to simulate; None reads the environment (ATLAS_HPE_SIM_...).

    Returns:
        The machine; hand it to ``uninstall``.

    Raises:
        UsageError: A module ``acl`` is loaded already, a value in the environment is impossible, or
            a fault is ordered for a call that does not exist.
    """
    loaded = sys.modules.get("acl")
    if loaded is not None:
        simulated = hasattr(loaded, "__simulated__")
        raise UsageError(
            "the simulator can't take the place of a module 'acl' that is loaded already",
            where=getattr(loaded, "__file__", None),
            why="it is simulated" if simulated else "it may be the one of a board",
            fix="uninstall it first" if simulated else "use a process that does not import it",
        )
    machine = Machine(SimulatorSettings.from_environment() if settings is None else settings)
    sys.modules["acl"] = build_acl(machine)
    return machine


def uninstall(machine: Machine) -> None:
    """Undo ``install``: the module goes, the machine's threads end, its ledger stays readable."""
    loaded = sys.modules.get("acl")
    if loaded is not None and getattr(loaded, "__simulated__", None) is machine:
        del sys.modules["acl"]
    machine.close()


def _call_modules() -> List[ModuleType]:
    package = importlib.import_module(_PACKAGE)
    found = pkgutil.walk_packages(package.__path__, _PACKAGE + ".")
    names = [info.name for info in found]
    skipped = tuple(f"{_PACKAGE}.{name}" for name in _NO_CALLS)
    return [importlib.import_module(name) for name in sorted(names) if name not in skipped]
