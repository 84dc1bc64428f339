"""Whether .om files can be run here: CANN, driver, pyACL, device nodes, group, memory."""

from __future__ import annotations

import re
from typing import Optional, Sequence, Tuple

from atlas_hpe.cann import CannInstall, driver_version
from atlas_hpe.doctor.environment import (
    driver_folder,
    examine_environment,
    examine_python,
    examine_stubs,
)
from atlas_hpe.doctor.findings import ASK_BOARD, FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, is_there
from atlas_hpe.doctor.memory import examine_memory
from atlas_hpe.doctor.nodes import device_nodes, examine_nodes
from atlas_hpe.doctor.pyacl import MOUNT, examine_pyacl
from atlas_hpe.targets import RELEASES, drivers_for

__all__ = ["device_chip", "examine_board", "has_device", "looks_like_board"]

_NPU_SMI = ("/usr/local/sbin/npu-smi", "/usr/local/bin/npu-smi")
_NPU_SMI_LIMIT_S = 5.0
_CHIP = re.compile(r"^\|\s*\d+\s+(?:Ascend)?(\d{3}[A-Z0-9]*)\s*\|", re.MULTILINE)
#: Our own measure: models and pictures of a pipeline, with room for the system.
_ROOM_KB = 512 << 10


def has_device(machine: Machine) -> bool:
    """Whether there are device nodes or a driver's libraries."""
    return bool(device_nodes(machine)) or driver_folder(machine) is not None


def looks_like_board(machine: Machine, installs: Sequence[CannInstall]) -> bool:
    """Whether this machine is there to run .om files."""
    return has_device(machine) or any(install.kind == "nnrt" for install in installs)


def device_chip(machine: Machine) -> Optional[str]:
    """The chip as ``npu-smi info`` names it, with "Ascend" in front (ascend.md section 3.3)."""
    usual = (machine.path(name) for name in _NPU_SMI)
    program = machine.program("npu-smi") or next(filter(is_there, usual), None)
    if program is None:
        return None
    outcome = machine.run((str(program), "info"), machine.environ, _NPU_SMI_LIMIT_S)
    found = _CHIP.search(outcome.text) if outcome.status == 0 else None
    return None if found is None else f"Ascend{found.group(1)}"


def examine_board(
    machine: Machine,
    installs: Sequence[CannInstall],
    install: Optional[CannInstall],
    chip: Optional[str],
) -> Tuple[Finding, ...]:
    """Everything that a pyACL program needs, in the order in which it is to be mended.

    Args:
        machine: The machine.
        installs: The packages of CANN that were found.
        install: The one that programs run with.
        chip: The device's chip, None when nothing tells.
    """
    found = []
    if not has_device(machine) and install is None:
        text = "neither driver, device nodes nor CANN are here"
        found.append(Finding("device", MISSING, text, f"on the board: {ASK_BOARD}"))
    found.append(_examine_driver(machine))
    if chip is not None:
        found.append(Finding("chip", OK, chip))
    found += examine_nodes(machine)
    found.append(_examine_cann(machine, installs, install))
    if install is not None:
        pair = _examine_pair(machine, install)
        found += [pair] if pair is not None else []
        found.append(examine_environment(machine, install))
    stubs = examine_stubs(machine, has_device=has_device(machine))
    found += [stubs] if stubs is not None else []
    found.append(examine_pyacl(machine, install, has_device=has_device(machine)))
    python = None if install is None else examine_python(machine.python_version, install)
    found += [python] if python is not None else []
    fix = "close other programs; run all models in one process, each keeps its own weights"
    why = "little for models and pictures"
    found.append(examine_memory(machine, _ROOM_KB, WARNING, why, fix))
    return tuple(found)


def _examine_cann(
    machine: Machine, installs: Sequence[CannInstall], install: Optional[CannInstall]
) -> Finding:
    if install is None:
        processor = machine.processor if machine.processor == "x86_64" else "aarch64"
        fix = f"install Ascend-cann-nnrt_<version>_linux-{processor}.run, listed for the driver"
        return Finding("CANN", MISSING, "neither nnrt nor a toolkit is installed", fix)
    others = [_title(other) for other in installs if other != install]
    text = f"{_title(install)} in {install.home}"
    return Finding("CANN", OK, "; also ".join([text, *others]))


def _title(install: CannInstall) -> str:
    return f"{install.kind} {install.version or 'of unknown version'}"


def _examine_driver(machine: Machine) -> Finding:
    version = driver_version(machine.root)
    if driver_folder(machine) is None:
        if machine.in_container():
            return Finding("driver", MISSING, "its libraries are not in this container", MOUNT)
        fix = "install the driver package of the board"
        return Finding("driver", MISSING, "not installed", fix)
    return Finding("driver", OK, version or "unknown version")


def _examine_pair(machine: Machine, install: CannInstall) -> Optional[Finding]:
    """Whether driver and CANN are a listed pair (ascend.md section 8.1); None where no list is."""
    driver = driver_version(machine.root)
    listed_drivers = {name for release in RELEASES.values() for name in release.drivers}
    if driver not in listed_drivers or install.version is None:
        return None
    wanted = drivers_for(install.version)
    name = "driver and CANN"
    if driver in wanted:
        return Finding(name, OK, "a listed pair")
    text = f"driver {driver} and CANN {install.version} are no listed pair"
    if wanted:
        return Finding(name, FAULT, text, f"install the driver {' or '.join(wanted)}")
    matching = [found.version for found in RELEASES.values() if driver in found.drivers]
    return Finding(name, FAULT, text, f"install CANN {' or '.join(matching)}")
