"""The options as atc's command line and its side files (ascend.md section 3.1)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, Sequence, Tuple

import pytest
from convert_files import CARD, PREPROCESS, command_for

import tiny_onnx
from atlas_hpe.aipp import aipp_spec, read_aipp_config
from atlas_hpe.card import AippInput
from atlas_hpe.errors import InputError, ModelFileError, UsageError
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_export.convert import PRECISIONS, AippRequest, ConvertOptions, build_command


def flags_of(folder: Path, options: ConvertOptions, **more: object) -> Dict[str, str]:
    return command_for(folder, options, **more).values  # type: ignore[arg-type]


def test_nothing_asked_is_the_plain_command(tmp_path: Path) -> None:
    command = command_for(tmp_path, ConvertOptions())
    assert command.argv("hand") == (
        "atc",
        "--model=hand.onnx",
        "--output=hand",
        "--framework=5",
        "--soc_version=Ascend310",
        "--log=error",
    )
    assert dict(command.files) == {}


def test_a_product_name_is_taken_for_its_chip(tmp_path: Path) -> None:
    assert flags_of(tmp_path, ConvertOptions(soc="Atlas 200 DK"))["soc_version"] == "Ascend310"


@pytest.mark.parametrize(("name", "mode"), list(PRECISIONS.items()))
def test_a_precision_is_known_by_both_names(name: str, mode: str, tmp_path: Path) -> None:
    assert flags_of(tmp_path, ConvertOptions(precision=name))["precision_mode"] == mode
    assert flags_of(tmp_path, ConvertOptions(precision=mode))["precision_mode"] == mode


@pytest.mark.parametrize(
    "options",
    [
        ConvertOptions(precision="int8"),
        ConvertOptions(tune="genetic"),
        ConvertOptions(fusion_off=("all", "OnePass")),
        ConvertOptions(soc="Ascend 9"),
        ConvertOptions(aipp=AippRequest("yuyv")),
        ConvertOptions(aipp=AippRequest("rgb", source_size_px=(640, 480))),
        ConvertOptions(
            aipp=AippRequest("rgb", crop=(0, 0, 16, 16), source_size_px=(640, 480)),
            image_sizes=((16, 16), (32, 32)),
        ),
        ConvertOptions(
            aipp=AippRequest("rgb", padding=(1, 1, 1, 1)), image_sizes=((16, 16), (32, 32))
        ),
        ConvertOptions(
            aipp=AippRequest("rgb", source_size_px=(16, 16)), image_sizes=((16, 16), (32, 32))
        ),
        ConvertOptions(image_sizes=((32, 32), (64, 64))),
        ConvertOptions(input_shapes=(("picture", (1, 3, 16, 16)),)),
        ConvertOptions(input_shapes=(("image", (1, 3, 16)),)),
    ],
)
def test_what_can_not_be_asked_is_refused(options: ConvertOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        command_for(tmp_path, options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ConvertOptions(batches=(4,)), {"input_shape": "image:4,3,16,16"}),
        (
            ConvertOptions(batches=(1, 2, 4)),
            {"input_shape": "image:-1,3,16,16", "dynamic_batch_size": "1,2,4"},
        ),
        (ConvertOptions(image_sizes=((32, 48),)), {"input_shape": "image:1,3,32,48"}),
        (
            ConvertOptions(image_sizes=((16, 16), (32, 48))),
            {"input_shape": "image:1,3,-1,-1", "dynamic_image_size": "16,16;32,48"},
        ),
        (ConvertOptions(input_shapes=(("", (2, 3, 16, 16)),)), {"input_shape": "image:2,3,16,16"}),
    ],
)
def test_sizes_become_a_shape_and_profiles(
    options: ConvertOptions, expected: Dict[str, str], tmp_path: Path
) -> None:
    flags = flags_of(tmp_path, options)
    shape_flags = {"input_shape", "dynamic_batch_size", "dynamic_image_size", "dynamic_dims"}
    assert {name: flags[name] for name in shape_flags & set(flags)} == expected


def test_one_image_size_is_the_size_of_the_card_too(tmp_path: Path) -> None:
    card = command_for(tmp_path, ConvertOptions(image_sizes=((32, 48),))).card
    assert card is not None
    assert (card.preprocess.height_px, card.preprocess.width_px) == (32, 48)


def test_kept_nodes_and_passes_that_are_off_go_into_files(tmp_path: Path) -> None:
    options = ConvertOptions(keep_dtype=("conv_1", "relu_1"), fusion_off=("APass", "BPass"))
    command = command_for(tmp_path, options)
    assert command.values["keep_dtype"] == "keep_dtype.cfg"
    assert command.files["keep_dtype.cfg"] == "conv_1\nrelu_1\n"
    assert command.values["fusion_switch_file"] == "fusion_switch.cfg"
    assert command.files["fusion_switch.cfg"] == "APass:off\nBPass:off\n"


def test_all_passes_are_switched_off_by_their_group(tmp_path: Path) -> None:
    command = command_for(tmp_path, ConvertOptions(fusion_off=("all",)))
    switch = json.loads(command.files["fusion_switch.cfg"])["Switch"]
    assert switch == {"GraphFusion": {"ALL": "off"}, "UBFusion": {"ALL": "off"}}


@pytest.mark.parametrize(("name", "mode"), [("ga", "GA"), ("rl", "RL"), ("rl,ga", "RL,GA")])
def test_a_search_is_asked_for_by_its_name(name: str, mode: str, tmp_path: Path) -> None:
    assert flags_of(tmp_path, ConvertOptions(tune=name))["auto_tune_mode"] == mode


def test_aipp_writes_the_file_that_does_what_the_card_says(tmp_path: Path) -> None:
    request = AippRequest("nv12", "bt709", "full", (64, 48), (2, 4, 14, 12), (1, 1, 2, 2))
    command = command_for(tmp_path, ConvertOptions(aipp=request))
    assert command.values["insert_op_conf"] == "aipp.cfg"
    assert command.values["enable_small_channel"] == "1"
    assert command.aipp == AippInput(
        "nv12", 64, 48, "bt709-wide", crop=(2, 4, 14, 12), padding=(1, 1, 2, 2)
    )
    written = read_aipp_config(command.files["aipp.cfg"])
    assert list(written.values()) == [aipp_spec(PREPROCESS, command.aipp)]


def test_with_several_sizes_aipp_takes_that_of_the_profile(tmp_path: Path) -> None:
    options = ConvertOptions(aipp=AippRequest("nv12"), image_sizes=((16, 16), (32, 32)))
    text = command_for(tmp_path, options).files["aipp.cfg"]
    assert "src_image_size" not in text
    assert "YUV420SP_U8" in text


def test_small_channels_can_be_switched_off_again(tmp_path: Path) -> None:
    options = ConvertOptions(aipp=AippRequest("rgb"), extra=("--enable_small_channel=0",))
    assert flags_of(tmp_path, options)["enable_small_channel"] == "0"


def test_aipp_without_a_card_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs the model's card") as caught:
        command_for(tmp_path, ConvertOptions(aipp=AippRequest("rgb")), card=None)
    assert "atlas-hpe export" in str(caught.value.fix)


def test_aipp_is_set_at_the_cards_own_input(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    nodes = [tiny_onnx.node("Relu", ["image"], ["y"])]
    inputs = {"pose": (1, 21), "image": (1, 3, 16, 16)}
    path.write_bytes(tiny_onnx.model(nodes, inputs, {"y": (1, 3, 16, 16)}))
    summary = read_onnx_summary(path)
    command = build_command(ConvertOptions(aipp=AippRequest("rgb")), summary, CARD)
    assert list(read_aipp_config(command.files["aipp.cfg"])) == [1]
    assert command.picture == "image"
    path.write_bytes(tiny_onnx.model(nodes, {"photo": (1, 3, 16, 16)}, {"y": (1, 3, 16, 16)}))
    with pytest.raises(UsageError, match="not that of this graph"):
        build_command(ConvertOptions(aipp=AippRequest("rgb")), read_onnx_summary(path), CARD)


def test_a_graph_without_an_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    path.write_bytes(tiny_onnx.model([tiny_onnx.node("Relu", ["x"], ["y"])], {}, {"y": (1,)}))
    options = ConvertOptions(input_shapes=(("", (1,)),))
    with pytest.raises(ModelFileError, match="no input"):
        build_command(options, read_onnx_summary(path))


def test_flags_of_atc_are_handed_on(tmp_path: Path) -> None:
    options = ConvertOptions(extra=("--op_select_implmode=high_precision", "--log=debug"))
    command = command_for(tmp_path, options)
    assert command.values["op_select_implmode"] == "high_precision"
    assert [flag for flag in command.flags if flag.startswith("--log")] == ["--log=debug"]


@pytest.mark.parametrize(
    "extra",
    [
        ("--output=other",),
        ("--model=other.onnx",),
        ("--framework=1",),
        ("--mode=1",),
        ("--soc_version=Ascend910A",),
        ("--precision_mode=force_fp32",),
        ("--op_debug_level=1", "--op_debug_level=2"),
        ("--insert_op_conf=aipp.cfg",),
        ("op_debug_level=1",),
        ("--op_debug_level", "1"),
        ("--op_debug_level=",),
        ("-x=1",),
        ("plain",),
    ],
)
def test_flags_that_contradict_or_can_not_be_read_are_refused(
    extra: Tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        command_for(tmp_path, ConvertOptions(precision="fp16", extra=extra))
    assert "--" in str(caught.value.where)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("input_shape=image:1,3,16,16", ConvertOptions(batches=(1,))),
        ("dynamic_batch_size=1,2", ConvertOptions(batches=(1, 2))),
        ("dynamic_image_size=16,16;32,32", ConvertOptions(image_sizes=((16, 16), (32, 32)))),
        ("keep_dtype=x.cfg", ConvertOptions(keep_dtype=("conv_1",))),
        ("fusion_switch_file=x.cfg", ConvertOptions(fusion_off=("all",))),
        ("auto_tune_mode=GA", ConvertOptions(tune="ga")),
    ],
)
def test_a_flag_that_says_what_an_option_says_is_refused(
    flag: str, options: ConvertOptions, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="say the same"):
        command_for(tmp_path, replace(options, extra=(f"--{flag}",)))


def test_the_cards_input_is_the_picture_among_several(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    nodes = [tiny_onnx.node("Relu", ["image"], ["y"])]
    inputs = {"depth": (1, 1, 16, 16), "image": (1, 3, 16, 16)}
    path.write_bytes(tiny_onnx.model(nodes, inputs, {"y": (1, 3, 16, 16)}))
    options = ConvertOptions(image_sizes=((32, 48),))
    flags = build_command(options, read_onnx_summary(path), CARD).values
    assert flags["input_shape"] == "depth:1,1,16,16;image:1,3,32,48"


def test_files_that_flags_name_go_along(tmp_path: Path) -> None:
    lists = tmp_path / "my lists.json"
    lists.write_text('{"black-list": {}}')
    command = command_for(tmp_path, ConvertOptions(extra=(f"--modify_mixlist={lists}",)))
    assert command.values["modify_mixlist"] == "modify_mixlist.json"
    assert command.files["modify_mixlist.json"] == '{"black-list": {}}'


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_can_not_be_read_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "lists.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError):
        command_for(tmp_path, ConvertOptions(extra=(f"--modify_mixlist={path}",)))


def test_without_a_card_aipp_may_come_from_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "own.cfg"
    path.write_text("aipp_op {}\n")
    options = ConvertOptions(extra=(f"--insert_op_conf={path}",))
    assert (
        command_for(tmp_path, options, card=None).values["insert_op_conf"] == "insert_op_conf.cfg"
    )
    with pytest.raises(UsageError, match="card would contradict"):
        command_for(tmp_path, options, card=CARD)


@pytest.mark.parametrize(
    ("shapes", "clear"),
    [
        ((("image", (1, 3, 16, 16)), ("depth", (1, 1, 16, 16))), False),
        ((("image", (1, 3, 16, 16)), ("pose", (1, 21))), True),
    ],
)
def test_without_a_card_the_picture_is_the_only_input_with_four_axes(
    shapes: Sequence[Tuple[str, Tuple[int, ...]]], clear: bool, tmp_path: Path
) -> None:
    path = tmp_path / "two.onnx"
    nodes = [tiny_onnx.node("Relu", ["image"], ["y"])]
    path.write_bytes(tiny_onnx.model(nodes, dict(shapes), {"y": (1, 3, 16, 16)}))
    options = ConvertOptions(image_sizes=((32, 32),))
    if clear:
        flags = build_command(options, read_onnx_summary(path)).values
        assert flags["input_shape"] == "image:1,3,32,32;pose:1,21"
        return
    with pytest.raises(UsageError, match="not clear"):
        build_command(options, read_onnx_summary(path))
