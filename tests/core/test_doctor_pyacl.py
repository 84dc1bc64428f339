"""What the examination makes of an import of pyACL that fails, hangs or crashes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from doctor_machines import (
    NO_ACL,
    Programs,
    board_200dk,
    finding,
    plain_machine,
    sourced,
    write_cann,
)

from atlas_hpe.doctor import FAULT, OK, WARNING, Machine, Outcome, examine_machine


def acl_says(root: Path, text: str, status: int = 1) -> Machine:
    machine = board_200dk(root)
    said = Outcome(status, f"Traceback (most recent call last):\n{text}\n")
    return replace(machine, run=Programs(python=said, npu_smi=NO_ACL))


@pytest.mark.parametrize(
    ("text", "told", "fix"),
    [
        (
            "ImportError: libascendcl.so: cannot open shared object file: No such file",
            "libascendcl.so was not found on LD_LIBRARY_PATH",
            "source ",
        ),
        (
            "ImportError: libascend_hal.so: cannot open shared object file: No such file",
            "libascend_hal.so of the driver was not found",
            "export LD_LIBRARY_PATH=",
        ),
        (
            "ImportError: /a/libruntime.so: undefined symbol: halMemAdvise",
            "undefined symbol: halMemAdvise",
            "of one release",
        ),
        ("ImportError: bad magic number", "bad magic number", "with a Python that CANN takes"),
    ],
)
def test_a_failed_import_is_explained(tmp_path: Path, text: str, told: str, fix: str) -> None:
    found = finding(examine_machine(acl_says(tmp_path, text)), "board", "pyACL")
    assert found.verdict == FAULT
    assert told in found.text
    assert found.fix is not None
    assert fix in found.fix


def test_a_crash_of_the_import_is_told_with_its_signal(tmp_path: Path) -> None:
    found = finding(examine_machine(acl_says(tmp_path, "", status=-11)), "board", "pyACL")
    assert found.verdict == FAULT
    assert "SIGSEGV" in found.text


def test_an_import_that_hangs_is_ended_and_told(tmp_path: Path) -> None:
    answers = Programs(python=Outcome(None, "", timed_out=True), npu_smi=NO_ACL)
    machine = replace(board_200dk(tmp_path), run=answers)
    found = finding(examine_machine(machine), "board", "pyACL")
    assert found.verdict == FAULT
    assert "did not end" in found.text


def test_the_simulator_stands_in_for_pyacl(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, simulated=True)
    found = finding(examine_machine(machine, needs=["board"]), "board", "pyACL")
    assert (found.verdict, found.text) == (OK, "the simulator stands in its place")
    assert isinstance(machine.run, Programs)
    assert machine.run.calls == []


def test_a_missing_driver_library_where_there_is_no_driver_is_a_warning(tmp_path: Path) -> None:
    text = "ImportError: libascend_hal.so: cannot open shared object file: No such file"
    environ = sourced(write_cann(tmp_path))
    machine = plain_machine(tmp_path, environ=environ, run=Programs(python=Outcome(1, text)))
    found = finding(examine_machine(machine), "board", "pyACL")
    assert found.verdict == WARNING
    assert "no driver on this machine" in found.text


def test_a_driver_without_its_library_is_to_be_installed_again(tmp_path: Path) -> None:
    text = "ImportError: libascend_hal.so: cannot open shared object file: No such file"
    machine = acl_says(tmp_path, text)
    (tmp_path / "usr/local/Ascend/driver/lib64/libascend_hal.so").unlink()
    found = finding(examine_machine(machine), "board", "pyACL")
    assert found.fix is not None
    assert found.fix.startswith("install the driver package again")
