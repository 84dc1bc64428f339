"""What a user types, and the rules of atc that it may break (ascend.md sections 3.1 and 4.6)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import pytest
from convert_files import CARD, command_for, graph_card, write_model
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import UsageError
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe_export.convert import AippRequest, ConvertOptions, build_command, parse_options
from atlas_hpe_export.convert.request.checks import (
    check_command,
    check_normalisation,
    check_release,
    find_warnings,
)
from atlas_hpe_export.steps import BATCH_STEP

STATIC = (1, 3, 16, 16)
OPEN = ("n", 3, 16, 16)
OPEN_SIZE = (1, 3, "h", "w")


def check(
    folder: Path, options: ConvertOptions, shape: Sequence[object] = STATIC, card: bool = True
) -> None:
    known = CARD if card else None
    command = command_for(folder, options, shape, known)  # type: ignore[arg-type]
    summary = read_onnx_summary(folder / "hand.onnx")
    check_command(command, summary, ("conv_1", "relu_1"))


def extra(*flags: str) -> ConvertOptions:
    return ConvertOptions(extra=flags)


def test_every_option_is_read_into_its_type() -> None:
    options = parse_options(
        soc="310",
        form="nv12",
        matrix="bt709",
        colour_range="full",
        source_size="1280x720",
        crop="8,10,256,128",
        padding="1,2,3,4",
        precision="mixed",
        batch="1,2",
        image_size="256x192,320x320",
        input_shapes=["image:0:1,3,-1,16", "1,21"],
        keep_dtype=["a", "b"],
        fusion_off=["all"],
        tune="GA",
        atc_flags=["--x=1"],
    )
    assert options == ConvertOptions(
        soc="310",
        precision="mixed",
        input_shapes=(("image:0", (1, 3, -1, 16)), ("", (1, 21))),
        batches=(1, 2),
        image_sizes=((256, 192), (320, 320)),
        keep_dtype=("a", "b"),
        fusion_off=("all",),
        tune="ga",
        aipp=AippRequest("nv12", "bt709", "full", (1280, 720), (8, 10, 256, 128), (1, 2, 3, 4)),
        extra=("--x=1",),
    )


def test_what_is_not_given_stays_with_the_defaults() -> None:
    assert parse_options(soc="Ascend310") == ConvertOptions()
    assert parse_options(soc="Ascend310", form="rgb").aipp == AippRequest("rgb")


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch": "0"},
        {"batch": "1,,2"},
        {"batch": "two"},
        {"batch": "1,1"},
        {"image_size": "256"},
        {"image_size": "256x0"},
        {"image_size": "256x256;320x320"},
        {"input_shapes": ["image:1,0,2"]},
        {"input_shapes": ["image:"]},
        {"keep_dtype": ["/Conv", ""]},
        {"keep_dtype": ["/Conv\n/Relu"]},
        {"fusion_off": [""]},
        {"fusion_off": ["ConvFusionPass, AddFusionPass"]},
        {"fusion_off": ["ConvFusionPass:off"]},
        {"form": "nv12", "source_size": "1280*720"},
        {"form": "nv12", "crop": "1,2,3"},
        {"form": "nv12", "padding": "-1,0,0,0"},
        {"form": "rgb", "matrix": "bt709"},
        {"form": "rgb", "colour_range": "full"},
        {"matrix": "bt709"},
        {"colour_range": "full"},
        {"crop": "0,0,2,2"},
    ],
)
def test_what_can_not_be_read_is_refused_with_its_option(arguments: Dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(soc="Ascend310", **arguments)  # type: ignore[arg-type]
    assert caught.value.where is not None
    assert caught.value.where.startswith("--")
    assert caught.value.fix


@given(st.lists(st.integers(1, 99999), min_size=1, max_size=8, unique=True))
def test_a_list_of_batches_is_read_as_written(numbers: Sequence[int]) -> None:
    text = ",".join(map(str, numbers))
    assert parse_options(soc="Ascend310", batch=text).batches == tuple(numbers)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for name in ("batch", "image_size", "source_size", "crop", "padding"):
        try:
            parse_options(soc="Ascend310", form="nv12", **{name: text})  # type: ignore[arg-type]
        except UsageError as error:
            assert error.fix


BROKEN: Dict[str, Tuple[ConvertOptions, Sequence[object], str]] = {
    "two kinds of profiles": (
        ConvertOptions(batches=(1, 2), image_sizes=((16, 16), (32, 32))),
        STATIC,
        "one kind of dynamic sizes",
    ),
    "a range and a profile": (
        ConvertOptions(batches=(1, 2), extra=("--input_shape_range=image:[1~8,3,16,16]",)),
        STATIC,
        "one kind of dynamic sizes",
    ),
    "one profile": (extra("--input_shape=image:-1,3,16,16", "--dynamic_batch_size=4"), STATIC, "2"),
    "too many profiles": (ConvertOptions(batches=tuple(range(1, 102))), STATIC, "2 to 100"),
    "dims without ND": (
        extra("--input_shape=image:-1,3,16,16", "--dynamic_dims=1;2"),
        STATIC,
        "layout ND",
    ),
    "image sizes with ND": (
        ConvertOptions(image_sizes=((16, 16), (32, 32)), extra=("--input_format=ND",)),
        STATIC,
        "NCHW or NHWC",
    ),
    "AIPP with dims": (
        ConvertOptions(
            aipp=AippRequest("rgb"),
            input_shapes=(("image", (-1, 3, 16, 16)),),
            extra=("--dynamic_dims=1;2", "--input_format=ND"),
        ),
        STATIC,
        "AIPP does not work with dynamic_dims",
    ),
    "AIPP with an fp16 input": (
        ConvertOptions(aipp=AippRequest("rgb"), extra=("--input_fp16_nodes=image",)),
        STATIC,
        "E10034",
    ),
    "two precisions": (
        ConvertOptions(precision="fp32", extra=("--precision_mode_v2=fp16",)),
        STATIC,
        "one of the two",
    ),
    "keep_dtype for nothing": (
        ConvertOptions(precision="origin", keep_dtype=("conv_1",)),
        STATIC,
        "keeps its element type already",
    ),
    "a list without its mode": (
        extra("--optypelist_for_implmode=Sqrt"),
        STATIC,
        "op_select_implmode",
    ),
    "an open axis without a size": (ConvertOptions(), OPEN, "sizes that it knows"),
    "an open axis without profiles": (
        ConvertOptions(input_shapes=(("image", (-1, 3, 16, 16)),)),
        OPEN,
        "E10012",
    ),
    "profiles without an open axis": (
        extra("--input_shape=image:1,3,16,16", "--dynamic_batch_size=1,2"),
        STATIC,
        "E10012",
    ),
    "weights outside": (extra("--external_weight=1"), STATIC, "all that is kept"),
    "a kept node that is not there": (ConvertOptions(keep_dtype=("conv_2",)), STATIC, "E10016"),
    "a kept type that is not there": (
        ConvertOptions(keep_dtype=("OpType::Gelu",)),
        STATIC,
        "E10016",
    ),
    "an output that is not there": (extra("--out_nodes=conv_2:0"), STATIC, "E10016"),
    "an fp16 input that is not there": (extra("--input_fp16_nodes=picture"), STATIC, "E10016"),
    "a shape of no input": (extra("--input_shape=picture:1,3,16,16"), STATIC, "E10016"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named_before_atc_starts(name: str, tmp_path: Path) -> None:
    options, shape, reason = BROKEN[name]
    with pytest.raises(UsageError) as caught:
        check(tmp_path, options, shape)
    assert reason in str(caught.value)
    assert caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (ConvertOptions(), STATIC),
        (ConvertOptions(batches=(1,)), OPEN),
        (ConvertOptions(batches=(1, 2)), OPEN),
        (ConvertOptions(batches=tuple(range(1, 101))), OPEN),
        (ConvertOptions(image_sizes=((16, 16), (32, 48))), OPEN_SIZE),
        (ConvertOptions(batches=(2,), image_sizes=((32, 48),)), ("n", 3, "h", "w")),
        (ConvertOptions(input_shapes=(("", (1, 3, 16, 16)),)), OPEN),
        (ConvertOptions(precision="fp32", keep_dtype=("conv_1", "OpType::Relu")), STATIC),
        (ConvertOptions(aipp=AippRequest("nv12"), batches=(1, 2)), OPEN),
        (ConvertOptions(aipp=AippRequest("nv12"), image_sizes=((16, 16), (32, 32))), OPEN_SIZE),
        (extra("--input_shape_range=image:[1~8,3,16,16]"), OPEN),
        (extra("--input_fp16_nodes=image"), STATIC),
        (extra("--external_weight=0"), STATIC),
        (extra("--out_nodes=conv_1:0;joints"), STATIC),
        (extra("--optypelist_for_implmode=Sqrt", "--op_select_implmode=high_precision"), STATIC),
        (
            extra("--input_shape=image:-1,3,16,16", "--dynamic_dims=1;2", "--input_format=ND"),
            OPEN,
        ),
    ],
)
def test_what_breaks_no_rule_passes(
    options: ConvertOptions, shape: Sequence[object], tmp_path: Path
) -> None:
    check(tmp_path, options, shape)


def test_a_rule_names_the_option_that_the_user_gave(tmp_path: Path) -> None:
    options = ConvertOptions(precision="origin", keep_dtype=("conv_1",))
    with pytest.raises(UsageError) as caught:
        check(tmp_path, options)
    assert caught.value.where == "--keep-dtype and --precision"
    with pytest.raises(UsageError) as caught:
        check(tmp_path, extra("--precision_mode=force_fp16", "--precision_mode_v2=fp16"))
    assert caught.value.where == "--precision_mode and --precision_mode_v2"


def test_a_name_that_is_not_there_is_answered_with_those_like_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, ConvertOptions(keep_dtype=("conv1",)))
    assert caught.value.fix == "names like it: conv_1"


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("where", ["host", "graph"])
def test_a_picture_is_normalised_once(tmp_path: Path, normalised: bool, where: str) -> None:
    card = CARD if where == "host" else graph_card()
    model = write_model(tmp_path / "hand.onnx", card=card, normalised=normalised)
    options = ConvertOptions(aipp=AippRequest("rgb"))
    command = build_command(options, read_onnx_summary(model), card)
    if normalised and where == "host":
        with pytest.raises(UsageError, match="normalised twice") as caught:
            check_normalisation(command, model)
        assert "sub_mean" in str(caught.value)
    else:
        check_normalisation(command, model)


def test_a_card_that_leaves_pixels_alone_goes_with_a_graph_that_normalises(
    tmp_path: Path,
) -> None:
    card = replace(CARD, preprocess=replace(CARD.preprocess, mean=(0.0,) * 3, std=(1.0,) * 3))
    model = write_model(tmp_path / "hand.onnx", card=card, normalised=True)
    options = ConvertOptions(aipp=AippRequest("rgb"))
    check_normalisation(build_command(options, read_onnx_summary(model), card), model)


def test_without_aipp_the_graph_may_normalise(tmp_path: Path) -> None:
    model = write_model(tmp_path / "hand.onnx", normalised=True)
    command = build_command(ConvertOptions(), read_onnx_summary(model), CARD)
    check_normalisation(command, model)


@pytest.mark.parametrize(
    ("options", "cann", "refused"),
    [
        (ConvertOptions(tune="ga"), "5.1.RC2.alpha001", None),
        (ConvertOptions(tune="ga"), None, None),
        (extra("--precision_mode_v2=fp16"), "5.0.4", "--precision_mode_v2"),
        (extra("--precision_mode=cube_fp16in_fp32out"), "5.0.4", "cube_fp16in_fp32out"),
        (ConvertOptions(precision="fp32"), "5.0.4", None),
        (extra("--no_source_names_this=1"), "5.0.4", None),
    ],
)
def test_a_flag_that_the_release_does_not_have_is_refused(
    options: ConvertOptions, cann: Optional[str], refused: Optional[str], tmp_path: Path
) -> None:
    command = command_for(tmp_path, options)
    if refused is None:
        check_release(command, cann)
        return
    with pytest.raises(UsageError, match=re.escape(refused)):
        check_release(command, cann)


def warnings_of(
    folder: Path,
    options: ConvertOptions,
    cann: Optional[str],
    opset: int = 11,
    card: ModelCard = CARD,
    **opsets: int,
) -> str:
    model = write_model(folder / "hand.onnx", opset=opset)
    summary = read_onnx_summary(model)
    summary = OnnxSummary(**{**vars(summary), "opsets": {**summary.opsets, **opsets}})
    return "\n".join(find_warnings(build_command(options, summary, card), summary, cann))


def test_an_opset_outside_the_range_of_the_release_is_warned_of(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, ConvertOptions(), "5.0.4") == ""
    assert "9 to 13" in warnings_of(tmp_path, ConvertOptions(), "5.0.4", opset=17)
    assert warnings_of(tmp_path, ConvertOptions(), None, opset=17) == ""


def test_two_operator_sets_and_a_missing_batch_of_1_are_warned_of(tmp_path: Path) -> None:
    assert "E16005" in warnings_of(tmp_path, ConvertOptions(), None, mmdeploy=1)
    assert "one picture" in warnings_of(tmp_path, ConvertOptions(batches=(2, 4)), None)
    assert warnings_of(tmp_path, ConvertOptions(batches=(1, 4)), None) == ""


def test_a_graph_for_one_picture_at_a_time_is_warned_of_with_other_batches(tmp_path: Path) -> None:
    refused = (
        "gather_nd: refused, of no matter",
        f"{BATCH_STEP}: refused, look at Concat '/net/c'",
    )
    card = replace(CARD, provenance=replace(CARD.provenance, refused=refused))
    for batches in ((1, 4), (4,)):
        (warning,) = warnings_of(
            tmp_path, ConvertOptions(batches=batches), None, card=card
        ).splitlines()
        assert "/net/c" in warning
    for batches in ((), (1,)):
        assert warnings_of(tmp_path, ConvertOptions(batches=batches), None, card=card) == ""
