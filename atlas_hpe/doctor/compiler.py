"""Whether .onnx can be compiled here: the CANN toolkit, atc, memory, docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Mapping, Optional, Sequence, Tuple

from atlas_hpe.cann import CannInstall, atc_environment
from atlas_hpe.cann.memory import NEEDED_KB
from atlas_hpe.doctor.environment import (
    OF_DRIVER,
    driver_folder,
    examine_python,
    missing_library,
    source_line,
)
from atlas_hpe.doctor.findings import FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, Outcome, is_there
from atlas_hpe.doctor.memory import examine_memory

__all__ = ["examine_compiler"]

_ATC_LIMIT_S = 20.0
_PYTHON_LIMIT_S = 5.0
_SOCKET = "/var/run/docker.sock"
_IN_A_CONTAINER = "atlas-hpe convert MODEL.onnx --docker IMAGE"
_GET_TOOLKIT = (
    "install Ascend-cann-toolkit_<version>_linux-<processor>.run, or compile in a container: "
    + _IN_A_CONTAINER
)
_NO_MODULE = re.compile(r"No module named '?([\w.]+)")


def examine_compiler(machine: Machine, installs: Sequence[CannInstall]) -> Tuple[Finding, ...]:
    """Everything about atc, in the order in which it is to be mended."""
    install = next((item for item in installs if item.atc is not None), None)
    docker = _examine_docker(machine)
    if install is None or install.atc is None:
        text = "no atc on PATH or in the usual folders"
        if docker.verdict == OK:
            toolkit = Finding("CANN toolkit", WARNING, text, _IN_A_CONTAINER)
            return (toolkit, docker, _examine_memory(machine))
        return (Finding("CANN toolkit", MISSING, text, _GET_TOOLKIT), docker)
    # As convert starts it, so that the two never disagree.
    environ = atc_environment(install, machine.environ, machine.root)
    found = [
        Finding("CANN toolkit", OK, f"{install.version or 'unknown version'} in {install.home}"),
        _examine_atc(machine, install, install.atc, environ),
        _examine_memory(machine),
    ]
    python = _examine_python(machine, install, environ)
    if python is not None:
        found.append(python)
    if docker.verdict == OK:
        found.append(docker)
    return tuple(found)


def _examine_atc(
    machine: Machine, install: CannInstall, atc: Path, environ: Mapping[str, str]
) -> Finding:
    outcome = machine.run((str(atc), "--help"), environ, _ATC_LIMIT_S)
    if outcome.status == 0:
        by_hand = "" if "ASCEND_OPP_PATH" in machine.environ else source_line(install)
        return Finding("atc", OK, f"starts, {atc}" + (by_hand and f"; by hand: {by_hand}"))
    if outcome.timed_out:
        text = f"'atc --help' did not end within {_ATC_LIMIT_S:g} s"
        return Finding("atc", FAULT, text, f"{atc} --help, to see what it waits for")
    lines = outcome.text.strip().splitlines() or [f"it ended with status {outcome.status}"]
    library = missing_library(outcome.text)
    why = lines[-1] if library is None else f"{library} was not found"
    return Finding("atc", FAULT, f"does not start: {why}", _mend_atc(machine, outcome, library))


def _mend_atc(machine: Machine, outcome: Outcome, library: Optional[str]) -> str:
    if library is not None and library.startswith(OF_DRIVER) and driver_folder(machine):
        return "install the driver package again: its libraries are not complete"
    if library is not None:
        return f"install the system's package that has {library}, or the toolkit again"
    module = _NO_MODULE.search(outcome.text)
    if module is not None:
        return f"give the python3 on PATH what the toolkit wants, {module.group(1)} for one"
    return f"install the toolkit again, in the version for {machine.processor}"


def _examine_python(
    machine: Machine, install: CannInstall, environ: Mapping[str, str]
) -> Optional[Finding]:
    """The Python that atc runs: the one on its PATH, and not the one that runs this."""
    program = machine.program("python3", environ)
    if program is None:
        fix = "put a Python that the toolkit takes on PATH, as python3"
        return Finding("Python", WARNING, "no python3 on PATH, which atc runs", fix)
    outcome = machine.run((program, "--version"), environ, _PYTHON_LIMIT_S)
    found = re.match(r"Python (\d+\.\d+\.\d+)", outcome.text)
    return None if found is None else examine_python(found.group(1), install)


def _examine_memory(machine: Machine) -> Finding:
    return examine_memory(
        machine,
        NEEDED_KB,
        MISSING,
        why="atc does not start with less than 2 GB",
        fix="close programs, add swap, raise the limit, or convert on another machine",
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
