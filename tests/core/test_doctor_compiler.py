"""What the examination makes of machines that are to compile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Mapping

import pytest
from doctor_machines import (
    Programs,
    finding,
    plain_machine,
    sourced,
    verdicts,
    write,
    write_cann,
    write_driver,
)

from atlas_hpe.cann import check_memory
from atlas_hpe.doctor import (
    FAULT,
    MISSING,
    OK,
    WARNING,
    Finding,
    Machine,
    Outcome,
    examine_machine,
    next_step,
    verdict_of,
)
from atlas_hpe.errors import DeviceError
from atlas_hpe_export.convert.atc import find_toolchain

STARTS = Outcome(0, "ATC start working now")
NO_HAL = Outcome(
    127,
    "atc.bin: error while loading shared libraries: libascend_hal.so: cannot open shared object",
)


def laptop_with_toolkit(root: Path, atc: Outcome = STARTS) -> Machine:
    """A toolkit, its environment, a Python, and no driver."""
    home = write_cann(root, "toolkit")
    python = write(root, "/usr/bin/python3", mode=0o755)
    environ = {**sourced(home), "PATH": str(python.parent)}
    return plain_machine(root, environ=environ, run=Programs(atc=atc), processor="x86_64")


def environ_of(machine: Machine, program: str) -> Mapping[str, str]:
    assert isinstance(machine.run, Programs)
    return machine.run.environs[program]


def atc_of(machine: Machine) -> Finding:
    return finding(examine_machine(machine), "compiler", "atc")


def test_a_toolkit_that_starts_is_ready(tmp_path: Path) -> None:
    diagnosis = examine_machine(laptop_with_toolkit(tmp_path), needs=["compiler"])
    found = {"CANN toolkit": OK, "atc": OK, "memory": OK, "Python": OK}
    assert verdicts(diagnosis, "compiler") == found
    assert diagnosis.exit_code == 0
    assert "board" not in [group.name for group in diagnosis.groups]
    assert "compiler" in verdict_of(diagnosis)
    assert next_step(diagnosis) == "atlas-hpe convert MODEL.onnx"


@pytest.mark.parametrize("is_sourced", [True, False])
def test_atc_is_started_in_the_environment_that_convert_gives_it(
    tmp_path: Path, is_sourced: bool
) -> None:
    machine = laptop_with_toolkit(tmp_path)
    path = {"PATH": str(tmp_path / "usr/bin")}
    machine = machine if is_sourced else replace(machine, environ=path)
    found = atc_of(machine)
    toolchain = find_toolchain(None, machine.environ, machine.root)
    assert toolchain is not None
    assert environ_of(machine, "atc") == environ_of(machine, "python3") == toolchain.environ
    assert "runtime/lib64/stub" in environ_of(machine, "atc")["LD_LIBRARY_PATH"]
    assert found.verdict == OK
    by_hand = f"; by hand: source {tmp_path}/usr/local/Ascend/ascend-toolkit/set_env.sh"
    assert found.text.endswith(by_hand) is not is_sourced


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("libstdc++.so.6: cannot open shared object", "package that has libstdc++.so.6"),
        ("libascend_hal.so: cannot open shared object", "package that has libascend_hal.so"),
        ("ModuleNotFoundError: No module named 'sympy'", "wants, sympy for one"),
        ("cannot execute binary file: Exec format error", "in the version for x86_64"),
    ],
)
def test_what_atc_lacks_is_named_with_who_brings_it(tmp_path: Path, said: str, fix: str) -> None:
    found = atc_of(laptop_with_toolkit(tmp_path, Outcome(127, said)))
    assert found.verdict == FAULT
    assert found.text.startswith("does not start: ")
    assert fix in str(found.fix)


def test_a_driver_that_lacks_a_library_is_to_be_installed_again(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path, NO_HAL)
    write_driver(tmp_path)
    found = atc_of(machine)
    assert found.text == "does not start: libascend_hal.so was not found"
    assert str(found.fix).startswith("install the driver package again")


def test_the_python_that_counts_is_the_one_that_atc_finds(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    newer = replace(machine, python=(3, 12, 1))
    assert verdicts(examine_machine(newer), "compiler")["Python"] == OK
    assert isinstance(machine.run, Programs)
    machine.run.answers["python3"] = Outcome(0, "Python 3.12.1\n")
    found = finding(examine_machine(machine), "compiler", "Python")
    assert found.text == "3.12.1; the guides of CANN 5.0.4.alpha002 use 3.7.5"
    write(
        tmp_path,
        "/usr/local/Ascend/ascend-toolkit/latest/aarch64-linux/ascend_toolkit_install.info",
        "version=7.0.0\n",
    )
    found = finding(examine_machine(machine), "compiler", "Python")
    assert (found.verdict, found.fix) == (WARNING, "use Python 3.9.7")
    without = replace(machine, environ={**machine.environ, "PATH": ""})
    found = finding(examine_machine(without), "compiler", "Python")
    assert (found.verdict, found.text) == (WARNING, "no python3 on PATH, which atc runs")
    bare = replace(machine, environ={"PATH": ""})
    write(tmp_path, "/usr/local/Ascend/ascend-toolkit/latest/bin/python3", mode=0o755)
    assert "3.12.1" in finding(examine_machine(bare), "compiler", "Python").text


def test_stubs_are_right_where_there_is_no_driver(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    environ = {**machine.environ, "LD_LIBRARY_PATH": "/opt/runtime/lib64/stub"}
    machine = replace(machine, environ=environ)
    assert "stub libraries" not in verdicts(examine_machine(machine, needs=["board"]), "board")
    write_driver(tmp_path)
    assert verdicts(examine_machine(machine), "board")["stub libraries"] == FAULT


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome(None, "", timed_out=True), "did not end"),
        (Outcome(None, "Permission denied"), "Permission denied"),
        (Outcome(3, "first\nModuleNotFoundError: No module named 'te'\n"), "No module named 'te'"),
        (Outcome(139, ""), "status 139"),
    ],
)
def test_an_atc_that_does_not_start_is_a_fault(tmp_path: Path, outcome: Outcome, told: str) -> None:
    found = finding(examine_machine(laptop_with_toolkit(tmp_path, outcome)), "compiler", "atc")
    assert found.verdict == FAULT
    assert told in found.text
    assert found.fix


def test_too_little_memory_for_atc_is_told(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    write(tmp_path, "/proc/meminfo", f"MemAvailable: {2097152 - 1024} kB\n")
    diagnosis = examine_machine(machine, needs=["compiler"])
    assert verdicts(diagnosis, "compiler")["memory"] == MISSING
    assert diagnosis.exit_code == 4
    write(tmp_path, "/proc/meminfo", "MemAvailable: 2097152 kB\n")
    assert examine_machine(machine, needs=["compiler"]).exit_code == 0


def test_the_limit_of_a_container_counts_as_it_does_for_convert(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    write(tmp_path, "/sys/fs/cgroup/memory.max", str(1 << 30))
    write(tmp_path, "/sys/fs/cgroup/memory.current", "0")
    found = finding(examine_machine(machine), "compiler", "memory")
    assert found.verdict == MISSING
    assert found.text.startswith("1.0 GB available, memory limit of this container (cgroup): ")
    with pytest.raises(DeviceError):
        check_memory(tmp_path)


def test_memory_that_the_system_does_not_tell_is_no_obstacle(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    write(tmp_path, "/proc/meminfo", "MemFree: 1 kB\n")
    assert verdicts(examine_machine(machine), "compiler")["memory"] == OK


def test_without_a_toolkit_docker_does(tmp_path: Path) -> None:
    program = write(tmp_path, "/usr/bin/docker", mode=0o755)
    machine = plain_machine(tmp_path, environ={"PATH": str(program.parent)})
    diagnosis = examine_machine(machine, needs=["compiler"])
    found = {"CANN toolkit": WARNING, "docker": OK, "memory": OK}
    assert verdicts(diagnosis, "compiler") == found
    assert diagnosis.exit_code == 0
    assert "with warnings: compiler (CANN toolkit)" in verdict_of(diagnosis)
    assert next_step(diagnosis) == "atlas-hpe convert MODEL.onnx --docker IMAGE"
    write(tmp_path, "/proc/meminfo", "MemAvailable: 1000 kB\n")
    assert examine_machine(machine, needs=["compiler"]).exit_code == 4


def test_docker_beside_a_toolkit_is_named(tmp_path: Path) -> None:
    program = write(tmp_path, "/usr/bin/docker", mode=0o755)
    write(tmp_path, "/var/run/docker.sock", mode=0o666)
    machine = laptop_with_toolkit(tmp_path)
    machine = replace(machine, environ={**machine.environ, "PATH": str(program.parent)})
    assert verdicts(examine_machine(machine), "compiler")["docker"] == OK


def test_the_atc_of_a_package_behind_the_run_time_is_taken(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    home = write_cann(tmp_path, "nnrt")
    machine = replace(machine, environ={**machine.environ, "ASCEND_HOME_PATH": str(home)})
    found = finding(examine_machine(machine), "compiler", "CANN toolkit")
    assert (found.verdict, "ascend-toolkit" in found.text) == (OK, True)


def test_a_docker_elsewhere_needs_no_socket_here(tmp_path: Path) -> None:
    program = write(tmp_path, "/usr/bin/docker", mode=0o755)
    write(tmp_path, "/var/run/docker.sock", mode=0o600)
    environ = {"PATH": str(program.parent), "DOCKER_HOST": "tcp://other:2375"}
    machine = plain_machine(tmp_path, environ=environ)
    assert verdicts(examine_machine(machine), "compiler")["docker"] == OK


def test_a_docker_that_this_user_may_not_use_is_told(tmp_path: Path) -> None:
    program = write(tmp_path, "/usr/bin/docker", mode=0o755)
    write(tmp_path, "/var/run/docker.sock", mode=0o600)
    machine = plain_machine(tmp_path, environ={"PATH": str(program.parent)})
    diagnosis = examine_machine(machine, needs=["compiler"])
    assert verdicts(diagnosis, "compiler") == {"CANN toolkit": MISSING, "docker": WARNING}
    assert diagnosis.exit_code == 4


def test_a_machine_with_neither_toolkit_nor_docker_can_not_compile(tmp_path: Path) -> None:
    diagnosis = examine_machine(plain_machine(tmp_path))
    assert verdicts(diagnosis, "compiler") == {"CANN toolkit": MISSING, "docker": MISSING}
    assert diagnosis.exit_code == 0
    assert "not for: compiler (CANN toolkit, docker)" in verdict_of(diagnosis)
    assert examine_machine(plain_machine(tmp_path), needs=["compiler"]).exit_code == 4
