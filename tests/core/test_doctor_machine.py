"""How the examination looks at the machine: programs with a limit, permissions, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from doctor_machines import GROUP_NUMBER, USER_NUMBER, plain_machine, write

from atlas_hpe.doctor import OK, examine_machine, this_machine
from atlas_hpe.doctor.machine import run_program
from atlas_hpe.doctor.pyacl import examine_pyacl

PYTHON = (sys.executable, "-c")


def test_a_program_gives_its_status_and_both_of_its_outputs() -> None:
    code = "import sys; print('out', flush=True); sys.stderr.write('err'); sys.exit(3)"
    outcome = run_program((*PYTHON, code), os.environ, 30)
    assert (outcome.status, outcome.text, outcome.timed_out) == (3, "out\nerr", False)


def test_a_program_that_is_killed_gives_its_signal() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert run_program((*PYTHON, code), os.environ, 30).status == -11


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    outcome = run_program((*PYTHON, code), os.environ, 2)
    assert outcome.timed_out
    assert outcome.status is None
    assert time.monotonic() - started < 20
    child = int(note.read_text())
    deadline = time.monotonic() + 10
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(number: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_program_that_is_not_there_has_no_status(tmp_path: Path) -> None:
    outcome = run_program((str(tmp_path / "nothing"),), {}, 5)
    assert outcome.status is None
    assert "No such file" in outcome.text
    assert not outcome.timed_out


def test_bytes_that_are_no_text_are_taken(tmp_path: Path) -> None:
    code = "import os; os.write(1, b'\\xff\\xfe')"
    assert run_program((*PYTHON, code), os.environ, 30).text == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "allowed"),
    [
        (0o660, USER_NUMBER, {GROUP_NUMBER}, True),
        (0o640, USER_NUMBER, {GROUP_NUMBER}, False),
        (0o660, USER_NUMBER, {GROUP_NUMBER + 1}, False),
        (0o666, USER_NUMBER, set(), True),
        (0o606, USER_NUMBER, {GROUP_NUMBER}, False),
        (0o000, 0, set(), True),
    ],
)
def test_who_may_use_a_file(
    tmp_path: Path, mode: int, uid: int, gids: set[int], allowed: bool
) -> None:
    path = write(tmp_path, "node", mode=mode)
    machine = plain_machine(tmp_path, uid=uid, gids=frozenset(gids))
    assert machine.may_use(path) is allowed


def test_the_owner_goes_by_the_first_digit(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, uid=USER_NUMBER - 1 or 1)
    path = write(tmp_path, "node", mode=0o066)
    if path.stat().st_uid == machine.uid:
        assert not machine.may_use(path)
        path.chmod(0o600)
        assert machine.may_use(path)


def test_a_file_that_is_gone_may_not_be_used(tmp_path: Path) -> None:
    assert not plain_machine(tmp_path).may_use(tmp_path / "nothing")


def test_this_machine_is_the_one_that_runs_the_tests() -> None:
    machine = this_machine()
    assert machine.python == sys.version_info[:3]
    assert machine.uid == os.getuid()
    assert set(os.getgroups()) <= machine.gids
    assert machine.has_module("numpy")
    assert not machine.has_module("no_such_module_anywhere")
    assert machine.version_of("numpy")
    assert machine.version_of("no-such-distribution-anywhere") is None
    assert not machine.simulated


def test_a_simulator_in_this_process_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acl")
    module.__dict__["__simulated__"] = object()
    monkeypatch.setitem(sys.modules, "acl", module)
    machine = this_machine()
    assert machine.simulated
    assert machine.has_module("acl")


@pytest.mark.parametrize("place", ["path", "folder"])
def test_pyacl_is_imported_from_the_path_and_not_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "acl.py").write_text("print('loaded')")
    monkeypatch.chdir(tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path) if place == "path" else ""}
    machine = plain_machine(tmp_path, environ=environ, run=run_program)
    found = examine_pyacl(machine, None, has_device=False)
    if place == "path":
        assert (found.verdict, found.text) == (OK, str(tmp_path / "acl.py"))
    else:
        assert found.text == "no module acl on PYTHONPATH"


def test_the_examination_loads_no_library_into_this_process(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from atlas_hpe.doctor import examine_machine\n"
        "examine_machine()\n"
        "print(sorted({'numpy', 'torch', 'onnx', 'cv2', 'acl'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_machine_without_any_file_is_examined(tmp_path: Path) -> None:
    machine = replace(plain_machine(tmp_path), root=tmp_path / "empty")
    needs = ["laptop", "training", "compiler", "board"]
    assert examine_machine(machine, needs=needs).exit_code == 4
