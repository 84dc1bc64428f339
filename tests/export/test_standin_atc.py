"""The stand-in compiler itself: it takes what atc's documents allow, and refuses the rest."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

import numpy as np
import pytest

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.om_file import OmModel, parse_om, read_om_summary
from standin_atc_flags import Refusal, parse_flags
from standin_atc_model import build, check_operators, read_graph, registered
from standin_tools import docker_runs, install_atc, install_docker
from tiny_onnx import bytes_field, hand_model, model, node, number_field, tensor

REQUIRED = ("--framework=5", "--output=hand", "--soc_version=Ascend310")
NAMED_INPUT = "--input_shape=image:-1,3,16,16"
NAMED_SIZE = "--input_shape=image:1,3,-1,-1"


@pytest.fixture(autouse=True)
def onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hand.onnx"
    path.write_bytes(hand_model())
    return path


def compile_here(*more: str, cann: str = "5.1", name: str = "hand.onnx") -> OmModel:
    arguments = [f"--model={name}", *REQUIRED, *more]
    content = build(parse_flags(arguments, cann), " ".join(["atc", *arguments]), cann)
    return parse_om(content, "memory").models[0]


def refused(*more: str, cann: str = "5.1", name: str = "hand.onnx") -> Optional[str]:
    with pytest.raises(Refusal) as caught:
        compile_here(*more, cann=cann, name=name)
    return caught.value.code


def run(
    folder: Path, *arguments: str, expect: Optional[int] = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    atc = install_atc(folder / "bin")
    variables = {**os.environ, **{f"STANDIN_ATC_{key}": value for key, value in environ.items()}}
    done = subprocess.run(
        [str(atc), *arguments],
        env=variables,
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if expect is not None:
        assert (done.returncode == 0) == (expect == 0), done.stdout + done.stderr
    return done


def test_a_good_run_says_what_atc_says_and_writes_an_om(tmp_path: Path) -> None:
    done = run(tmp_path, "--model=hand.onnx", *REQUIRED)
    assert done.stdout.splitlines() == [
        "ATC start working now, please wait for a moment.",
        "ATC run success, welcome to the next use.",
    ]
    om = read_om_summary(tmp_path / "hand.om").models[0]
    assert om.soc == "Ascend310"
    assert om.atc_command is not None and "--model=hand.onnx" in om.atc_command
    assert [(item.name, item.shape, item.dtype) for item in om.inputs] == [
        ("image", (1, 3, 16, 16), "float32")
    ]
    assert [item.shape for item in om.outputs] == [(1, 21, 2), (1, 1)]


def test_a_failure_is_reported_on_stdout_with_some_status(tmp_path: Path) -> None:
    done = run(tmp_path, "--model=hand.onnx", "--soc_version=Ascend311", expect=1)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ATC run failed, Please check the detail log")
    assert lines[1].startswith("E10001: Value [Ascend311] for parameter [--soc_version]")
    assert not (tmp_path / "hand.om").exists()


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("--no_such_flag=1", None),
        ("--precision_mode_v2=fp16", None),
        ("--output=", "E10004"),
        ("stray", "E10054"),
        ("--log", "E10054"),
        ("--soc_version=ascend310", "E10001"),
        ("--soc_version=Ascend310P8", "E10001"),
        ("--framework=2", "E10001"),
        ("--framework=0", "E10001"),
        ("--input_format=NHWC", "E10001"),
        ("--mode=3", "E10001"),
        ("--precision_mode=fp16", "E10001"),
        ("--output_type=FLOAT", "E10001"),
        ("--op_debug_level=5", "E10001"),
        ("--auto_tune_mode=SA", "E10001"),
        ("--op_select_implmode=fast", "E10001"),
        ("--optypelist_for_implmode=Exp", "E10001"),
        ("--log=verbose", "E10010"),
        ("--enable_small_channel=true", "E10006"),
        ("--is_input_adjust_hw_layout=1", "E10005"),
        ("--keep_dtype=gone.cfg", "E10410"),
        ("--insert_op_conf=gone.cfg", "E13026"),
        ("--model=gone.onnx", "E13026"),
        ("--input_shape=image", "E10002"),
        ("--input_shape=image:1,3,16,16;", "E10002"),
        ("--input_shape=image: 1,3,16,16", "E10002"),
        ("--input_shape=image:1,3,0,16", "E10011"),
        ("--input_shape=picture:1,3,16,16", "E10016"),
        ("--input_shape=image:1,3,16", "E10049"),
        (NAMED_INPUT, "E10012"),
        ("--dynamic_batch_size=1,2", "E10040"),
        ("--out_nodes=nothing:0", "E10016"),
        ("--input_fp16_nodes=picture", "E10017"),
    ],
)
def test_a_bad_flag_is_refused(flag: str, code: Optional[str]) -> None:
    assert refused(flag) == code


@pytest.mark.parametrize(
    ("missing", "code"),
    [("model", "E10004"), ("output", "E10004"), ("framework", "E10007"), ("soc_version", "E10054")],
)
def test_a_required_flag_is_missed(missing: str, code: str) -> None:
    flags = [flag for flag in ("--model=hand.onnx", *REQUIRED) if f"--{missing}=" not in flag]
    with pytest.raises(Refusal) as caught:
        parse_flags(flags, "5.1")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((NAMED_INPUT, "--dynamic_batch_size=1"), "E10035"),
        ((NAMED_INPUT, "--dynamic_batch_size=" + ",".join(map(str, range(1, 102)))), "E10036"),
        ((NAMED_INPUT, "--dynamic_batch_size=1,1"), "E10039"),
        ((NAMED_INPUT, "--dynamic_batch_size=1,0"), "E10038"),
        ((NAMED_INPUT, "--dynamic_batch_size=1;2"), "E10014"),
        ((NAMED_SIZE, "--dynamic_batch_size=1,2"), "E10018"),
        ((NAMED_INPUT, "--dynamic_image_size=16,16;32,32"), "E10019"),
        ((NAMED_SIZE, "--dynamic_image_size=16;32"), "E10020"),
        ((NAMED_SIZE, "--dynamic_image_size=16,16;32,32", "--dynamic_batch_size=1,2"), "E10009"),
        ((NAMED_SIZE, "--dynamic_image_size=16,16;32,32", "--input_format=ND"), "E10001"),
        ((NAMED_INPUT, "--dynamic_dims=1;2"), "E10001"),
        ((NAMED_SIZE, "--dynamic_dims=1;2", "--input_format=ND"), "E10045"),
        ((NAMED_SIZE, "--dynamic_dims=1,2;2", "--input_format=ND"), "E10037"),
    ],
)
def test_profiles_and_free_axes_must_agree(flags: Sequence[str], code: str) -> None:
    assert refused(*flags) == code


@pytest.mark.parametrize(
    ("flags", "kind", "count"),
    [
        ((NAMED_INPUT, "--dynamic_batch_size=1,2,4"), "batch", 3),
        ((NAMED_SIZE, "--dynamic_image_size=16,16;32,32"), "image size", 2),
        ((NAMED_SIZE, "--dynamic_dims=16,16;32,32", "--input_format=ND"), "dims", 2),
    ],
)
def test_profiles_are_in_the_om(flags: Sequence[str], kind: str, count: int) -> None:
    profiles = compile_here(*flags).profiles
    assert profiles is not None
    assert (profiles.kind, len(profiles.values)) == (kind, count)


def test_flags_belong_to_releases() -> None:
    compile_here("--auto_tune_mode=RL,GA", cann="5.0")
    assert refused("--auto_tune_mode=RL,GA", cann="6.0") is None
    compile_here("--precision_mode_v2=fp16", cann="8.0")
    assert (
        refused("--precision_mode_v2=fp16", "--precision_mode=force_fp16", cann="8.0") == "E10047"
    )


def test_side_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "keep.cfg").write_text("OpType::Add\n\n")
    compile_here("--keep_dtype=keep.cfg")
    (tmp_path / "keep.cfg").write_text("no_such_node\n")
    assert refused("--keep_dtype=keep.cfg") == "E10016"
    (tmp_path / "fusion.cfg").write_text("OnePass:off\n")
    compile_here("--fusion_switch_file=fusion.cfg")
    (tmp_path / "fusion.cfg").write_text("OnePass off\n")
    assert refused("--fusion_switch_file=fusion.cfg") == "E10001"


def write_onnx(path: Path, opset: int, *operators: str, extra: bytes = b"") -> Path:
    nodes = [
        node(op, ["image"], [f"out{n}"]) + bytes_field(3, f"n{n}") for n, op in enumerate(operators)
    ]
    content = model(nodes, {"image": (1, 3, 8, 8)}, {"out0": (1, 3, 8, 8)}, opset=opset)
    path.write_bytes(content + extra)
    return path


def test_operators_are_looked_up_by_the_models_own_opset(onnx: Path) -> None:
    write_onnx(onnx, 17, "Relu", "Sigmoid")
    with pytest.raises(Refusal) as caught:
        compile_here()
    assert caught.value.code == "E19010"
    assert caught.value.text == "No parser is registered for Op [n0, optype [ai.onnx::17::Relu]]."
    assert caught.value.more == (
        "No parser is registered for Op [n1, optype [ai.onnx::17::Sigmoid]].",
    )
    write_onnx(onnx, 15, "Relu")
    compile_here()
    assert refused(cann="5.0") == "E19010"
    write_onnx(onnx, 13, "Relu")
    compile_here(cann="5.0")
    write_onnx(onnx, 11, "GridSample")
    assert refused() == "E19010"
    compile_here(cann="8.0")


def test_two_opset_imports_are_refused_when_a_node_has_no_domain(onnx: Path) -> None:
    second = bytes_field(8, bytes_field(1, "mmdeploy") + number_field(2, 1))
    write_onnx(onnx, 11, "Relu", extra=second)
    assert refused() == "E16005"


def test_a_custom_domain_has_no_parser(onnx: Path) -> None:
    content = node("Relu", ["image"], ["out0"]) + bytes_field(3, "n0") + bytes_field(7, "mmcv")
    onnx.write_bytes(model([content], {"image": (1, 3, 8, 8)}, {"out0": (1, 3, 8, 8)}))
    assert refused() == "E19010"


def test_an_operator_without_a_kernel_is_refused(repo: Path) -> None:
    table = json.loads(
        (repo / "export/atlas_hpe_export/check/operators_ascend310.json").read_text()
    )
    kernels = table["kernels"]
    name, opset = next(
        (name, min(registered(row, "5.1")))
        for name, row in table["operators"].items()
        if any(kernels[ir] == "none" for ir in row.get("ir") or ())
        and not row.get("resolved")
        and registered(row, "5.1")
    )
    path = write_onnx(Path("odd.onnx"), opset, name)
    assert refused(name=str(path)) == "EZ3003"


def test_another_batch_does_not_go_through_fixed_sizes(onnx: Path) -> None:
    for sizes, fits in (([1, 192], False), ([-1, 192], True), ([0, 192], True)):
        nodes = [node("Reshape", ["image", "sizes"], ["out"]) + bytes_field(3, "/head/Reshape")]
        constants = [tensor("sizes", np.array(sizes))]
        onnx.write_bytes(model(nodes, {"image": (1, 3, 8, 8)}, {"out": (1, 192)}, constants))
        compile_here("--input_shape=image:1,3,8,8")
        for flags in (
            ["--input_shape=image:4,3,8,8"],
            ["--input_shape=image:-1,3,8,8", "--dynamic_batch_size=1,4"],
        ):
            if fits:
                compile_here(*flags)
                continue
            with pytest.raises(Refusal) as caught:
                compile_here(*flags)
            assert "node:/head/Reshape(Reshape)" in caught.value.more[0]


def test_damaged_and_empty_models_are_refused(onnx: Path) -> None:
    onnx.write_bytes(onnx.read_bytes()[:-7])
    assert refused() == "E19021"
    onnx.write_bytes(number_field(1, 6))
    assert refused() == "E16004"
    onnx.write_bytes(model([node("Relu", ["w"], ["out"])], {}, {"out": (1,)}))
    assert refused() == "E16001"
    relu = node("Relu", ["image"], ["out"])
    onnx.write_bytes(model([relu], {"image": (1,)}, {"out": (1,)}, dtypes={"image": "int64"}))
    assert refused() == "E19999"


def test_aipp_shows_in_the_om(tmp_path: Path) -> None:
    (tmp_path / "aipp.cfg").write_text("aipp_op { aipp_mode: static input_format: YUV420SP_U8 }")
    om = compile_here("--insert_op_conf=aipp.cfg")
    (image,) = om.inputs
    assert (image.dtype, image.format, image.shape) == ("uint8", "NHWC", (1, 24, 16, 1))
    assert image.aipp is not None and image.aipp.mode == "static"
    assert image.aipp.settings["input_format"] == "YUV420SP_U8"
    assert refused("--insert_op_conf=aipp.cfg", "--input_fp16_nodes=image") == "E10034"
    dims = (NAMED_SIZE, "--dynamic_dims=16,16;32,32", "--input_format=ND")
    assert refused("--insert_op_conf=aipp.cfg", *dims) == "E10001"


def test_it_stops_below_2_gb(tmp_path: Path) -> None:
    flags = ("--model=hand.onnx", *REQUIRED)
    run(tmp_path, *flags, AVAILABLE_KB="2097152")
    done = run(tmp_path, *flags, expect=1, AVAILABLE_KB="2097151")
    assert "2097152" in done.stdout


def test_modes_1_and_6_read_an_om(tmp_path: Path) -> None:
    run(tmp_path, "--model=hand.onnx", *REQUIRED)
    assert "soc_version: [Ascend310]" in run(tmp_path, "--mode=6", "--om=hand.om").stdout
    run(tmp_path, "--mode=1", "--om=hand.om", "--json=hand.json")
    assert json.loads((tmp_path / "hand.json").read_text())["soc_version"] == "Ascend310"
    (tmp_path / "hand.om").write_bytes(b"IMOD")
    done = run(tmp_path, "--mode=6", "--om=hand.om", expect=1)
    assert "E10041" in done.stdout


@pytest.mark.parametrize(
    ("environ", "status", "om"),
    [
        ({"FAULT": "killed"}, -9, "half"),
        ({"FAULT": "memory"}, -9, "none"),
        ({"FAULT": "crash"}, -11, "none"),
        ({"FAULT": "disk"}, None, "half"),
        ({"FAULT": "library"}, 127, "none"),
        ({"FAULT": "none"}, 0, "none"),
        ({"FAULT": "garbage"}, 0, "damaged"),
        ({"PRINT": "E81012: x|more"}, 255, "none"),
        ({"NEW_NAMES": "1"}, 0, "named"),
    ],
)
def test_it_misbehaves_as_told(
    environ: Mapping[str, str], status: Optional[int], om: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "--model=hand.onnx", *REQUIRED, expect=None, **environ)
    assert done.returncode == status if status is not None else done.returncode > 0
    files: List[Path] = sorted(tmp_path.glob("*.om"))
    if om == "none":
        assert files == []
        return
    (path,) = files
    assert (path.name == "hand.om") == (om != "named")
    if om == "named":
        assert path.name.startswith("hand_linux_")
        read_om_summary(path)
        return
    with pytest.raises(AtlasHpeError):
        read_om_summary(path)


def test_a_container_runs_it_with_what_is_mounted(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "hand.onnx").write_bytes(hand_model())
    environ = {**os.environ, **install_docker(tmp_path / "bin")}

    def docker(*arguments: str) -> int:
        program = str(tmp_path / "bin" / "docker")
        return subprocess.run([program, *arguments], env=environ, timeout=60).returncode

    mounted = ("--rm", f"--volume={folder}:/work", "--workdir=/work", "cann:5.1")
    assert docker("run", *mounted, "atc", "--model=hand.onnx", *REQUIRED) == 0
    assert (folder / "hand.om").is_file()
    assert docker("run", *mounted[:-1], "cann:9", "atc") == 125
    assert docker("run", "--privileged", *mounted, "atc") == 125
    assert docker("run", "--rm", "--volume=/no/such:/work", "--workdir=/work", "cann:5.1") == 125
    assert docker("image", "inspect", "--format={{.Id}}", "cann:9") == 1
    assert [words[0] for words in docker_runs(tmp_path / "bin")] == ["run"] * 4 + ["image"]


def test_it_reads_the_models_that_ship(repo: Path) -> None:
    for path in (repo / "atlas_hpe" / "models").glob("*.onnx"):
        graph = read_graph(path)
        for cann in ("5.0", "5.1", "6.0"):
            check_operators(graph, cann)
