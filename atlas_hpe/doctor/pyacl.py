"""Whether ``import acl`` works, tried in a process of its own: it can hang or crash."""

from __future__ import annotations

import re
import signal
import sys
from typing import Optional

from atlas_hpe.cann import CannInstall
from atlas_hpe.doctor.environment import OF_DRIVER, driver_folder, missing_library, source_line
from atlas_hpe.doctor.findings import CONTAINER, FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, Outcome

__all__ = ["MOUNT", "examine_pyacl"]

#: How a container gets the driver's libraries (ascend.md section 8.4).
MOUNT = f"{CONTAINER}-v /usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64:ro"

_NAME = "pyACL"
_LIMIT_S = 10.0
# The folder that the program was started in is on the path of a child with -c, and not on ours.
_IMPORT = "import sys; sys.path[:] = [p for p in sys.path if p]; import acl; print(acl.__file__)"
_NO_SYMBOL = re.compile(r"undefined symbol: (\w+)|version [`'](\S+)' not found")
_VERSIONS = "install a driver and a CANN of one release, see 'driver and CANN'"


def examine_pyacl(machine: Machine, install: Optional[CannInstall], *, has_device: bool) -> Finding:
    """Import pyACL in a child process and say in words what became of it.

    Args:
        machine: The machine.
        install: The CANN that should bring it, None when none is known.
        has_device: A driver or device nodes are here, so that its libraries should be too.
    """
    if machine.simulated:
        return Finding(_NAME, OK, "the simulator stands in its place")
    outcome = machine.run((sys.executable, "-c", _IMPORT), machine.environ, _LIMIT_S)
    if outcome.status == 0:
        return Finding(_NAME, OK, outcome.text.strip().rpartition("\n")[2])
    if outcome.timed_out:
        text = f"'import acl' did not end within {_LIMIT_S:g} s"
        return Finding(_NAME, FAULT, text, "npu-smi info; when that hangs too, restart the board")
    if outcome.status is not None and outcome.status < 0:
        text = f"'import acl' crashed the interpreter ({_signal_name(-outcome.status)})"
        return Finding(_NAME, FAULT, text, _VERSIONS)
    return _explain(machine, install, outcome, has_device)


def _explain(
    machine: Machine, install: Optional[CannInstall], outcome: Outcome, has_device: bool
) -> Finding:
    said = outcome.text.strip().rpartition("\n")[2] or "it said nothing"
    if "No module named 'acl'" in said:
        return Finding(_NAME, MISSING, "no module acl on PYTHONPATH", source_line(install))
    library = missing_library(said)
    if library is not None:
        return _no_library(machine, install, library, has_device)
    if _NO_SYMBOL.search(said):
        return Finding(_NAME, FAULT, f"libraries of several releases: {said}", _VERSIONS)
    return Finding(_NAME, FAULT, said, f"{source_line(install)}, with a Python that CANN takes")


def _no_library(
    machine: Machine, install: Optional[CannInstall], library: str, has_device: bool
) -> Finding:
    if not library.startswith(OF_DRIVER):
        text = f"{library} was not found on LD_LIBRARY_PATH"
        return Finding(_NAME, FAULT, text, source_line(install))
    text = f"{library} of the driver was not found"
    if not has_device:
        text += "; there is no driver on this machine, and so no device"
        return Finding(_NAME, WARNING, text, "use --backend simulator here, and .om on the board")
    folder = driver_folder(machine)
    found = None if folder is None else next(folder.rglob(library), None)
    if found is not None:
        fix = f"export LD_LIBRARY_PATH={found.parent}:$LD_LIBRARY_PATH"
    elif machine.in_container():
        fix = MOUNT
    else:
        fix = "install the driver package again: its libraries are not complete"
    return Finding(_NAME, FAULT, text, fix)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
