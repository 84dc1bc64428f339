"""The examination of Python packages and back-ends, its report and its exit code."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from doctor_machines import (
    Programs,
    board_200dk,
    finding,
    fix_of,
    plain_machine,
    verdicts,
    write_cann,
)

from atlas_hpe.doctor import (
    FAULT,
    MISSING,
    OK,
    WARNING,
    Diagnosis,
    Finding,
    Group,
    describe_diagnosis,
    diagnosis_to_dict,
    examine_machine,
    next_step,
    this_machine,
    verdict_of,
)
from atlas_hpe.doctor.libraries import BACKENDS, examine_libraries
from atlas_hpe.errors import UsageError


def examine_torch(folder: Path, monkeypatch: pytest.MonkeyPatch, metadata: str) -> Finding:
    """What is found of a torch that is installed in the folder, before any other."""
    (folder / "torch.py").write_text("")
    details = folder / "torch-0.dist-info"
    details.mkdir()
    (details / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(folder))
    return found_torch()


def found_torch() -> Finding:
    found = examine_libraries(this_machine(), "export")
    (torch,) = [item for item in found if item.name == "torch"]
    return torch


@pytest.mark.parametrize("version", ["2.5.1+cu121", "2.9.1", "1.13.0"])
def test_a_torch_with_known_holes_is_reported_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    found = examine_torch(tmp_path, monkeypatch, f"Name: torch\nVersion: {version}\n")
    assert found.verdict == FAULT
    assert found.text == f"{version} has known CVEs, 2.10 is due"
    assert found.fix == "pip install --upgrade 'atlas-hpe[export]'"


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0+cpu", "2.11.0.dev20260101", "3.0"])
def test_a_torch_from_the_floor_on_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    found = examine_torch(tmp_path, monkeypatch, f"Name: torch\nVersion: {version}\n")
    assert found == Finding("torch", OK, version)


@pytest.mark.filterwarnings("ignore:Implicit None")  # of importlib-metadata, about such files
@pytest.mark.parametrize("metadata", ["", "Name: torch\nVersion: local\n"], ids=["no", "no number"])
def test_a_version_that_can_not_be_read_is_not_called_vulnerable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: str
) -> None:
    found = examine_torch(tmp_path, monkeypatch, metadata)
    assert found == Finding("torch", OK, "unknown version")


def test_a_library_without_metadata_has_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("")
    found_torch()  # loads what it needs before the path is gone
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert found_torch() == Finding("torch", OK, "unknown version")


@pytest.mark.parametrize("need", ["laptop", "training"])
def test_what_needs_torch_is_sent_from_an_old_python_to_a_newer_one(
    tmp_path: Path, need: str
) -> None:
    machine = plain_machine(tmp_path, has_module=lambda name: name in ("numpy", "onnxruntime"))
    name = {"laptop": "torch", "training": "lightning-fabric"}[need]
    fix = fix_of(examine_machine(machine, needs=[need]), need, name)
    assert fix is not None
    assert fix.endswith("on a machine with Python 3.10 or newer")
    newer = examine_machine(replace(machine, python=(3, 10, 0)), needs=[need])
    fix = fix_of(newer, need, name)
    assert fix is not None
    assert fix.startswith("pip install --upgrade 'atlas-hpe[")


def test_a_missing_base_package_counts_always(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, has_module=lambda name: name != "cv2")
    diagnosis = examine_machine(machine)
    assert diagnosis.exit_code == 3
    assert verdict_of(diagnosis) == "not ready: opencv-python-headless"
    assert next_step(diagnosis) == "pip install --upgrade 'atlas-hpe'"


def test_a_missing_extra_counts_where_it_is_needed(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, has_module=lambda name: name != "onnxruntime")
    assert examine_machine(machine).exit_code == 0
    assert examine_machine(machine, needs=["training"]).exit_code == 0
    diagnosis = examine_machine(machine, needs=["laptop"])
    assert diagnosis.exit_code == 3
    assert next_step(diagnosis) == "pip install --upgrade 'atlas-hpe[host]'"
    assert examine_machine(machine, needs=["laptop", "compiler"]).exit_code == 4


def test_an_unfit_package_counts_without_being_needed(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, version_of=lambda name: "1.0")
    assert examine_machine(machine).exit_code == 3


def test_every_back_end_of_the_runtime_is_listed(tmp_path: Path) -> None:
    from atlas_hpe_runtime.backends import BACKENDS as OF_RUNTIME

    assert list(BACKENDS) == list(OF_RUNTIME)
    found = verdicts(examine_machine(plain_machine(tmp_path)), "back-ends")
    assert found == {"acl": MISSING, "acllite": MISSING, "onnxruntime": OK, "simulator": OK}
    machine = plain_machine(tmp_path, has_module=lambda name: name in ("acl", "acllite_model"))
    found = verdicts(examine_machine(machine), "back-ends")
    assert found == {"acl": OK, "acllite": OK, "onnxruntime": MISSING, "simulator": MISSING}


def test_a_laptop_starts_no_program(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path)
    names = [group.name for group in examine_machine(machine).groups]
    assert names == ["base", "laptop", "training", "back-ends", "compiler"]
    assert isinstance(machine.run, Programs)
    assert machine.run.calls == []


def test_a_laptop_with_the_run_time_is_looked_at_as_a_board(tmp_path: Path) -> None:
    write_cann(tmp_path)
    assert verdicts(examine_machine(plain_machine(tmp_path)), "board")["driver"] == MISSING


@pytest.mark.parametrize("needs", [["bord"], ["laptop", "base"], [""]])
def test_an_unknown_group_is_a_usage_error(tmp_path: Path, needs: list[str]) -> None:
    with pytest.raises(UsageError, match="there is no group") as caught:
        examine_machine(plain_machine(tmp_path), needs=needs)
    assert "laptop, training, compiler, board" in str(caught.value.fix)


def example(*found: Finding, needed: bool = False, libraries: bool = False) -> Diagnosis:
    group = Group("board", "run .om", needed, found, libraries=libraries)
    return Diagnosis("0.1", "3.7.5", "Linux aarch64", (group,))


PROBLEM = {
    verdict: Finding("x", verdict, "text", "mend x") for verdict in (WARNING, MISSING, FAULT)
}


@pytest.mark.parametrize(
    ("verdict", "needed", "code"),
    [
        (WARNING, True, 0),
        (MISSING, True, 4),
        (FAULT, True, 4),
        (WARNING, False, 0),
        (MISSING, False, 0),
        (FAULT, False, 4),
    ],
)
def test_what_counts_for_the_exit_code(verdict: str, needed: bool, code: int) -> None:
    assert example(PROBLEM[verdict], needed=needed).exit_code == code
    assert example(PROBLEM[verdict], needed=needed, libraries=True).exit_code == min(code, 3)


def test_a_warning_is_told_and_does_not_take_the_place_of_the_next_step() -> None:
    diagnosis = example(PROBLEM[WARNING])
    assert verdict_of(diagnosis) == "with warnings: board (x)"
    assert next_step(diagnosis).startswith("atlas-hpe run")
    assert next_step(example(PROBLEM[MISSING])) == "mend x"


def test_the_report_is_aligned_and_has_a_fix_below_each_problem() -> None:
    found = (Finding("driver", OK, "1.0"), Finding("set_env.sh", MISSING, "text", "source it"))
    assert describe_diagnosis(example(*found, needed=True)) == [
        "atlas-hpe 0.1, Python 3.7.5 on Linux aarch64",
        "",
        "board: run .om (needed)",
        "  ok       driver      1.0",
        "  missing  set_env.sh  text",
        "           fix: source it",
    ]


def test_the_report_fits_80_columns_but_for_fixes_which_stay_whole() -> None:
    found = Finding("pyACL", FAULT, "word " * 30 + "end", "command " * 20)
    lines = describe_diagnosis(example(found))
    assert max(map(len, lines[:-1])) <= 80
    assert {line[: len("  fault    pyACL  ")].strip() for line in lines[4:-1]} == {""}
    assert lines[-1] == "           fix: " + "command " * 20


def test_the_data_has_every_finding_and_the_verdict(tmp_path: Path) -> None:
    diagnosis = examine_machine(board_200dk(tmp_path), needs=["board"])
    report = diagnosis_to_dict(diagnosis)
    assert report["exit_code"] == 0
    assert report["verdict"] == verdict_of(diagnosis)
    assert report["next"] == next_step(diagnosis)
    groups = report["groups"]
    assert isinstance(groups, list)
    assert groups[-1]["name"] == "board"
    assert groups[-1]["needed"] is True
    assert groups[-1]["findings"][0] == {
        "name": "driver",
        "verdict": OK,
        "text": "1.0.12.alpha",
        "fix": None,
    }


def test_whatever_is_not_fine_has_a_fix(tmp_path: Path) -> None:
    machine = plain_machine(tmp_path, has_module=lambda name: False)
    needs = ["laptop", "training", "compiler", "board"]
    diagnosis = examine_machine(machine, needs=needs)
    assert diagnosis.exit_code == 4
    for group in diagnosis.groups:
        for item in group.findings:
            assert (item.verdict == OK) == (item.fix is None), item
    assert finding(diagnosis, "base", "numpy").verdict == MISSING


def test_the_verdict_sorts_the_groups() -> None:
    fine = Finding("f", OK, "text")
    groups = (
        Group("base", "", False, (PROBLEM[MISSING],)),
        Group("laptop", "", False, (fine,)),
        Group("training", "", False, (fine, PROBLEM[WARNING])),
        Group("back-ends", "", False, (Finding("acl", MISSING, "text", "no board here"),)),
        Group("compiler", "", False, (fine, PROBLEM[WARNING], Finding("y", MISSING, "t", "mend"))),
    )
    diagnosis = Diagnosis("0.1", "3.7.5", "Linux aarch64", groups)
    told = "ready for: laptop; with warnings: training (x); not for: compiler (y)"
    assert verdict_of(diagnosis) == told
    assert next_step(diagnosis) == "atlas-hpe run video.mp4 --out hands.gif"


def test_a_host_that_can_run_nothing_is_told_what_to_install() -> None:
    found = (
        Finding("acl", MISSING, "text", "no board here"),
        Finding("onnxruntime", MISSING, "text", "install it"),
    )
    diagnosis = Diagnosis("0.1", "3.7.5", "Linux", (Group("back-ends", "", False, found),))
    assert next_step(diagnosis) == "install it"
