"""``convert --simulate``: what atc would be told becomes a model for the simulator, and says so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from convert_files import stop_at_card

import tiny_onnx
from atlas_hpe.aipp import AippSpec, DynamicAipp, aipp_spec, choose_aipp_input
from atlas_hpe.card import card_path_of, load_card
from atlas_hpe.errors import AtlasHpeError, InputError, ModelFileError, OutputError, UsageError
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_export.convert import (
    AippRequest,
    ConvertOptions,
    ConvertReport,
    compile_om,
    describe_convert,
)
from atlas_hpe_export.convert.request.command import AtcCommand
from atlas_hpe_export.convert.simulate import Simulation, simulated_model
from atlas_hpe_export.steps import BATCH_STEP
from atlas_hpe_runtime import open_session
from atlas_hpe_runtime.simulator.model_file import load_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


def simulate(
    model: Path, out: Optional[Path] = None, *extra: str, force: bool = False, **options: Any
) -> ConvertReport:
    out = model.with_name("hand.simulated.om") if out is None else out
    asked = ConvertOptions(extra=extra, **options)
    return compile_om(model, out, options=asked, force=force, simulate=True)


def made_by(model: Path, *extra: str, **options: Any) -> SimulatedModel:
    return load_simulated_model(simulate(model, None, *extra, **options).path)


def read(model: Path, *flags: str, **files: str) -> Simulation:
    """Flags as they are, past every rule of ``convert``."""
    command = AtcCommand(
        flags, {name.replace("_cfg", ".cfg"): text for name, text in files.items()}
    )
    return simulated_model(model.read_bytes(), command, read_onnx_summary(model))


def test_a_plain_model_is_the_graph_as_atc_takes_it_without_options(model: Path) -> None:
    assert made_by(model) == SimulatedModel(model.read_bytes())


def test_name_content_card_and_report_say_that_it_is_simulated(model: Path) -> None:
    report = simulate(model)
    assert report.path.name == "hand.simulated.om"
    assert report.path.read_bytes().startswith(b"atlas-hpe simulated model 1: no .om")
    assert report.simulated
    assert report.command is None
    build = load_card(report.path).provenance.build
    assert build is not None
    assert build.simulated
    assert build.compiler.startswith("atlas-hpe ")
    assert build.compiler.endswith(", simulated")
    assert load_card(report.path).provenance.atc_command is None
    assert build.onnx_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert build.om_sha256 == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert build.duration_s > 0


def test_the_same_request_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    request: Any = {"aipp": AippRequest("nv12"), "batches": (1, 2), "soc": "Ascend310P3"}
    first = simulate(model, tmp_path / "a.simulated.om", **request)
    second = simulate(model, tmp_path / "b.simulated.om", **request)
    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("name", ["hand.om", "hand.simulated", "simulated.om", "hand.onnx.om"])
def test_another_name_is_refused_with_the_right_one(model: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError) as caught:
        simulate(model, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"hand.onnx"}
    if name == "hand.om":
        assert str(caught.value.fix).endswith("hand.simulated.om")


def test_precision_shapes_and_profiles_are_those_of_the_options(model: Path) -> None:
    assert made_by(model, precision="fp32").precision == "fp32"
    many = made_by(model, batches=(1, 2, 4), force=True)
    assert (many.dynamic_batch, many.input_shapes) == ((1, 2, 4), {"image": (-1, 3, 16, 16)})
    one = made_by(model, batches=(4,), force=True)
    assert (one.dynamic_batch, one.input_shapes) == ((), {"image": (4, 3, 16, 16)})
    dims = made_by(
        model,
        "--dynamic_dims=1;4",
        "--input_format=ND",
        input_shapes=(("image", (-1, 3, 16, 16)),),
        force=True,
    )
    assert (dims.dynamic_dims, dims.input_format) == (((1,), (4,)), "ND")


def test_image_sizes_are_profiles_with_aipp_of_any_size(model: Path) -> None:
    found = read(
        model,
        "--input_shape=image:1,3,-1,-1",
        "--dynamic_image_size=16,16;32,48",
        "--insert_op_conf=a.cfg",
        a_cfg="aipp_op { aipp_mode: static input_format: RGB888_U8 }",
    ).model
    assert found.dynamic_image_size == ((16, 16), (32, 48))
    aipp = found.aipp["image"]
    assert isinstance(aipp, AippSpec)
    assert (aipp.src_width_px, aipp.src_height_px) == (0, 0)


def test_a_picture_size_that_is_left_out_is_the_input_s(model: Path) -> None:
    text = "aipp_op { aipp_mode: static input_format: RGB888_U8 }"
    aipp = read(model, "--insert_op_conf=a.cfg", a_cfg=text).model.aipp["image"]
    assert isinstance(aipp, AippSpec)
    assert (aipp.src_width_px, aipp.src_height_px) == (16, 16)
    last = ("--input_format=NHWC", "--input_shape=image:1,20,30,3")
    aipp = read(model, *last, "--insert_op_conf=a.cfg", a_cfg=text).model.aipp["image"]
    assert isinstance(aipp, AippSpec)
    assert (aipp.src_width_px, aipp.src_height_px) == (30, 20)


def test_dynamic_aipp_is_taken_from_the_file(model: Path) -> None:
    text = "aipp_op { aipp_mode: dynamic max_src_image_size: 4096 }"
    found = read(model, "--insert_op_conf=a.cfg", a_cfg=text).model
    assert found.aipp == {"image": DynamicAipp(4096)}


def test_types_of_inputs_and_outputs_are_those_of_the_flags(model: Path) -> None:
    found = made_by(model, "--input_fp16_nodes=image", "--output_type=FP16")
    assert found.fp16_inputs == ("image",)
    assert found.output_dtypes == {"joints": "float16", "presence": "float16"}
    card = load_card(model.with_name("hand.simulated.om"))
    assert (card.graphs[0].inputs[0].dtype, card.preprocess.dtype) == ("float16", "float16")


def test_an_output_type_of_one_node_is_that_of_its_output(tmp_path: Path) -> None:
    node = tiny_onnx.node("Neg", ["x"], ["y"]) + tiny_onnx.bytes_field(3, "a:b")
    path = tmp_path / "neg.onnx"
    path.write_bytes(tiny_onnx.model([node], {"x": (1, 4)}, {"y": (1, 4)}))
    assert read(path, "--output_type=a:b:0:FP16").model.output_dtypes == {"y": "float16"}
    with pytest.raises(UsageError, match="does not take") as caught:
        read(path, "--output_type=c:0:FP16")
    assert "'c:0'" in str(caught.value.why)


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("--input_shape=image:1,x", "'image:1,x' is no NAME:SIZE,SIZE,..."),
        ("--dynamic_batch_size=a,b", "'a,b' is no list of whole numbers with commas between"),
        ("--dynamic_image_size=64;128", "'64' is no HEIGHT,WIDTH"),
        ("--dynamic_dims=1;1.5", "'1.5' is no list of whole numbers with commas between"),
    ],
)
def test_numbers_that_are_none_are_told(model: Path, flag: str, why: str) -> None:
    with pytest.raises(UsageError, match="does not take") as caught:
        read(model, flag)
    assert caught.value.why == why


@pytest.mark.parametrize("form", ["nv12", "nv21", "rgb", "bgr", "xrgb"])
def test_aipp_is_what_the_card_asks_for(model: Path, form: str) -> None:
    found = made_by(model, aipp=AippRequest(form))
    preprocess = load_card(model).preprocess
    assert found.aipp == {"image": aipp_spec(preprocess, choose_aipp_input(preprocess, form))}
    card = load_card(model.with_name("hand.simulated.om"))
    assert card.preprocess.aipp == choose_aipp_input(preprocess, form)
    with open_session(model.with_name("hand.simulated.om")) as session:
        assert session.inputs[0].shape == card.graphs[0].inputs[0].shape
        assert session.inputs[0].dtype == card.graphs[0].inputs[0].dtype == "uint8"


def test_what_the_simulator_can_not_stand_for_is_named(model: Path) -> None:
    report = simulate(
        model,
        None,
        "--op_select_implmode=high_precision",
        soc="Ascend310P3",
        precision="mixed",
        keep_dtype=("OpType::MatMul",),
        fusion_off=("all",),
        tune="ga",
    )
    told = "\n".join(report.warnings)
    for flag in ("keep_dtype", "fusion_switch_file", "auto_tune_mode", "op_select_implmode"):
        assert f"--{flag}=" in told
    assert "allow_mix_precision is simulated as fp16" in told
    assert "ATLAS_HPE_SIM_SOC=Ascend310P3" in told
    assert len(report.warnings) == 6
    assert simulate(model, force=True, aipp=AippRequest("nv12"), precision="fp32").warnings == ()


@pytest.mark.parametrize("flag", ["--out_nodes=joints", "--is_output_adjust_hw_layout=true"])
def test_another_model_than_the_simulator_can_be_is_refused(model: Path, flag: str) -> None:
    with pytest.raises(UsageError, match="can't stand for"):
        simulate(model, None, flag)
    assert not model.with_name("hand.simulated.om").exists()


@pytest.mark.parametrize(
    "flag",
    ["--output_type=FP8", "--dynamic_dims=a;b", "--dynamic_image_size=1,2,3", "--input_shape=a:x"],
)
def test_a_value_that_atc_does_not_take_is_one_clear_error(model: Path, flag: str) -> None:
    with pytest.raises(UsageError):
        read(model, flag)


def test_what_convert_refuses_is_refused_here_too(model: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        simulate(model, None, "--input_fp16_nodes=image", aipp=AippRequest("rgb"))
    assert not model.with_name("hand.simulated.om").exists()


def test_a_graph_that_does_not_load_is_refused_now(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    wrong = tiny_onnx.tensor("w", np.zeros((3, 2), np.float32))
    node = tiny_onnx.node("MatMul", ["x", "w"], ["y"])
    path.write_bytes(tiny_onnx.model([node], {"x": (1, 4)}, {"y": (1, 2)}, [wrong]))
    with pytest.raises(ModelFileError, match="does not load on the simulator") as caught:
        simulate(path, tmp_path / "odd.simulated.om")
    assert caught.value.where == str(path)
    assert caught.value.fix
    assert [item.name for item in tmp_path.iterdir()] == ["odd.onnx"]


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    (tmp_path / "w.bin").write_bytes(bytes(4))
    weights = [tiny_onnx.external_tensor("w", (1,), "w.bin")]
    node = tiny_onnx.node("Add", ["x", "w"], ["y"])
    path.write_bytes(tiny_onnx.model([node], {"x": (1,)}, {"y": (1,)}, weights))
    with pytest.raises(ModelFileError, match="holds its weights itself"):
        simulate(path, tmp_path / "o.simulated.om")


def test_a_model_without_a_card_has_a_record_and_no_card(tmp_path: Path) -> None:
    path = tmp_path / "neg.onnx"
    node = tiny_onnx.node("Neg", ["x"], ["y"])
    path.write_bytes(tiny_onnx.model([node], {"x": (1, 4)}, {"y": (1, 4)}))
    report = simulate(path, tmp_path / "neg.simulated.om")
    assert report.card is None
    assert {item.name for item in tmp_path.iterdir()} == {
        *("neg.onnx", "neg.simulated.om", "neg.simulated.om.build.json"),
    }
    with open_session(report.path) as session:
        x = np.ones((1, 4), np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)


def test_an_output_that_exists_is_kept_unless_forced(model: Path) -> None:
    path = simulate(model).path
    before = path.read_bytes(), card_path_of(path).read_bytes()
    with pytest.raises(OutputError, match="exists"):
        simulate(model, precision="fp32")
    assert (path.read_bytes(), card_path_of(path).read_bytes()) == before
    card_path_of(path).unlink()
    with pytest.raises(OutputError, match="exists"):
        simulate(model, precision="fp32")
    assert not card_path_of(path).exists()
    assert simulate(model, precision="fp32", force=True).path.read_bytes() != before[0]
    assert load_card(path).provenance.precision == "float32"


def test_a_card_that_can_not_be_written_leaves_no_simulated_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_card(monkeypatch, "publish")
    with pytest.raises(OutputError, match="can't be written"):
        simulate(model)
    assert [item.name for item in model.parent.iterdir()] == ["hand.onnx"]


def test_a_second_run_says_that_it_is_up_to_date_and_simulated(model: Path) -> None:
    written = simulate(model, precision="mixed").path.stat().st_mtime_ns
    report = simulate(model, precision="mixed")
    assert (report.state, report.simulated, report.log) == ("up to date", True, None)
    assert report.path.stat().st_mtime_ns == written
    assert len(report.warnings) == 1
    assert "up to date, simulated" in describe_convert(report)[0]
    assert simulate(model, precision="mixed", force=True).state == "simulated"


def test_a_graph_that_changes_while_it_is_read_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "atlas_hpe_export.convert.simulate.read_bytes", lambda path: tiny_onnx.hand_model(32)
    )
    with pytest.raises(InputError, match="changed while"):
        simulate(model)
    assert [item.name for item in model.parent.iterdir()] == ["hand.onnx"]


def test_bad_input_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        simulate(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x06nothing")
    with pytest.raises(AtlasHpeError, match="not an ONNX model"):
        simulate(tmp_path / "bad.onnx")


def test_the_card_s_own_numbers_stay(model: Path) -> None:
    built, own = load_card(simulate(model).path), load_card(model)
    assert replace(built, provenance=own.provenance, graphs=own.graphs) == own


def test_a_graph_for_one_picture_at_a_time_is_warned_of(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = load_card(model)
    refused = (f"{BATCH_STEP}: refused, look at Concat '/net/c'",)
    card = replace(card, provenance=replace(card.provenance, refused=refused))
    monkeypatch.setattr("atlas_hpe_export.convert.job.find_card", lambda path: card)
    (warning,) = simulate(model, batches=(1, 2)).warnings
    assert "/net/c" in warning
    assert simulate(model, model.with_name("one.simulated.om")).warnings == ()
