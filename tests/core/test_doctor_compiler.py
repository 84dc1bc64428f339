"""What the examination makes of machines that are to compile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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

from atlas_hpe.doctor import (
    FAULT,
    MISSING,
    OK,
    WARNING,
    Machine,
    Outcome,
    examine_machine,
    verdict_of,
)

STARTS = Outcome(0, "ATC start working now")
NO_HAL = Outcome(
    127,
    "atc.bin: error while loading shared libraries: libascend_hal.so: cannot open shared object",
)


def laptop_with_toolkit(root: Path, atc: Outcome = STARTS) -> Machine:
    """A toolkit, its environment, and no driver."""
    home = write_cann(root, "toolkit")
    programs = Programs(atc=atc)
    return plain_machine(root, environ=sourced(home), run=programs, processor="x86_64")


def test_a_toolkit_that_starts_is_ready(tmp_path: Path) -> None:
    diagnosis = examine_machine(laptop_with_toolkit(tmp_path), needs=["compiler"])
    found = {"CANN toolkit": OK, "atc": OK, "memory": OK, "Python": OK}
    assert verdicts(diagnosis, "compiler") == found
    assert diagnosis.exit_code == 0
    assert "board" not in [group.name for group in diagnosis.groups]
    assert "compiler" in verdict_of(diagnosis)


def test_an_atc_without_a_driver_is_told_the_stub_folder(tmp_path: Path) -> None:
    diagnosis = examine_machine(laptop_with_toolkit(tmp_path, NO_HAL))
    found = finding(diagnosis, "compiler", "atc")
    stub = tmp_path / "usr/local/Ascend/ascend-toolkit/latest/runtime/lib64/stub"
    assert found.verdict == WARNING
    assert "libascend_hal.so" in found.text
    assert "atlas-hpe convert sets that up by itself" in found.text
    assert found.fix == f"export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:{stub}"
    assert diagnosis.exit_code == 0
    assert "with warnings: compiler (atc)" in verdict_of(diagnosis)


@pytest.mark.parametrize("library", ["libascendcl.so", "libstdc++.so.6"])
def test_stubs_are_not_told_for_what_they_do_not_have(tmp_path: Path, library: str) -> None:
    text = f"{library}: cannot open shared object file"
    found = finding(
        examine_machine(laptop_with_toolkit(tmp_path, Outcome(127, text))), "compiler", "atc"
    )
    assert library in found.text
    assert found.verdict == FAULT
    assert found.fix is not None
    assert found.fix.startswith("source ")


def test_a_driver_that_lacks_a_library_is_not_mended_with_stubs(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path, NO_HAL)
    write_driver(tmp_path)
    fix = finding(examine_machine(machine), "compiler", "atc").fix
    assert fix is not None
    assert fix.startswith("source ")


def test_stubs_are_right_where_there_is_no_driver(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    environ = {**machine.environ, "LD_LIBRARY_PATH": "/opt/runtime/lib64/stub"}
    machine = replace(machine, environ=environ)
    assert "stub libraries" not in verdicts(examine_machine(machine, needs=["board"]), "board")
    write_driver(tmp_path)
    assert verdicts(examine_machine(machine), "board")["stub libraries"] == FAULT


def test_an_atc_whose_environment_is_not_set_is_told_the_line(tmp_path: Path) -> None:
    machine = replace(laptop_with_toolkit(tmp_path, NO_HAL), environ={"PATH": ""})
    diagnosis = examine_machine(machine)
    found = finding(diagnosis, "compiler", "atc")
    assert found.verdict == WARNING
    assert "libascend_hal.so" in found.text
    assert found.fix == f"source {tmp_path}/usr/local/Ascend/ascend-toolkit/set_env.sh"
    assert examine_machine(machine, needs=["compiler"]).exit_code == 0


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


def test_memory_that_the_system_does_not_tell_is_no_obstacle(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path)
    write(tmp_path, "/proc/meminfo", "MemFree: 1 kB\n")
    assert verdicts(examine_machine(machine), "compiler")["memory"] == OK


def test_without_a_toolkit_docker_does(tmp_path: Path) -> None:
    program = write(tmp_path, "/usr/bin/docker", mode=0o755)
    machine = plain_machine(tmp_path, environ={"PATH": str(program.parent)})
    diagnosis = examine_machine(machine, needs=["compiler"])
    assert verdicts(diagnosis, "compiler") == {"CANN toolkit": WARNING, "docker": OK}
    fix = finding(diagnosis, "compiler", "CANN toolkit").fix
    assert fix is not None
    assert "--docker IMAGE" in fix
    assert diagnosis.exit_code == 0


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


def test_a_toolkit_without_stubs_is_told_to_be_sourced(tmp_path: Path) -> None:
    machine = laptop_with_toolkit(tmp_path, NO_HAL)
    stubs = tmp_path / "usr/local/Ascend/ascend-toolkit/latest/runtime/lib64/stub"
    (stubs / "libascend_hal.so").unlink()
    stubs.rmdir()
    assert verdicts(examine_machine(machine), "compiler")["atc"] == FAULT


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
