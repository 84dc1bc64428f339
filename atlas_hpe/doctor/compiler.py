"""Whether .onnx can be compiled here: the CANN toolkit, atc, memory, docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Sequence, Tuple

from atlas_hpe.cann import CannInstall
from atlas_hpe.doctor.environment import (
    driver_folder,
    examine_python,
    source_line,
)
from atlas_hpe.doctor.findings import FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, is_there

__all__ = ["examine_compiler"]

_ATC_LIMIT_S = 20.0
#: atc refuses to start with less (ascend.md section 3.4).
_ATC_MEMORY_MB = 2048
_SOCKET = "/var/run/docker.sock"
_BY_ITSELF = "though atlas-hpe convert sets that up by itself"
_GET_TOOLKIT = (
    "install Ascend-cann-toolkit_<version>_linux-<processor>.run, or compile in a container: "
    "atlas-hpe convert MODEL.onnx --docker IMAGE"
)
_NO_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object")


def examine_compiler(machine: Machine, installs: Sequence[CannInstall]) -> Tuple[Finding, ...]:
    """Everything about atc, in the order in which it is to be mended."""
    install = next((item for item in installs if item.atc is not None), None)
    docker = _examine_docker(machine)
    if install is None or install.atc is None:
        text = "no atc on PATH or in the usual folders"
        if docker.verdict == OK:
            fix = "compile in a container: atlas-hpe convert MODEL.onnx --docker IMAGE"
            return (Finding("CANN toolkit", WARNING, text, fix), docker)
        return (Finding("CANN toolkit", MISSING, text, _GET_TOOLKIT), docker)
    found = [
        Finding("CANN toolkit", OK, f"{install.version or 'unknown version'} in {install.home}"),
        _examine_atc(machine, install, install.atc),
        _examine_memory(machine),
    ]
    python = examine_python(machine, install)
    if python is not None:
        found.append(python)
    if docker.verdict == OK:
        found.append(docker)
    return tuple(found)


def _examine_atc(machine: Machine, install: CannInstall, atc: Path) -> Finding:
    outcome = machine.run((str(atc), "--help"), machine.environ, _ATC_LIMIT_S)
    if outcome.status == 0:
        return Finding("atc", OK, f"starts, {atc}")
    if outcome.timed_out:
        text = f"'atc --help' did not end within {_ATC_LIMIT_S:g} s"
        return Finding("atc", FAULT, text, source_line(install))
    library = _NO_LIBRARY.search(outcome.text)
    lines = outcome.text.strip().splitlines() or [f"it ended with status {outcome.status}"]
    why = lines[-1] if library is None else f"{library.group(1)} was not found"
    if "ASCEND_OPP_PATH" not in machine.environ:
        text = f"does not start in this shell, {_BY_ITSELF}: {why}"
        return Finding("atc", WARNING, text, source_line(install))
    stubs = install.stub_libraries
    has_stub = library is not None and stubs is not None and is_there(stubs / library.group(1))
    if has_stub and driver_folder(machine) is None:
        # The driver would bring it; on a machine without one the stubs stand in (section 3.4).
        text = f"does not start without a driver, {_BY_ITSELF}: {why}"
        fix = f"export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:{stubs}"
        return Finding("atc", WARNING, text, fix)
    return Finding("atc", FAULT, f"does not start: {why}", source_line(install))


def _examine_memory(machine: Machine) -> Finding:
    available_mb = machine.available_mb()
    if available_mb is None:
        return Finding("memory", OK, "the system does not tell how much is available")
    text = f"{available_mb / 1024:.1f} GB available"
    if available_mb >= _ATC_MEMORY_MB:
        return Finding("memory", OK, text)
    return Finding(
        "memory",
        MISSING,
        f"{text}, and atc does not start with less than 2 GB",
        "close programs or add swap; on a board: convert on another machine",
    )


def _examine_docker(machine: Machine) -> Finding:
    program = machine.program("docker")
    if program is None:
        return Finding("docker", MISSING, "not on PATH", "install docker, or the CANN toolkit")
    socket = machine.path(_SOCKET)
    if is_there(socket) and not machine.may_use(socket) and "DOCKER_HOST" not in machine.environ:
        text = f"{program}, and this user may not use {_SOCKET}"
        return Finding("docker", WARNING, text, "sudo usermod -aG docker $USER, then log in again")
    return Finding("docker", OK, program)
