"""Every way a conversion can fail, through the stand-in compiler: the message, and what is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest
from convert_world import World

from atlas_hpe.errors import UsageError
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_export.convert import compile_om
from atlas_hpe_export.convert.request.options import AippRequest
from standin_tools import docker_runs
from tiny_onnx import bytes_field, model, node, number_field


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be asked for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_without_atc_a_folder_for_another_machine_is_left(world: World) -> None:
    (world.programs / "atc").unlink()
    folder = {f"hand.convert/{name}" for name in ("convert.sh", "hand.onnx", "hand.om.json")}
    error = world.fail(left=folder)
    assert error.exit_code == 4
    assert "no atc here" in error.what
    assert error.fix is not None and "convert.sh" in error.fix


@pytest.mark.parametrize("fault", ["killed", "memory"])
def test_a_killed_atc_says_that_memory_ran_out(fault: str, world: World) -> None:
    world.atc(FAULT=fault)
    error = world.fail()
    assert "memory ran out" in error.what
    assert error.fix is not None and "swap" in error.fix


def test_too_little_memory_is_told_with_the_2_gb(world: World) -> None:
    world.atc(AVAILABLE_KB="2000000")
    error = world.fail()
    assert "too little memory" in error.what
    assert error.why is not None and "2 GB" in error.why


def test_a_time_out_ends_the_helpers_of_atc_too(world: World) -> None:
    child = world.base / "child.pid"
    world.atc(SLEEP_S="50", CHILD=str(child))
    error = world.fail(timeout_s=2.0)
    assert "time limit" in error.what
    assert error.fix is not None and "--timeout-s" in error.fix
    wait_for_end(int(child.read_text()))


@pytest.mark.slow
def test_an_atc_that_ignores_the_polite_signal_is_killed(world: World) -> None:
    world.atc(SLEEP_S="50", IGNORE_TERM="1")
    assert "time limit" in world.fail(timeout_s=1.0).what


def test_a_full_disk_is_named_before_the_inner_error(world: World) -> None:
    world.atc(FAULT="disk")
    error = world.fail()
    assert "the disk is full" in error.what
    assert error.why is not None and "No space left on device" in error.why


def test_an_unknown_soc_is_refused_before_atc_runs(world: World) -> None:
    record = world.base / "runs.jsonl"
    world.atc(RECORD=str(record))
    error = world.fail(UsageError, left=set(), soc="Ascend311")
    assert error.exit_code == 2
    assert error.fix is not None and "Ascend310" in error.fix
    assert not record.exists()


def test_a_soc_that_this_atc_does_not_know_is_explained(world: World) -> None:
    text = "E10001: Value [Ascend310] for parameter [--soc_version] is invalid. Reason: x."
    world.atc(PRINT=text)
    error = world.fail()
    assert "E10001" in error.what
    assert error.why is not None and "--soc" in error.why and "Ascend310" in error.why


def named(op_type: str, name: str) -> bytes:
    return node(op_type, ["image"], ["out"]) + bytes_field(3, name)


def write_model(path: Path, *nodes: bytes, opset: int = 11, more: bytes = b"") -> None:
    shape = (1, 3, 8, 8)
    path.write_bytes(model(nodes, {"image": shape}, {"out": shape}, opset=opset) + more)


def test_two_opset_imports_lead_to_export(world: World) -> None:
    second = bytes_field(8, bytes_field(1, "mmdeploy") + number_field(2, 1))
    write_model(world.onnx, named("Relu", "/stem/Relu"), more=second)
    error = world.fail()
    assert "E16005" in error.what
    assert error.fix is not None and "atlas-hpe export hand.onnx" in error.fix


def test_an_operator_without_parser_names_the_module(world: World) -> None:
    write_model(
        world.onnx, named("Relu", "/stem/Relu"), named("GridSample", "/head/warp/GridSample")
    )
    error = world.fail()
    assert "E19010" in error.what and "GridSample of opset 11" in error.what
    assert error.where is not None
    assert "/head/warp/GridSample" in error.where and "head.warp" in error.where


def test_a_new_opset_names_every_operator_once(world: World) -> None:
    nodes = [named("Relu", f"/stem/Relu_{number}") for number in range(9)]
    write_model(world.onnx, *nodes, opset=17)
    error = world.fail()
    assert error.why is not None and "too new" in error.why and "and 3 more" in error.why


def test_an_operator_without_kernel_names_its_node(world: World) -> None:
    text = "E19999: Inner Error!|EZ3003: No supported Ops kernel and engine are found for [{}]"
    world.atc(PRINT=text.format("/stem/Det], optype [MatrixDeterminant"))
    write_model(world.onnx, named("Det", "/stem/Det"))
    error = world.fail()
    assert "EZ3003" in error.what
    assert error.where is not None and "/stem/Det (PyTorch module stem)" in error.where
    assert error.why is not None and "E19999" in error.why


def test_a_batch_that_the_graph_does_not_take_names_the_node(world: World) -> None:
    line = "Call InferShapeAndType for node:/stem/Relu(Reshape) failed[FUNC:Infer]"
    world.atc(PRINT=f"EZ9999: Inner Error!|        {line}")
    write_model(world.onnx, named("Relu", "/stem/Relu"))
    error = world.fail(batches=(4,))
    assert error.where is not None and "/stem/Relu" in error.where
    assert error.why is not None and "fixed in the graph" in error.why


def test_a_bad_aipp_configuration_is_explained(world: World) -> None:
    world.atc(PRINT="E10052: AIPP configuration is invalid. Reason: [crop_size_w] is odd.")
    error = world.fail(aipp=AippRequest("nv12"))
    assert "AIPP" in error.what
    assert error.why is not None and "[crop_size_w] is odd" in error.why


@pytest.mark.parametrize(
    "aipp",
    [
        AippRequest("nv12", source_size_px=(33, 32)),
        AippRequest("rgb", source_size_px=(32, 32)),
        AippRequest("rgb", padding=(33, 0, 0, 0)),
        AippRequest("gray"),
        AippRequest("rgb", source_size_px=(32, 32), crop=(20, 0, 16, 16)),
    ],
)
def test_impossible_aipp_settings_are_refused_before_atc_runs(
    aipp: AippRequest, world: World
) -> None:
    record = world.base / "runs.jsonl"
    world.atc(RECORD=str(record))
    error = world.fail(UsageError, left=set(), aipp=aipp)
    assert error.exit_code == 2
    assert not record.exists()


def test_an_aipp_file_of_the_users_own_is_judged_by_atc(world: World) -> None:
    config = world.work / "own.cfg"
    config.write_text("aipp_op { aipp_mode: static input_format: RGB888_U8 resize: true }")
    write_model(world.onnx, named("Relu", "/stem/Relu"))  # no card that the file could contradict
    error = world.fail(extra=(f"--insert_op_conf={config}",))
    assert "E10052" in error.what
    assert error.why is not None and "[resize]" in error.why


def test_a_missing_driver_library_is_explained(world: World) -> None:
    world.atc(FAULT="library")
    error = world.fail()
    assert "libascend_hal.so" in error.what
    assert error.fix is not None and "stub" in error.fix


def test_a_crash_is_named(world: World) -> None:
    world.atc(FAULT="crash")
    assert "signal 11" in world.fail().what


@pytest.mark.parametrize(("fault", "said"), [("none", "no model"), ("garbage", "can't be read")])
def test_success_without_a_model_is_a_failure(fault: str, said: str, world: World) -> None:
    world.atc(FAULT=fault)
    error = world.fail()
    assert said in error.what
    assert error.exit_code == 4


def test_a_model_for_another_chip_is_not_taken(world: World) -> None:
    wrapper = world.programs / "atc"
    text = wrapper.read_text().replace('"$@"', '"$@" --soc_version=Ascend310P3')
    wrapper.write_text(text)
    error = world.fail()
    assert "another chip" in error.what
    assert error.why is not None and "Ascend310P3" in error.why


def test_a_failure_leaves_the_former_model_alone(world: World) -> None:
    world.convert()
    former = {name for name in world.files() if name.startswith("hand.om")}
    assert former == {"hand.om", "hand.om.json", "hand.om.log"}
    shutil.rmtree(str(world.cache))
    world.atc(FAULT="killed")
    world.fail(force=True)


def test_many_lines_are_kept_and_some_are_shown(world: World) -> None:
    world.atc(LINES="300", SLEEP_S="0.3")
    shown: List[str] = []
    report = compile_om("hand.onnx", show=shown.append)
    assert 0 < sum("compiling kernel" in line for line in shown) <= 300
    assert report.log is not None
    assert report.log.read_text().count("compiling kernel") == 300


def test_a_container_compiles_without_network_and_is_removed(world: World) -> None:
    world.docker()
    report = compile_om("hand.onnx", docker="cann:5.1")
    assert read_om_summary(report.path).models[0].soc == "Ascend310"
    runs = docker_runs(world.programs)
    started = next(words for words in runs if words[0] == "run")
    assert "--network=none" in started and "--rm" in started
    state = Path(os.environ["STANDIN_DOCKER_STATE"])
    assert [path.name for path in state.iterdir()] == ["runs.jsonl"]


@pytest.mark.parametrize("fault", ["killed", "memory"])
def test_an_atc_killed_in_its_container_says_that_memory_ran_out(fault: str, world: World) -> None:
    world.docker()
    world.patch.setenv("STANDIN_ATC_FAULT", fault)
    assert "memory ran out" in world.fail(docker="cann:5.1").what


def test_a_time_out_ends_the_container(world: World) -> None:
    world.docker()
    child = world.base / "child.pid"
    world.patch.setenv("STANDIN_ATC_SLEEP_S", "50")
    world.patch.setenv("STANDIN_ATC_CHILD", str(child))
    assert "time limit" in world.fail(docker="cann:5.1", timeout_s=2.0).what
    wait_for_end(int(child.read_text()))
    assert docker_runs(world.programs)[-1][:2] == ["rm", "--force"]


def test_an_image_that_is_not_there_is_told(world: World) -> None:
    world.docker()
    error = world.fail(docker="cann:9", left=set())
    assert "image" in error.what
    assert error.where is not None and "cann:9" in error.where


def test_a_docker_that_does_not_answer_is_told(world: World) -> None:
    world.docker()
    world.patch.setenv("STANDIN_DOCKER_DOWN", "1")
    assert "Docker" in world.fail(docker="cann:5.1", left=set()).what


def test_the_command_line_shows_one_error_and_exits_4(world: World, repo: Path) -> None:
    world.atc(PRINT="E81012: AIPP kernel")
    command = [sys.executable, "-m", "atlas_hpe", "convert", "hand.onnx", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.count("error:") == 1
    assert "E81012" in done.stderr and "Traceback" not in done.stderr
