"""What the examination makes of boards, cards and containers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from doctor_machines import (
    ACL_WORKS,
    GROUP_NUMBER,
    NO_ACL,
    NPU_SMI,
    Programs,
    board_200dk,
    finding,
    fix_of,
    plain_machine,
    sourced,
    verdicts,
    write,
    write_cann,
    write_driver,
    write_nodes,
)

from atlas_hpe.doctor import (
    FAULT,
    MISSING,
    OK,
    WARNING,
    Machine,
    Outcome,
    examine_machine,
    next_step,
    verdict_of,
)


def nothing_of_the_laptop(name: str) -> bool:
    return name not in ("onnxruntime", "torch", "onnx", "onnx_ir", "onnxsim", "onnxscript") and (
        name != "lightning_fabric"
    )


def test_a_board_that_is_set_up_is_ready(tmp_path: Path) -> None:
    diagnosis = examine_machine(board_200dk(tmp_path), needs=["board"])
    assert verdicts(diagnosis, "board") == dict.fromkeys(
        [
            "driver",
            "chip",
            "group",
            "device nodes",
            "CANN",
            "driver and CANN",
            "set_env.sh",
            "pyACL",
            "Python",
            "memory",
        ],
        OK,
    )
    assert diagnosis.exit_code == 0
    assert next_step(diagnosis).startswith("atlas-hpe run ")
    assert finding(diagnosis, "board", "chip").text == "Ascend310"
    assert "nnrt 5.0.4.alpha002" in finding(diagnosis, "board", "CANN").text


def test_a_board_is_not_asked_for_what_a_laptop_has(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), has_module=nothing_of_the_laptop)
    names = [group.name for group in examine_machine(machine).groups]
    assert names == ["base", "back-ends", "board"]
    program = write(tmp_path, "/opt/docker", mode=0o755)
    with_docker = replace(machine, environ={**machine.environ, "PATH": str(program.parent)})
    assert [group.name for group in examine_machine(with_docker).groups] == names
    assert "compiler" in [item.name for item in examine_machine(machine, needs=["compiler"]).groups]
    names = [group.name for group in examine_machine(machine, needs=["laptop"]).groups]
    assert "laptop" in names


@pytest.mark.parametrize(
    ("driver", "cann", "fix"),
    [
        ("1.0.11.alpha", "5.0.4.alpha002", "install the driver 1.0.12.alpha"),
        ("1.0.12.alpha", "6.0.0.alpha003", "install the driver 1.0.13.alpha"),
        ("1.0.11.alpha", "7.0.0", "install CANN 5.0.2 or 5.0.3"),
    ],
)
def test_a_driver_of_another_release_is_a_fault(
    tmp_path: Path, driver: str, cann: str, fix: str
) -> None:
    diagnosis = examine_machine(board_200dk(tmp_path, driver=driver, cann=cann))
    pair = finding(diagnosis, "board", "driver and CANN")
    assert (pair.verdict, pair.fix) == (FAULT, fix)
    assert driver in pair.text
    assert cann in pair.text
    assert diagnosis.exit_code == 4
    assert next_step(diagnosis) == fix


def test_a_package_without_its_script_is_named_all_the_same(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), environ={"PATH": ""}, run=Programs(npu_smi=NO_ACL))
    (tmp_path / "usr/local/Ascend/nnrt/set_env.sh").unlink()
    fix = fix_of(examine_machine(machine), "board", "set_env.sh")
    assert fix == "source set_env.sh of the CANN package"


def test_of_a_driver_that_no_list_names_nothing_is_said(tmp_path: Path) -> None:
    diagnosis = examine_machine(board_200dk(tmp_path, driver="23.0.0"), needs=["board"])
    assert "driver and CANN" not in verdicts(diagnosis, "board")
    assert diagnosis.exit_code == 0


def test_a_driver_of_unknown_version_is_there_all_the_same(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    (tmp_path / "usr/local/Ascend/driver/version.info").unlink()
    diagnosis = examine_machine(machine, needs=["board"])
    driver = finding(diagnosis, "board", "driver")
    assert (driver.verdict, driver.text) == (OK, "unknown version")
    assert "driver and CANN" not in verdicts(diagnosis, "board")
    assert diagnosis.exit_code == 0


def test_of_a_cann_of_unknown_version_nothing_is_said(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    record = "usr/local/Ascend/nnrt/latest/aarch64-linux/ascend_nnrt_install.info"
    write(tmp_path, record, "package_name=x\n")
    diagnosis = examine_machine(machine)
    assert not {"driver and CANN", "Python"} & set(verdicts(diagnosis, "board"))
    assert "nnrt of unknown version" in finding(diagnosis, "board", "CANN").text


def test_a_shell_without_set_env_is_told_the_line_to_type(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), environ={"PATH": ""}, run=Programs(npu_smi=NO_ACL))
    diagnosis = examine_machine(machine, needs=["board"])
    line = f"source {tmp_path}/usr/local/Ascend/nnrt/set_env.sh"
    for name in ("set_env.sh", "pyACL"):
        assert verdicts(diagnosis, "board")[name] == MISSING
        assert fix_of(diagnosis, "board", name) == line
    assert finding(diagnosis, "board", "set_env.sh").text == "not sourced in this shell"
    assert diagnosis.exit_code == 4
    assert next_step(diagnosis) == line
    assert verdict_of(diagnosis) == "not ready: set_env.sh, pyACL"
    informative = examine_machine(machine)
    assert informative.exit_code == 0
    assert "not for: board (set_env.sh, pyACL)" in verdict_of(informative)
    assert next_step(informative) == line


@pytest.mark.parametrize(
    "variable", ["LD_LIBRARY_PATH", "PYTHONPATH", "ASCEND_OPP_PATH", "ASCEND_AICPU_PATH"]
)
@pytest.mark.parametrize("value", [None, "/nowhere"])
def test_a_variable_that_leads_nowhere_is_named(tmp_path: Path, variable: str, value: str) -> None:
    machine = board_200dk(tmp_path)
    environ = {name: text for name, text in machine.environ.items() if name != variable}
    environ.update({variable: value} if value else {})
    diagnosis = examine_machine(replace(machine, environ=environ))
    found = finding(diagnosis, "board", "set_env.sh")
    assert found.verdict == MISSING
    assert found.text.startswith(f"{variable}: ")


def test_a_user_outside_the_group_is_told_how_to_join(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), gids=frozenset([GROUP_NUMBER + 1]))
    diagnosis = examine_machine(machine)
    assert verdicts(diagnosis, "board")["device nodes"] == FAULT
    assert verdicts(diagnosis, "board")["group"] == MISSING
    fix = "sudo usermod -aG HwHiAiUser $USER, then log in again"
    assert fix_of(diagnosis, "board", "group") == fix
    assert next_step(diagnosis) == fix
    assert "davinci0" in finding(diagnosis, "board", "device nodes").text
    assert diagnosis.exit_code == 4


def test_a_session_older_than_the_membership_is_told_to_log_in_again(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), gids=frozenset([GROUP_NUMBER + 1]), user="someone")
    assert fix_of(examine_machine(machine), "board", "group") == "log in again"


def test_a_group_that_the_nodes_do_not_ask_for_is_a_warning(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), gids=frozenset([GROUP_NUMBER + 1]))
    write_nodes(tmp_path, mode=0o666)
    found = verdicts(examine_machine(machine), "board")
    assert (found["group"], found["device nodes"]) == (WARNING, OK)


def test_root_needs_no_group(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), gids=frozenset(), uid=0)
    write_nodes(tmp_path, mode=0o600)
    found = verdicts(examine_machine(machine), "board")
    assert (found["group"], found["device nodes"]) == (OK, OK)


def test_a_member_whom_the_mode_keeps_out_is_told_the_command(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write_nodes(tmp_path, mode=0o640)  # reading is not enough
    fix = fix_of(examine_machine(machine), "board", "device nodes")
    assert fix is not None
    assert fix.startswith("sudo chgrp HwHiAiUser ")
    assert "chmod g+rw" in fix


def test_a_board_without_the_group_lacks_its_driver_package(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write(tmp_path, "/etc/group", "root:x:0:\n")
    write_nodes(tmp_path, mode=0o600)
    assert fix_of(examine_machine(machine), "board", "group") == "install the driver package"


def test_a_card_has_more_nodes_than_a_board(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), processor="x86_64")
    nodes = finding(examine_machine(machine), "board", "device nodes")
    assert nodes.verdict == MISSING
    assert "devmm_svm" in nodes.text
    assert "hisi_hdc" in nodes.text
    write_nodes(tmp_path, "devmm_svm", "hisi_hdc")
    assert finding(examine_machine(machine), "board", "device nodes").verdict == OK


def test_a_card_in_an_arm_server_is_known_by_its_nodes(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write_nodes(tmp_path, "hisi_hdc")
    nodes = finding(examine_machine(machine), "board", "device nodes")
    assert (nodes.verdict, nodes.text) == (MISSING, f"there is no {tmp_path}/dev/devmm_svm")


def container(root: Path) -> Machine:
    """A container that was given the devices, and not the driver's libraries."""
    write(root, "/.dockerenv")
    write_nodes(root)
    home = write_cann(root)
    text = (
        "ImportError: libascend_hal.so: cannot open shared object file: No such file or directory"
    )
    return plain_machine(root, environ=sourced(home), run=Programs(python=Outcome(1, text)))


def test_a_container_without_the_drivers_libraries_is_told_the_mount(tmp_path: Path) -> None:
    diagnosis = examine_machine(container(tmp_path))
    for name, verdict in (("driver", MISSING), ("pyACL", FAULT)):
        assert verdicts(diagnosis, "board")[name] == verdict
        fix = fix_of(diagnosis, "board", name)
        assert fix is not None
        assert "-v /usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64:ro" in fix
    assert "libascend_hal.so" in finding(diagnosis, "board", "pyACL").text
    assert diagnosis.exit_code == 4


def test_a_container_without_devices_is_told_the_options(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write(tmp_path, "/.dockerenv")
    (tmp_path / "dev/davinci0").unlink()
    fix = fix_of(examine_machine(machine), "board", "device nodes")
    assert fix == f"start the container with: --device {tmp_path}/dev/davinci0"


def test_the_next_step_of_a_container_is_one_line_with_all_that_it_lacks(tmp_path: Path) -> None:
    machine = container(tmp_path)
    mount = "-v /usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64:ro"
    line = f"docker run --rm {mount} IMAGE atlas-hpe doctor --need board"
    assert next_step(examine_machine(machine, needs=["board"])) == line
    (tmp_path / "dev/davinci0").unlink()
    node = f"--device {tmp_path}/dev/davinci0"
    line = f"docker run --rm {mount} {node} IMAGE atlas-hpe doctor --need board"
    assert next_step(examine_machine(machine, needs=["board"])) == line
    assert next_step(examine_machine(machine)) == line


@pytest.mark.parametrize("in_container", [False, True])
def test_a_machine_without_anything_of_ascend_is_sent_to_the_board(
    tmp_path: Path, in_container: bool
) -> None:
    machine = plain_machine(tmp_path)
    if in_container:
        write(tmp_path, "/.dockerenv")
    diagnosis = examine_machine(machine, needs=["board"])
    assert verdicts(diagnosis, "board")["device"] == MISSING
    assert next_step(diagnosis) == "on the board: atlas-hpe doctor --need board"
    write_driver(tmp_path)
    assert "device" not in verdicts(examine_machine(machine, needs=["board"]), "board")


def test_a_container_user_outside_the_group_is_told_the_option(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), gids=frozenset())
    write(tmp_path, "/run/.containerenv")
    fix = fix_of(examine_machine(machine), "board", "group")
    assert fix is not None
    assert "--group-add" in fix


def test_all_packages_of_cann_are_named(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write_cann(tmp_path, "toolkit", "6.0.0.alpha003")
    assert isinstance(machine.run, Programs)
    machine.run.answers["atc"] = Outcome(0, "")
    diagnosis = examine_machine(machine)
    text = finding(diagnosis, "board", "CANN").text
    home = tmp_path / "usr/local/Ascend/nnrt/latest"
    assert text == f"nnrt 5.0.4.alpha002 in {home}; also toolkit 6.0.0.alpha003"
    assert "6.0.0.alpha003" in finding(diagnosis, "compiler", "CANN toolkit").text


def test_npu_smi_is_found_on_path_and_may_fail(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    (tmp_path / "usr/local/sbin/npu-smi").unlink()
    assert "chip" not in verdicts(examine_machine(machine), "board")
    program = write(tmp_path, "/opt/bin/npu-smi", mode=0o755)
    environ = {**machine.environ, "PATH": str(program.parent)}
    assert verdicts(examine_machine(replace(machine, environ=environ)), "board")["chip"] == OK
    assert isinstance(machine.run, Programs)
    machine.run.answers["npu_smi"] = Outcome(1, NPU_SMI.format(name="310"))
    assert "chip" not in verdicts(examine_machine(replace(machine, environ=environ)), "board")


def test_a_310b_board_is_known_by_its_name(tmp_path: Path) -> None:
    libraries = write_driver(tmp_path, "23.0.rc3")
    write_nodes(tmp_path)
    write(tmp_path, "/usr/local/bin/npu-smi")
    home = write_cann(tmp_path, "toolkit", "7.0.RC1")
    answers = Programs(
        python=ACL_WORKS, npu_smi=Outcome(0, NPU_SMI.format(name="310B4")), atc=Outcome(0, "usage")
    )
    machine = plain_machine(
        tmp_path, environ=sourced(home, libraries), run=answers, python=(3, 9, 2)
    )
    diagnosis = examine_machine(machine, needs=["board", "compiler"])
    assert diagnosis.exit_code == 0, verdict_of(diagnosis)
    assert finding(diagnosis, "board", "chip").text == "Ascend310B4"
    assert "toolkit 7.0.RC1" in finding(diagnosis, "board", "CANN").text


def test_a_python_outside_the_releases_range_is_a_warning(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path, driver="1.0.13.alpha", cann="6.0.0.alpha003")
    assert verdicts(examine_machine(machine), "board")["Python"] == OK
    found = finding(examine_machine(replace(machine, python=(3, 10, 4))), "board", "Python")
    assert found.verdict == WARNING
    assert "3.10.4" in found.text
    assert "3.9.0 to 3.9.7" in found.text


def test_the_guides_python_is_named_where_no_range_is_known(tmp_path: Path) -> None:
    machine = replace(board_200dk(tmp_path), python=(3, 8, 10))
    found = finding(examine_machine(machine), "board", "Python")
    assert found.verdict == OK
    assert "3.7.5" in found.text


def test_little_memory_is_a_warning(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    write(tmp_path, "/proc/meminfo", "MemAvailable: 409600 kB\n")
    found = finding(examine_machine(machine), "board", "memory")
    assert found.verdict == WARNING
    assert "0.4 GB" in found.text
    for enough in (f"MemAvailable: {512 * 1024} kB\n", "nothing is told"):
        write(tmp_path, "/proc/meminfo", enough)
        assert verdicts(examine_machine(machine), "board")["memory"] == OK


def test_stub_libraries_on_a_board_are_a_fault(tmp_path: Path) -> None:
    machine = board_200dk(tmp_path)
    stub = "/opt/ascend-toolkit/latest/runtime/lib64/stub"
    before = machine.environ["LD_LIBRARY_PATH"]
    first = {**machine.environ, "LD_LIBRARY_PATH": f"{stub}:{before}"}
    diagnosis = examine_machine(replace(machine, environ=first))
    found = finding(diagnosis, "board", "stub libraries")
    assert (found.verdict, found.fix) == (FAULT, f"export LD_LIBRARY_PATH={before}")
    assert stub in found.text
    assert diagnosis.exit_code == 4
    last = {**machine.environ, "LD_LIBRARY_PATH": f"{before}:{stub}"}
    diagnosis = examine_machine(replace(machine, environ=last))
    assert finding(diagnosis, "board", "stub libraries").verdict == WARNING


@pytest.mark.parametrize("processor", ["aarch64", "x86_64"])
def test_the_run_time_package_is_named_for_the_processor(tmp_path: Path, processor: str) -> None:
    machine = plain_machine(tmp_path, processor=processor)
    fix = fix_of(examine_machine(machine, needs=["board"]), "board", "CANN")
    assert fix is not None
    assert f"Ascend-cann-nnrt_<version>_linux-{processor}.run" in fix


@pytest.mark.parametrize("name", ["driver", "CANN", "device nodes", "pyACL"])
def test_a_laptop_that_is_to_be_a_board_is_told_everything(tmp_path: Path, name: str) -> None:
    diagnosis = examine_machine(plain_machine(tmp_path), needs=["board"])
    assert verdicts(diagnosis, "board")[name] == MISSING
    assert fix_of(diagnosis, "board", name)
    assert diagnosis.exit_code == 4
